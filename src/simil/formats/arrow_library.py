"""pyarrow, which the extra [parquet] installs."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from simil.errors import ExtraMissing, Place
from simil.formats.library_errors import library_errors

__all__ = ["arrow", "arrow_errors", "arrow_file_systems"]


def arrow() -> Any:
    """Return the module, with `compute`, `ipc` and `parquet`; raises ExtraMissing without the extra."""
    try:
        import pyarrow
        import pyarrow.compute
        import pyarrow.ipc
        import pyarrow.parquet
    except ImportError as exc:
        raise ExtraMissing(
            "Parquet and Arrow files need pyarrow, which is not installed",
            extra="parquet",
        ) from exc
    return pyarrow


def arrow_file_systems() -> Any:
    """Return the module of pyarrow for object stores; raises ExtraMissing without the extra."""
    arrow()
    import pyarrow.fs

    return pyarrow.fs


def arrow_errors(place: Place, what: str = "a sound Parquet or Arrow file") -> AbstractContextManager[None]:
    """Turn what pyarrow raises about the file at `place` into InputError."""
    return library_errors(place, what)
