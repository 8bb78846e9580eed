"""Reading ahead: order, bounds, errors in their place, and threads that end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import count, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simil.tasks.prefetch import prefetch_batches


def ends_with(threads: int) -> bool:
    """Wait until so few threads are alive, a minute at most."""
    deadline = time.monotonic() + 60
    while threading.active_count() > threads and time.monotonic() < deadline:
        time.sleep(0.005)
    return threading.active_count() <= threads


@given(st.lists(st.text(max_size=30), max_size=200), st.integers(1, 20), st.integers(1, 60))
def test_all_come_in_order_in_batches_within_the_limits(texts: list[str], most: int, characters: int) -> None:
    batches = list(prefetch_batches(iter(texts), len, most=most, most_characters=characters))
    assert [text for batch in batches for text in batch] == texts
    assert all(0 < len(batch) <= most for batch in batches)
    # The text that crosses the limit is the last of its batch.
    assert all(sum(map(len, batch[:-1])) < characters for batch in batches)


def test_nothing_gives_no_batch() -> None:
    assert list(prefetch_batches([], len)) == []


def test_at_most_one_batch_is_read_ahead() -> None:
    read = 0

    def texts() -> Iterator[str]:
        nonlocal read
        while True:
            read += 1
            yield "text"

    batches = iter(prefetch_batches(texts(), len, most=8))
    for taken in range(1, 6):
        next(batches)
        time.sleep(0.05)
        # What was taken, a full batch that waits, and the text that found no room.
        assert read <= 8 * taken + 8 + 1
    batches.close()


def test_one_long_text_is_a_batch_of_its_own() -> None:
    batches = list(prefetch_batches(["x" * 100, "y" * 100, "z"], len, most_characters=50))
    assert batches == [["x" * 100], ["y" * 100], ["z"]]


def test_slow_source_gives_what_has_come_at_once() -> None:
    more = threading.Event()

    def texts() -> Iterator[str]:
        yield "first"
        assert more.wait(60), "the first text was not given until the source went on"
        yield "second"

    batches = iter(prefetch_batches(texts(), len))
    assert next(batches) == ["first"]
    more.set()
    assert list(batches) == [["second"]]


def test_fast_source_fills_batches_which_grow_from_a_small_first() -> None:
    sizes = [len(batch) for batch in prefetch_batches(("text" for _ in range(5000)), len)]
    assert sum(sizes) == 5000
    assert sizes[0] <= 32
    assert max(sizes) <= 1024
    assert len(sizes) < 5000 / 32


def test_batches_grow_further_once_more_is_allowed() -> None:
    ahead = prefetch_batches(("text" for _ in range(9000)), len, most=64)
    first = [len(batch) for batch, _ in zip(ahead, range(4), strict=False)]
    assert max(first) <= 64

    ahead = prefetch_batches(("text" for _ in range(9000)), len, most=64)
    sizes = []
    for batch in ahead:
        sizes.append(len(batch))
        ahead.allow(4096, 1 << 20)
    assert sum(sizes) == 9000
    assert max(sizes) > 1024


def test_error_comes_after_what_was_read_before_it() -> None:
    def texts() -> Iterator[str]:
        yield from ["one", "two"]
        raise ValueError("the third cannot be read")

    seen: list[str] = []
    with pytest.raises(ValueError, match="the third cannot be read"):
        for batch in prefetch_batches(texts(), len):
            seen += batch
    assert seen == ["one", "two"]


def test_error_before_anything() -> None:
    def texts() -> Iterator[str]:
        raise ValueError("nothing can be read")
        yield ""

    with pytest.raises(ValueError, match="nothing can be read"):
        list(prefetch_batches(texts(), len))


def test_abandoned_generator_lets_its_thread_end() -> None:
    before = threading.active_count()
    batches = iter(prefetch_batches(("text" for _ in count()), len))
    assert len(list(islice(batches, 3))) == 3
    assert threading.active_count() == before + 1
    batches.close()
    assert ends_with(before)


def test_reader_goes_on_in_another_thread_than_the_caller() -> None:
    threads = list(prefetch_batches((threading.current_thread() for _ in range(1)), lambda _: 1))
    assert threads[0][0] is not threading.current_thread()
