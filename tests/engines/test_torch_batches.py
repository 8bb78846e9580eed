"""sentence-transformers as it runs on a GPU: batches by tokens, and precisions below float32."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engines.conftest import cosines
from simil.device import Device
from simil.embedders.local.base import LocalModel
from simil.embedders.local.torch import TorchEmbedder, token_batches, torch_devices
from simil.embedders.overflow import Overflow
from simil.errors import ModelError
from simil.models.files.model_source import EMBEDDED, ModelSource

Vectors = NDArray[np.float32]


def _embedder(precision: str, batch_tokens: int | None) -> TorchEmbedder:
    return TorchEmbedder(
        LocalModel("minilm", {}, Overflow.TRUNCATE),
        ModelSource("minilm", EMBEDDED, embedded=True),
        device=Device("cpu"),
        precision=precision,
        raw=False,
        threads=1,
        batch_tokens=batch_tokens,
    )


@pytest.fixture(scope="module")
def float32(few_texts: list[str]) -> Vectors:
    """The vectors as the processor gives them, in batches of 32 texts."""
    return _embedder("float32", None).embed(few_texts, normalize=False)


@given(st.lists(st.integers(1, 40), max_size=30), st.integers(1, 100))
def test_batches_hold_as_many_tokens_as_they_may(lengths: list[int], budget: int) -> None:
    given_lengths = np.array(lengths, np.int32)
    batches = list(token_batches(given_lengths, np.arange(len(lengths)), budget))

    assert sorted(row for batch in batches for row in batch) == [*range(len(lengths))]
    longest = [int(given_lengths[batch].max()) for batch in batches]
    assert longest == sorted(longest, reverse=True)
    for place, (batch, most) in enumerate(zip(batches, longest, strict=True)):
        assert len(batch) * most <= budget or len(batch) == 1
        assert (len(batch) + 1) * most > budget or place == len(batches) - 1


def test_batches_by_tokens_give_the_same_vectors(few_texts: list[str], float32: Vectors) -> None:
    vectors = _embedder("float32", 512).embed(few_texts, normalize=False)

    assert cosines(vectors, float32).min() >= 0.999999
    np.testing.assert_allclose(vectors, float32, atol=1e-6)


@pytest.mark.parametrize(("precision", "least"), [("float16", 0.99999), ("bfloat16", 0.999)])
def test_lower_precisions_are_near(
    precision: str, least: float, few_texts: list[str], float32: Vectors
) -> None:
    embedder = _embedder(precision, 512)
    vectors = embedder.embed(few_texts, normalize=False)

    assert vectors.dtype == np.float32
    assert least <= cosines(vectors, float32).min() < 0.9999999
    # What follows the transformer is computed in float32.
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert embedder.device == Device("cpu")


def test_a_gpu_that_pytorch_cannot_use_is_one_line() -> None:
    import torch

    assert torch_devices(Device("cpu")) == ["cpu"]
    if torch.cuda.is_available():
        with pytest.raises(ModelError, match=r"there is no cuda:0,999: PyTorch finds \d+ CUDA device"):
            torch_devices(Device("cuda", (0, 999)))
        return
    with pytest.raises(
        ModelError, match=r"this build of PyTorch has no GPU support|PyTorch finds no CUDA device"
    ):
        torch_devices(Device("cuda", None))
    with pytest.raises(ModelError, match="no MPS device is available"):
        torch_devices(Device("mps"))
