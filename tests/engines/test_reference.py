"""The embedded model gives the original's vectors, in every engine and in any batch."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support.corpus import LONG

from engines.conftest import Open, cosines
from simil.embedders.base import Embedder


@pytest.fixture(scope="module")
def reference(minilm_original: Path, texts: list[str]) -> NDArray[np.float32]:
    """Vectors of sentence-transformers on the original weights."""
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = SentenceTransformer(str(minilm_original), device="cpu", local_files_only=True)
    vectors: NDArray[np.float32] = model.encode(texts, batch_size=16, show_progress_bar=False)
    return vectors


@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_shipped_files_give_the_vectors_of_the_original_weights(
    engine: str, open_model: Open, shared_cache: Path, texts: list[str], reference: NDArray[np.float32]
) -> None:
    vectors = open_model("minilm", engine, cache=shared_cache).embed(texts)

    assert vectors.shape == (300, 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    worst = cosines(vectors, reference)
    assert worst.min() >= 0.99999, texts[int(worst.argmin())]


def _batches_do_not_matter(embedder: Embedder, probes: list[str], others: list[str]) -> None:
    among = embedder.embed([*others, *probes])[len(others) :]
    for probe, in_batch in zip(probes, among, strict=True):
        alone = embedder.embed([probe])[0]
        beside_long = embedder.embed([LONG[:900], probe])[1]
        assert np.abs(alone - in_batch).max() <= 1e-6, repr(probe)
        assert np.abs(alone - beside_long).max() <= 1e-6, repr(probe)


def test_the_session_for_few_texts_gives_a_text_one_vector(
    open_model: Open, shared_cache: Path, texts: list[str]
) -> None:
    embedder = open_model("minilm", cache=shared_cache)

    _batches_do_not_matter(embedder, texts[3::25], texts[5:295:32])


def test_the_session_for_many_texts_gives_a_text_one_vector(
    open_model: Open, shared_cache: Path, texts: list[str]
) -> None:
    embedder = open_model("minilm", cache=shared_cache)

    _batches_do_not_matter(embedder, texts[1::20], [*texts[:46], *texts[292:295]])


def test_the_torch_engine_gives_a_text_one_vector(
    open_model: Open, shared_cache: Path, texts: list[str]
) -> None:
    embedder = open_model("minilm", "torch", cache=shared_cache)

    _batches_do_not_matter(embedder, texts[4::60], texts[:59])


def test_both_sessions_agree(open_model: Open, shared_cache: Path, texts: list[str]) -> None:
    few, many = (open_model("minilm", cache=shared_cache) for _ in range(2))
    chosen = texts[::20]

    np.testing.assert_allclose(
        few.embed(chosen), many.embed([*chosen, *texts[:50]])[: len(chosen)], atol=1e-6
    )
