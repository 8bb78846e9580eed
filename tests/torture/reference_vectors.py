"""What a file of vectors holds, read a second time; see `reference_texts`."""

from __future__ import annotations

import base64
import io
import json
import re
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from torture.reference_texts import (
    BadRecord,
    Item,
    Reading,
    Refused,
    Row,
    apart,
    arrow_rows,
    arrow_table,
    check_text,
    csv_rows,
    decoded,
    fitted,
    is_bad,
    json_ids,
    json_value,
    lines_of,
    no_constant,
    outside_quotes,
    share_numbers,
    texts_in,
    without_end,
)

__all__ = ["may_be_json", "readings", "vectors_in"]


def readings(data: bytes, form: str, name: str, *, is_named: bool) -> list[Reading]:
    """Return the readings of a file of texts that are right; `is_named` says that the user named its format.

    Without that, content that begins as JSON or another format does is that, or may be refused.
    """
    found = [texts_in(data, form, name)]
    if form in _VECTORS and re.search(rb"d0|embedding", data.replace(b"\0", b"")):
        found.append(vectors_in(data, form, name))
    if not is_named and form not in ("json", "jsonl", "parquet", "arrow", "xlsx") and may_be_json(data):
        found += [texts_in(data, other, name) for other in ("json", "jsonl")]
        found += [vectors_in(data, other, name) for other in ("json", "jsonl")]
        found.append(Reading(is_refused=True))
    return found


def may_be_json(data: bytes) -> bool:
    """Whether a file that is not called JSON may be read, or refused, as that."""
    start = decoded(data)[0].lstrip("\ufeff \t\n\r\v\f\x1c\x1d\x1e\x1f\x85\xa0")[:1]
    return start in ("{", "[")


def vectors_in(data: bytes, form: str, name: str) -> Reading:
    """Read vectors in a format of the registry."""
    reading = Reading(form=form, has_vectors=True)
    try:
        _VECTORS[form](data, name, reading)
        _check_vectors(reading)
        reading.may_refuse |= share_numbers(reading.items)
    except (
        Refused,
        BadRecord,
        SystemError,
    ):  # The last for NumPy's strings of numbers that are not characters.
        reading.is_refused = True
    return reading


def _check_vectors(reading: Reading) -> None:
    """Raise `Refused` unless all vectors are finite and of one length; those of nan only have none."""
    kept = [item for item in reading.items if item.vector is not None and not np.isnan(item.vector).all()]
    lengths = {len(item.vector) for item in kept if item.vector is not None}
    if len(lengths) > 1 or 0 in lengths:
        raise Refused
    if not all(np.isfinite(item.vector).all() for item in kept if item.vector is not None):
        raise Refused
    reading.items = kept


def _floats(values: object) -> NDArray[np.float32]:
    if not isinstance(values, list) or not values:
        raise BadRecord
    if len(values) == 1 and isinstance(values[0], list):
        return _floats(values[0])
    if not {type(value) for value in values} <= {int, float}:
        raise BadRecord
    with np.errstate(over="ignore"):
        found = np.array(values, np.float64).astype(np.float32)
    if not np.isfinite(found).all():
        raise BadRecord
    return found


def _vector_item(record: object, number: int, name: str) -> Item | None:
    """Return the item of a record as simil writes it; None for one without a vector."""
    if not isinstance(record, dict) or "embedding" not in record:
        raise BadRecord
    text = record.get("text")
    if text is not None and not isinstance(text, str):
        raise BadRecord
    if record["embedding"] is None:
        return None
    value = record["embedding"]
    vector = _from_base64(value) if isinstance(value, str) else _floats(value)
    ids = json_ids(record, number, name)
    return Item(ids, text, vector)


def _from_base64(text: str) -> NDArray[np.float32]:
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise BadRecord from None
    if len(data) % 4:
        raise BadRecord
    return np.frombuffer(data, "<f4")


def _jsonl_vectors(data: bytes, name: str, reading: Reading) -> None:
    models = set()
    number = 0
    for line, _ in lines_of(data):
        bare = without_end(line)
        if not bare.strip(" \t\n\r\v\f"):
            continue
        number += 1
        record = json_value(bare, reading)
        item = _vector_item(record, number, name)
        if item is not None:
            reading.items.append(item)
            models.add(record.get("model") or None)
    if len(models) > 1 or any(not isinstance(model, str | None) for model in models):
        raise Refused


def _json_vectors(data: bytes, name: str, reading: Reading) -> None:
    value = json_value(decoded(data)[0], reading)
    records = value.get("data") if isinstance(value, dict) else value
    if not isinstance(records, list):
        raise Refused
    is_answer = isinstance(value, dict) and value.get("object") == "list"
    placed: dict[int, Item | None] = {}
    for number, record in enumerate(records):
        item = _vector_item(record, number + 1, name)
        index = record.get("index") if is_answer else None
        if index is None:
            index = number
        if type(index) is not int or index < 0 or index in placed:
            raise Refused
        if item is not None and len(item.ids) > 1:
            item = Item((str(index + 1), f"{name}:{index + 1}"), item.text, item.vector)
        placed[index] = item
    if placed and max(placed) >= len(records):
        raise Refused
    reading.items = [item for _, item in sorted(placed.items()) if item is not None]


def _table_vectors(form: str) -> Callable[[bytes, str, Reading], None]:
    def read(data: bytes, name: str, reading: Reading) -> None:
        check_text(data, reading)
        rows = _rows_of(data, form, name)
        if not rows:
            raise Refused
        _, header, _ = rows[0]
        if header is None or any(header.count(column) > 1 for column in ("id", "text", "model")):
            raise Refused
        first, stop = _dimension_columns(header)
        if first == stop:
            raise Refused
        models = set()
        for number, (_, cells, _) in enumerate(rows[1:], 1):
            cells_there = None if cells is None else fitted(apart(header), cells)
            if cells_there is None:
                raise Refused
            own = {
                column: cells_there[header.index(column)]
                for column in ("id", "text", "model")
                if column in header
            }
            if not any(cells_there[first:stop]):
                continue
            models.add(own.get("model") or None)
            ids = (own["id"],) if "id" in own else (str(number), f"{name}:{number}")
            reading.items.append(
                Item(ids, own.get("text") or None, _table_numbers(cells_there[first:stop], reading))
            )
        if len(models) > 1:
            raise Refused

    return read


def _rows_of(data: bytes, form: str, name: str) -> list[Row]:
    lines = [line for line, _ in lines_of(data)]
    if form == "tsv":
        cells = [None if is_bad(line) else without_end(line).split("\t") for line in lines]
        rows = [(at, [] if cells == [""] else cells, None) for at, cells in enumerate(cells, 1)]
        header = next((cells for _, cells, _ in rows if cells != []), None)
        if header and any("\r" in cell for cell in header):
            raise Refused
    else:
        first = outside_quotes("".join(lines))
        others = [mark for mark in ";\t|" if mark in first] if "," not in first else []
        if len(others) > 1:
            raise Refused
        rows = [*csv_rows(lines, (others or [","])[0], 1)]
    return [row for row in rows if row[1] != []]


def _dimension_columns(header: Sequence[str]) -> tuple[int, int]:
    if "d0" not in header:
        return 0, 0
    first = stop = len(header) - 1 - header[::-1].index("d0")
    while stop < len(header) and header[stop] == f"d{stop - first}":
        stop += 1
    return first, stop


def _table_numbers(cells: Sequence[str], reading: Reading) -> NDArray[np.float32]:
    try:
        if any("_" in cell for cell in cells):
            raise BadRecord
        return _floats([float(cell) for cell in cells])
    except (ValueError, OverflowError):
        raise BadRecord from None


def _array(data: bytes) -> NDArray[Any]:
    try:
        found: NDArray[Any] = np.load(io.BytesIO(data), allow_pickle=False)
    except Exception:  # noqa: BLE001 (of whatever kind)
        raise Refused from None
    return found


def _array_items(
    array: NDArray[Any],
    reading: Reading,
    ids: Sequence[object] | None = None,
    texts: Sequence[object] | None = None,
) -> None:
    if array.ndim != 2 or array.dtype.kind not in "iuf" or (len(array) and not array.shape[1]):
        raise Refused
    with np.errstate(over="ignore", invalid="ignore"):
        rows = array.astype(np.float32)
    for number, row in enumerate(rows, 1):
        given = str(number) if ids is None else str(ids[number - 1])
        text = None if texts is None else str(texts[number - 1])
        reading.items.append(Item((given,), text, row))


def _npy_vectors(data: bytes, name: str, reading: Reading) -> None:
    if not data.startswith(b"\x93NUMPY"):
        raise Refused
    _array_items(_array(data), reading)


def _npz_vectors(data: bytes, name: str, reading: Reading) -> None:
    try:
        # Not `np.load`, which goes by the first bytes: an archive is read from its end.
        with np.lib.npyio.NpzFile(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files if isinstance(archive[key], np.ndarray)}
    except Exception:  # noqa: BLE001 (of whatever kind)
        raise Refused from None
    tables = {key: value for key, value in arrays.items() if value.ndim == 2 and value.dtype.kind == "f"}
    named = [key for key in ("embeddings", "vectors", "embedding", "vector") if key in tables] or [*tables]
    if not named or (len(tables) > 1 and named == [*tables]):
        raise Refused
    table = tables[named[0]]
    beside: dict[str, Sequence[object]] = {}
    for key in ("ids", "texts"):
        if key in arrays:
            if arrays[key].shape != (len(table),):
                raise Refused
            beside[key] = arrays[key].tolist()
    _array_items(table, reading, beside.get("ids"), beside.get("texts"))
    reading.may_refuse = True  # Of ids and texts of other types.


def _safetensors_vectors(data: bytes, name: str, reading: Reading) -> None:
    size = int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8 : 8 + size], parse_constant=no_constant)
        header.pop("__metadata__", None)
        tables = {
            key: tensor
            for key, tensor in header.items()
            if len(tensor["shape"]) == 2 and tensor["dtype"] in ("F32", "F16", "F64", "BF16")
        }
        names = [key for key in ("embeddings", "vectors", "embedding", "vector") if key in tables] or [
            *tables
        ]
        tensor = tables[names[0]]
        begin, end = tensor["data_offsets"]
        kind = {"F32": "<f4", "F16": "<f2", "F64": "<f8", "BF16": "<u2"}[tensor["dtype"]]
        numbers = np.frombuffer(data[8 + size + begin : 8 + size + end], kind).reshape(tensor["shape"])
    except Exception:  # noqa: BLE001 (of whatever kind)
        raise Refused from None
    if tensor["dtype"] == "BF16":
        numbers = (numbers.astype(np.uint32) << 16).view(np.float32)
    _array_items(numbers, reading)


def _database(copy: Any, data: bytes) -> sqlite3.Connection:
    copy.write(data)
    copy.flush()
    return sqlite3.connect(f"file:{copy.name}?mode=ro&immutable=1", uri=True)


def _sqlite_vectors(data: bytes, name: str, reading: Reading) -> None:
    try:
        with tempfile.NamedTemporaryFile() as copy, closing(_database(copy, data)) as database:
            collections = database.execute("select id, name, model from collections").fetchall()
            if len(collections) != 1:
                raise Refused
            rows = database.execute(
                "select id, content, embedding from embeddings where collection_id = ? order by rowid",
                (collections[0][0],),
            ).fetchall()
    except (sqlite3.Error, UnicodeDecodeError):
        raise Refused from None
    for id_, content, blob in rows:
        if blob is None:
            continue
        if not isinstance(blob, bytes) or len(blob) % 4 or not blob or not isinstance(content, str | None):
            raise Refused
        if not isinstance(id_, str | int):
            raise Refused
        reading.items.append(Item((str(id_),), content, np.frombuffer(blob, "<f4")))


def _arrow_vectors(form: str) -> Callable[[bytes, str, Reading], None]:
    def read(data: bytes, name: str, reading: Reading) -> None:
        for number, row in enumerate(arrow_rows(arrow_table(data, form)), 1):
            item = _vector_item(row, number, name)
            if item is not None:
                reading.items.append(item)

    return read


_VECTORS: dict[str, Callable[[bytes, str, Reading], None]] = {
    "jsonl": _jsonl_vectors,
    "json": _json_vectors,
    "csv": _table_vectors("csv"),
    "tsv": _table_vectors("tsv"),
    "npy": _npy_vectors,
    "npz": _npz_vectors,
    "safetensors": _safetensors_vectors,
    "sqlite": _sqlite_vectors,
    "parquet": _arrow_vectors("parquet"),
    "arrow": _arrow_vectors("arrow"),
}
