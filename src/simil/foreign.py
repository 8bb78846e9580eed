"""The boundary to code that is not ours, plug-ins and models' libraries: it does not decide how a run ends.

Whatever it raises, `SystemExit(0)` and Rust's panics too, becomes a `ModelError`. Only a signal interrupts a
run: the command notes those that it gets (`note_signal`), so that Ctrl-C can be told from foreign code that
raises `KeyboardInterrupt` itself.
"""

from __future__ import annotations

from types import TracebackType

from simil.errors import ModelError, Place, SimilError

__all__ = [
    "ForeignCode",
    "first_signal",
    "interrupts",
    "is_panic",
    "note_signal",
    "watch_signals",
    "what_was_raised",
]

# What errors of ours end with: neither success nor a negative answer.
_CODES = {2, 3, 4, 5, 6}
_SHOWN = 500
# What these are in errors of libraries: advice to let a model's code run, and instructions of a whole page.
_IN_OTHER_WORDS = {
    "trust_remote_code": "it needs code of its own, which is never run",
    "weights_only": "its weights are damaged or hold code, which is never run",
    "does not recognize this architecture": "the installed transformers does not know its architecture",
}
_received: list[int] = []
_watched = False


class ForeignCode:
    """A context in which code that is not ours runs: all that it raises leaves as a `ModelError`.

    `what` is the subject and verb of the error's line, as "plugin:x failed". An error of ours passes, as do
    `MemoryError` and an interrupt by a signal. Never put a `yield` of ours into it.
    """

    def __init__(
        self,
        what: str,
        *,
        hint: str = "",
        place: Place | None = None,
        error: type[ModelError] = ModelError,
    ) -> None:
        """Raise `error`, with `hint` and `place`."""
        self._what = what
        self._hint = hint
        self._place = place
        self._error = error

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if exc is None or _is_our_error(exc):
            return
        # A damaged file may ask for any amount.
        if isinstance(exc, MemoryError) and self._error is ModelError:
            return
        if interrupts(exc):
            raise KeyboardInterrupt(*_received[:1]) from exc
        line = f"{self._what}: {what_was_raised(exc)}"
        raise self._error(line, hint=self._hint, place=self._place) from exc


def what_was_raised(exc: BaseException) -> str:
    """Return the kind of an exception and what it says, which may itself fail."""
    try:
        said = str(exc)
    except BaseException:  # noqa: BLE001 (`__str__` of others may raise anything)
        said = ""
    for part, words in _IN_OTHER_WORDS.items():
        if part in said:
            return words
    said = f"{said[:_SHOWN]}…" if len(said) > _SHOWN else said
    if isinstance(exc, MemoryError):
        return "there is not enough memory"
    if said and (type(exc) is Exception or is_panic(exc)):
        return said  # As Rust libraries raise; the name says nothing.
    return f"{type(exc).__name__}: {said}" if said else type(exc).__name__


def is_panic(exc: BaseException) -> bool:
    """Return whether a library written in Rust panicked: PyO3 derives that from BaseException."""
    return type(exc).__name__ == "PanicException"


def watch_signals() -> None:
    """Note that from now on `note_signal` is called for every signal that ends the run."""
    global _watched  # noqa: PLW0603 (state of the process)
    _watched = True


def note_signal(number: int) -> None:
    """Note a signal that ends the run."""
    _received.append(number)


def first_signal() -> int | None:
    """Return the first signal that was noted, None if there was none."""
    return _received[0] if _received else None


def interrupts(exc: BaseException) -> bool:
    """Return whether an exception is due to a signal: C code may have turned it into another kind.

    Where signals are not watched, as in a program that imports simil, every `KeyboardInterrupt` is.
    """
    return bool(_received) or (not _watched and isinstance(exc, KeyboardInterrupt))


def _is_our_error(exc: BaseException) -> bool:
    # A subclass in foreign code may say that it ends the run well, or nothing that can be printed.
    try:
        return isinstance(exc, SimilError) and exc.exit_code in _CODES and bool(str(exc))
    except BaseException:  # noqa: BLE001 (see `what_was_raised`)
        return False
