"""The runner of packs: every text's vector, the same in any batch; several devices; memory that runs out."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from engines.conftest import logged
from simil.embedders.local.packed.packed_runner import PackedRunner
from simil.embedders.local.token_arrays import TokenArrays
from simil.errors import ModelError

RowVectors = tuple[NDArray[np.intp], NDArray[np.float32]]

BUDGET = 64
VOCABULARY = 1000
_TABLE = torch.randn(VOCABULARY, 8, generator=torch.Generator().manual_seed(3))


def network(ids: torch.Tensor, lengths: NDArray[np.int32], skip: int) -> torch.Tensor:
    """Sum the tokens' rows of a table after a matrix product of the shape of the whole pack."""
    hidden = _TABLE[ids] @ _TABLE[:8]
    parts = torch.split(hidden, lengths.tolist())
    return torch.stack([part[skip:].sum(dim=0) for part in parts])


class OutOfMemory:
    """A network that runs out of memory some times, in packs of more than `fits` tokens."""

    def __init__(self, times: int, fits: int = 0) -> None:
        self.left, self.fits = times, fits
        self.sizes: list[int] = []

    def __call__(self, ids: torch.Tensor, lengths: NDArray[np.int32], skip: int) -> torch.Tensor:
        self.sizes.append(len(ids))
        if self.left and len(ids) > self.fits:
            self.left -= 1
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return network(ids, lengths, skip)


@pytest.fixture(scope="module")
def tokens() -> TokenArrays:
    chance = np.random.default_rng(1)
    # Some are longer than a pack.
    lengths = chance.integers(1, 2 * BUDGET, 60)
    return TokenArrays.of([chance.integers(1, VOCABULARY, length).tolist() for length in lengths])


@pytest.fixture
def expected(tokens: TokenArrays) -> NDArray[np.float32]:
    return np.stack(
        [
            np.asarray(network(torch.from_numpy(tokens.take([row]).ids), tokens.lengths[[row]], 1)[0])
            for row in range(len(tokens))
        ]
    )


def collected(
    started: Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]], count: int
) -> NDArray[np.float32]:
    vectors = np.full((count, 8), np.nan, np.float32)
    for rows, part in started:
        assert np.isnan(vectors[rows]).all()
        vectors[rows] = part
    return vectors


def run(runner: PackedRunner, tokens: TokenArrays, skip: int = 1) -> NDArray[np.float32]:
    return collected(runner.start(tokens, skip), len(tokens))


@pytest.mark.parametrize("devices", [1, 2])
def test_every_text_gets_its_vector(devices: int, tokens: TokenArrays, expected: NDArray[np.float32]) -> None:
    runner = PackedRunner("tiny", [("cpu", network)] * devices, BUDGET)
    first, second = runner.start(tokens, 1), runner.start(tokens, 1)

    np.testing.assert_allclose(collected(second, len(tokens)), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(collected(first, len(tokens)), expected, rtol=1e-4, atol=1e-4)
    runner.close()


def test_a_vector_has_the_same_bits_alone_and_in_any_order(tokens: TokenArrays) -> None:
    runner = PackedRunner("tiny", [("cpu", network)], BUDGET)
    vectors = run(runner, tokens)
    order = np.random.default_rng(2).permutation(len(tokens))

    assert np.array_equal(run(runner, tokens.take(order)), vectors[order])
    for row in range(0, len(tokens), 7):
        assert np.array_equal(run(runner, tokens.take([row])), vectors[[row]])
    runner.close()


def test_devices_work_at_the_same_time(tokens: TokenArrays) -> None:
    meeting = threading.Barrier(2, timeout=60)

    def waiting(ids: torch.Tensor, lengths: NDArray[np.int32], skip: int) -> torch.Tensor:
        meeting.wait()
        return network(ids, lengths, skip)

    runner = PackedRunner("tiny", [("cpu", waiting)] * 2, BUDGET)
    assert not np.isnan(run(runner, tokens.take([0] * (2 * BUDGET)))).any()
    runner.close()


def test_out_of_memory_halves_the_budget_once(
    tokens: TokenArrays, expected: NDArray[np.float32], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    failing = OutOfMemory(1)
    runner = PackedRunner("tiny", [("cpu", failing)], BUDGET)

    np.testing.assert_allclose(run(runner, tokens), expected, rtol=1e-4, atol=1e-4)
    assert runner.budget == BUDGET // 2
    failing.sizes.clear()
    short = tokens.take(np.flatnonzero(tokens.lengths <= BUDGET // 2))
    run(runner, short)
    assert {*failing.sizes} == {BUDGET // 2}
    assert logged(caplog) == ["out of memory: tiny goes on with 32 tokens at once"]
    runner.close()


def test_two_devices_that_run_out_of_memory_halve_it_once(
    tokens: TokenArrays, expected: NDArray[np.float32], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    both = threading.Barrier(2, timeout=60)

    class Meeting(OutOfMemory):
        def __call__(self, ids: torch.Tensor, lengths: NDArray[np.int32], skip: int) -> torch.Tensor:
            if self.left:
                both.wait()
            return super().__call__(ids, lengths, skip)

    runner = PackedRunner("tiny", [("cpu", Meeting(1)), ("cpu", Meeting(1))], BUDGET)

    np.testing.assert_allclose(run(runner, tokens), expected, rtol=1e-4, atol=1e-4)
    assert len(logged(caplog)) == 1
    runner.close()


def test_out_of_memory_again_is_an_error(tokens: TokenArrays) -> None:
    runner = PackedRunner("tiny", [("cpu", OutOfMemory(2))], BUDGET)

    with pytest.raises(
        ModelError, match="needs more memory than the device has, even for 32 tokens"
    ) as caught:
        run(runner, tokens.take(np.flatnonzero(tokens.lengths <= 32)))
    assert caught.value.hint == "end other programs that use the card, or use --device cpu"
    runner.close()


@pytest.mark.parametrize("words", ["CUBLAS_STATUS_ALLOC_FAILED when calling", "CUDA error: out of memory"])
def test_other_words_for_it(words: str, tokens: TokenArrays, expected: NDArray[np.float32]) -> None:
    errors = [RuntimeError(words)]

    def failing(ids: torch.Tensor, lengths: NDArray[np.int32], skip: int) -> torch.Tensor:
        if errors:
            raise errors.pop()
        return network(ids, lengths, skip)

    runner = PackedRunner("tiny", [("cpu", failing)], BUDGET)
    np.testing.assert_allclose(run(runner, tokens), expected, rtol=1e-4, atol=1e-4)
    runner.close()


def test_another_error_ends_the_run(tokens: TokenArrays) -> None:
    def failing(ids: torch.Tensor, lengths: NDArray[np.int32], skip: int) -> torch.Tensor:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    runner = PackedRunner("tiny", [("cpu", failing)], BUDGET)
    with pytest.raises(ModelError, match="tiny failed: RuntimeError: CUDA error"):
        run(runner, tokens)
    runner.close()


def test_closing_ends_the_threads(tokens: TokenArrays) -> None:
    before = threading.active_count()
    runner = PackedRunner("tiny", [("cpu", network)] * 3, BUDGET)
    assert threading.active_count() == before + 3
    next(runner.start(tokens, 0))
    runner.close()

    assert threading.active_count() == before
