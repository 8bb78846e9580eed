"""A file of vectors: SQLite, with a checksum for each vector.

It has two tables. `entries` finds a key; it is small, so that the random order of keys costs little and
noting a use touches few pages. `vectors` holds the values in the order they came. A value is the
vector as little-endian float32, followed by a CRC-32 over its key, its marks and the vector: whatever
bits are flipped in the file, a vector is only returned for the text that it was computed from.

Files are numbered. A damaged or foreign file is left alone, and the next number takes its place. It is
never renamed: a process that still writes to it would leave its journal beside the new file of that
name, and SQLite would roll it back into the wrong file (sqlite.org/howtocorrupt.html, 1.4).
"""

from __future__ import annotations

import sqlite3
import sys
import time
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

from simil.private_files import FILE_MODE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "BUSY_MS",
    "CacheEntry",
    "CacheFile",
    "Damaged",
    "current",
    "delete_file",
    "files",
    "is_damage",
    "next_file",
    "wal_is_safe",
]

_LAYOUT = 1
_NAME = f"v{_LAYOUT}-"
_APPLICATION = 0x53494D4C  # "SIML"
_PAGE_BYTES = 16_384
BUSY_MS = 30_000
# SQLite's own busy handler tries every tenth of a second and rarely hits the gap between two transactions
# of others: of 16 busy writers, some wait longer than 30 seconds and fail.
_RETRY_S = (0.001, 0.02)
# The CRC-32 of any data followed by its own CRC-32.
_RESIDUE = 0x2144DF1C
_CHECKSUM_BYTES = 4
_KEYS_PER_QUERY = 512
# Uses are noted by the hour; one that lies centuries ahead is a flipped bit.
_LATEST_H = 2**21

# The column `cut` holds a text's marks; the first of them was that it was cut.
_SCHEMA = """
CREATE TABLE entries (
    key BLOB PRIMARY KEY, id INTEGER NOT NULL, space INTEGER NOT NULL, used INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE vectors (id INTEGER PRIMARY KEY, cut INTEGER NOT NULL, value BLOB NOT NULL);
CREATE TABLE spaces (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
"""

_ROWS = "SELECT key, value, cut, used FROM entries JOIN vectors USING (id)"

# SQLite's primary result codes for trouble that the machine or other processes cause with a sound file.
_CIRCUMSTANCES = {
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOLFS, sqlite3.SQLITE_AUTH,
}  # fmt: skip


class Damaged(sqlite3.DatabaseError):
    """The file does not contain what was written."""


class NotOurs(Damaged):
    """The file is some other database, or has another layout."""


class CacheEntry(NamedTuple):
    """A vector as stored: `value` is its bytes and the checksum, `used` is in hours since 1970."""

    key: bytes
    value: bytes
    marks: int
    used: int

    @property
    def vector(self) -> array[float]:
        """The values of the vector, `array("f")`."""
        values = array("f", self.value[:-_CHECKSUM_BYTES])
        if sys.byteorder == "big":
            values.byteswap()
        return values

    @property
    def is_whole(self) -> bool:
        """Whether this is what was written for this key."""
        # A flipped bit in SQLite's own structure can change types.
        if not (isinstance(self.key, bytes) and isinstance(self.value, bytes) and _is_hour(self.used)):
            return False
        try:
            return _sum(self.key, self.marks, self.value) == _RESIDUE
        except (TypeError, ValueError):
            return False


def wal_is_safe(version: tuple[int, int, int] = sqlite3.sqlite_version_info[:3]) -> bool:
    """Return whether this SQLite has the fix for the WAL-reset bug, which could corrupt a file in use."""
    return version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)


def is_damage(exc: Exception) -> bool:
    """Return whether an error of a `CacheFile` means that the file is damaged or foreign."""
    if isinstance(exc, Damaged | OverflowError):  # OverflowError: a row number that no row can have.
        return True
    code = getattr(exc, "sqlite_errorcode", None)
    return code is not None and code & 0xFF not in _CIRCUMSTANCES


def files(folder: Path) -> list[Path]:
    """Return the vector files in `folder`, in the order of their numbers."""
    numbered = {}
    for path in folder.glob(f"{_NAME}*.sqlite3"):
        number = path.stem.removeprefix(_NAME)
        if number.isdecimal():
            numbered[int(number)] = path
    return [numbered[number] for number in sorted(numbered)]


def current(folder: Path) -> Path:
    """Return the file in use, the one with the highest number; it need not exist yet."""
    return next(reversed(files(folder)), folder / f"{_NAME}1.sqlite3")


def next_file(path: Path) -> Path:
    """Return the file that would replace `path`."""
    return path.with_name(f"{_NAME}{int(path.stem.removeprefix(_NAME)) + 1}.sqlite3")


def delete_file(path: Path) -> None:
    """Delete a file that is no longer in use, with the files that SQLite keeps beside it."""
    for suffix in ("", "-journal", "-wal", "-shm"):
        with suppress(OSError):
            path.with_name(path.name + suffix).unlink(missing_ok=True)


class CacheFile:
    """An open file. Every method may raise `sqlite3.Error`; each write is one transaction."""

    def __init__(self, path: Path, *, wal: bool | None = None, busy_ms: int = BUSY_MS) -> None:
        """Open or create `path` in an existing folder; raises `NotOurs` for a foreign database.

        With `wal`, a new file uses a write-ahead log instead of a rollback journal; the default is to use
        one if it is safe. `keeps_log` says whether the file has one. `busy_ms` is how long to wait for
        other processes.
        """
        self.path = path
        self._busy_ms = busy_ms
        # The files that SQLite keeps beside it take its mode. Where it cannot be made, SQLite says why.
        with suppress(OSError):
            path.touch(FILE_MODE, exist_ok=False)
        # Several threads use it, but one at a time: see `VectorCache`.
        self._db = sqlite3.connect(
            path, timeout=busy_ms / 1000, isolation_level=None, check_same_thread=False
        )
        try:
            self._set_up(wal_is_safe() if wal is None else wal)
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _set_up(self, wal: bool) -> None:
        # Damaged text need not be Unicode; and as a bytearray it is not mistaken for stored bytes.
        self._db.text_factory = bytearray
        self._db.execute(f"PRAGMA busy_timeout={self._busy_ms}")
        made = False
        if self._number("application_id") != _APPLICATION or self._number("user_version") != _LAYOUT:
            made = self._create()
        # An existing file is never switched to WAL: an older SQLite that has it open would follow unasked.
        self.keeps_log = wal and (made or self._journal() == b"wal")
        self._set_journal("wal" if self.keeps_log else "truncate")
        # A power failure may cost the last vectors; the checksums find any other damage.
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("PRAGMA cache_size=-65536")
        self._db.execute("PRAGMA temp_store=MEMORY")

    def _number(self, name: str) -> int:
        return int(self._db.execute(f"PRAGMA {name}").fetchone()[0])

    def _journal(self, change: str = "") -> bytes:
        return bytes(self._db.execute(f"PRAGMA journal_mode{change}").fetchone()[0])

    def _set_journal(self, wanted: str) -> None:
        if self._journal(f"={wanted}") == b"wal" and wanted != "wal":
            raise sqlite3.OperationalError(
                "in use by another SQLite, in a mode that is not safe with this one"
            )

    def _create(self) -> bool:
        """Create the tables, and return True; False if another process just has."""
        self._db.execute(f"PRAGMA page_size={_PAGE_BYTES}")
        with self._writing():
            if self._number("application_id") == _APPLICATION and self._number("user_version") == _LAYOUT:
                return False
            if self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise NotOurs("it is not a file of vectors")
            self._db.execute(f"PRAGMA application_id={_APPLICATION}")
            self._db.execute(f"PRAGMA user_version={_LAYOUT}")
            for statement in _SCHEMA.split(";"):
                self._db.execute(statement)
        return True

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            self._wait_for_turn()
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # SQLite itself has rolled back if the disk is full.
                with suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
            raise

    def _wait_for_turn(self) -> None:
        """Begin a write transaction as soon as no other process is in one."""
        from random import uniform

        deadline = time.monotonic() + self._busy_ms / 1000
        self._db.execute("PRAGMA busy_timeout=0")
        try:
            while True:
                try:
                    self._db.execute("BEGIN IMMEDIATE")
                    return
                except sqlite3.OperationalError as exc:
                    if exc.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                        raise
                time.sleep(uniform(*_RETRY_S))
        finally:
            self._db.execute(f"PRAGMA busy_timeout={self._busy_ms}")

    def get(self, keys: Sequence[bytes]) -> list[CacheEntry]:
        """Return the entries of those `keys` that are stored, in any order, intact or not."""
        rows: list[CacheEntry] = []
        try:
            self._db.execute("BEGIN")  # All statements see the same state of the file.
            for part in _parts(keys):
                marks = ",".join("?" * len(part))
                found = self._db.execute(f"{_ROWS} WHERE key IN ({marks})", part)
                rows += map(CacheEntry._make, found)
        finally:
            if self._db.in_transaction:  # An I/O error ends the transaction.
                self._db.execute("COMMIT")
        return rows

    def put(
        self,
        space: str,
        keys: Sequence[bytes],
        vectors: NDArray[np.float32],
        marks: NDArray[np.uint8],
        used: int,
    ) -> int:
        """Store the vectors [n, dimensions] of `keys` under the model's name `space`; stored ones stay.

        Returns how many were new.
        """
        bits = marks.astype(int).tolist()
        rows = zip(keys, _values(keys, vectors, bits), bits, strict=True)
        # A key that comes twice is stored once.
        different = {row[0]: row for row in rows}
        with self._writing():
            known = {key for part in _parts(keys) for key in self._among(part)}
            new = [row for key, row in different.items() if key not in known]
            first = self.newest() + 1
            number = self._space(space)
            self._db.executemany(
                "INSERT INTO vectors VALUES (?, ?, ?)",
                ((first + index, marked, value) for index, (_, value, marked) in enumerate(new)),
            )
            # An entry may have lost its vector to flipped bits; replace it.
            self._db.executemany(
                "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?)",
                ((key, first + index, number, used) for index, (key, _, _) in enumerate(new)),
            )
        return len(new)

    def _among(self, keys: Sequence[bytes]) -> list[bytes]:
        marks = ",".join("?" * len(keys))
        there = f"SELECT key FROM entries JOIN vectors USING (id) WHERE key IN ({marks})"
        return [key for (key,) in self._db.execute(there, keys)]

    def _space(self, name: str) -> int:
        # A folder's name need not be Unicode, but what people read must be.
        name = name.encode("utf-8", "replace").decode()
        self._db.execute("INSERT OR IGNORE INTO spaces (name) VALUES (?)", (name,))
        return int(self._db.execute("SELECT id FROM spaces WHERE name = ?", (name,)).fetchone()[0])

    def drop(self, keys: Sequence[bytes]) -> None:
        """Drop `keys`."""
        self._drop_where("key = ?", ((key,) for key in keys))

    def newest(self) -> int:
        """Return a number that no vector stored so far exceeds, and every later one does."""
        return int(self._db.execute("SELECT max(id) FROM vectors").fetchone()[0] or 0)

    def older(self, keys: Sequence[bytes], newest: int) -> dict[bytes, str]:
        """Return those `keys` that were there when `newest` was asked for, and their spaces' names."""
        found: dict[bytes, str] = {}
        for part in _parts(keys):
            marks = ",".join("?" * len(part))
            rows = self._db.execute(
                "SELECT key, name FROM entries JOIN spaces ON spaces.id = space"
                f" WHERE key IN ({marks}) AND entries.id <= ?",
                (*part, newest),
            )
            found |= {key: name.decode("utf-8", "replace") for key, name in rows}
        return found

    def drop_part(self, name: str) -> int:
        """Drop the vectors of the space `name`, by whatever model it was answered; return how many."""
        of_part = "SELECT id FROM spaces WHERE name = ? OR substr(name, 1, ?) = ?"
        start = f"{name} as "
        return self._drop_where(f"space IN ({of_part})", [(name, len(start), start)])

    def touch(self, keys: Sequence[bytes], used: int) -> None:
        """Note that `keys` were used in the hour `used`."""
        with self._writing():
            self._db.executemany("UPDATE entries SET used = ? WHERE key = ?", ((used, key) for key in keys))

    def size(self) -> int:
        """Return the bytes in use: the size of the file without its free pages."""
        return (self._number("page_count") - self._number("freelist_count")) * self._number("page_size")

    def count(self) -> int:
        """Return the number of vectors."""
        return int(self._db.execute("SELECT count(*) FROM entries").fetchone()[0])

    def spaces(self) -> list[tuple[str, int, int]]:
        """Return the name of each space, its number of vectors, and the hour of its last use.

        Raises `Damaged` for impossible values.
        """
        found = self._db.execute(
            "SELECT name, count(*), max(used) FROM entries JOIN spaces ON spaces.id = space GROUP BY space"
        ).fetchall()
        if not all(isinstance(name, bytearray) and _is_hour(used) for name, _, used in found):
            raise Damaged("it contains impossible model names or times")
        return [(name.decode("utf-8", "replace"), int(count), used) for name, count, used in found]

    def drop_unused(self, before: int) -> int:
        """Drop vectors last used before the hour `before`, and return how many."""
        return self._drop_where("used < ?", [(before,)])

    def drop_oldest(self, count: int) -> int:
        """Drop the `count` least recently used vectors, and return how many there were."""
        return self._drop_where("1 ORDER BY used, id LIMIT ?", [(count,)])

    def _drop_where(self, condition: str, values: Iterable[tuple[bytes | int | str, ...]]) -> int:
        self._db.execute("CREATE TEMP TABLE IF NOT EXISTS old (key BLOB PRIMARY KEY, id INTEGER)")
        with self._writing():
            self._db.execute("DELETE FROM old")
            self._db.executemany(
                f"INSERT OR IGNORE INTO old SELECT key, id FROM entries WHERE {condition}", values
            )
            self._db.execute("DELETE FROM entries WHERE key IN (SELECT key FROM old)")
            # A damaged entry may name the vector of another, which stays.
            self._db.execute(
                "DELETE FROM vectors WHERE id IN (SELECT id FROM old) AND id NOT IN"
                " (SELECT id FROM entries WHERE id IN (SELECT id FROM old))"
            )
            return int(self._db.execute("SELECT count(*) FROM old").fetchone()[0])

    def shrink(self) -> None:
        """Give free pages back to the disk."""
        # VACUUM rewrites the whole file; without both settings it would hold all of it in memory.
        self._db.execute("PRAGMA temp_store=FILE")
        self._db.execute("PRAGMA cache_size=-2048")
        self._db.execute("VACUUM")

    def faults(self) -> list[str]:
        """Return what SQLite finds wrong with the file's structure, one line per fault."""
        rows = self._db.execute("PRAGMA integrity_check")
        lines = [line for row in rows for line in str(row[0], "utf-8", "replace").splitlines()]
        # The first line is a heading: "*** in database main ***".
        return [] if lines == ["ok"] else [line for line in lines if not line.startswith("***")] or lines

    def rows(self) -> Iterator[CacheEntry]:
        """Yield all entries, in the order of their keys."""
        return map(CacheEntry._make, self._db.execute(_ROWS))

    def drop_strays(self) -> int:
        """Drop entries without a vector and vectors without an entry, and return how many.

        Writes nothing if there are none, so that a read-only file can be checked.
        """
        strays = (
            "entries WHERE id NOT IN (SELECT id FROM vectors)",
            "vectors WHERE id NOT IN (SELECT id FROM entries)",
        )
        found = sum(self._db.execute(f"SELECT count(*) FROM {stray}").fetchone()[0] for stray in strays)
        if found:
            with self._writing():
                for stray in strays:
                    self._db.execute(f"DELETE FROM {stray}")
        return int(found)


def _parts(keys: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(keys), _KEYS_PER_QUERY):
        yield keys[start : start + _KEYS_PER_QUERY]


def _values(keys: Sequence[bytes], vectors: NDArray[np.float32], marks: Sequence[int]) -> Iterator[bytes]:
    import numpy as np

    for key, vector, marked in zip(keys, np.ascontiguousarray(vectors, "<f4"), marks, strict=True):
        data = vector.tobytes()
        yield data + _sum(key, marked, data).to_bytes(_CHECKSUM_BYTES, "little")


def _is_hour(used: object) -> bool:
    return isinstance(used, int) and 0 <= used < _LATEST_H


def _sum(key: bytes, marks: int, value: bytes) -> int:
    return crc32(value, crc32(key + bytes([marks])))
