"""The packed embedder, around a network of a few lines: long texts, prompts, marks, tokenizing ahead."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from support.corpus import LONG, varied_texts
from support.small_network import VOCABULARY, SmallNetwork
from tokenizers import Tokenizer

from engines.conftest import Open
from simil.embedders.base import Embedder, Kind, TextRejected
from simil.embedders.local.base import LocalModel
from simil.embedders.local.packed.packed_embedder import PackedEmbedder
from simil.embedders.local.packed.packed_runner import PackedRunner
from simil.embedders.overflow import Overflow
from simil.errors import ModelDamaged
from simil.models.files import model_source as source
from simil.models.files.chain import Chain
from simil.models.files.tokenizer import open_tokenizer, read_tokenizer

BUDGET = 256
LIMIT = 64
PROMPTS = {Kind.QUERY: "find this: "}

OpenPacked = Callable[..., PackedEmbedder]


@pytest.fixture
def open_packed() -> Iterator[OpenPacked]:
    opened: list[PackedEmbedder] = []
    data = read_tokenizer(source.EMBEDDED)
    assert data is not None

    def opening(
        overflow: str = "truncate",
        *,
        pools_prompt: bool = True,
        vocabulary: int = VOCABULARY,
        processes: int | None = None,
    ) -> PackedEmbedder:
        embedder = PackedEmbedder(
            LocalModel("tiny", PROMPTS, Overflow(overflow)),
            open_tokenizer(data, "tiny", lower_case=False),
            Chain(pools_prompt=pools_prompt, normalize=True, max_tokens=LIMIT),
            PackedRunner("tiny", [("cpu", SmallNetwork())], BUDGET),
            vocabulary=vocabulary,
            precision="float32",
            raw=False,
            processes=processes,
        )
        opened.append(embedder)
        return embedder

    yield opening
    for embedder in opened:
        embedder.close()


@pytest.fixture(scope="module")
def mixed_texts() -> list[str]:
    return [*varied_texts()[::3], LONG, "🦄 " * 300, "\u200b", "x" * 30_000]


def outcome(embedder: Embedder, texts: list[str], kind: Kind = Kind.SYMMETRIC) -> tuple[object, ...]:
    """Vectors, rejected and unknown texts, and how many were cut."""
    rejected: list[TextRejected] = []
    unknown: list[int] = []
    before = embedder.truncated
    vectors = embedder.begin(texts, kind, on_rejected=rejected.append, on_unknown=unknown.append)()
    refusals = sorted((exc.index, str(exc)) for exc in rejected)
    return vectors.tobytes(), refusals, unknown, embedder.truncated - before


@pytest.mark.parametrize("overflow", ["truncate", "error", "chunk"])
def test_texts_tokenized_ahead_are_the_same(
    overflow: str, open_packed: OpenPacked, mixed_texts: list[str]
) -> None:
    # Enough characters to be tokenized in the background.
    many = mixed_texts * 10
    here = open_packed(overflow)
    ahead = open_packed(overflow, processes=1)

    for kind in (Kind.SYMMETRIC, Kind.QUERY):
        assert outcome(ahead, many, kind) == outcome(here, many, kind)


def test_a_vector_has_the_same_bits_alone_and_in_any_order(
    open_packed: OpenPacked, mixed_texts: list[str]
) -> None:
    embedder = open_packed("chunk")
    vectors = embedder.embed(mixed_texts)
    order = np.random.default_rng(0).permutation(len(mixed_texts))

    assert np.array_equal(embedder.embed([mixed_texts[row] for row in order]), vectors[order])
    for row in range(0, len(mixed_texts), 9):
        assert np.array_equal(embedder.embed([mixed_texts[row]])[0], vectors[row])


def test_pooling_may_leave_out_the_prompt(open_packed: OpenPacked) -> None:
    pooled, left_out = (
        open_packed(pools_prompt=pools).embed(["an apple"], Kind.QUERY) for pools in (True, False)
    )
    tokenizer = Tokenizer.from_file(str(source.EMBEDDED / "tokenizer.json"))
    tokenizer.no_padding()
    ids = tokenizer.encode("find this: an apple").ids
    # The special token before the prompt goes with it.
    skip = len(["[CLS]", "find", "this", ":"])
    expected = SmallNetwork()(torch.tensor(ids), np.array([len(ids)], np.int32), skip)

    assert np.abs(pooled - left_out).max() > 0.01
    np.testing.assert_allclose(left_out, expected.numpy(), atol=1e-6)


def test_a_token_that_the_model_lacks_is_found_before_the_device_sees_it(open_packed: OpenPacked) -> None:
    embedder = open_packed(vocabulary=2000)
    with pytest.raises(ModelDamaged, match="the tokenizer of tiny gives token 6207, which the model lacks"):
        embedder.embed(["an apple"])


def test_a_card_gets_more_of_a_stream_at_once(open_packed: OpenPacked) -> None:
    assert open_packed(processes=0).read_ahead.texts == 32 * open_packed().read_ahead.texts


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_embedded_model_gives_a_text_one_vector(
    precision: str, open_model: Open, few_texts: list[str]
) -> None:
    one, two = (open_model("minilm", "packed", precision=precision, threads=threads) for threads in (1, 2))
    texts = [*few_texts[::3], LONG]
    vectors = one.embed(texts)
    order = np.random.default_rng(0).permutation(len(texts))

    assert np.array_equal(two.embed([texts[row] for row in order]), vectors[order])
    for row in range(0, len(texts), 4):
        assert np.array_equal(two.embed([texts[row]])[0], vectors[row])
    one.close()
    two.close()
