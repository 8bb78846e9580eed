"""Disks that are full or read-only, clocks that went back, first runs at once and poor surroundings."""

from __future__ import annotations

import json
import os
import random
import shlex
import shutil
import stat
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Barrier, Thread

import numpy as np

from torture.attempts import Attempt, attempt, check, for_each
from torture.report import Part, Report, Task

__all__ = ["PART"]

_ANSWER = ("search", "-m", "minilm", "drinks", "a.txt", "-f", "jsonl")
_TEXTS = ("tea is hot", "coffee is black", "iron is hard", "snow is cold")
# At each of these sizes another write fails: of a result, the prepared graph, its weights, the cache.
_SIZES = (0, 1, 100, 4096, 20_000, 100_000, 1_000_000, 20_000_000)


def _scores(done: Attempt) -> list[tuple[str, float]]:
    found = [json.loads(line) for line in done.out.splitlines()]
    return [(item["id"], round(item["score"], 5)) for item in found]


class _Ground:
    """A folder with texts and a filled cache, and what the runs in it have to answer."""

    def __init__(self, folder: Path, report: Report) -> None:
        self.folder, self.report = folder, report
        (folder / "a.txt").write_text("".join(f"{text}\n" for text in _TEXTS))
        self.expected = _scores(attempt(*_ANSWER, cwd=folder, env=self.env("kept")))

    def env(self, cache: str) -> dict[str, str]:
        return {"SIMIL_CACHE_DIR": str(self.folder / cache)}

    def check(self, done: Attempt, case: str) -> None:
        """Check an answer; a refusal is one line."""
        if check(self.report, done, case) and (done.code or not self.is_right(done)):
            self.report.found("wrong", f"{case}: {done}")

    def is_right(self, done: Attempt) -> bool:
        found = _scores(done)
        return [name for name, _ in found] == [name for name, _ in self.expected] and np.allclose(
            [score for _, score in found], [score for _, score in self.expected], atol=2e-5
        )

    def must_answer(self, done: Attempt, case: str) -> None:
        """Check that a run was not refused, too."""
        self.check(done, case)
        if done.code:
            self.report.found("wrong", f"{case}: refused: {done}")


def _limited(limits: str) -> list[str]:
    """The command in a shell with limits; signals for too large files are ignored, as in Python."""
    return ["/bin/sh", "-c", f'{limits}; exec {shlex.join([sys.executable, "-m", "simil"])} "$@"', "sh"]


def _full_output(ground: _Ground, rng: random.Random, turn: int) -> None:
    """The disk is full under -o, after some bytes; the old file stays."""
    size = rng.choice((0, 1, 2, 4))  # blocks of 512 bytes
    name = f"out{turn}.{rng.choice(('jsonl', 'csv', 'npy', 'json'))}"
    file = ground.folder / name
    file.write_bytes(b"old")
    done = attempt(
        "embed", "-m", "minilm", "--no-cache", "a.txt", "-o", name,
        cwd=ground.folder, env=ground.env("kept"), command=_limited(f"ulimit -f {size}"),
    )  # fmt: skip
    ground.report.count("full disks")
    case = f"file size limit of {size} blocks under -o {name}"
    if not check(ground.report, done, case) and file.read_bytes() != b"old":
        ground.report.found("lost", f"{case}: the old file is gone: {done}")
    if done.code == 0 and file.read_bytes() == b"old":
        ground.report.found("wrong", f"{case}: no file, and exit code 0")
    if left := [*ground.folder.glob(f".{name}*")]:
        ground.report.found("lost", f"{case}: left behind: {left}")


def _full_device(ground: _Ground, rng: random.Random, turn: int) -> None:
    """Stdout or -o is /dev/full."""
    arguments, redirected = rng.choice(
        [
            (_ANSWER, ">/dev/full"),
            ((*_ANSWER, "-o", "/dev/full"), ""),
            (("embed", "-m", "minilm", "a.txt"), ">/dev/full"),
        ]
    )
    script = f"{shlex.join([sys.executable, '-m', 'simil', *arguments])} {redirected}"
    done = attempt(cwd=ground.folder, env=ground.env("kept"), command=["/bin/sh", "-c", script])
    ground.report.count("full disks")
    check(ground.report, done, script)
    if done.code != 2:
        ground.report.found("wrong", f"{script}: not refused: {done}")


def _full_cache(ground: _Ground, rng: random.Random, turn: int) -> None:
    """The disk is full under the cache and what is prepared; the next run with room answers and is sound."""
    cache = f"full{turn}"
    if rng.random() < 0.5:
        shutil.copytree(ground.folder / "kept", ground.folder / cache)
    size = rng.choice(_SIZES) // 512
    done = attempt(
        *_ANSWER, cwd=ground.folder, env=ground.env(cache), command=_limited(f"ulimit -f {size}")
    )  # fmt: skip
    ground.report.count("full disks")
    case = f"file size limit of {size} blocks under the cache"
    ground.check(done, case)
    ground.must_answer(attempt(*_ANSWER, cwd=ground.folder, env=ground.env(cache)), f"after {case}")
    verified = attempt("cache", "verify", "-q", cwd=ground.folder, env=ground.env(cache))
    if verified.code:
        ground.report.found("lost", f"after {case}: {verified}")
    shutil.rmtree(ground.folder / cache)


def _no_cache_folder(ground: _Ground, rng: random.Random, turn: int) -> None:
    """Neither HOME nor a cache can be written: they are below a file, or in /proc, or there is no HOME."""
    blocked = ground.folder / "a.txt"
    names = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "SIMIL_CACHE_DIR")
    where = rng.choice((f"{blocked}/below", "/proc/self/nowhere", "/dev/null/x", ""))
    chosen = names if rng.random() < 0.5 else rng.sample(names, 2)
    # In the form of a shell, so that others than the chosen are unset.
    given = dict.fromkeys(chosen, where)
    done = attempt(*_ANSWER, cwd=ground.folder, env=given)
    ground.report.count("poor surroundings")
    ground.must_answer(done, f"{given}")


def _clock_back(ground: _Ground, rng: random.Random, turn: int) -> None:
    """All files of the cache are of the future, or of 1970."""
    cache = ground.folder / f"clock{turn}"
    shutil.copytree(ground.folder / "kept", cache)
    when = rng.choice((time.time() + 10**8, time.time() + 3600, 0, 1))
    for path in cache.rglob("*"):
        os.utime(path, (when, when))
    done = attempt(*_ANSWER, cwd=ground.folder, env=ground.env(cache.name))
    ground.report.count("poor surroundings")
    ground.must_answer(done, f"a cache of {when:.0f}")
    verified = attempt("cache", "verify", "-q", cwd=ground.folder, env=ground.env(cache.name))
    if verified.code:
        ground.report.found("lost", f"a cache of {when:.0f}: {verified}")
    shutil.rmtree(cache)


def _first_runs(ground: _Ground, rng: random.Random, turn: int) -> None:
    """Eight runs at once, and nothing is prepared or cached yet."""
    cache, barrier, results = f"first{turn}", Barrier(8), []

    def run() -> None:
        barrier.wait()
        results.append(attempt(*_ANSWER, cwd=ground.folder, env=ground.env(cache), limit_s=60))

    threads = [Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ground.report.count("first runs at once", 8)
    for done in results:
        ground.must_answer(done, "eight first runs")
    if len([*(ground.folder / cache / "prepared").glob("*/weights.bin")]) != 1:
        ground.report.found("wrong", "eight first runs: prepared more than once, or not at all")
    shutil.rmtree(ground.folder / cache)


def _poor_process(ground: _Ground, rng: random.Random, turn: int) -> None:
    """Few files or little memory, closed streams, a folder that is gone, any umask."""
    cache = ground.folder / f"poor{turn}"
    limits, may_refuse = rng.choice(
        [
            ("ulimit -n 8", True),
            ("ulimit -n 32", True),
            ("ulimit -v 2000000", True),
            ("umask 000", False),
            ("umask 777", True),
            ("exec </dev/null", False),
            ("exec <&-", False),
            ("exec 2>&-", False),
        ]
    )
    done = attempt(*_ANSWER, cwd=ground.folder, env=ground.env(cache.name), command=_limited(limits))
    ground.report.count("poor surroundings")
    (ground.check if may_refuse else ground.must_answer)(done, limits)
    if limits == "umask 000":
        wrong = [path for path in [cache, *cache.rglob("*")] if stat.S_IMODE(path.stat().st_mode) & 0o002]
        if wrong:
            ground.report.found("leaked", f"{limits}: others may write {wrong[:3]}")
    shutil.rmtree(cache, ignore_errors=True)


def _folder_gone(ground: _Ground, rng: random.Random, turn: int) -> None:
    """The current folder is deleted."""
    gone = ground.folder / f"gone{turn}"
    gone.mkdir()
    words = [sys.executable, "-m", "simil", *_ANSWER[:-3], str(ground.folder / "a.txt"), *_ANSWER[-2:]]
    script = f"cd {shlex.quote(str(gone))}; rmdir {shlex.quote(str(gone))}; exec {shlex.join(words)}"
    done = attempt(cwd=ground.folder, env=ground.env("kept"), command=["/bin/sh", "-c", script])
    ground.report.count("poor surroundings")
    ground.must_answer(done, "a folder that is gone")


# What is done, and how often at full length.
_KINDS: Sequence[tuple[Callable[[_Ground, random.Random, int], None], int]] = (
    (_full_output, 60),
    (_full_device, 20),
    (_full_cache, 60),
    (_no_cache_folder, 40),
    (_clock_back, 20),
    (_first_runs, 10),
    (_poor_process, 60),
    (_folder_gone, 5),
)


def _run(task: Task) -> None:
    ground = _Ground(task.folder, task.report)
    rng = random.Random(task.seed)
    cases = [(kind, rng.getrandbits(32), turn) for kind, full in _KINDS for turn in range(task.times(full))]
    for_each(cases, lambda case: case[0](ground, random.Random(case[1]), case[2]))


PART = Part("disks", _run)
