"""Running the real command: `python -m simil` in a process of its own, on pipes or on a terminal.

`simil`, `shell` and `on_terminal` take a process of the fork server, which has imported everything, unless
the test has the fixture `fresh_processes`; `SIMIL` and `started` always start Python anew.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer

import pexpect

from support.fork_server import python_m_simil

__all__ = ["MINILM", "SIMIL", "Child", "Result", "on_terminal", "run", "shell", "simil", "started"]

SIMIL = [sys.executable, "-m", "simil"]
MINILM = "all-MiniLM-L6-v2@53aa51172d14"
_TIMEOUT_S = 120  # only ever reached by what hangs
# Whether all processes start Python anew.
is_fresh = False
# In scripts `simil` is the command under test, whatever is installed.
_PRELUDE = 'simil() {{ {} "$@"; }}\n'


@dataclass(frozen=True)
class Result:
    """What a process printed, as text, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def error_line(self) -> str:
        """The one line on stderr; fails where there is none or more, or a traceback."""
        assert self.err.count("\n") == 1, self.err
        assert self.err.startswith("simil: "), self.err
        return self.err.removeprefix("simil: ").removesuffix("\n")

    @property
    def error_lines(self) -> list[str]:
        """The lines on stderr, without the name of the command; fails where one is not simil's."""
        lines = self.err.splitlines()
        assert all(line.startswith("simil: ") for line in lines), self.err
        return [line.removeprefix("simil: ") for line in lines]


@dataclass(frozen=True)
class Child:
    """A run that has begun: what it is told and what it says, while it goes on."""

    process: subprocess.Popen[bytes]

    def write(self, data: bytes) -> None:
        """Send bytes to its stdin."""
        assert self.process.stdin is not None
        self.process.stdin.write(data)

    def close(self) -> None:
        """End its stdin."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def line(self) -> bytes:
        """Return the next line of its stdout; empty at the end."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def signal(self, number: int) -> None:
        """Send a signal and wait until the process has ended."""
        self.process.send_signal(number)
        self.process.wait()

    def finish(self) -> Result:
        """Close its stdin, and return how it ended and what it has printed since."""
        out, err = self.process.communicate()
        return Result(self.process.returncode, out.decode(), err.decode())


def simil(
    *arguments: str | bytes,
    stdin: bytes = b"",
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = _TIMEOUT_S,
) -> Result:
    """Run `simil` with these arguments; `env` adds to the environment."""
    return run([*_command(), *arguments], stdin=stdin, cwd=cwd, env=env, timeout=timeout)


def shell(
    script: str,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Result:
    """Run a line of shell in which `simil` is the command."""
    return run(["/bin/sh", "-c", _in_shell(script)], cwd=cwd, env=env, environ=environ)


@contextmanager
def started(*arguments: str, env: Mapping[str, str] | None = None) -> Iterator[Child]:
    """Start `simil` with pipes; it is killed where the test would wait for it for ever."""
    process = subprocess.Popen(
        [*SIMIL, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        env={**os.environ, **(env or {})},
    )
    limit = Timer(_TIMEOUT_S, process.kill)
    limit.start()
    try:
        with process:
            try:
                yield Child(process)
            finally:
                process.kill()
    finally:
        limit.cancel()
        limit.join()


def run(
    command: list[str | bytes],
    *,
    stdin: bytes = b"",
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    timeout: float = _TIMEOUT_S,
) -> Result:
    """Run any command; `env` adds to `environ`, which is the environment of the tests if not given."""
    done = subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        cwd=cwd,
        env={**(environ or os.environ), **(env or {})},
        timeout=timeout,
        check=False,
    )
    return Result(done.returncode, done.stdout.decode(), done.stderr.decode())


def _in_shell(script: str) -> str:
    return _PRELUDE.format(shlex.join(_command())) + script


def _command() -> list[str]:
    return SIMIL if is_fresh else python_m_simil()


def _heed_broken_pipes() -> None:
    """Undo in a child what Python does when it starts; `subprocess` does so by itself."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)


def on_terminal(
    script: str, columns: int, *, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> Result:
    """Run a line of shell on a terminal of so many columns, which shows stdout and stderr alike."""
    child = pexpect.spawn(
        "/bin/sh",
        ["-c", _in_shell(script)],
        dimensions=(24, columns),
        cwd=str(cwd) if cwd else None,
        env={**os.environ, "TERM": "xterm", **(env or {})},
        encoding="utf-8",
        timeout=_TIMEOUT_S,
        preexec_fn=_heed_broken_pipes,
    )
    child.expect(pexpect.EOF)
    child.close()
    shown = child.before.replace("\r\n", "\n")
    return Result(128 + child.signalstatus if child.signalstatus else child.exitstatus, shown, "")
