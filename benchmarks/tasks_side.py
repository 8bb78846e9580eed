"""Writes the vector files for `tasks`, and answers how long dedupe takes on one; see `workers`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from limits_side import sgemm_gflops
from workers import serve

from simil.formats.detection import typed
from simil.formats.sources import Source
from simil.session.loader import saved_corpus
from simil.similarity import unit
from simil.tasks.deduplication import near_duplicates
from simil.vectors import VectorBatch, VectorFormat, sidecar_path
from simil.vectors.vector_files import open_writer, read_vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MODEL = "random@1"
_AT_ONCE = 10_000


def make(path: str, rows: int, dimensions: int) -> None:
    """Write random unit vectors, every tenth one a near copy of the previous one."""
    random = np.random.default_rng(0)
    file = Path(path)
    with (
        file.open("wb") as stream,
        sidecar_path(file).open("wb") as sidecar,
        open_writer(VectorFormat.NPY, stream, model=_MODEL, sidecar=sidecar) as writer,
    ):
        for start in range(0, rows, _AT_ONCE):
            vectors = _vectors(random, min(_AT_ONCE, rows - start), dimensions)
            numbers = range(start + 1, start + len(vectors) + 1)
            texts = [f"this is the text that has the number {number}" for number in numbers]
            ids = [str(number) for number in numbers]
            writer.write(VectorBatch(ids, texts, [{}] * len(vectors), vectors))


def query(path: str, dimensions: int) -> None:
    """Write one query."""
    with (
        Path(path).open("wb") as stream,
        open_writer(VectorFormat.JSONL, stream, model=_MODEL) as writer,
    ):
        vector = _vectors(np.random.default_rng(1), 1, dimensions)
        writer.write(VectorBatch(["q"], ["query"], [{}], vector))


def dedupe(path: str) -> float:
    """Return the seconds it takes to read the file and find the near copies; raises if any is missed."""
    corpus = saved_corpus([read_vectors(typed(Source(path)))])
    began = time.perf_counter()
    found = near_duplicates(corpus, 0.9)
    taken = time.perf_counter() - began
    if int((~found.kept).sum()) != len(corpus) // 10:
        raise ValueError(f"{int((~found.kept).sum())} near copies were found")
    return taken


def _vectors(random: np.random.Generator, rows: int, dimensions: int) -> NDArray[np.float32]:
    vectors = random.standard_normal((rows, dimensions), np.float32)
    vectors[9::10] = vectors[8::10][: len(vectors[9::10])]
    vectors[9::10] += 0.1 * random.standard_normal(vectors[9::10].shape, np.float32)
    return unit(vectors)


if __name__ == "__main__":
    serve({"make": make, "query": query, "dedupe": dedupe, "sgemm": sgemm_gflops})
