"""Runs end by SIGKILL, SIGINT, SIGTERM and SIGHUP at any moment, and files change while they are read.

After each, a run that nothing disturbs gives the right answer, the cache is sound, what `-o` names is the old
file or the whole new one, and no temporary file is left.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer
from typing import Any

import numpy as np
from support.hub_model import tiny_model
from support.hub_server import HubServer

from torture.attempts import Attempt, attempt, check, for_each
from torture.report import Part, Report, Task

__all__ = ["PART"]

_SIGNALS = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_WORDS = ("tea", "coffee", "bread", "iron", "snow")
_TEXTS = [f"text {number} about {_WORDS[number % 5]}" for number in range(24)]
_REPO = "acme/tiny"
_OLD = b"old\n"
# How long the process behind a client that was killed may take to end.
_END_S = 5.0


@dataclass
class _Place:
    """What one worker uses: a folder, its caches, and the answers of undisturbed runs."""

    folder: Path
    hub: HubServer
    report: Report
    answers: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def env(self) -> Mapping[str, str]:
        return {
            "SIMIL_CACHE_DIR": str(self.folder / "cache"),
            "HF_HOME": str(self.folder / "hf"),
            "HF_ENDPOINT": self.hub.endpoint,
            "NO_PROXY": "127.0.0.1",
            "SIMIL_CACHE_MB": "1",
        }

    def run(
        self, arguments: Sequence[str], sent: Callable[[subprocess.Popen[bytes]], None] | None = None
    ) -> Attempt:
        return attempt(*arguments, cwd=self.folder, env=self.env, sent=sent)


@dataclass(frozen=True)
class _Kind:
    """A command that is killed: what it is, what it writes, how its answer is read, and what comes before."""

    name: str
    arguments: tuple[str, ...]
    share: float
    output: str | None = None
    read: Callable[[bytes], Any] = bytes
    before: Callable[[_Place], None] = lambda place: None


def _vectors(data: bytes) -> Any:
    items = [json.loads(line) for line in data.splitlines()]
    names = [(item["id"], item["text"], item["model"]) for item in items]
    return names, [item["embedding"] for item in items]


def _results(data: bytes) -> Any:
    items = [json.loads(line) for line in data.splitlines()]
    return [item["id"] for item in items], [item["score"] for item in items]


def _score(data: bytes) -> Any:
    return [], [float(data)]


def _nothing(data: bytes) -> Any:
    return [], []


def _same(one: Any, other: Any) -> bool:
    if one[0] != other[0] or np.shape(one[1]) != np.shape(other[1]):
        return False
    return bool(np.allclose(one[1], other[1], atol=1e-5))


def _without(*names: str) -> Callable[[_Place], None]:
    def remove(place: _Place) -> None:
        for name in names:
            shutil.rmtree(place.folder / name, ignore_errors=True)

    return remove


# Without the cache, the output is written for most of the time.
_EMBED = ("embed", "-m", "minilm", "--no-cache", "many.txt")
_KINDS = (
    _Kind("embed", ("embed", "-m", "minilm", "a.txt", "-f", "jsonl"), 2, read=_vectors),
    _Kind(
        "embed without vectors", ("embed", "-m", "minilm", "a.txt", "-f", "jsonl"), 1,
        read=_vectors, before=_without("cache/vectors"),
    ),
    _Kind("-o", (*_EMBED, "-o", "v.jsonl"), 2, output="v.jsonl", read=_vectors),
    _Kind("-o npy", (*_EMBED, "-o", "v.npy"), 2, output="v.npy"),
    _Kind("search", ("search", "-m", "minilm", "drinks", "a.txt", "-f", "jsonl"), 2, read=_results),
    _Kind("compare", ("compare", "-m", "minilm", "tea", "coffee"), 1, read=_score),
    _Kind(
        "prepare", ("models", "prepare", "minilm"), 1, read=_nothing, before=_without("cache/prepared")
    ),
    _Kind("pull", ("models", "pull", _REPO), 1, read=_nothing, before=_without("hf")),
    _Kind("cache verify", ("cache", "verify"), 1, read=_nothing),
    _Kind("cache prune", ("cache", "prune", "--older-than", "1d"), 1, read=_nothing),
    _Kind("cache clear", ("cache", "clear"), 1, read=_nothing),
)  # fmt: skip


def _npy_state(place: _Place) -> Any:
    """What stands at v.npy and beside it: the old bytes, or the vectors and their ids."""
    file, beside = place.folder / "v.npy", place.folder / "v.npy.json"
    if file.read_bytes() == _OLD:
        return "old", (beside.read_bytes() if beside.exists() else None)
    items = json.loads(beside.read_bytes())["data"] if beside.exists() else None
    return [item["text"] for item in items] if items else None, np.load(file)


def _answer(place: _Place, kind: _Kind, done: Attempt) -> Any:
    if kind.name == "-o npy":
        return _npy_state(place)
    return kind.read((place.folder / kind.output).read_bytes() if kind.output else done.out)


def _kill(place: _Place, kind: _Kind, number: int, share: float) -> None:
    kind.before(place)
    for name in ("v.jsonl", "v.npy", "v.npy.json"):
        (place.folder / name).write_bytes(_OLD)
    delay = share * place.seconds[kind.name]
    timers: list[Timer] = []

    def send(process: subprocess.Popen[bytes]) -> None:
        timers.append(Timer(delay, process.send_signal, [number]))
        timers[0].start()

    done = place.run(kind.arguments, send)
    timers[0].cancel()
    case = f"{kind.name}, {signal.Signals(number).name} after {delay:.3f} s"
    place.report.count("kills")
    # Before the first line of simil, Python ends in its own way, also in what stands in for its start.
    is_pythons = b"Traceback" in done.err or (done.code == 1 and not done.out)
    is_begun = b"simil/" in done.err or not is_pythons
    if is_begun and check(place.report, done, case, killed=[number]) and not _is_right(place, kind, done):
        place.report.found("wrong", f"{case}: another answer: {done}")
    if kind.output:
        _check_output(place, kind, case)
    if number != signal.SIGKILL:
        _check_left(place, case)
    _check_after(place, kind, case)


def _is_right(place: _Place, kind: _Kind, done: Attempt) -> bool:
    try:
        return _same(_answer(place, kind, done), place.answers[kind.name])
    except (ValueError, KeyError):
        return False


def _check_output(place: _Place, kind: _Kind, case: str) -> None:
    """Check that the file is the old one, or the new one from its first to its last byte."""
    file = place.folder / str(kind.output)
    if not file.exists():
        place.report.found("lost", f"{case}: {kind.output} is gone")
        return
    if file.read_bytes() == _OLD:
        beside = file.with_name("v.npy.json")
        if file.suffix == ".npy" and beside.exists() and beside.read_bytes() != _OLD:
            place.report.found("wrong", f"{case}: the new ids stand beside the old vectors")
        return
    try:
        found = _npy_state(place) if file.suffix == ".npy" else kind.read(file.read_bytes())
        expected = place.answers[kind.name]
        # Between the two files, ids may be missing; never those of others.
        right = _same((found[0] or expected[0], found[1]), expected)
    except (ValueError, KeyError):
        right = False
    if not right:
        place.report.found("wrong", f"{case}: {kind.output} is neither the old file nor the new one")


def _check_after(place: _Place, kind: _Kind, case: str) -> None:
    """Check that an undisturbed run gives the right answer, and what it leaves."""
    done = place.run(kind.arguments)
    if not check(place.report, done, f"after {case}") or done.code or not _is_right(place, kind, done):
        place.report.found("wrong", f"after {case}: {done}")
    verified = place.run(["cache", "verify", "-q"])
    if verified.code or verified.hung:
        place.report.found("lost", f"after {case}: the cache is not sound: {verified}")
    _check_left(place, f"after {case}", kind)


def _check_left(place: _Place, case: str, kind: _Kind | None = None) -> None:
    """Check that no temporary file is left; the end of a killed process may take a moment."""
    deadline = time.monotonic() + _END_S
    while left := [path.name for path in place.folder.glob(".*")]:
        if time.monotonic() > deadline:
            place.report.found("lost", f"{case}: left behind: {left}")
            for name in left:
                (place.folder / name).unlink(missing_ok=True)
            return
        time.sleep(0.05)
        if kind is not None and kind.output:
            place.run(kind.arguments)


def _change(place: _Place, number: int, share: float) -> None:
    """Cut or rewrite a file of vectors, or the weights, while a run reads it."""
    how = ("cut vectors", "rewrite vectors", "cut weights")[number % 3]
    is_model = how == "cut weights"
    vectors = place.folder / "big.npy"
    shutil.copyfile(place.folder / "kept.npy", vectors)
    files_of_model = ("-m", "minilm", "many.txt", "--no-cache")
    arguments = ("embed", *(files_of_model if is_model else ("big.npy",)), "-f", "csv")
    name = "model" if is_model else "vectors"
    if name not in place.answers:
        began = time.monotonic()
        place.answers[name] = place.run(arguments).out
        place.seconds[name] = time.monotonic() - began
    files = [*place.folder.glob("cache/prepared/*/weights.bin")] if is_model else [vectors]

    def harm() -> None:
        for file in files:
            if how == "rewrite vectors":
                with file.open("r+b") as stream:
                    stream.seek(-4096, os.SEEK_END)
                    stream.write(bytes(4096))
            else:
                os.truncate(file, 1000)

    delay = share * place.seconds[name]
    timer = Timer(delay, harm)
    done = place.run(arguments, lambda process: timer.start())
    timer.cancel()
    timer.join()
    case = f"{how} after {delay:.3f} s"
    place.report.count("files changed while read")
    after = _rewritten(place) if how == "rewrite vectors" and done.code == 0 else b""
    if check(place.report, done, case) and not _same_rows(done.out, place.answers[name], after):
        place.report.found("wrong", f"{case}: another answer: {done.code}")
    elif done.code not in (0, 3, 4):
        place.report.found("wrong", f"{case}: {done}")
    if is_model:
        again = place.run(arguments)
        if again.code or not _same_rows(again.out, place.answers[name]):
            place.report.found("wrong", f"after {case}: {again}")


def _rewritten(place: _Place) -> bytes:
    return place.run(("embed", "big.npy", "-f", "csv")).out


def _same_rows(found: bytes, *allowed: bytes) -> bool:
    """Whether rows are those of one of the answers; of a model, as near as batches let them be."""
    rows = _table(found)
    return any(_same(rows, _table(other)) for other in allowed if other)


def _table(data: bytes) -> Any:
    rows = [line.split(",") for line in data.decode().splitlines()[1:]]
    return [row[:3] for row in rows], [[*map(float, row[3:])] for row in rows]


def _begun(place: _Place) -> None:
    """Write the inputs, and learn what undisturbed runs answer and how long they take."""
    place.folder.mkdir()
    (place.folder / "a.txt").write_text("".join(f"{text}\n" for text in _TEXTS))
    (place.folder / "many.txt").write_text(
        "".join(f"{number} {text}\n" for number in range(4) for text in _TEXTS)
    )
    random_numbers = np.random.default_rng(5).normal(size=(3000, 64)).astype(np.float32)
    np.save(place.folder / "kept.npy", random_numbers)
    for kind in _KINDS:
        kind.before(place)
        done = place.run(kind.arguments)
        if done.code:
            raise RuntimeError(str(done))
        place.answers[kind.name], place.seconds[kind.name] = _answer(place, kind, done), done.seconds


def _run(task: Task) -> None:
    rng = random.Random(task.seed)
    shares = sum(kind.share for kind in _KINDS)
    kills = [
        (kind, _SIGNALS[turn % len(_SIGNALS)], rng.uniform(0, 1.1))
        for kind in _KINDS
        for turn in range(task.times(round(1000 * kind.share / shares + 0.5)))
    ]
    changes = [(number, rng.uniform(0.05, 1)) for number in range(task.times(60, 3))]
    rng.shuffle(kills)
    workers = min(os.cpu_count() or 1, 4) if task.scale > 0.01 else 1

    def work(number: int) -> None:
        place = _Place(task.folder / f"worker {number}", hub, task.report)
        _begun(place)
        for kind, sent, share in kills[number::workers]:
            _kill(place, kind, sent, share)
        for turn, share in changes[number::workers]:
            _change(place, turn, share)

    with ExitStack() as stack:
        hub = stack.enter_context(HubServer({_REPO: tiny_model()}))
        for_each(range(workers), work, workers=workers)


PART = Part("kills", _run)
