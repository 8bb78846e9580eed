"""Sound files of every format, of texts and of vectors, from which the hostile ones are made."""

from __future__ import annotations

import base64
import csv
import io
import json
import random
import sqlite3
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from torture.word_vectors import STAMP, vectors_of

__all__ = ["PAIR_FORMS", "SUFFIXES", "TEXT_FORMS", "VECTOR_FORMS", "Rows", "rewritten_member", "some_rows"]

Rows = Sequence[tuple[str, str, str]]
SUFFIXES = {
    "text": ".txt",
    "csv": ".csv",
    "tsv": ".tsv",
    "jsonl": ".jsonl",
    "json": ".json",
    "parquet": ".parquet",
    "arrow": ".arrow",
    "xlsx": ".xlsx",
    "npy": ".npy",
    "npz": ".npz",
    "safetensors": ".safetensors",
    "sqlite": ".db",
}
_WORDS = [
    "apple",
    "pie",
    "red",
    "blue",
    "car",
    "orange",
    "lightning",
    "river",
    "naïve",
    "café",
    "東京",
    "Grüße",
    "ñandú",
    "7",
    "3.5",
    "x",
]


def some_rows(rng: random.Random) -> Rows:
    """Return rows of an id, a text and a note; texts occur twice, are blank, or have odd characters."""
    rows, texts = [], [" ".join(rng.choices(_WORDS, k=rng.randint(1, 3))) for _ in range(rng.randint(3, 9))]
    for number in range(1, rng.randint(4, 10)):
        text = rng.choice(texts) + rng.choice(("", "", "", "", ' "q"', ", and", "; or", "'s", " \\n"))
        if rng.random() < 0.06:
            text = rng.choice(("", " "))
        rows.append((rng.choice((str(number), f"r{number}")), text, rng.choice(_WORDS)))
    return rows


def _text(rows: Rows, rng: random.Random) -> bytes:
    return "".join(f"{text}\n" for _, text, _ in rows).encode()


def _csv(rows: Rows, rng: random.Random) -> bytes:
    out = io.StringIO()
    quoting = rng.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL))
    writer = csv.writer(out, quoting=quoting, lineterminator="\n")
    writer.writerow(("id", "text", "note"))
    writer.writerows((id_, text.replace(" ", "\n", rng.random() < 0.1), note) for id_, text, note in rows)
    return out.getvalue().encode()


def _tsv(rows: Rows, rng: random.Random) -> bytes:
    lines = ["id\ttext\tnote", *("\t".join(row) for row in rows)]
    return "".join(f"{line}\n" for line in lines).encode()


def _records(rows: Rows, rng: random.Random) -> list[dict[str, object]]:
    named = rng.random() < 0.7
    keys = rng.sample(("id", "text", "note"), 3)
    records: list[dict[str, object]] = []
    for id_, text, note in rows:
        values: dict[str, object] = {
            "id": int(id_) if id_.isdigit() and rng.random() < 0.5 else id_,
            "text": text,
            "note": note,
        }
        records.append({key: values[key] for key in keys if named or key != "id"})
    return records


def _jsonl(rows: Rows, rng: random.Random) -> bytes:
    is_ascii = rng.random() < 0.5
    return "".join(f"{json.dumps(row, ensure_ascii=is_ascii)}\n" for row in _records(rows, rng)).encode()


def _json(rows: Rows, rng: random.Random) -> bytes:
    records: object = _records(rows, rng)
    records = {"data": records} if rng.random() < 0.5 else records
    return json.dumps(records, ensure_ascii=False, indent=rng.choice((None, 1))).encode()


def _arrow(form: str) -> Callable[[Rows, random.Random], bytes]:
    def write(rows: Rows, rng: random.Random) -> bytes:
        import pyarrow as pa

        columns = dict(zip(("id", "text", "note"), map(list, zip(*rows, strict=True)), strict=True))
        return _arrow_bytes(pa.table(columns), form)

    return write


def _arrow_bytes(table: object, form: str) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = io.BytesIO()
    if form == "parquet":
        pq.write_table(table, out)
    else:
        with pa.ipc.new_file(out, table.schema) as writer:  # type: ignore[attr-defined]
            writer.write_table(table)
    return out.getvalue()


def _xlsx(rows: Rows, rng: random.Random) -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    for row in (("id", "text", "note"), *rows):
        book.active.append(row)
    for column in book.active.iter_rows(min_row=2):
        for cell in column:
            cell.data_type = "s"
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


TEXT_FORMS: dict[str, Callable[[Rows, random.Random], bytes]] = {
    "text": _text,
    "csv": _csv,
    "tsv": _tsv,
    "jsonl": _jsonl,
    "json": _json,
    "parquet": _arrow("parquet"),
    "arrow": _arrow("arrow"),
    "xlsx": _xlsx,
}
PAIR_FORMS = ("csv", "tsv", "jsonl", "json")


def _numbers(rows: Rows) -> np.ndarray:
    return vectors_of([text for _, text, _ in rows]).astype(np.float32)


def _items(rows: Rows) -> list[dict[str, object]]:
    return [
        {"id": id_, "text": text, "embedding": [float(str(number)) for number in vector]}
        for (id_, text, _), vector in zip(rows, _numbers(rows), strict=True)
    ]


def _jsonl_vectors(rows: Rows, rng: random.Random) -> bytes:
    items = [{**item, "model": STAMP} for item in _items(rows)]
    return "".join(f"{json.dumps(item)}\n" for item in items).encode()


def _json_vectors(rows: Rows, rng: random.Random) -> bytes:
    items: list[dict[str, object]] = [
        {"object": "embedding", "index": index, **item} for index, item in enumerate(_items(rows))
    ]
    if rng.random() < 0.4:
        for item, vector in zip(items, _numbers(rows), strict=True):
            item["embedding"] = base64.b64encode(vector.tobytes()).decode()
    if rng.random() < 0.3:
        rng.shuffle(items)
    lines = ",\n".join(json.dumps(item) for item in items)
    return f'{{"object":"list","data":[\n{lines}\n],"model":"{STAMP}","dimensions":16}}\n'.encode()


def _table_vectors(separator: str) -> Callable[[Rows, random.Random], bytes]:
    def write(rows: Rows, rng: random.Random) -> bytes:
        out = io.StringIO()
        writer = csv.writer(out, delimiter=separator, lineterminator="\n")
        if separator == "\t":
            writer = csv.writer(
                out, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None
            )
        writer.writerow(("id", "text", "model", *(f"d{place}" for place in range(16))))
        for item in _items(rows):
            writer.writerow((item["id"], item["text"], STAMP, *map(repr, item["embedding"])))  # type: ignore[call-overload]
        return out.getvalue().encode()

    return write


def _npy(rows: Rows, rng: random.Random) -> bytes:
    out = io.BytesIO()
    kind = rng.choice((np.float32, np.float32, np.float64, np.float16, ">f4"))
    array = _numbers(rows).astype(kind)
    np.save(out, np.asfortranarray(array) if rng.random() < 0.2 else array)
    return out.getvalue()


def _npz(rows: Rows, rng: random.Random) -> bytes:
    out = io.BytesIO()
    ids, texts = [row[0] for row in rows], [row[1] for row in rows]
    save = rng.choice((np.savez, np.savez_compressed))
    save(out, embeddings=_numbers(rows), ids=np.array(ids), texts=np.array(texts), model=np.array(STAMP))
    return out.getvalue()


def _safetensors(rows: Rows, rng: random.Random) -> bytes:
    from safetensors.numpy import save

    kind = rng.choice((np.float32, np.float16, np.float64))
    written: bytes = save({"embeddings": _numbers(rows).astype(kind)}, metadata={"model": STAMP})
    return written


def _sqlite(rows: Rows, rng: random.Random) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "embeddings.db")
        with closing(sqlite3.connect(path)) as database:
            database.execute("create table collections (id integer primary key, name text, model text)")
            database.execute(
                "create table embeddings (collection_id integer, id text, embedding blob, content text,"
                " content_blob blob, content_hash blob, metadata text, updated integer,"
                " primary key (collection_id, id))"
            )
            database.execute("insert into collections values (1, 'c', ?)", (STAMP,))
            for number, ((_, text, _), vector) in enumerate(zip(rows, _numbers(rows), strict=True)):
                database.execute(
                    "insert into embeddings (collection_id, id, embedding, content) values (1, ?, ?, ?)",
                    (f"v{number}", vector.tobytes(), text),
                )
            database.commit()
        return path.read_bytes()


def _arrow_vectors(form: str) -> Callable[[Rows, random.Random], bytes]:
    def write(rows: Rows, rng: random.Random) -> bytes:
        import pyarrow as pa

        table = pa.table(
            {
                "id": [row[0] for row in rows],
                "text": [row[1] for row in rows],
                "embedding": pa.array(_numbers(rows).tolist(), pa.list_(pa.float32())),
            }
        )
        return _arrow_bytes(table.replace_schema_metadata({"simil.model": STAMP}), form)

    return write


VECTOR_FORMS: dict[str, Callable[[Rows, random.Random], bytes]] = {
    "jsonl": _jsonl_vectors,
    "json": _json_vectors,
    "csv": _table_vectors(","),
    "tsv": _table_vectors("\t"),
    "npy": _npy,
    "npz": _npz,
    "safetensors": _safetensors,
    "sqlite": _sqlite,
    "parquet": _arrow_vectors("parquet"),
    "arrow": _arrow_vectors("arrow"),
}


def rewritten_member(data: bytes, rng: random.Random, change: Callable[[bytes], bytes]) -> bytes:
    """Return a ZIP archive with one member changed, and its checksum right."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as archive,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made,
    ):
        names = archive.namelist()
        chosen = rng.choice([name for name in names if "sheet" in name or "shared" in name] or names)
        for name in names:
            content = archive.read(name)
            made.writestr(name, change(content) if name == chosen else content)
    return out.getvalue()
