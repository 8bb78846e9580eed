"""The process in which `simil eval` measures one model."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from simil.cli.process import run_process
from simil.data_stream import reserve_stdout

__all__ = ["worker_command"]

# The exit code where who asked was interrupted, and has gone with all that it had.
_GONE = 130


def worker_command(*, quiet: bool, verbose: bool) -> list[str]:
    """Return the command that starts such a process, with the notes and progress of this run."""
    # -P: what lies in the current folder is not to be taken for a part of Python or simil.
    flags = ["-q"] * quiet + ["-v"] * verbose
    return [sys.executable, "-P", "-m", "simil.cli.eval_worker", *flags]


def _load() -> Callable[[Sequence[str]], int]:
    return _run


def _run(arguments: Sequence[str]) -> int:
    from simil.cli.options.run import notes_on_stderr, session_run
    from simil.session.measured_process import MeasurementRequest, Outcome, measure_in, write_result
    from simil.session.measuring import Loudness

    reserve_stdout()
    *flags, loudness, name, began = arguments
    folder, silent = Path(name), "-q" in flags or loudness == Loudness.SILENT
    line = sys.stdin.buffer.read()
    if not line.endswith(b"\n"):
        return _GONE
    request = MeasurementRequest.from_json(line)

    def measure() -> Outcome:
        with session_run(request.settings, request.dimensions, on_error="fail", quiet=silent) as run:
            return measure_in(run.session, request, folder, float(began))

    try:
        with notes_on_stderr(quiet=silent, verbose="-v" in flags and not silent):
            if loudness == Loudness.PROGRESS:
                logging.getLogger("simil").setLevel(logging.ERROR)
            write_result(folder, measure)
    except FileNotFoundError:
        if folder.exists():
            raise
        return _GONE
    return 0


if __name__ == "__main__":
    run_process(sys.argv[1:], _load)
