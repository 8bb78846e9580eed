"""Prepared files are damaged in every way, before runs and during them: no answer may come from them.

The oracle is the embedded model, prepared apart and opened in this process.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from random import Random

import numpy as np
from numpy.typing import NDArray

from simil.config import load_settings
from simil.embedders.base import Embedder
from simil.embedders.factory import open_embedder
from simil.models.graphs.manifest import FileRecord, Manifest, read_manifest
from torture.attempts import Attempt, attempt, check, for_each
from torture.report import Part, Report, Task

__all__ = ["PART"]

_WORKERS = 2
# Scores have six digits; one session or the other sums in another order.
_NEAR = 3e-6
_TEXT = (
    "apple river stone paper lightning orange train music winter garden bridge doctor window ocean candle "
    "market rabbit silver engine forest letter mirror planet ticket violin wagon yellow zebra anchor basket"
)
_WORDS = _TEXT.split()


@dataclass
class _Copy:
    """A cache directory with a prepared model that one case at a time may damage."""

    cache: Path
    sound: Path
    folder: str

    @property
    def prepared(self) -> Path:
        return self.cache / "prepared" / self.folder

    @property
    def env(self) -> dict[str, str]:
        return {"SIMIL_CACHE_DIR": str(self.cache)}

    def restore(self) -> None:
        """Bring back what was built, as a copy of another time and inode."""
        self.prepared.mkdir(parents=True, exist_ok=True)
        for path in self.prepared.iterdir():
            if not (self.sound / path.name).exists():
                path.unlink()
        for path in self.sound.iterdir():
            shutil.copy2(path, self.prepared / path.name)


@dataclass(frozen=True)
class _Oracle:
    embedder: Embedder
    lock: threading.Lock
    bulk: list[str]
    vectors: NDArray[np.float32]

    def score(self, one: str, other: str) -> float:
        with self.lock:
            first, second = self.embedder.embed([one, other])
        return float(first @ second)


_numbers = count()


def _pair(random: Random) -> tuple[str, str]:
    """Two texts that no run has seen."""
    first, second = (" ".join(random.sample(_WORDS, 3)) for _ in range(2))
    return f"{first} {next(_numbers)}", f"{second} {next(_numbers)}"


def _flip(path: Path, random: Random) -> None:
    with path.open("r+b") as file:
        for _ in range(random.choice((1, 1, 16, 4000))):
            place = random.randrange(path.stat().st_size)
            file.seek(place)
            byte = file.read(1)[0]
            file.seek(place)
            file.write(bytes([byte ^ 1 << random.randrange(8)]))


def _zero(path: Path, random: Random) -> None:
    size = path.stat().st_size
    length = min(random.choice((4, 4096, 65_536, 2_000_000)), size)
    with path.open("r+b") as file:
        file.seek(random.randrange(size - length + 1))
        file.write(bytes(length))


def _cut(path: Path, random: Random) -> None:
    size = path.stat().st_size
    os.truncate(path, random.choice((0, size - 1, random.randrange(size), size + 5)))


def _remove(path: Path, random: Random) -> None:
    path.unlink()


def _swap(path: Path, random: Random) -> None:
    """Exchange two blocks, and put the result in the place of the file: another inode, the same times."""
    data = bytearray(path.read_bytes())
    length = min(4096, len(data) // 2)
    one, other = random.randrange(len(data) - length), random.randrange(len(data) - length)
    data[one : one + length], data[other : other + length] = (
        data[other : other + length],
        data[one : one + length],
    )
    draft = path.with_suffix(".other")
    draft.write_bytes(data)
    shutil.copystat(path, draft)
    draft.replace(path)


def _exchange(path: Path, random: Random) -> None:
    """Give the file the content of another one."""
    others = [other for other in path.parent.iterdir() if other.name != path.name]
    shutil.copyfile(random.choice(others), path)


_DAMAGES: tuple[Callable[[Path, Random], None], ...] = (_flip, _zero, _cut, _remove, _swap, _exchange)
_FILES = ("weights.bin", "weights.bin", "model.onnx", "weights.bin", "tokenizer.json", "meta.json")


def _damage(copy: _Copy, number: int, random: Random) -> str:
    """Damage a file, in one of two cases with its old time; return what was done."""
    how = _DAMAGES[number % len(_DAMAGES)]
    path = copy.prepared / (random.choice(_FILES) if number >= len(_FILES) else _FILES[number])
    status = path.stat()
    how(path, random)
    restored = path.exists() and random.random() < 0.5
    if restored:
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    return f"{how.__name__} {path.name}{', time restored' if restored else ''}"


def _is_right(done: Attempt, report: Report, case: str, right: float) -> None:
    """Check the answer of `compare`: the right score, or a refusal."""
    if not check(report, done, case):
        if done.code != 4:
            report.found("wrong", f"{case}: {done}")
    elif not done.out or abs(float(done.out) - right) > _NEAR:
        report.found("wrong", f"{case}: {done.out!r}, not {right:.6f}: {done}")


def _compare(copy: _Copy, pair: tuple[str, str]) -> Attempt:
    return attempt("compare", "-m", "minilm", *pair, env=copy.env)


def _then_compare(copy: _Copy, oracle: _Oracle, report: Report, case: str, random: Random) -> None:
    pair = _pair(random)
    done = _compare(copy, pair)
    _is_right(done, report, case, oracle.score(*pair))
    if done.code == 0 and (done.err.count(b"\n") != 1 or b"built again" not in done.err):
        report.found("wrong", f"{case}: not told in one line: {done}")


def _then_bulk(copy: _Copy, oracle: _Oracle, report: Report, case: str, random: Random) -> None:
    _embed(copy, oracle, report, case)


def _embed(
    copy: _Copy, oracle: _Oracle, report: Report, case: str, sent: Callable[..., None] | None = None
) -> None:
    lines = "".join(f"{text}\n" for text in oracle.bulk).encode()
    arguments = ("embed", "--no-cache", "-m", "minilm", "--engine", "onnx", "--format", "jsonl")
    done = attempt(*arguments, stdin=lines, env=copy.env, sent=sent)
    answered = check(report, done, case)
    if not answered and done.code != 4:
        report.found("wrong", f"{case}: {done}")
    vectors = [json.loads(line)["embedding"] for line in done.out.splitlines() if line.endswith(b"}")]
    if answered and len(vectors) != len(oracle.bulk):
        report.found("lost", f"{case}: {len(vectors)} of {len(oracle.bulk)} vectors: {done}")
    # Also what was printed before a refusal has to be right.
    if vectors and np.abs(np.array(vectors) - oracle.vectors[: len(vectors)]).max() > 1e-4:
        report.found("wrong", f"{case}: other vectors: {done}")


def _then_prepare(copy: _Copy, oracle: _Oracle, report: Report, case: str, random: Random) -> None:
    check(report, attempt("models", "prepare", "minilm", env=copy.env), case)
    pair = _pair(random)
    _is_right(_compare(copy, pair), report, case, oracle.score(*pair))


def _then_doctor(copy: _Copy, oracle: _Oracle, report: Report, case: str, random: Random) -> None:
    done = attempt("doctor", "--offline", "-f", "json", env=copy.env)
    if check(report, done, case):
        found = {finding["check"]: finding["status"] for finding in json.loads(done.out)}
        if found["prepared"] != "warn":
            report.found("wrong", f"{case}: the doctor found nothing: {done}")
    pair = _pair(random)
    _is_right(_compare(copy, pair), report, case, oracle.score(*pair))


_RUNS = (_then_compare, _then_bulk, _then_compare, _then_prepare, *[_then_compare] * 6, _then_doctor)


def _unseen(copy: _Copy, random: Random) -> None:
    """Damage the weights as a failing disk does, so that no time and no sampled block tells of it."""
    path = copy.prepared / "weights.bin"
    with path.open("r+b") as file:
        file.seek(random.randrange(60_000_000, 70_000_000) // 4 * 4)
        file.write(bytes(8_000_000))
    known = read_manifest(copy.prepared)
    assert known is not None
    records = dict(known.files)
    seen = FileRecord.of(path)
    records["weights.bin"] = FileRecord(known.files["weights.bin"].sha256, seen.sample, seen.state)
    Manifest(known.model, records).write(copy.prepared)


def _cached(copy: _Copy, oracle: _Oracle, report: Report, number: int, random: Random) -> None:
    """Vectors that a damaged graph made are not served once the damage is found."""
    copy.restore()
    pair = _pair(random)
    right = oracle.score(*pair)
    _compare(copy, (f"{pair[0]} again", pair[1]))  # What was restored is read in full, and its state noted.
    _unseen(copy, random)
    wrong = _compare(copy, pair)
    if wrong.code != 0 or abs(float(wrong.out) - right) < 1e-4:
        report.found("lost", f"the damage of case {number} harms nothing: {wrong}")
    ways = ("prepare", "bulk", "doctor", "deleted")
    case = f"cached vectors {number}, {ways[number % len(ways)]}"
    if number % len(ways) == 0:
        check(report, attempt("models", "prepare", "minilm", env=copy.env), case)
    elif number % len(ways) == 1:
        _embed(copy, oracle, report, case)
    elif number % len(ways) == 2:
        _then_doctor(copy, oracle, report, case, random)
        shutil.rmtree(copy.prepared, ignore_errors=True)
    else:
        shutil.rmtree(copy.prepared)
    _is_right(_compare(copy, pair), report, case, right)


def _during(copy: _Copy, oracle: _Oracle, report: Report, number: int, random: Random) -> None:
    """Damage the weights at a random moment of a run."""
    copy.restore()
    after = random.uniform(0, 0.6)

    def harm() -> None:
        time.sleep(after)
        (_flip, _zero)[number % 2](copy.prepared / "weights.bin", random)

    thread = threading.Thread(target=harm)
    case = f"damage {number} after {after:.3f} s of a run"
    if number % 3:
        pair = _pair(random)
        right = oracle.score(*pair)
        done = attempt("compare", "-m", "minilm", *pair, env=copy.env, sent=lambda process: thread.start())
        _is_right(done, report, case, right)
        thread.join()
        # What the run has kept must be right, too.
        _is_right(_compare(copy, pair), report, f"{case}, once more", right)
    else:
        _embed(copy, oracle, report, case, sent=lambda process: thread.start())
        thread.join()


def _before(copy: _Copy, oracle: _Oracle, report: Report, number: int, random: Random) -> None:
    copy.restore()
    what = _damage(copy, number, random)
    run = _RUNS[number % len(_RUNS)]
    run(copy, oracle, report, f"damage {number}: {what}, {run.__name__}", random)


def _run(task: Task) -> None:
    sound = _Copy(task.folder / "sound", Path(), "")
    made = attempt("models", "prepare", "minilm", env=sound.env)
    prepared = Path(os.fsdecode(made.out.rstrip(b"\n")))
    copies: SimpleQueue[_Copy] = SimpleQueue()
    for number in range(_WORKERS):
        cache = task.folder / f"cache-{number}"
        shutil.copytree(sound.cache, cache)
        copies.put(_Copy(cache, prepared, prepared.name))
    embedder = open_embedder(
        load_settings(model="minilm", engine="onnx", threads=1, cache=False, environ=sound.env)
    )
    random = Random(task.seed)
    bulk = [" ".join(random.choices(_WORDS, k=12)) for _ in range(180)]
    oracle = _Oracle(embedder, threading.Lock(), bulk, embedder.embed(bulk))

    def do(case: tuple[Callable[..., None], int]) -> None:
        copy = copies.get()
        try:
            case[0](copy, oracle, task.report, case[1], Random(f"{task.seed} {case[0].__name__} {case[1]}"))
            task.report.count("damages of prepared files")
        finally:
            copies.put(copy)

    cases: list[tuple[Callable[..., None], int]] = []
    for what, full, least in ((_before, 880, 6), (_cached, 40, 1), (_during, 120, 1)):
        cases += [(what, number) for number in range(task.times(full, least))]
    for_each(cases, do, workers=_WORKERS)
    embedder.close()


PART = Part("prepared_files", _run)
