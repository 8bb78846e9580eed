"""Running the real command: `python -m simil` in a process of its own, on pipes or on a terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pexpect

__all__ = ["MINILM", "SIMIL", "Result", "on_terminal", "run", "shell", "simil"]

SIMIL = [sys.executable, "-m", "simil"]
MINILM = "all-MiniLM-L6-v2@53aa51172d14"
_TIMEOUT_S = 60
# In scripts `simil` is the command under test, whatever is installed.
_PRELUDE = f'simil() {{ "{sys.executable}" -m simil "$@"; }}\n'


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


def simil(
    *arguments: str | bytes,
    stdin: bytes = b"",
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = _TIMEOUT_S,
) -> Result:
    """Run `simil` with these arguments; `env` adds to the environment."""
    return run([*SIMIL, *arguments], stdin=stdin, cwd=cwd, env=env, timeout=timeout)


def shell(
    script: str,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Result:
    """Run a line of shell in which `simil` is the command."""
    return run(["/bin/sh", "-c", _PRELUDE + script], cwd=cwd, env=env, environ=environ)


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


def on_terminal(
    script: str, columns: int, *, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> Result:
    """Run a line of shell on a terminal of so many columns, which shows stdout and stderr alike."""
    child = pexpect.spawn(
        "/bin/sh",
        ["-c", _PRELUDE + script],
        dimensions=(24, columns),
        cwd=str(cwd) if cwd else None,
        env={**os.environ, "TERM": "xterm", **(env or {})},
        encoding="utf-8",
        timeout=_TIMEOUT_S,
    )
    child.expect(pexpect.EOF)
    child.close()
    shown = child.before.replace("\r\n", "\n")
    return Result(128 + child.signalstatus if child.signalstatus else child.exitstatus, shown, "")
