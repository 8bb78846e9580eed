"""The file: its settings, and what comes out is what went in."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn
from support.known import key_of, put, wrong_among

from simil.embedders.cache.database import CacheFile, current, files, next_file, wal_is_safe
from vector_cache.conftest import Open


def _pragma(path: Path, name: str) -> object:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(f"PRAGMA {name}").fetchone()[0]


@pytest.mark.parametrize(("wal", "journal"), [(False, "delete"), (True, "wal")])
def test_settings(wal: bool, journal: str, tmp_path: Path) -> None:
    path = tmp_path / "v1-1.sqlite3"
    with closing(CacheFile(path, wal=wal)):
        assert _pragma(path, "application_id") == 0x53494D4C
        assert _pragma(path, "user_version") == 1
        assert _pragma(path, "page_size") == 16384
        # Which rollback journal is a matter of each connection; a log is one of the file.
        assert _pragma(path, "journal_mode") == journal
        assert _pragma(path, "integrity_check") == "ok"


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ((3, 40, 1), False), ((3, 44, 5), False), ((3, 44, 6), True), ((3, 45, 0), False),
        ((3, 50, 6), False), ((3, 50, 7), True), ((3, 51, 2), False), ((3, 51, 3), True), ((3, 52, 0), True),
        ((4, 0, 0), True),
    ],
)  # fmt: skip
def test_a_log_is_used_only_where_sqlite_has_its_fix(version: tuple[int, int, int], safe: bool) -> None:
    assert wal_is_safe(version) is safe


def test_this_sqlite_is_asked(tmp_path: Path) -> None:
    with closing(CacheFile(tmp_path / "v1-1.sqlite3")):
        mode = _pragma(tmp_path / "v1-1.sqlite3", "journal_mode")
    assert (mode == "wal") == wal_is_safe(sqlite3.sqlite_version_info[:3])


def test_a_file_that_another_sqlite_left_with_a_log_is_turned_back(tmp_path: Path) -> None:
    path = tmp_path / "v1-1.sqlite3"
    with closing(CacheFile(path, wal=True)) as file:
        file.put("x", [b"k" * 32], np.ones((1, 2), np.float32), np.zeros(1, np.uint8), 7)
    with closing(CacheFile(path, wal=False)) as file:
        assert len(file.get([b"k" * 32])) == 1
        assert _pragma(path, "journal_mode") == "delete"


def test_where_another_process_holds_the_log_the_file_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "v1-1.sqlite3"
    with closing(CacheFile(path, wal=True)) as file:
        file.count()
        with pytest.raises(sqlite3.OperationalError, match=r"locked|not safe"):
            CacheFile(path, wal=False, busy_ms=10)


FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False) | st.sampled_from([-0.0, 1e-45, -1e-40])


@given(
    vectors=stn.arrays(np.float32, st.tuples(st.integers(1, 8), st.integers(1, 40)), elements=FLOATS),
    marks=st.lists(st.integers(0, 255), min_size=8, max_size=8),
)
def test_vectors_come_back_bit_for_bit(
    vectors: np.ndarray, marks: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    keys = [bytes([row]) * 32 for row in range(len(vectors))]
    bits = np.array(marks[: len(vectors)], np.uint8)
    with closing(CacheFile(tmp_path_factory.mktemp("file") / "v1-1.sqlite3")) as file:
        file.put("x", keys, vectors, bits, 7)
        rows = {row.key: row for row in file.get(keys)}

    assert list(map(len, rows)) == [32] * len(vectors)
    for key, vector, mark in zip(keys, vectors, bits, strict=True):
        assert rows[key].is_whole
        assert rows[key].value[:-4] == vector.tobytes()
        assert rows[key].marks == mark
        assert rows[key].used == 7


def test_many_keys_at_once_and_none(open_cache: Open) -> None:
    keys = [key_of(number) for number in range(3000)]
    cache = open_cache()
    for start in range(0, 3000, 750):
        put(cache, keys[start : start + 750])
    asked = [key_of(-1), *keys[::-1], key_of(-2)]
    found, wrong = wrong_among(cache, asked)

    assert found == set(range(1, 3001))
    assert wrong == 0
    assert cache.get([]) is None
    assert cache.get([key_of(-1)]) is None


def test_what_is_there_stays(open_cache: Open) -> None:
    cache, key = open_cache(), b"k" * 32
    for value in (1, 2):
        cache.put("x", [key, bytes([value]) * 32], np.full((2, 3), value, np.float32), np.zeros(2, np.uint8))
    hits = cache.get([key])

    assert hits is not None
    assert hits.vectors.tolist() == [[1, 1, 1]]
    assert hits.vectors.dtype == np.float32
    assert hits.vectors.flags.writeable


def test_files_go_by_their_number(tmp_path: Path) -> None:
    assert current(tmp_path).name == "v1-1.sqlite3"
    for name in ("v1-2", "v1-10", "v1-9", "v2-99", "v1-x", "other"):
        (tmp_path / f"{name}.sqlite3").touch()
    (tmp_path / "v1-11.sqlite3-journal").touch()

    assert [path.stem for path in files(tmp_path)] == ["v1-2", "v1-9", "v1-10"]
    assert next_file(current(tmp_path)).name == "v1-11.sqlite3"
