"""Writes a table of texts, or vectors by one of simil's writers: `parquet_side.py WHAT PATH ROWS`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from workloads import WIDE, many

from simil.vectors import VectorBatch, VectorFormat, sidecar_path
from simil.vectors.vector_files import open_writer

_AT_ONCE = 1024


def texts(path: Path, rows: int) -> None:
    """Write texts as a Parquet file with an id and a number beside each."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    schema = pa.schema([("id", pa.string()), ("text", pa.string()), ("n", pa.int32())])
    with ParquetWriter(path, schema) as writer:
        for start in range(0, rows, 1 << 16):
            numbers = range(start, min(start + (1 << 16), rows))
            columns = [[f"r{number}" for number in numbers], [*many(numbers)], [*numbers]]
            writer.write_table(pa.table(columns, schema=schema))


def vectors(form: VectorFormat, path: Path, rows: int) -> None:
    """Write vectors as `simil embed` does."""
    block = np.random.default_rng(0).standard_normal((_AT_ONCE, WIDE), np.float32)
    beside = sidecar_path(path) if form is VectorFormat.NPY else Path("/dev/null")
    with path.open("wb") as stream, beside.open("wb") as sidecar:
        given = sidecar if form is VectorFormat.NPY else None
        with open_writer(form, stream, model="random@0", sidecar=given) as writer:
            for start in range(0, rows, _AT_ONCE):
                numbers = range(start, min(start + _AT_ONCE, rows))
                ids = [f"r{number}" for number in numbers]
                fields = [{"n": number} for number in numbers]
                writer.write(VectorBatch(ids, [*many(numbers)], fields, block[: len(numbers)]))


if __name__ == "__main__":
    what, path, rows = sys.argv[1:]
    if what == "texts":
        texts(Path(path), int(rows))
    else:
        vectors(VectorFormat(what), Path(path), int(rows))
