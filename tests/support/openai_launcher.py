"""`simil`, but for the time, which is that of a shared clock.

    python tests/support/openai_launcher.py CLOCK embed texts.txt

`Launcher` runs many: a process that has imported everything makes
each of them by a fork, which saves the quarter of a second that a start takes.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from simil.embedders.openai.transport import Timeout

__all__ = ["COMMAND", "IMPATIENTLY", "Launcher"]

COMMAND = [sys.executable, str(Path(__file__).resolve())]
# Before the clock: the run soon gives up a server that is silent.
IMPATIENTLY = "--impatient"
_SERVE = "--serve"


class Launcher:
    """Runs the command, one run after the other, each in a process of its own."""

    def __init__(self) -> None:
        here, there = socket.socketpair()
        with there:
            self._process = subprocess.Popen(
                [*COMMAND, _SERVE, str(there.fileno())],
                pass_fds=[there.fileno()],
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            )
        self._pipe = Connection(here.detach())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pipe.close()
        self._process.wait()

    def run(
        self,
        clock: Path,
        arguments: Sequence[str],
        *,
        cwd: Path,
        environ: Mapping[str, str],
        output: Path,
        impatient: bool = False,
    ) -> tuple[int, str, str]:
        """Return the exit code and what was printed on stdout and stderr, by way of files in `output`.

        An `impatient` run soon gives up a server that is silent.
        """
        self._pipe.send((clock, list(arguments), cwd, dict(environ), output, impatient))
        code = self._pipe.recv()
        return code, (output / "stdout").read_text("utf-8"), (output / "stderr").read_text("utf-8")


def _serve(pipe: Connection) -> None:
    from support.fork_server import import_all
    from support.openai_clock import IMPATIENT, PATIENT

    import_all()
    while True:
        try:
            clock, arguments, cwd, environ, output, impatient = pipe.recv()
        except EOFError:
            return
        child = os.fork()
        if not child:
            for number, name in ((1, "stdout"), (2, "stderr")):
                os.dup2(os.open(output / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            pipe.close()
            os.chdir(cwd)
            os.environ.clear()
            os.environ.update(environ)
            _run(clock, arguments, IMPATIENT if impatient else PATIENT)
        pipe.send(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def _run(clock: Path, arguments: Sequence[str], timeout: Timeout) -> None:
    from simil.__main__ import main
    from support.openai_clock import SharedClock, install

    install(SharedClock(clock), timeout)
    sys.argv = ["simil", *arguments]
    main()


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    if sys.argv[1] == _SERVE:
        with Connection(int(sys.argv[2])) as asked:
            _serve(asked)
    else:
        from simil.embedders.openai.transport import Timeout
        from support.openai_clock import IMPATIENT

        is_impatient = sys.argv[1] == IMPATIENTLY
        clock, *words = sys.argv[1 + is_impatient :]
        _run(Path(clock), words, IMPATIENT if is_impatient else Timeout())
