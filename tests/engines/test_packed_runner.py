"""The runner of packs: every text's vector, the same in any batch; several devices; memory that runs out."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from support.small_network import DIMENSIONS, VOCABULARY, SmallNetwork

from engines.conftest import logged
from simil.embedders.local.packed.packed_runner import PackedRunner
from simil.embedders.local.token_arrays import TokenArrays
from simil.errors import ModelError

RowVectors = tuple[NDArray[np.intp], NDArray[np.float32]]
Before = Callable[[int], object]
OpenRunner = Callable[..., PackedRunner]

BUDGET = 64


@pytest.fixture
def open_runner() -> Iterator[OpenRunner]:
    """Open a runner with a device for each function that is called before its packs."""
    opened: list[PackedRunner] = []

    def opening(*before: Before) -> PackedRunner:
        networks = [("cpu", SmallNetwork(each)) for each in before or [lambda tokens: None]]
        opened.append(PackedRunner("tiny", networks, BUDGET))
        return opened[-1]

    yield opening
    for runner in opened:
        runner.close()


@pytest.fixture(scope="module")
def tokens() -> TokenArrays:
    chance = np.random.default_rng(1)
    # Some are longer than a pack, and each has more tokens than are left out of pooling.
    lengths = chance.integers(2, 2 * BUDGET, 60)
    return TokenArrays.of([chance.integers(1, VOCABULARY, length).tolist() for length in lengths])


@pytest.fixture(scope="module")
def expected(tokens: TokenArrays) -> NDArray[np.float32]:
    texts = [tokens.take([row]) for row in range(len(tokens))]
    return np.concatenate([SmallNetwork()(torch.tensor(text.ids), text.lengths, 1).numpy() for text in texts])


def collected(started: Iterator[RowVectors], count: int) -> NDArray[np.float32]:
    vectors = np.full((count, DIMENSIONS), np.nan, np.float32)
    for rows, part in started:
        assert np.isnan(vectors[rows]).all()
        vectors[rows] = part
    return vectors


def run(runner: PackedRunner, tokens: TokenArrays) -> NDArray[np.float32]:
    return collected(runner.start(tokens, 1), len(tokens))


def out_of_memory(times: int) -> Before:
    left = [torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.") for _ in range(times)]

    def before(tokens: int) -> None:
        if left:
            raise left.pop()

    return before


@pytest.mark.parametrize("devices", [1, 2])
def test_every_text_gets_its_vector(
    devices: int, open_runner: OpenRunner, tokens: TokenArrays, expected: NDArray[np.float32]
) -> None:
    runner = open_runner(*[lambda tokens: None] * devices)
    first, second = runner.start(tokens, 1), runner.start(tokens, 1)

    np.testing.assert_allclose(collected(second, len(tokens)), expected, atol=1e-5)
    np.testing.assert_allclose(collected(first, len(tokens)), expected, atol=1e-5)


def test_a_vector_has_the_same_bits_alone_and_in_any_order(
    open_runner: OpenRunner, tokens: TokenArrays
) -> None:
    runner = open_runner()
    vectors = run(runner, tokens)
    order = np.random.default_rng(2).permutation(len(tokens))

    assert np.array_equal(run(runner, tokens.take(order)), vectors[order])
    for row in range(0, len(tokens), 7):
        assert np.array_equal(run(runner, tokens.take([row])), vectors[[row]])


def test_devices_work_at_the_same_time(open_runner: OpenRunner, tokens: TokenArrays) -> None:
    meeting = threading.Barrier(2, timeout=60)
    runner = open_runner(*[lambda tokens: meeting.wait()] * 2)

    # An even number of packs: each waits for another.
    assert not np.isnan(run(runner, tokens.take([int(tokens.lengths.argmax())] * 6))).any()


def test_out_of_memory_halves_the_budget_once(
    open_runner: OpenRunner,
    tokens: TokenArrays,
    expected: NDArray[np.float32],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    sizes: list[int] = []
    failing = out_of_memory(1)
    runner = open_runner(lambda tokens: (sizes.append(tokens), failing(tokens)))
    short = tokens.take(np.flatnonzero(tokens.lengths <= BUDGET // 2))

    np.testing.assert_allclose(run(runner, tokens), expected, atol=1e-5)
    sizes.clear()
    run(runner, short)
    assert {*sizes} == {BUDGET // 2}
    assert logged(caplog) == ["out of memory: tiny goes on with 32 tokens at once"]


def test_two_devices_that_run_out_of_memory_at_a_time_halve_it_once(
    open_runner: OpenRunner,
    tokens: TokenArrays,
    expected: NDArray[np.float32],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    both = threading.Barrier(2, timeout=60)

    def meeting() -> Before:
        failing = out_of_memory(1)
        first = [both.wait]
        return lambda tokens: (first and first.pop()(), failing(tokens))

    runner = open_runner(meeting(), meeting())

    np.testing.assert_allclose(run(runner, tokens), expected, atol=1e-5)
    assert logged(caplog) == ["out of memory: tiny goes on with 32 tokens at once"]


def test_out_of_memory_again_is_an_error(open_runner: OpenRunner, tokens: TokenArrays) -> None:
    runner = open_runner(out_of_memory(2))

    with pytest.raises(ModelError, match="tiny needs more memory than the device has, even for 32") as caught:
        run(runner, tokens.take(np.flatnonzero(tokens.lengths <= BUDGET // 2)))
    assert caught.value.hint == "end other programs that use the card, or use --device cpu"


@pytest.mark.parametrize("words", ["CUBLAS_STATUS_ALLOC_FAILED when calling", "CUDA error: out of memory"])
def test_other_words_for_it(
    words: str, open_runner: OpenRunner, tokens: TokenArrays, expected: NDArray[np.float32]
) -> None:
    errors = [RuntimeError(words)]

    def failing(tokens: int) -> None:
        if errors:
            raise errors.pop()

    np.testing.assert_allclose(run(open_runner(failing), tokens), expected, atol=1e-5)


def test_another_error_ends_the_run(open_runner: OpenRunner, tokens: TokenArrays) -> None:
    def failing(tokens: int) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    with pytest.raises(ModelError, match="tiny failed: RuntimeError: CUDA error"):
        run(open_runner(failing), tokens)


def test_closing_ends_the_threads(tokens: TokenArrays) -> None:
    before = threading.active_count()
    runner = PackedRunner("tiny", [("cpu", SmallNetwork())] * 3, BUDGET)
    assert threading.active_count() == before + 3
    next(runner.start(tokens, 0))
    runner.close()

    assert threading.active_count() == before
