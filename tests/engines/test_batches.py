"""Batches: every text once, in a shape that depends on the text alone, with little padding."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simil.embedders.local.batches import BATCH_TOKENS, batches, pad, padded_lengths, padded_rows
from simil.embedders.local.token_arrays import TokenArrays

LENGTHS = st.lists(st.integers(1, 9000), min_size=1, max_size=300)


@given(LENGTHS)
def test_every_row_comes_once_and_fits(lengths: list[int]) -> None:
    found = list(batches(np.array(lengths)))

    assert sorted(row for rows, _ in found for row in rows) == list(range(len(lengths)))
    for rows, length in found:
        assert all(lengths[row] <= length for row in rows)
        assert len(rows) == 1 or len(rows) * length <= BATCH_TOKENS


@given(LENGTHS)
def test_a_text_is_padded_alike_whatever_is_beside_it(lengths: list[int]) -> None:
    alone = [next(batches(np.array([length])))[1] for length in lengths]

    for rows, length in batches(np.array(lengths)):
        assert {alone[row] for row in rows} == {length}


@given(LENGTHS)
def test_padding_ends_at_the_limit(lengths: list[int]) -> None:
    limit = max(lengths)

    assert all(length <= limit for _, length in batches(np.array(lengths), limit=limit))


def test_a_text_beyond_the_limit_has_the_room_that_it_needs() -> None:
    assert [length for _, length in batches(np.array([9, 70]), limit=2)] == [70, 9]


def test_padding_is_under_a_twentieth_of_every_text() -> None:
    lengths = np.arange(1, 100_000)
    padded = padded_lengths(lengths)

    assert (padded >= lengths).all()
    assert ((padded - lengths) / padded).max() < 1 / 32
    assert (padded[:63] == lengths[:63]).all()
    # There are only a few lengths, so that several texts share each.
    assert len(np.unique(padded[: 1 << 13])) < 300


def test_the_longest_come_first() -> None:
    lengths = [length for _, length in batches(np.array([3, 70, 12, 70, 500, 3]))]

    assert lengths == [504, 70, 12, 3]


@given(st.lists(st.lists(st.integers(1, 30_000), min_size=1, max_size=20), min_size=1, max_size=20))
def test_padding_is_on_the_right_and_masked(ids: list[list[int]]) -> None:
    padded, mask = pad(TokenArrays.of(ids), 24)

    assert padded.shape == mask.shape == (len(ids), 24)
    assert padded.dtype == mask.dtype == np.int32
    for row, (one, shown) in enumerate(zip(padded.tolist(), mask.tolist(), strict=True)):
        count = len(ids[row])
        assert one == [*ids[row], *[0] * (24 - count)]
        assert shown == [1] * count + [0] * (24 - count)


def test_rows_are_padded_to_a_part_of_a_full_batch() -> None:
    full = BATCH_TOKENS // 9
    shapes = {rows: padded_rows(rows, 9) for rows in range(1, full + 1)}

    assert all(rows <= padded < 2 * rows for rows, padded in shapes.items())
    assert sorted(set(shapes.values())) == [1, 2, 4, 7, 14, 28, full]
    assert padded_rows(1, BATCH_TOKENS + 1) == 1
