"""Processes that fork while others of their threads write."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from support.known import key_of

from simil.embedders.cache import store
from simil.embedders.cache.database import CacheFile, current
from vector_cache.conftest import Open

TESTS = str(Path(__file__).parents[1])

# A thread writes all the time; each child writes what is its own, and finds it again.
_PROGRAM = """
import os, sys, threading
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from simil.embedders.cache import database as file
from simil.embedders.cache.store import VectorCache
from support.known import key_of, put, wrong_among

file.wal_is_safe = lambda: sys.argv[3] == "wal"
CHILDREN, ROWS = 6, 100
cache = VectorCache(Path(sys.argv[1]), 1 << 40)

def rows(who):
    return [key_of(1_000_000 * who + number) for number in range(ROWS)]

def child(who):
    keys = rows(who)
    for start in range(0, ROWS, 10):
        put(cache, keys[start:start + 10])
    complete = wrong_among(cache, keys) == (set(range(ROWS)), 0)
    cache.close()
    os._exit(not complete)

ended, written = threading.Event(), []
def write():
    while not ended.is_set():
        keys = [key_of(-number) for number in range(len(written) + 1, len(written) + 101)]
        put(cache, keys)
        written.extend(keys)

put(cache, rows(0))
thread = threading.Thread(target=write)
if sys.argv[4] == "writing":
    thread.start()
children = []
for who in range(1, CHILDREN + 1):
    children.append(os.fork())
    if not children[-1]:
        child(who)
if sys.argv[4] == "idle":
    cache.close()  # What a log holds must not go with the one who made it.
codes = [os.waitpid(one, 0)[1] for one in children]
ended.set()
if thread.ident:
    thread.join()
wanted = [key for who in range(CHILDREN + 1) for key in rows(who)] + written
found, wrong = wrong_among(cache, wanted)
cache.close()
(path,) = file.files(Path(sys.argv[1]))
one = file.CacheFile(path)
print(codes, len(wanted) - len(found), wrong, one.faults(), one.keeps_log)
one.close()
"""


@pytest.mark.parametrize("parent", ["idle", "writing"])
@pytest.mark.parametrize("journal", ["wal", "truncate"])
def test_children_write_what_is_theirs_and_all_is_there(tmp_path: Path, journal: str, parent: str) -> None:
    # From Python 3.12 on it warns of forks where there are threads; this is about exactly those.
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _PROGRAM, str(tmp_path), TESTS, journal, parent],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.stderr == ""
    assert done.stdout == f"[0, 0, 0, 0, 0, 0] 0 0 [] {journal == 'wal'}\n"


def test_uses_that_wait_to_be_noted_outlive_a_fork(folder: Path, open_cache: Open) -> None:
    open_cache(clock=lambda: 3600 * 1000).put(
        "x", [key_of(1)], np.ones((1, 2), np.float32), np.zeros(1, np.bool_)
    )
    cache = open_cache(clock=lambda: 3600 * 2000)
    assert cache.get([key_of(1)]) is not None
    store._before_fork()
    store._after_fork()
    cache.close()

    with closing(CacheFile(current(folder))) as file:
        assert [row.used for row in file.rows()] == [2000]
