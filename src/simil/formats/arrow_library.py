"""pyarrow, which the extra [parquet] installs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from simil.errors import ExtraMissing, InputError, Place

__all__ = ["arrow", "arrow_errors"]


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


@contextmanager
def arrow_errors(place: Place, what: str = "a sound Parquet or Arrow file") -> Iterator[None]:
    """Turn what pyarrow raises about the file at `place` into InputError."""
    try:
        yield
    except (arrow().ArrowException, OSError, UnicodeDecodeError) as exc:
        said = str(exc).partition("\n")[0].rstrip(". ")
        raise InputError(f"is not {what}: {said}", place=place) from exc
