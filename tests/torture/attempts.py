"""Runs the command as a case sets it up, and checks what holds for every run, whatever it was given."""

from __future__ import annotations

import base64
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from support.fork_server import python_m_simil

from torture.report import Report

__all__ = ["LIMIT_S", "Attempt", "attempt", "check", "for_each", "forms_of"]

# A run that takes longer hangs.
LIMIT_S = 20.0
# Done, negative, usage, input, model, provider, in part; and what signals that a case sends may end with.
_CODES = {0, 1, 2, 3, 4, 5, 6, 129, 130, 141, 143}
_SHOWN = 400

Case = TypeVar("Case")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run: its command, what it printed, as bytes, and how it ended; negative codes are signals."""

    command: str
    code: int
    out: bytes
    err: bytes
    seconds: float
    hung: bool = False

    def __str__(self) -> str:
        err = self.err.decode("utf-8", "backslashreplace")
        return f"{self.command} -> {self.code} in {self.seconds:.1f} s: {err[-_SHOWN:]}"


def attempt(
    *arguments: str | bytes,
    stdin: bytes = b"",
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    command: Sequence[str] | None = None,
    limit_s: float = LIMIT_S,
    sent: Callable[[subprocess.Popen[bytes]], None] | None = None,
) -> Attempt:
    """Run `simil` with these arguments; `env` adds to the environment.

    `command` takes the place of the fork server's client, for instance `[sys.executable, "-m", "simil"]`.
    `sent` is called with the process once it has started, to send it a signal or to harm what it reads. After
    `limit_s` the whole process group is killed; where other programs want the processors too, it gets as much
    more time as it has to share them.
    """
    limit_s *= max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    words: list[str | bytes] = [*(command or python_m_simil()), *arguments]
    began = time.monotonic()
    process = subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        start_new_session=True,
    )
    hung = False
    if sent is not None:
        sent(process)
    try:
        out, err = process.communicate(stdin, timeout=limit_s)
    except subprocess.TimeoutExpired:
        hung = True
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
    shown = shlex.join(os.fsdecode(argument) for argument in arguments)
    return Attempt(f"simil {shown}", process.returncode, out, err, time.monotonic() - began, hung)


def check(
    report: Report, done: Attempt, case: str, *, secrets: Iterable[str] = (), killed: Iterable[int] = ()
) -> bool:
    """Check what holds for every run: it ends, with a code and lines of ours, and prints no secret.

    `case` says how to make it again; `killed` are signals that the case itself ends the run with. Returns
    whether the run answered (0, 1 or 6), so that its answer is to be checked.
    """
    if done.hung:
        report.found("hangs", f"{case}: {done}")
        return False
    is_ours = done.code in _CODES or -done.code in set(killed)
    if not is_ours or b"Traceback (most recent" in done.err or _says_nothing(done):
        report.found("tracebacks", f"{case}: {done}")
    for secret in secrets:
        if any(form in stream for form in forms_of(secret) for stream in (done.out, done.err)):
            report.found("leaked", f"{case}: {done.command}")
            break
    return done.code in (0, 1, 6)


def _says_nothing(done: Attempt) -> bool:
    return done.code in (2, 3, 4, 5, 6) and not done.err.strip()


def forms_of(secret: str) -> list[bytes]:
    """Return the forms in which a secret may get out: raw, for a URL, in base64 at each of three offsets."""
    raw = secret.encode()
    middles = []
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + raw)
        # Without what the bytes before and after have a part in.
        middles.append(encoded[4 * bool(offset) : len(encoded) // 4 * 4 - 4])
    return [raw, quote(secret, safe="").encode(), *middles]


def for_each(cases: Iterable[Case], do: Callable[[Case], None], *, workers: int | None = None) -> None:
    """Do all cases, several at once; an exception of one is raised at the end."""
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        for future in [pool.submit(do, case) for case in cases]:
            future.result()
