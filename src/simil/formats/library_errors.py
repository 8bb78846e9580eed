"""The boundary to the libraries that read files: whatever they raise about one is bad input."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from simil.errors import InputError, Place, SimilError
from simil.foreign import is_panic

__all__ = ["library_errors", "reason"]

_SHOWN = 200


@contextmanager
def library_errors(place: Place, what: str, hint: str = "") -> Iterator[None]:
    """Turn what a library raises about the file at `place` into InputError: it is not `what`.

    A parser may raise anything about bytes that were made to harm it, so every exception counts.
    """
    try:
        yield
    except (SimilError, GeneratorExit, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as exc:
        if not isinstance(exc, Exception) and not is_panic(exc):
            raise
        raise InputError(f"is not {what}: {reason(exc)}", hint=hint, place=place) from exc


def reason(exc: BaseException) -> str:
    """Return what an exception says, as part of a line."""
    if isinstance(exc, MemoryError):
        return "there is not enough memory for what it holds"
    said = " ".join(str(exc).split("\n")[0].split()).rstrip(". ")
    return said[:_SHOWN] or type(exc).__name__
