"""Files of every format, sound and then damaged at random: what a reader must answer or refuse."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from io import BytesIO
from pathlib import Path
from random import Random

import numpy as np
import safetensors.numpy

from simil.formats.registry import FORMATS
from simil.vectors import VectorBatch
from simil.vectors.vector_files import open_writer
from simil.vectors.vector_formats import STREAMED

__all__ = ["mutated", "sound_files"]

_ROWS = [{"id": f"n{number}", "text": f"Grüße, text {number}", "score": number / 7} for number in range(5)]
# More digits than `int` reads, more depth than any stack has, what is no JSON but Python's.
_HARMFUL = (
    b"9" * 4301,
    b"-" + b"1" * 5000,
    b"1e" + b"9" * 400,
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"(" * 3000,
    b"NaN",
    b"Infinity",
    b'"\\ud800"',
    b"\xff\xfe\x00",
    b"\x00" * 64,
    b'"' + b"a" * 200_000,
    b"null",
    b"[]",
    b"{}",
    b"\r",
)


def sound_files(folder: Path) -> list[Path]:
    """Write a small file of each format, of texts and of vectors, and return their paths."""
    for form in FORMATS:
        if form.write is not None:
            columns = tuple(_ROWS[0])
            rows = [{name: str(value) for name, value in row.items()} for row in _ROWS]
            (folder / f"texts.{form.name}").write_bytes(b"".join(form.write(rows, {}, columns)))
    (folder / "texts.txt").write_text("".join(f"{row['text']}\n" for row in _ROWS), "utf-8")
    (folder / "texts.xlsx").write_bytes(_workbook())
    vectors = np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32)
    ids, texts = tuple(f"n{number}" for number in range(5)), tuple(str(row["text"]) for row in _ROWS)
    for form in STREAMED:
        stream = BytesIO()
        writer = open_writer(form, stream, model="m@1")
        writer.write(VectorBatch(ids, texts, ({"score": 1},) * 5, vectors))
        writer.close()
        name = {"base64": "base64.json"}.get(form, f"vectors.{form}")
        (folder / name).write_bytes(stream.getvalue())
    np.savez(folder / "vectors.npz", embeddings=vectors, ids=np.array(ids), model=np.array("m@1"))
    np.savez_compressed(folder / "packed.npz", vectors=vectors)
    safetensors.numpy.save_file({"embeddings": vectors}, folder / "vectors.safetensors", {"model": "m@1"})
    _database(folder / "vectors.db", vectors)
    return sorted(folder.iterdir())


def mutated(data: bytes, chance: Random) -> tuple[str, bytes]:
    """Return what was done to `data`, and what became of it."""
    how = chance.choice(_WAYS)
    return how.__name__.strip("_"), how(data, chance)


def _flip(data: bytes, chance: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 3, 10))):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _set_bytes(data: bytes, chance: Random) -> bytes:
    at, length = chance.randrange(len(data)), chance.choice((1, 4, 8, 64))
    return data[:at] + bytes([chance.choice((0, 255, 127, 128))]) * length + data[at + length :]


def _truncate(data: bytes, chance: Random) -> bytes:
    return data[: chance.randrange(len(data))]


def _repeat(data: bytes, chance: Random) -> bytes:
    start, end = sorted(chance.choices(range(len(data)), k=2))
    return data[:end] + data[start:end] * chance.choice((1, 50)) + data[end:]


def _remove(data: bytes, chance: Random) -> bytes:
    start = chance.randrange(len(data))
    return data[:start] + data[start + chance.choice((1, 2, 8, 100)) :]


def _insert(data: bytes, chance: Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + chance.choice(_HARMFUL) + data[at:]


def _replace_number(data: bytes, chance: Random) -> bytes:
    digits = [at for at, byte in enumerate(data) if 48 <= byte <= 57]
    if not digits:
        return _insert(data, chance)
    at = chance.choice(digits)
    return data[:at] + chance.choice(_HARMFUL) + data[at + 1 :]


def _swap(data: bytes, chance: Random) -> bytes:
    places = sorted(chance.choices(range(len(data)), k=3))
    first, middle, last = places
    return data[:first] + data[middle:last] + data[first:middle] + data[last:]


_Way = Callable[[bytes, Random], bytes]
_WAYS: tuple[_Way, ...] = (
    _flip,
    _set_bytes,
    _truncate,
    _repeat,
    _remove,
    _insert,
    _replace_number,
    _swap,
)


def _workbook() -> bytes:
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append([*_ROWS[0]])
    for row in _ROWS:
        sheet.append([*row.values()])
    stream = BytesIO()
    book.save(stream)
    return stream.getvalue()


def _database(path: Path, vectors: np.ndarray) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("create table collections (id integer primary key, name text, model text)")
        database.execute(
            "create table embeddings (collection_id integer, id text, embedding blob, content text, "
            "metadata text, primary key (collection_id, id))"
        )
        database.execute("insert into collections values (1, 'notes', 'm@1')")
        for number, vector in enumerate(vectors):
            row = (f"n{number}", vector.tobytes(), f"text {number}", '{"a": 1}')
            database.execute("insert into embeddings values (1, ?, ?, ?, ?)", row)
