"""Packs: every text once, all of one size, well filled; and tokens as flat arrays."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simil.embedders.local.packed.packs import packs
from simil.embedders.local.token_arrays import TokenArrays

BUDGET = 64
IDS = st.lists(st.integers(1, 30_000), min_size=1, max_size=BUDGET + 10)
TEXTS = st.lists(IDS, min_size=1, max_size=60)


def split(tokens: TokenArrays) -> list[list[int]]:
    return [part.tolist() for part in np.split(tokens.ids, np.cumsum(tokens.lengths)[:-1])]


@given(TEXTS)
def test_every_text_comes_once_with_its_tokens(texts: list[list[int]]) -> None:
    found: dict[int, list[int]] = {}
    for pack in packs(TokenArrays.of(texts), BUDGET):
        assert pack.ids.dtype == pack.lengths.dtype == np.int32
        assert pack.lengths.sum() == len(pack.ids)
        sequences = split(TokenArrays(pack.ids, pack.lengths))
        found |= dict(zip(pack.rows.tolist(), sequences, strict=False))
        assert not any(map(any, sequences[len(pack.rows) :]))

    assert [found[row] for row in sorted(found)] == texts


@given(TEXTS)
def test_the_size_of_a_texts_pack_depends_on_that_text_alone(texts: list[list[int]]) -> None:
    tokens = TokenArrays.of(texts)
    alone = [len(next(packs(tokens.take([row]), BUDGET)).ids) for row in range(len(texts))]

    for pack in packs(tokens, BUDGET):
        assert {alone[row] for row in pack.rows} == {len(pack.ids)}
        assert len(pack.ids) == BUDGET or (len(pack.rows) == 1 and pack.lengths[0] > BUDGET)


@given(TEXTS, st.integers(0, BUDGET + 20))
def test_a_text_too_long_to_share_is_alone_without_filler(texts: list[list[int]], shared: int) -> None:
    tokens = TokenArrays.of(texts)
    rows = []
    for pack in packs(tokens, BUDGET, shared):
        rows += pack.rows.tolist()
        longest = int(tokens.lengths[pack.rows].max())
        if longest > min(shared, BUDGET):
            assert pack.lengths.tolist() == [longest]
        else:
            assert pack.lengths.sum() == BUDGET
    assert sorted(rows) == list(range(len(texts)))


@given(TEXTS)
def test_no_two_packs_could_be_one(texts: list[list[int]]) -> None:
    lengths = np.array([len(text) for text in texts])
    filled = sorted(
        lengths[pack.rows].sum() for pack in packs(TokenArrays.of(texts), BUDGET) if len(pack.ids) == BUDGET
    )

    assert len(filled) < 2 or filled[0] + filled[1] > BUDGET


def test_packs_are_well_filled() -> None:
    lengths = np.random.default_rng(5).integers(3, 512, 3000).astype(np.int32)
    tokens = TokenArrays(np.ones(lengths.sum(), np.int32), lengths)

    for budget in (1024, 32_768):
        assert sum(1 for _ in packs(tokens, budget)) <= 1.01 * lengths.sum() / budget + 1


def test_filler_sequences_are_short() -> None:
    (pack,) = packs(TokenArrays.of([[7] * 5]), BUDGET)

    assert pack.lengths.tolist() == [5, 16, 16, 16, 11]


def test_no_texts_make_no_packs() -> None:
    assert list(packs(TokenArrays.of([]), BUDGET)) == []


@given(TEXTS, st.data())
def test_taken_and_joined_texts_keep_their_tokens(texts: list[list[int]], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, len(texts) - 1), max_size=90))
    tokens = TokenArrays.of(texts)
    chosen = [texts[row] for row in rows]

    assert split(tokens.take(rows)) == (chosen or [[]])
    assert split(TokenArrays.joined([tokens, tokens.take(rows)])) == [*texts, *chosen]
    large = [sum(one > 20_000 for one in text) for text in texts]
    assert tokens.counts(tokens.ids > 20_000).tolist() == large
