"""Vectors in the SQLite database of `llm`, `embeddings.db`: collections of one model each."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

from simil.errors import InputError, Place
from simil.near_names import name_one_with
from simil.vectors.array_rows import vectors_of_array
from simil.vectors.collect import VectorFile, report_left_out

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["read_sqlite"]

_TABLES = {"collections", "embeddings"}
_PENDING = ("-wal", "-journal")
_FLOAT32 = 4
_SHOWN = 8


class _Collection(NamedTuple):
    number: int
    name: str
    model: str | None


def read_sqlite(source: str, stream: BinaryIO, collection: str | None = None) -> VectorFile:
    """Read the collection of this name, by default the only one.

    The database is opened for reading only, and nothing is written beside it. Raises InputError for another
    database, which names its tables, and for a collection that is missing or not named, which lists them.
    """
    try:
        with _opened(stream) as database:
            return _read(source, database, collection)
    except sqlite3.Error as exc:
        raise InputError(f"cannot be read as an SQLite database: {exc}", place=Place(source)) from exc


def _read(source: str, database: sqlite3.Connection, wanted: str | None) -> VectorFile:
    tables = [name for (name,) in database.execute("select name from sqlite_master where type = 'table'")]
    if not _TABLES.issubset(tables):
        names = ", ".join(map(repr, tables[:_SHOWN])) or "none"
        raise InputError(
            f"is an SQLite database, but not one that llm wrote; its tables: {names}",
            hint="export one, e.g. sqlite3 -csv -header FILE 'SELECT …'",
            place=Place(source),
        )
    chosen = _chosen(source, database, wanted)
    rows = database.execute(
        "select id, content, metadata, embedding from embeddings where collection_id = ? order by rowid",
        (chosen.number,),
    ).fetchall()
    kept = [row for row in rows if row[-1] is not None]
    report_left_out(source, len(rows) - len(kept))
    records = [_record(*row[:-1]) for row in kept]
    return vectors_of_array(
        source, _table_of(source, [row[-1] for row in kept]), records, chosen.model or None
    )


def _chosen(source: str, database: sqlite3.Connection, wanted: str | None) -> _Collection:
    found = [_Collection(*row) for row in database.execute("select id, name, model from collections")]
    matching = [each for each in found if wanted in (None, each.name)]
    if len(matching) == 1:
        return matching[0]
    if not found:
        raise InputError("has no collection of embeddings", place=Place(source))
    names = [each.name for each in found]
    problem = f"has {len(found)} collections" if wanted is None else f"has no collection {wanted!r}"
    raise InputError(
        f"{problem}: {', '.join(map(repr, names))}",
        hint=name_one_with("--collection", wanted or "", names),
        place=Place(source),
    )


def _record(id_: object, content: object, metadata: str | None) -> dict[str, object]:
    import orjson

    try:
        more = orjson.loads(metadata) if metadata else {}
    except orjson.JSONDecodeError:
        more = metadata
    return {"id": id_, "text": content, "fields": more if isinstance(more, dict) else {"metadata": more}}


def _table_of(source: str, blobs: Sequence[object]) -> NDArray[np.float32]:
    """Return embeddings as rows [n, d]; each is a blob of little-endian float32."""
    import numpy as np

    size = len(blobs[0]) if blobs and isinstance(blobs[0], bytes) else 0
    for number, blob in enumerate(blobs, 1):
        if not isinstance(blob, bytes) or not blob or len(blob) % _FLOAT32:
            message = f"item {number} has an embedding that is not a whole number of float32 values"
            raise InputError(message, place=Place(source))
        if len(blob) != size:
            found = f"{len(blob) // _FLOAT32} dimensions, those before have {size // _FLOAT32}"
            raise InputError(f"item {number} has {found}", place=Place(source))
    numbers = np.frombuffer(b"".join(cast("Sequence[bytes]", blobs)), "<f4")
    return numbers.reshape(len(blobs), size // _FLOAT32)


@contextmanager
def _opened(stream: BinaryIO) -> Iterator[sqlite3.Connection]:
    """Open a database without a lock and without files beside it.

    What another program has not finished writing is in a file beside it: then both are copied first, as is
    a database that has no name.
    """
    path = os.path.realpath(stream.name) if isinstance(stream.name, str) else None
    pending = [end for end in _PENDING if path and Path(path + end).is_file()]
    with tempfile.TemporaryDirectory() as folder:
        if path and not pending:
            address = f"{Path(path).as_uri()}?mode=ro&immutable=1"
        else:
            copy = Path(folder, "copy.db")
            with copy.open("wb") as target:
                shutil.copyfileobj(stream, target, 1 << 20)
            for end in pending:
                shutil.copyfile(f"{path}{end}", f"{copy}{end}")
            address = copy.as_uri()
        with closing(sqlite3.connect(address, uri=True)) as database:
            yield database
