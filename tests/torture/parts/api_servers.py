"""Servers of embeddings that misbehave, under commands that use them: right answers, or one line in time.

Whatever a server does, no text gets the vector of another, the key shows nowhere, nothing is sent to another
host, an old output file stays, and what was paid for once is not asked for again, but for the one cached text
that tells whether the model is still the same.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from support.openai_clock import SharedClock
from support.openai_launcher import COMMAND, IMPATIENTLY
from support.openai_secrets import shown_pieces

from torture.attempts import Attempt, attempt, check, for_each
from torture.raw_server import RawServer, counted_listener, unit
from torture.report import Part, Task
from torture.server_faults import FAULTS, SLOW

__all__ = ["PART", "TEXTS", "ServerCase", "make", "run", "wrong_in"]

_FULL = 320
KEY = "sk-planted/key+of=torture-0123456789abcdef"
QUERY = "what is asked"
TEXTS = tuple(
    f"{word} {number}" for number, word in enumerate(("naïve", "one", "two", "three", "東京", "five", "six"))
)
_FILE = "texts.txt"
_OLD = b'{"id":"old"}\n'
_CLOSE = 1e-5
_COMMANDS = {
    "embed": ("embed", _FILE, "-o", "out.jsonl"),
    "search": ("search", QUERY, _FILE, "-k", "100", "-f", "jsonl"),
    "dedupe": ("dedupe", _FILE, "--threshold", "0.95", "-o", "out.txt"),
    "compare": ("compare", TEXTS[0], TEXTS[1], "--threshold", "0.2"),
}


@dataclass(frozen=True, slots=True)
class ServerCase:
    """A fault of a server, for how many requests, and the command that meets it."""

    number: int
    fault: str
    is_slow: bool
    times: int
    command: str
    skips: bool
    retries: int
    is_encrypted: bool

    def __str__(self) -> str:
        often = "once" if self.times == 1 else "always"
        return f"server {self.number}: {self.fault}, {often}"


def make(number: int, seed: int) -> ServerCase:
    """Make the case of this number; the same again for the same seed."""
    rng = random.Random(f"{seed} {number}")
    names = [*FAULTS, *SLOW]
    fault = names[number % len(names)]
    is_slow = fault in SLOW
    # With the real clock one retry is half a second.
    retries = rng.choice((0, 2)) if is_slow else rng.choice((0, 1))
    return ServerCase(
        number,
        fault,
        is_slow,
        rng.choice((1, 10**9)),
        rng.choice([*_COMMANDS]),
        rng.random() < 0.3,
        # What is asked for is waited for: only up to the bound that users have.
        0 if "etry" in fault or "rate limits" in fault else retries,
        number % 97 == 96,
    )


def wrong_in(case: ServerCase, folder: Path, done: Attempt) -> str | None:
    """Return what is wrong with the answer of a run; None if it is right, as far as it goes."""
    try:
        return _CHECKS[case.command](folder, done)
    except (ValueError, KeyError, TypeError, OSError) as exc:
        return f"an answer that cannot be read: {exc!r}"


def _embedded(folder: Path, done: Attempt) -> str | None:
    rows = [json.loads(line) for line in folder.joinpath("out.jsonl").read_text("utf-8").splitlines()]
    texts = [row["text"] for row in rows]
    if texts != [text for text in TEXTS if text in texts] or (done.code == 0 and len(texts) < len(TEXTS)):
        return f"the texts {texts}"
    for row in rows:
        if (
            row["id"] != str(TEXTS.index(row["text"]) + 1)
            or abs(unit(row["text"]) - row["embedding"]).max() > _CLOSE
        ):
            return f"the id or vector of {row['text']}"
    return None


def _found(folder: Path, done: Attempt) -> str | None:
    rows = [json.loads(line) for line in done.out.decode().splitlines()]
    if len({row["content"] for row in rows}) != len(rows) or (done.code == 0 and len(rows) < len(TEXTS)):
        return f"{len(rows)} results"
    for row in rows:
        if abs(row["score"] - unit(QUERY) @ unit(row["content"])) > _CLOSE:
            return f"the score of {row}"
    return None if rows == sorted(rows, key=lambda row: -row["score"]) else "the order"


def _kept(folder: Path, done: Attempt) -> str | None:
    kept = folder.joinpath("out.txt").read_text("utf-8").splitlines()
    if kept != [text for text in TEXTS if text in kept] or (done.code == 0 and len(kept) < len(TEXTS)):
        return f"keeps {kept}"
    return None


def _compared(folder: Path, done: Attempt) -> str | None:
    right = float(unit(TEXTS[0]) @ unit(TEXTS[1]))
    if abs(float(done.out) - right) > _CLOSE:
        return f"{done.out!r} instead of {right}"
    return None if (done.code == 0) == (right >= 0.2) else f"exit code {done.code} at {right}"


_CHECKS: dict[str, Callable[[Path, Attempt], str | None]] = {
    "embed": _embedded,
    "search": _found,
    "dedupe": _kept,
    "compare": _compared,
}


def run(task: Task) -> None:
    """Let each fault meet commands, and then the same command a server that is well."""
    count = task.times(_FULL, least=48)
    numbers: Sequence[int] = range(count)
    if count < len(FAULTS) + len(SLOW):
        # A short form has some of all kinds, and one that is slow.
        chosen = random.Random(task.seed).sample(range(len(FAULTS)), count - 1)
        numbers = [*chosen, len(FAULTS) + [*SLOW].index("headers without end")]
    with counted_listener() as (elsewhere, connections):
        for_each(numbers, lambda number: _one(task, make(number, task.seed), elsewhere))
    if connections:
        task.report.found("leaked", f"{len(connections)} connections to a host that a server named")


def _one(task: Task, case: ServerCase, elsewhere: str) -> None:
    folder = task.folder / f"server-{case.number}"
    folder.mkdir()
    folder.joinpath(_FILE).write_text("".join(f"{text}\n" for text in TEXTS), "utf-8")
    for name in ("out.jsonl", "out.txt"):
        folder.joinpath(name).write_bytes(_OLD)
    fault = SLOW[case.fault] if case.is_slow else FAULTS[case.fault]
    with SharedClock(folder / "clock") as clock, RawServer(fault, case.times, elsewhere) as server:
        server.pass_time = lambda seconds: clock.advance_to(clock.now() + seconds)
        begin = partial(_attempt, case, folder, server.host)
        done = begin(is_encrypted=case.is_encrypted)
        task.report.count("server faults")
        _judge(task, case, folder, done)
        server.times = 0
        asked, before = server.asked.copy(), server.delivered.copy()
        again = begin(is_encrypted=False)
        _judge_second(task, case, folder, again, paid=[*(server.asked - asked) & before])


def _attempt(case: ServerCase, folder: Path, host: str, *, is_encrypted: bool) -> Attempt:
    words = [*_COMMANDS[case.command], "-m", "openai:words", "--retries", str(case.retries)]
    words += ["--on-error", "skip"] if case.skips and case.command != "compare" else []
    words += ["-v"] if case.number % 5 == 0 else []
    env = {
        "OPENAI_API_KEY": KEY,
        "OPENAI_BASE_URL": f"{'https' if is_encrypted else 'http'}://{host}/v1",
        "SIMIL_CACHE_DIR": str(folder / "cache"),
    }
    if not case.is_slow:
        return attempt(*words, cwd=folder, env=env)
    return attempt(*words, cwd=folder, env=env, command=[*COMMAND, IMPATIENTLY, str(folder / "clock")])


def _judge(task: Task, case: ServerCase, folder: Path, done: Attempt) -> None:
    report, how = task.report, str(case)
    answered = check(report, done, how, secrets=[KEY])
    if pieces := shown_pieces((done.out + done.err).decode("utf-8", "replace"), KEY):
        report.found("leaked", f"{how}: {pieces[0]} of the key: {done}")
    if done.hung:
        return
    if done.code not in (0, 1, 3, 5, 6):
        report.found("wrong", f"{how}: exit code {done.code}: {done}")
    elif answered:
        report.count("answers checked")
        if wrong := wrong_in(case, folder, done):
            report.found("wrong", f"{how}: {wrong}: {done}")
    if not answered:
        _check_refusal(task, case, folder, done)


def _check_refusal(task: Task, case: ServerCase, folder: Path, done: Attempt) -> None:
    how = str(case)
    if any(folder.joinpath(name).read_bytes() != _OLD for name in ("out.jsonl", "out.txt")):
        task.report.found("lost", f"{how}: the old output: {done}")
    if done.out:
        task.report.found("wrong", f"{how}: prints data and fails: {done.out[:200]!r}: {done}")
    lines = [line for line in done.err.splitlines() if line.startswith(b"simil: ")]
    if case.number % 5 and (len(lines) != 1 or len(done.err.splitlines()) != 1) and not case.skips:
        task.report.found("tracebacks", f"{how}: not one line: {done}")
    if len(done.err) > 4000 or any(byte < 32 and byte != 10 for byte in done.err):
        task.report.found("tracebacks", f"{how}: a line for no terminal: {done}")


def _judge_second(task: Task, case: ServerCase, folder: Path, done: Attempt, paid: list[str]) -> None:
    how = f"{case}, and then a server that is well"
    if check(task.report, done, how, secrets=[KEY]) and done.code in (0, 1):
        if wrong := wrong_in(case, folder, done):
            task.report.found("wrong", f"{how}: {wrong}: {done}")
    elif not done.hung:
        task.report.found("lost", f"{how}: no answer: {done}")
    if len(paid) > 1:
        task.report.found("lost", f"{how}: paid again for {paid}: {done}")


PART = Part("api_servers", run)
