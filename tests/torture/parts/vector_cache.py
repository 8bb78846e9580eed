"""The vector cache: its writers are killed, its bits are flipped, many use it at once.

A vector follows from its text, so a wrong one is recognized with certainty.
"""

from __future__ import annotations

import hashlib
import logging
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import accumulate, chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simil.embedders.base import Embedder, Kind, VectorForm
from simil.embedders.cache import maintenance
from simil.embedders.cache.cached_embedder import CachedEmbedder
from simil.embedders.cache.database import CacheFile, current, files
from simil.embedders.cache.keys import KeyBuilder
from simil.embedders.cache.store import VectorCache, cache_folder
from simil.errors import UsageError
from torture.report import Part, Report, Task

__all__ = ["PART", "RECIPE", "Numbers", "Outcome", "crowd", "flips", "keys", "kill", "vectors"]

DIMENSIONS = 32
RECIPE = KeyBuilder(backend="torture", model="numbers@1")

_TESTS = Path(__file__).resolve().parents[2]
_ROOM = 10**12
_DAY_S = 86_400
# Rows that a writer stores at once, at most; some are texts that all writers have.
_MOST, _SHARED, _SHARED_AT_ONCE = 256, 2000, 16
# A new file after this many kills: four processes create it at once, and checking it stays quick.
_KILLS_A_FILE = 10
_FLIPPED_VECTORS = 600


@dataclass
class Outcome:
    """The result of a torture: `wrong` vectors of another text, and `lost` ones that were kept and are gone.

    `errors` are all error messages and crashes of processes, and all faults of files.
    """

    done: str = ""
    vectors: int = 0
    wrong: int = 0
    lost: int = 0
    seen: int = 0
    errors: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether the cache passed."""
        return not (self.wrong or self.lost or self.errors)


def vectors(texts: Sequence[str]) -> NDArray[np.float32]:
    """Return the right vectors of `texts`, float32 [n, DIMENSIONS], from -1 to 1."""
    data = b"".join(hashlib.shake_128(text.encode()).digest(4 * DIMENSIONS) for text in texts)
    return (np.frombuffer(data, "<i4").reshape(-1, DIMENSIONS) / 2**31).astype(np.float32)


def keys(texts: Sequence[str]) -> list[bytes]:
    """Return the keys of `texts` that all processes use."""
    return RECIPE.keys(texts, Kind.SYMMETRIC, VectorForm(normalize=False))


class Numbers(Embedder):
    """Embeds by `vectors`; `asked` keeps the texts."""

    stamp = "numbers@1"
    dimensions = DIMENSIONS

    def __init__(self) -> None:
        self.asked: list[str] = []

    def embed_batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `vectors`."""
        self.asked += texts
        return vectors(texts)


# The worker programs end when their stdin does, so also with the process that started them.


def write(folder: str, name: str) -> None:
    """Store the texts `name 0`, `name 1`, … and some that other writers store too; print how many."""
    cache, rng, done = VectorCache(Path(folder), _ROOM), random.Random(name), 0
    for _ in _until_told():
        new = _texts(name, done, done + round(_MOST ** rng.random()))  # At least 1, mostly small.
        texts = new + [f"shared {n}" for n in rng.sample(range(_SHARED), _SHARED_AT_ONCE)]
        cache.put("numbers@1", keys(texts), vectors(texts), np.zeros(len(texts), np.bool_))
        done += len(new)
        print(done, flush=True)
    cache.close()


def read(folder: str, name: str, writers: str) -> None:
    """Look up what the writers have stored so far; print how many vectors that were."""
    cache, rng, found = VectorCache(Path(folder), _ROOM), random.Random(name), 0
    reached = [1] * int(writers)
    for _ in _until_told():
        writer = rng.randrange(len(reached))
        first = rng.randrange(reached[writer])
        texts = [*_texts(f"w{writer}", first, first + _MOST), f"shared {rng.randrange(_SHARED)}"]
        hits = _looked_up(cache, texts)
        if hits.wrong:
            raise SystemExit(f"{name}: {hits.wrong} wrong vectors")
        if hits.there[:_MOST].any():
            reached[writer] = max(reached[writer], first + int(np.flatnonzero(hits.there[:_MOST])[-1]))
        found += int(hits.there.sum())
        print(found, flush=True)
    cache.close()


def _until_told() -> Iterator[None]:
    told = threading.Event()

    def listen() -> None:
        sys.stdin.read()
        told.set()

    threading.Thread(target=listen, daemon=True).start()
    while not told.is_set():
        yield


def _texts(name: str, first: int, end: int) -> list[str]:
    return [f"{name} {n}" for n in range(first, end)]


@dataclass(frozen=True, eq=False)
class _Found:
    there: NDArray[np.bool_]
    wrong: int


def _looked_up(cache: VectorCache, texts: Sequence[str]) -> _Found:
    hits = cache.get(keys(texts))
    there = np.zeros(len(texts), np.bool_)
    if hits is None:
        return _Found(there, 0)
    there[hits.rows] = True
    right = (hits.vectors == vectors([texts[row] for row in hits.rows])).all(axis=1)
    return _Found(there, int((~right).sum()))


class Worker:
    """A process that runs `write` or `read`; `count` is the last number it printed."""

    def __init__(self, what: str, folder: Path, name: str, *more: str) -> None:
        self.name, self.count, self.begun = name, 0, threading.Event()
        self._err = folder / f"{name}.err"
        with self._err.open("w") as err:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __spec__.name, what, str(folder), name, *more],
                env={**os.environ, "PYTHONPATH": str(_TESTS)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=err,
                text=True,
            )
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.endswith("\n"):
                self.count = int(line)
                self.begun.set()
        self.begun.set()  # Do not wait for a process that has died.

    def end(self, *, kill: bool = False) -> list[str]:
        """End the process, by SIGKILL or by closing its stdin; return its error messages."""
        assert self._process.stdin is not None and self._process.stdout is not None
        if kill:
            self._process.kill()
        self._process.stdin.close()
        code = self._process.wait()
        self._listener.join()
        self._process.stdout.close()
        said = [f"{self.name}: {line}" for line in self._err.read_text().splitlines()]
        if code and not kill:
            said.append(f"{self.name} ended with {code}")
        return said


@contextmanager
def _crew(workers: list[Worker], outcome: Outcome) -> Iterator[list[Worker]]:
    """End all processes of the list on exit; their messages count as errors."""
    try:
        yield workers
    finally:
        for worker in workers:
            outcome.errors += worker.end()


def kill(folder: Path, *, kills: int, writers: int = 4, seed: int = 0) -> Outcome:
    """Kill a writer of a file at a random moment and check the file, again and again."""
    rng, outcome = random.Random(seed), Outcome()
    for first in range(0, kills, _KILLS_A_FILE):
        here = folder / f"from {first}"
        here.mkdir()
        with _crew([Worker("write", here, f"w{n}") for n in range(writers)], outcome) as crew:
            gone: list[Worker] = []
            for number in range(first, min(first + _KILLS_A_FILE, kills)):
                victim = rng.randrange(writers)
                crew[victim].begun.wait()
                time.sleep(rng.uniform(0, 0.05))
                outcome.errors += crew[victim].end(kill=True)
                gone.append(crew[victim])
                crew[victim] = Worker("write", here, f"w{writers + number}")
                outcome.lost += _check(here, [*gone, *crew], outcome)
        last = Outcome()
        outcome.lost += _check(here, [*gone, *crew], last)
        outcome.vectors += last.vectors
        outcome.wrong += last.wrong
        outcome.errors += last.errors
    outcome.done = f"{kills} kills of one of {writers} writers"
    return outcome


def _check(folder: Path, workers: Sequence[Worker], outcome: Outcome) -> int:
    """Check the file's structure and all vectors; return how many vectors known to be stored are lost."""
    counts = [worker.count for worker in workers]  # The survivors continue.
    file = CacheFile(current(folder))
    outcome.errors += file.faults()
    file.close()
    if len(files(folder)) > 1:
        outcome.errors.append("a sound file was set aside")
    # Rows not reported yet can be there, and then are right. All at once, since each lookup waits its turn.
    texts = [_texts(worker.name, 0, count + _MOST) for worker, count in zip(workers, counts, strict=True)]
    cache = VectorCache(folder, _ROOM)
    found = _looked_up(cache, [*chain(*texts), *_texts("shared", 0, _SHARED)])
    cache.close()
    outcome.wrong += found.wrong
    outcome.vectors += int(found.there.sum())
    ends = list(accumulate(map(len, texts)))
    kept = [found.there[end - _MOST - count : end - _MOST] for end, count in zip(ends, counts, strict=True)]
    return sum(int((~there).sum()) for there in kept)


def crowd(folder: Path, *, seconds: float, writers: int = 16, readers: int = 16) -> Outcome:
    """Let many processes write and read one file, then check that everything is there."""
    outcome = Outcome()
    crew = [Worker("write", folder, f"w{n}") for n in range(writers)]
    crew += [Worker("read", folder, f"r{n}", str(writers)) for n in range(readers)]
    with _crew(crew, outcome):
        for worker in crew:
            worker.begun.wait()
        time.sleep(seconds)
    outcome.lost = _check(folder, crew[:writers], outcome)
    read_back = sum(worker.count for worker in crew[writers:])
    idle = [worker.name for worker in crew if not worker.count]
    if idle:
        outcome.errors.append(f"came to nothing: {', '.join(idle)}")
    outcome.done = f"{writers} writers and {readers} readers, {read_back:,} vectors read"
    return outcome


def flips(folder: Path, *, count: int, seed: int = 0) -> Outcome:
    """Flip a random bit of a fresh copy of a file and run with it, again and again."""
    outcome, rng = Outcome(), random.Random(seed)
    texts = _texts("kept", 0, _FLIPPED_VECTORS)
    sound = filled(folder / "sound", texts).read_bytes()
    found = 0
    for number in range(count):
        place = rng.randrange(8 * len(sound))
        damaged = flipped(sound, place)
        try:
            with _warnings() as said:
                outcome.vectors += 2 * (len(texts) + 1)
                outcome.wrong += _run_with(_copy(folder / f"run {number}", damaged), texts)
            outcome.seen += bool(said)
            copy = _copy(folder / f"verify {number}", damaged)
            with _warnings():
                found += not maintenance.verify(copy).is_sound
            if not maintenance.verify(copy).is_sound:
                outcome.errors.append(f"bit {place}: still damaged after verify")
        except Exception as exc:  # noqa: BLE001 (any error ends a run)
            outcome.errors.append(f"bit {place}: {type(exc).__name__}: {exc}")
    outcome.done = f"{count} flips, {outcome.seen} told by the run, {found} found by verify"
    return outcome


def filled(cache_dir: Path, texts: Sequence[str]) -> Path:
    """Create a cache of `texts`, last used long ago; return its file."""
    cache = VectorCache(cache_folder(cache_dir), _ROOM, clock=lambda: time.time() - 9 * _DAY_S)
    cache.put("numbers@1", keys(texts), vectors(texts), np.zeros(len(texts), np.bool_))
    cache.close()
    return current(cache_folder(cache_dir))


def flipped(data: bytes, bit: int) -> bytes:
    """Return `data` with one bit flipped."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def _copy(cache_dir: Path, data: bytes) -> Path:
    path = current(cache_folder(cache_dir))
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    return cache_dir


def _run_with(cache_dir: Path, texts: Sequence[str]) -> int:
    """Embed `texts` and a new one in two runs; return how many vectors were wrong."""
    wrong = 0
    for number in range(2):
        cache = VectorCache(cache_folder(cache_dir), _ROOM)
        embedder = CachedEmbedder("numbers@1", RECIPE, cache, Numbers)
        wanted = [*texts, f"new {number}"]
        wrong += int((embedder.embed(wanted, normalize=False) != vectors(wanted)).any(axis=1).sum())
        embedder.close()
    with suppress(UsageError):  # That it is damaged is a good answer.
        maintenance.info(cache_dir, _ROOM)
    return wrong


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """Collect simil's warnings without printing them."""
    log, handler = logging.getLogger("simil"), _Kept()
    propagate, log.propagate = log.propagate, False
    log.addHandler(handler)
    try:
        yield handler.lines
    finally:
        log.removeHandler(handler)
        log.propagate = propagate


def _run(task: Task) -> None:
    parts = {name: task.folder / name for name in ("kill", "flips", "crowd")}
    for folder in parts.values():
        folder.mkdir()
    kills, bits = task.times(200, 2), task.times(1000, 5)
    _keep(task.report, kill(parts["kill"], kills=kills, seed=task.seed))
    task.report.count("kills", kills)
    _keep(task.report, flips(parts["flips"], count=bits, seed=task.seed))
    task.report.count("flipped bits", bits)
    processes = 16 if task.scale >= 1 else 2
    _keep(
        task.report,
        crowd(parts["crowd"], seconds=120 * task.scale, writers=processes, readers=processes),
    )
    task.report.count("processes at one cache", 2 * processes)


def _keep(report: Report, outcome: Outcome) -> None:
    """Keep what a torture of the cache found."""
    for kind, number in (("wrong", outcome.wrong), ("lost", outcome.lost)):
        if number:
            report.found(kind, f"{number} vectors of the cache, {outcome.done}")
    for line in outcome.errors:
        report.found("tracebacks", f"{line}, {outcome.done}")


_WORKERS: dict[str, Callable[..., None]] = {"write": write, "read": read}

PART = Part("vector_cache", _run)

if __name__ == "__main__":
    _WORKERS[sys.argv[1]](*sys.argv[2:])
