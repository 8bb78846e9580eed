"""The process around a run: standard streams that exist, and an end within a second of Ctrl-C or `kill`."""

from __future__ import annotations

import codecs
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

from simil.blas import start_with_one_thread

__all__ = ["run_process"]

# What the program gets to unwind by itself before it is ended.
_GRACE_S = 0.5
_ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
_received: list[int] = []


def run_process(arguments: Sequence[str], load: Callable[[], Callable[[Sequence[str]], int]]) -> NoReturn:
    """Run a program and end the process with its exit code, or with that of the signal it got.

    `load` imports the program and returns it, so that Ctrl-C during its imports is handled here too.
    """
    try:
        _repair_streams()
        _handle_signals()
        start_with_one_thread()
        code = load()(arguments)
    except BaseException:
        # C modules turn an interrupt into errors of their own.
        if not _received:
            raise
        code = 0
    if _received:
        from simil.cli.output.output_file import remove_unfinished

        remove_unfinished()
    _leave(128 + _received[0] if _received else code)


def _repair_streams() -> None:
    """Occupy the descriptors of standard streams that are closed (`<&-`, `>&-`, `2>&-`).

    Otherwise the next file to be opened would get such a descriptor, and the output meant for the stream.
    Reading a closed stdin and writing to a closed stdout fails; output to a closed stderr is lost. A
    character that the encoding of stdout lacks becomes a `?`; names have the bytes of the system. On a
    terminal, control characters of any input are made visible.
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
        codecs.register_error("simil.names", _byte_of_name)
        sys.stdout.reconfigure(errors="simil.names")
    if sys.stdout.isatty() or sys.stderr.isatty():
        from simil.cli.output.terminal_stream import filtered

        sys.stdout, sys.stderr = filtered(sys.stdout), filtered(sys.stderr)


def _byte_of_name(exc: UnicodeError) -> tuple[str | bytes, int]:
    assert isinstance(exc, UnicodeEncodeError)
    character = exc.object[exc.start]
    is_byte = "\udc80" <= character <= "\udcff"
    return os.fsencode(character) if is_byte else "?", exc.start + 1


def _occupy(number: int, flags: int) -> None:
    nowhere = os.open(os.devnull, flags)
    if nowhere != number:
        os.dup2(nowhere, number)
        os.close(nowhere)


def _writer(number: int) -> TextIO:
    return open(number, "w", encoding="utf-8", closefd=False)


def _handle_signals() -> None:
    """Make `kill` unwind the program as Ctrl-C does, and end the process soon after either.

    Python runs signal handlers between bytecodes, and a matrix product in C can delay them for seconds. So
    the signal also wakes a thread, which ends the process if it is still running after a grace period.
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
    # An interrupt in a destructor is not raised further, and is not worth a report.
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
    """End the process; output that stdout no longer takes is dropped silently."""
    for number in _ENDING:
        # Nothing is left to interrupt, and Python would print a traceback while it shuts down.
        signal.signal(number, signal.SIG_IGN)
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    with suppress(OSError):
        sys.stderr.flush()
    # Everything is closed and flushed. Shutting the interpreter down would take a fifth of a short run, and
    # would change the exit code if Ctrl-C had interrupted an `exec`, which some imports use.
    os._exit(code)
