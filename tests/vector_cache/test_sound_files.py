"""A sound file is never taken for a damaged one, and a damaged row costs no more than itself."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from support.known import key_of, marks_of, put, vectors_of, wrong_among

from simil.embedders.base import Kind, VectorForm
from simil.embedders.cache import maintenance, store
from simil.embedders.cache.database import CacheFile, Damaged, current, files
from simil.embedders.cache.keys import KeyBuilder
from simil.errors import UsageError
from vector_cache.conftest import Open

HOUR = 3600


def _change(path: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as db:
        assert db.execute(statement, values).rowcount > 0
        db.commit()


def test_what_comes_twice_in_a_batch_is_kept_once(
    folder: Path, open_cache: Open, caplog: pytest.LogCaptureFixture
) -> None:
    keys = [key_of(number) for number in (1, 2, 1, 3, 2)]
    put(open_cache(), keys)

    assert wrong_among(open_cache(), keys[1:4]) == ({0, 1, 2}, 0)
    assert len(files(folder)) == 1
    assert caplog.records == []


def test_a_name_that_is_not_unicode(folder: Path, open_cache: Open) -> None:
    key = [key_of(1)]
    for _ in range(2):
        open_cache().put("./models/\udcff@1", key, vectors_of(key), marks_of(key))

    assert wrong_among(open_cache(), key) == ({0}, 0)
    assert [space.model for space in maintenance.info(folder.parent, 1).spaces] == ["./models/?@1"]


@pytest.mark.skipif(sys.platform != "linux", reason="finds the open file in /proc")
def test_an_error_of_the_disk_is_no_damage(
    folder: Path, open_cache: Open, caplog: pytest.LogCaptureFixture
) -> None:
    keys = [key_of(number) for number in range(500)]
    put(open_cache(), keys)
    cache = open_cache()
    cache.get([])
    opened = {number: Path(f"/proc/self/fd/{number}") for number in range(3, 100)}
    (number, *_) = [number for number, link in opened.items() if link.exists() and _is(link, current(folder))]
    # The file cannot be read any more, all of a sudden: reading a folder is an error.
    where = os.open(folder, os.O_RDONLY)
    for number, link in opened.items():
        if link.exists() and _is(link, current(folder)):
            os.dup2(where, number)
    os.close(where)

    assert cache.get(keys) is None
    (record,) = caplog.records
    assert "is not used: disk I/O error" in record.getMessage()
    assert len(files(folder)) == 1


def _is(link: Path, path: Path) -> bool:
    return link.readlink() == path


class Interrupted(Exception):
    pass


def test_a_run_that_is_interrupted_as_it_begins_to_write_can_still_write(
    folder: Path, open_cache: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = CacheFile._wait_for_turn

    def begin_and_stop(file: CacheFile) -> None:
        begin(file)
        raise Interrupted

    cache = open_cache()
    put(cache, [key_of(1)])
    with monkeypatch.context() as patched, pytest.raises(Interrupted):
        patched.setattr(CacheFile, "_wait_for_turn", begin_and_stop)
        put(cache, [key_of(2)])
    put(cache, [key_of(3)])

    assert wrong_among(open_cache(), [key_of(number) for number in (1, 2, 3)]) == ({0, 2}, 0)
    assert len(files(folder)) == 1


@pytest.mark.parametrize("gone", ["its vector", "its number"])
def test_an_entry_without_its_vector_makes_room_for_a_new_one(
    gone: str, folder: Path, open_cache: Open
) -> None:
    keys = [key_of(number) for number in range(20)]
    with closing(open_cache()) as cache:
        put(cache, keys)
    if gone == "its vector":
        _change(current(folder), "DELETE FROM vectors WHERE id = 7")
    else:
        _change(current(folder), "UPDATE entries SET id = 9999 WHERE id = 7")
    cache = open_cache()
    found, wrong = wrong_among(cache, keys)
    assert (len(found), wrong) == (19, 0)
    put(cache, keys)

    assert wrong_among(cache, keys) == (set(range(20)), 0)


@pytest.mark.parametrize("by", ["a look", "verify"])
def test_a_damaged_row_does_not_take_another_with_it(by: str, folder: Path, open_cache: Open) -> None:
    keys = [key_of(number) for number in range(20)]
    with closing(open_cache()) as cache:
        put(cache, keys)
    _change(current(folder), "UPDATE entries SET id = 3 WHERE id = 7")
    if by == "a look":
        assert wrong_among(open_cache(), keys) == ({*range(20)} - {6}, 0)
    # Its own vector is nobody's now.
    assert not maintenance.verify(folder.parent).is_sound
    assert maintenance.verify(folder.parent).is_sound

    assert wrong_among(open_cache(), keys) == ({*range(20)} - {6}, 0)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE vectors SET value = CAST(value AS TEXT) WHERE id = 7",
        "UPDATE entries SET used = 1 << 60 WHERE id = 7",
        "UPDATE entries SET used = -1 WHERE id = 7",
        "UPDATE entries SET used = 'soon' WHERE id = 7",
    ],
)
def test_what_was_not_written_like_that_is_found(change: str, folder: Path, open_cache: Open) -> None:
    keys = [key_of(number) for number in range(20)]
    with closing(open_cache()) as cache:
        put(cache, keys)
    _change(current(folder), change)

    assert maintenance.verify(folder.parent).dropped == 1
    assert maintenance.verify(folder.parent).is_sound
    found, wrong = wrong_among(open_cache(), keys)
    assert (len(found), wrong) == (19, 0)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE entries SET used = 1 << 60",
        "UPDATE entries SET used = 'soon'",
        "UPDATE spaces SET name = x'00ff'",
    ],
)
def test_what_cannot_be_is_not_shown(change: str, folder: Path, open_cache: Open) -> None:
    with closing(open_cache()) as cache:
        put(cache, [key_of(1)])
    _change(current(folder), change)

    with closing(CacheFile(current(folder))) as file, pytest.raises(Damaged):
        file.spaces()
    with pytest.raises(UsageError, match="run simil cache verify"):
        maintenance.info(folder.parent, 1)


def test_a_fault_of_the_file_is_told_in_one_line(
    folder: Path, open_cache: Open, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(open_cache()) as cache:
        put(cache, [key_of(number) for number in range(100)])
    data = bytearray(current(folder).read_bytes())
    data[36:40] = (5).to_bytes(4, "big")  # How many free pages there are.
    current(folder).write_bytes(data)
    (fault,) = maintenance.verify(folder.parent).faults

    assert fault.isprintable()
    (record,) = caplog.records
    assert fault in record.getMessage()
    assert record.getMessage().isprintable()


def test_a_file_does_not_get_a_log_while_an_older_sqlite_may_have_it_open(tmp_path: Path) -> None:
    path = tmp_path / "v1-1.sqlite3"
    with closing(CacheFile(path, wal=False)) as older, closing(CacheFile(path, wal=True)) as newer:
        for row, file in enumerate((older, newer, older)):
            keys = [key_of(row)]
            file.put("x", keys, vectors_of(keys), marks_of(keys), 7)
        assert not (tmp_path / "v1-1.sqlite3-wal").exists()
        assert (older.keeps_log, newer.keeps_log) == (False, False)
        assert len(newer.get([key_of(row) for row in range(3)])) == 3


def test_halves_of_a_character_are_not_the_character() -> None:
    whole, halves = (KeyBuilder("b", model).keys(["x"], Kind.QUERY, VectorForm()) for model in HALVES)

    assert whole != halves


HALVES = ("\N{GRINNING FACE}", "\ud83d\ude00")


def test_uses_that_wait_to_be_noted_are_bounded(
    folder: Path, open_cache: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_NOTED_AT_ONCE", 10)
    keys = [key_of(number) for number in range(25)]
    with closing(open_cache(clock=lambda: 1000 * HOUR)) as cache:
        put(cache, keys)
    cache = open_cache(clock=lambda: 2000 * HOUR)
    for _ in range(3):  # The same again is the same use.
        cache.get(keys[:9])

    def noted() -> int:
        with closing(CacheFile(current(folder))) as file:
            return sum(row.used == 2000 for row in file.rows())

    assert noted() == 0
    cache.get(keys[5:20])
    assert noted() == 20
    cache.get(keys[20:])
    assert noted() == 20
    cache.close()
    assert noted() == 25


_SHRINK = """
import sys
from pathlib import Path
from simil.embedders.cache import maintenance
print(maintenance.prune(Path(sys.argv[1]), older_than_s=None, max_bytes=int(sys.argv[2])).dropped)
(peak,) = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(1024 * int(peak))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is Linux's to tell")
def test_a_cache_is_shrunk_without_being_held_in_memory(folder: Path, open_cache: Open) -> None:
    big = np.ones((500, 4000), np.float32)
    with closing(open_cache()) as cache:
        for start in range(0, 15_000, 500):
            keys = [key_of(number) for number in range(start, start + 500)]
            cache.put("big", keys, big, np.zeros(500, np.uint8))
    size = current(folder).stat().st_size
    done = subprocess.run(
        [sys.executable, "-c", _SHRINK, str(folder.parent), str(size - 10_000_000)],
        capture_output=True,
        text=True,
        check=True,
    )
    current(folder).unlink()  # pytest would keep it for some runs.
    dropped, peak = map(int, done.stdout.split())
    assert dropped > 500
    # Python, numpy and what SQLite keeps of a file while it is searched.
    assert peak < 150e6 < size
