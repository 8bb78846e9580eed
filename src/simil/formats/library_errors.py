"""The boundary to libraries that read what others wrote: whatever they raise about it is an error of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from simil.errors import InputError, Place, SimilError

__all__ = ["library_errors", "translated"]

_SHOWN = 300
# A panic of a library written in Rust, which PyO3 derives from BaseException.
_PANIC = "PanicException"


@contextmanager
def translated(error: Callable[[str], SimilError]) -> Iterator[None]:
    """Turn what a library raises into the `error` that is made of what it says.

    A library may raise anything about bytes that were made to harm it, so every exception counts.
    """
    try:
        yield
    except SimilError:
        raise
    except BaseException as exc:
        if not isinstance(exc, Exception) and type(exc).__name__ != _PANIC:
            raise
        raise error(_reason(exc)) from exc


def library_errors(place: Place, what: str, hint: str = "") -> AbstractContextManager[None]:
    """Turn what a library raises about the file at `place` into InputError: it is not `what`."""
    return translated(lambda why: InputError(f"is not {what}: {why}", hint=hint, place=place))


def _reason(exc: BaseException) -> str:
    """Return what an exception says, as part of a line."""
    if isinstance(exc, MemoryError):
        return "there is not enough memory for what it holds"
    said = " ".join(str(exc).strip().split("\n")[0].split()).rstrip(". ")
    return said[:_SHOWN] or type(exc).__name__
