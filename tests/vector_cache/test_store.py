"""The cache never fails: what is damaged is set aside, what cannot be had is done without, in one line."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.known import key_of, put, wrong_among

from simil.embedders.cache import store
from simil.embedders.cache.database import CacheFile, current, files
from simil.embedders.cache.store import VectorCache
from vector_cache.conftest import Open

HOUR = 3600
TESTS = str(Path(__file__).parents[1])


def _lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "simil"]


def _schema_gone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("DROP TABLE vectors")


def _foreign(path: Path) -> None:
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE addresses (name)")


DAMAGE = {
    "garbage": lambda path: path.write_bytes(random.Random(1).randbytes(100_000)),
    "text": lambda path: path.write_text("notes of mine\n" * 50),
    "foreign": _foreign,
    "cut": lambda path: path.write_bytes(path.read_bytes()[:40_000]),
    "header": lambda path: path.write_bytes(b"SQLite format 3\0" + bytes(84)),
    "schema": _schema_gone,
    "zeros": lambda path: path.write_bytes(path.read_bytes()[:100] + bytes(path.stat().st_size - 100)),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_file_that_is_not_right_is_set_aside_and_work_goes_on(
    damage: str, folder: Path, open_cache: Open, caplog: pytest.LogCaptureFixture
) -> None:
    keys = [key_of(number) for number in range(100)]
    cache = open_cache()
    put(cache, keys)
    cache.close()
    path = current(folder)
    DAMAGE[damage](path)
    before = path.read_bytes()

    cache = open_cache()
    found, wrong = wrong_among(cache, keys)
    put(cache, [key for row, key in enumerate(keys) if row not in found])
    assert wrong == 0
    assert wrong_among(cache, keys) == (set(range(100)), 0)
    assert wrong_among(open_cache(), keys) == (set(range(100)), 0)

    assert path.read_bytes() == before
    assert [one.name for one in files(folder)] == ["v1-1.sqlite3", "v1-2.sqlite3"]
    (line,) = _lines(caplog)
    assert str(path) in line
    assert "set aside" in line


def test_an_empty_file_is_a_new_one(folder: Path, open_cache: Open, caplog: pytest.LogCaptureFixture) -> None:
    folder.mkdir()
    (folder / "v1-1.sqlite3").touch()
    put(open_cache(), [key_of(1)])

    assert wrong_among(open_cache(), [key_of(1)]) == ({0}, 0)
    assert _lines(caplog) == []


def test_only_the_last_file_that_was_set_aside_is_kept(folder: Path, open_cache: Open) -> None:
    for number in (1, 2, 3):
        put(open_cache(), [key_of(number)])
        current(folder).write_text("damaged")
    put(open_cache(), [key_of(4)])

    assert [path.name for path in files(folder)] == ["v1-3.sqlite3", "v1-4.sqlite3"]


_BEGIN = """
import sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from simil.embedders.cache.store import VectorCache
from support.known import key_of, put, wrong_among
cache = VectorCache(Path(sys.argv[1]), 1 << 40)
put(cache, [key_of(int(sys.argv[3]))])
found = wrong_among(cache, [key_of(int(sys.argv[3]))])
cache.close()
sys.exit(found != ({0}, 0))
"""


def test_several_processes_that_find_damage_begin_one_new_file(folder: Path) -> None:
    folder.mkdir()
    (folder / "v1-1.sqlite3").write_text("not a database")
    command = [sys.executable, "-c", _BEGIN, str(folder), TESTS]
    processes = [subprocess.Popen([*command, str(number)]) for number in range(6)]

    assert [process.wait() for process in processes] == [0] * 6
    assert [path.name for path in files(folder)] == ["v1-1.sqlite3", "v1-2.sqlite3"]
    with closing(VectorCache(folder, 1 << 40)) as cache:
        assert wrong_among(cache, [key_of(number) for number in range(6)]) == (set(range(6)), 0)


def test_a_file_that_another_run_begins_meanwhile_is_not_set_aside(
    folder: Path, open_cache: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.mkdir()
    (folder / "v1-1.sqlite3").write_text("not a database")

    class Overtaken(CacheFile):
        """Another run finds the same damage, and is done with it before this one hears of it."""

        def __init__(self, path: Path, **how: Any) -> None:
            try:
                super().__init__(path, **how)
            except sqlite3.DatabaseError:
                monkeypatch.undo()
                put(open_cache(), [key_of(1)])
                raise

    monkeypatch.setattr(store, "CacheFile", Overtaken)
    cache = open_cache()
    put(cache, [key_of(2)])

    assert wrong_among(cache, [key_of(1), key_of(2)]) == ({0, 1}, 0)
    assert [path.name for path in files(folder)] == ["v1-1.sqlite3", "v1-2.sqlite3"]


@pytest.mark.parametrize("obstacle", ["file", "directory"])
def test_where_it_cannot_be_there_is_none(
    obstacle: str,
    folder: Path,
    open_cache: Open,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if obstacle == "file":
        folder.write_text("a file in its place")
    else:
        (folder / "v1-1.sqlite3").mkdir(parents=True)
    cache = open_cache()
    put(cache, [key_of(1)])

    assert wrong_among(cache, [key_of(1)]) == (set(), 0)
    (line,) = _lines(caplog)
    assert "is not used" in line


def test_a_lock_that_is_not_given_back(
    folder: Path, open_cache: Open, caplog: pytest.LogCaptureFixture
) -> None:
    put(open_cache(), [key_of(1)])
    with closing(sqlite3.connect(current(folder), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        cache = open_cache(busy_ms=20)
        put(cache, [key_of(2)])
        # Others' writing does not keep anybody from reading.
        assert wrong_among(cache, [key_of(1), key_of(2)]) == ({0}, 0)
        put(cache, [key_of(3)])
    (line,) = _lines(caplog)
    assert "new vectors are not kept" in line
    assert "locked" in line


_FULL = """
import logging, resource, sys
logging.basicConfig(format="%(message)s")
sys.path.insert(0, sys.argv[2])
import signal
from support.known import key_of, put, wrong_among
from pathlib import Path
from simil.embedders.cache.store import VectorCache
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
folder, keys = Path(sys.argv[1]), [key_of(number) for number in range(2000)]
first = VectorCache(folder, 1 << 40)
put(first, keys[:500])
first.close()
size = sum(path.stat().st_size for path in folder.iterdir())
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 4096, size + 4096))
cache = VectorCache(folder, 1 << 40)
for start in range(0, 2000, 250):
    put(cache, keys[start:start + 250])
found, wrong = wrong_among(cache, keys)
cache.close()
print(len(found), wrong)
"""


def test_a_full_disk_keeps_what_is_there(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FULL, str(folder), TESTS],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "500 0\n"
    assert done.stderr.count("\n") == 1
    assert "new vectors are not kept" in done.stderr


_FORK = """
import os, sys
sys.path.insert(0, sys.argv[2])
from support.known import key_of, put, wrong_among
from pathlib import Path
from simil.embedders.cache.store import VectorCache
folder = Path(sys.argv[1])
cache = VectorCache(folder, 1 << 40)
put(cache, [key_of(1)])
before = cache._file
child = os.fork()
number = 3 if child else 2
for _ in range(50):
    put(cache, [key_of(number)])
    assert wrong_among(cache, [key_of(1), key_of(number)]) == ({0, 1}, 0)
assert child or cache._file is not before
cache.close()
if child:
    assert os.waitpid(child, 0)[1] == 0
    print(len(wrong_among(VectorCache(folder, 1 << 40), [key_of(n) for n in (1, 2, 3)])[0]))
else:
    os._exit(0)
"""


def test_a_child_opens_its_own(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FORK, str(folder), TESTS],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "3\n", "")


def test_it_grows_no_larger_than_it_may_and_forgets_what_is_oldest(folder: Path, open_cache: Open) -> None:
    hours = iter(range(1, 10**6))
    limit = 400_000
    cache = open_cache(limit, clock=lambda: next(hours) * HOUR)
    keys = [key_of(number) for number in range(4000)]
    for start in range(0, 4000, 200):
        put(cache, keys[start : start + 200])
    found, wrong = wrong_among(cache, keys)
    cache.close()

    assert wrong == 0
    assert 500 < len(found) < 2000
    # The newest, without a gap.
    assert found == set(range(4000 - len(found), 4000))
    with closing(CacheFile(current(folder))) as file:
        assert file.size() <= limit
    assert current(folder).stat().st_size < 1.5 * limit


def test_use_is_noted_once_a_day(folder: Path, open_cache: Open) -> None:
    now = 1000 * HOUR
    keys = [key_of(number) for number in range(3)]
    cache = open_cache(clock=lambda: now)
    put(cache, keys)
    cache.close()

    def used(hour: int, *wanted: int) -> list[int]:
        nonlocal now
        now = hour * HOUR
        one = open_cache(clock=lambda: now)
        one.get([keys[row] for row in wanted])
        one.close()
        with closing(CacheFile(current(folder))) as file:
            rows = {row.key: row.used for row in file.rows()}
        return [rows[key] for key in keys]

    assert used(1023, 0, 1) == [1000, 1000, 1000]
    assert used(1025, 0) == [1025, 1000, 1000]
    assert used(1040, 0, 2) == [1025, 1000, 1040]


def test_vectors_of_another_length_are_not_mixed(open_cache: Open) -> None:
    cache = open_cache()
    for row, dimensions in enumerate((4, 6)):
        cache.put("x", [bytes([row]) * 32], np.ones((1, dimensions), np.float32), np.zeros(1, np.uint8))
    hits = cache.get([bytes([row]) * 32 for row in range(2)])

    assert hits is not None
    assert len(hits.rows) == 1


def test_a_cache_that_gathers_writes_what_comes_at_once_together(folder: Path) -> None:
    gathering, other = VectorCache(folder, 10**9, gathers=True), VectorCache(folder, 10**9)
    keys = [key_of(number) for number in range(1100)]
    with closing(gathering), closing(other):
        put(gathering, keys[:1])  # The first is written at once.
        assert [*other.find(keys)] == keys[:1]
        for key in keys[1:]:
            put(gathering, [key])
        assert len(other.find(keys)) >= 1025  # Then a thousand at the latest.
        gathering.close()
        assert {*other.find(keys)} == {*keys}
        assert wrong_among(other, keys) == ({*range(1100)}, 0)
