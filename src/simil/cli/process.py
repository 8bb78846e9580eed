"""What a run asks of the system: streams that exist, and an end within a second of Ctrl-C or `kill`."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FrameType
from typing import NoReturn, TextIO

from simil.similarity.blas import start_with_one_thread

__all__ = ["run_process"]

# What the program gets to unwind by itself before it is ended.
_GRACE_S = 0.5
_ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
_received: list[int] = []


def run_process(arguments: Sequence[str], load: Callable[[], Callable[[Sequence[str]], int]]) -> NoReturn:
    """Run a program and end the process with its exit code, or with that of the signal it got.

    `load` imports the program: what goes wrong in its imports, Ctrl-C too, ends here as well.
    """
    try:
        _mend_streams()
        _heed_signals()
        start_with_one_thread()
        code = load()(arguments)
    except BaseException:
        # Modules in C turn the interrupt that met them into errors of their own.
        if not _received:
            raise
        code = 0
    if _received:
        from simil.cli.output.output_file import remove_unfinished

        remove_unfinished()
    _leave(128 + _received[0] if _received else code)


def _mend_streams() -> None:
    """Occupy the numbers of standard streams that the process was started without (`<&-`, `>&-`, `2>&-`).

    Else the next file to be opened would get one of them, and what is meant for the stream. Reading such
    a stdin and writing to such a stdout fails, what is written to such a stderr is lost. A character that
    the encoding of stdout lacks becomes a `?`.
    """
    if sys.stdin is None:
        _occupy(0, os.O_WRONLY)
    if sys.stdout is None:
        _occupy(1, os.O_RDONLY)
        sys.stdout = _writer(1)
    if sys.stderr is None:
        _occupy(2, os.O_WRONLY)
        sys.stderr = _writer(2)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _occupy(number: int, flags: int) -> None:
    nowhere = os.open(os.devnull, flags)
    if nowhere != number:
        os.dup2(nowhere, number)
        os.close(nowhere)


def _writer(number: int) -> TextIO:
    return open(number, "w", encoding="utf-8", closefd=False)


def _heed_signals() -> None:
    """Let `kill` unwind the program as Ctrl-C does, and see that either ends it soon.

    Python's handlers run between bytecodes, which a matrix product in C puts off for seconds. So a
    thread that the signal itself wakes ends the process if it still runs by then.
    """
    for number in _ENDING:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _interrupt)
    wakes, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    threading.Thread(target=_end_soon, args=(wakes,), daemon=True).start()


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    _received.append(number)
    # Where the interrupt meets a destructor it is not raised further; that is nothing to report.
    sys.unraisablehook = lambda unraisable: None
    raise KeyboardInterrupt


def _end_soon(wakes: int) -> None:
    number = 0
    while number not in _ENDING:
        number = os.read(wakes, 1)[0]
    time.sleep(_GRACE_S)
    from simil.cli.output.output_file import remove_unfinished

    remove_unfinished()
    os._exit(128 + number)


def _leave(code: int) -> NoReturn:
    """End the process; what stdout does not take any more is dropped without a word."""
    for number in _ENDING:
        # Nothing is left to interrupt, and Python's own last steps would show a traceback.
        signal.signal(number, signal.SIG_IGN)
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    with suppress(OSError):
        sys.stderr.flush()
    # Nothing is left to do: what was opened is closed, what was written is flushed. Taking the
    # interpreter apart would cost a fifth of a short run, and end in another code where Ctrl-C met it
    # in an `exec`, as there are some in imports.
    os._exit(code)
