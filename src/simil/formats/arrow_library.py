"""pyarrow, which the extra [parquet] installs."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

from simil.data_stream import in_command
from simil.errors import ExtraMissing, Place
from simil.formats.library_errors import library_errors

__all__ = ["arrow", "arrow_errors", "arrow_file_systems"]


def arrow() -> Any:
    """Return the module, with `compute`, `ipc` and `parquet`; raises ExtraMissing without the extra."""
    try:
        import pyarrow

        if in_command():
            _without_pandas(pyarrow)
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


@cache
def _without_pandas(pyarrow: Any) -> None:
    """Keep pyarrow from importing pandas, which takes longer than a search.

    pyarrow looks for pandas once, when it makes its first value, as `pyarrow.dataset` does while it is
    imported. Only in a process of the command: in others, somebody may hand pandas' objects to pyarrow.
    """
    if "pandas" not in sys.modules:
        nowhere = _NoPandas()
        sys.meta_path.insert(0, nowhere)
        try:
            pyarrow.scalar(True)
        finally:
            sys.meta_path.remove(nowhere)


class _NoPandas:
    """Finds no module called pandas, and leaves all others to be found."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.partition(".")[0] == "pandas":
            raise ModuleNotFoundError("pandas is not looked for", name=name)
