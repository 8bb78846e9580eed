"""Vectors of a server wait for others to be written, and are all written at the end."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from simil.embedders.cache.store import VectorCache


def test_what_waits_is_written_at_the_end(tmp_path: Path) -> None:
    keys = [bytes([number]) * 32 for number in range(6)]
    vectors = np.arange(24, dtype=np.float32).reshape(6, 4)
    cache = VectorCache(tmp_path, 10**9)
    cache.delay_writes()
    for row, key in enumerate(keys):
        cache.put("model", [key], vectors[row : row + 1], np.zeros(1, np.uint8))
    cache.close()

    hits = VectorCache(tmp_path, 10**9).get(keys)

    assert hits is not None
    assert np.array_equal(hits.vectors[np.argsort(hits.rows)], vectors)
