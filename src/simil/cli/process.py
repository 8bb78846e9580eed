"""The process around a run: standard streams that exist, and an end within a second of Ctrl-C or `kill`."""

from __future__ import annotations

import codecs
import gc
import io
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, NoReturn

from simil.blas import start_with_one_thread
from simil.data_stream import keep_streams, stderr, stdout
from simil.foreign import first_signal, interrupts, note_signal, watch_signals, what_was_raised

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

__all__ = ["run_process"]

# So many new objects are collected at a time. With Python's own 700, to look through what the imports make
# takes a twelfth of a short run. What refers to itself stays for longer, so nothing large must.
_OBJECTS = 20_000
# What the program gets to unwind by itself before it is ended.
_GRACE_S = 0.5
_ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


def run_process(arguments: Sequence[str], load: Callable[[], Callable[[Sequence[str]], int]]) -> NoReturn:
    """Run a program and end the process with its exit code, or with that of the signal it got.

    `load` imports the program and returns it, so that Ctrl-C during its imports is handled here too. An
    exception that leaves the program is a fault of ours: a line on stderr and exit code 70.
    """
    gc.set_threshold(_OBJECTS)
    try:
        _occupy_closed()
        _handle_signals()
        _repair_streams()
        start_with_one_thread()
        code = load()(arguments)
    except BaseException as exc:
        # C modules turn an interrupt into errors of their own.
        if not interrupts(exc):
            from simil.cli.faults import report_fault

            code = report_fault(exc, arguments)
        elif first_signal() is None:
            raise
    number = first_signal()
    if number is not None:
        _end_interrupted()
        code = 128 + number
    _leave(code)


def _occupy_closed() -> None:
    """Occupy the descriptors of standard streams that are closed (`<&-`, `>&-`, `2>&-`).

    Otherwise the next file to be opened would get such a descriptor, and the output meant for the stream.
    Reading a closed stdin and writing to a closed stdout fails; output to a closed stderr is lost.
    """
    for number, stream in enumerate((sys.stdin, sys.stdout, sys.stderr)):
        if stream is None:
            nowhere = os.open(os.devnull, os.O_RDONLY if number == 1 else os.O_WRONLY)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)


def _repair_streams() -> None:
    """Give stdout a descriptor of its own, which nobody else writes to by its number; see `data_stream`.

    A character that its encoding lacks becomes a `?`; names have the bytes of the system. On a terminal,
    control characters of any input are made visible.
    """
    codecs.register_error("simil.names", _byte_of_name)
    # A pipe of Windows has an encoding that lacks most letters; its console takes all from Python's stream.
    is_windows = sys.platform == "win32"
    encoding = "utf-8" if sys.stdout is None or is_windows else sys.stdout.encoding
    is_console = is_windows and sys.stdout is not None and sys.stdout.isatty()
    raw: BinaryIO = sys.stdout.buffer if is_console else open(os.dup(1), "wb")  # noqa: SIM115, PTH123
    out = io.TextIOWrapper(raw, encoding, "simil.names", "\n", line_buffering=raw.isatty())
    err = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if out.isatty() or err.isatty():
        from simil.cli.output.terminal_stream import filtered

        keep_streams(filtered(out), filtered(err))
    else:
        keep_streams(out, err)


def _byte_of_name(exc: UnicodeError) -> tuple[str | bytes, int]:
    assert isinstance(exc, UnicodeEncodeError)
    character = exc.object[exc.start]
    is_byte = "\udc80" <= character <= "\udcff"
    return os.fsencode(character) if is_byte else "?", exc.start + 1


def _handle_signals() -> None:
    """Make `kill` unwind the program as Ctrl-C does, and end the process soon after either.

    Python runs signal handlers between bytecodes, and a matrix product in C can delay them for seconds. So
    the signal also wakes a thread, which ends the process if it is still running after a grace period.
    """
    for number in _ENDING:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _interrupt)
    watch_signals()
    wakes, woken = os.pipe()
    if sys.platform != "win32":  # It needs no such pipe there.
        os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    threading.Thread(target=_end_soon, args=(wakes,), daemon=True).start()
    sys.unraisablehook = _note_unraisable
    threading.excepthook = _note_failed_thread


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    note_signal(number)
    raise KeyboardInterrupt(number)


def _end_soon(wakes: int) -> None:
    number = 0
    while number not in _ENDING:
        number = os.read(wakes, 1)[0]
    note_signal(number)  # Others may have put a handler of theirs in the place of ours.
    time.sleep(_GRACE_S)
    from simil.cli.output.progress_bar import leave_terminal

    leave_terminal()
    _end_interrupted()
    os._exit(128 + number)


def _end_interrupted() -> None:
    from simil.cli.output.interrupt_note import print_interrupt_note
    from simil.cli.output.output_file import remove_unfinished

    remove_unfinished()
    print_interrupt_note()


def _note_unraisable(failed: sys.UnraisableHookArgs) -> None:
    """Say under -v what a destructor raised; an interrupt there is not worth a report."""
    if first_signal() is None and failed.exc_value is not None:
        import logging

        logging.getLogger("simil").info("ignored in a destructor: %s", what_was_raised(failed.exc_value))


def _note_failed_thread(failed: threading.ExceptHookArgs) -> None:
    """Say what ended a thread; those of ours hand on what they raise, so that it is one of others."""
    if first_signal() is None and failed.exc_value is not None:
        import logging

        logging.getLogger("simil").warning(
            "a thread of other code ended with %s", what_was_raised(failed.exc_value)
        )


def _leave(code: int) -> NoReturn:
    """End the process; output that stdout no longer takes is dropped silently."""
    for number in _ENDING:
        # Nothing is left to interrupt, and Python would print a traceback while it shuts down.
        signal.signal(number, signal.SIG_IGN)
    for stream in (stdout(), stderr(), sys.stdout):
        with suppress(Exception):  # The last may be an object of others.
            stream.flush()
    # Everything is closed and flushed. Shutting the interpreter down would take a fifth of a short run, and
    # would change the exit code if Ctrl-C had interrupted an `exec`, which some imports use.
    os._exit(code)
