"""Comparing texts and vectors, each with each and row by row."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event

import numpy as np
import pytest
from support.letters import Letters

from simil.errors import InputError, ModelMismatch, Place, UsageError
from simil.similarity import Metric
from simil.tasks.comparison import Comparison, Item, compare, compare_pairs
from simil.tasks.embedding import EmbedOptions
from simil.texts import Pair, Text

RAW = EmbedOptions(normalize=False)


def text(content: str, line: int = 1) -> Item:
    return Item(content, Text(str(line), content, Place("in", line), {}))


def texts(*contents: str) -> list[Item]:
    return [text(content, line) for line, content in enumerate(contents, 1)]


def vector(*values: float, model: str | None = "letters@1") -> Item:
    return Item("v", None, np.array(values, np.float32), model, "7")


def each(items: list[Item], metric: Metric = Metric.COSINE, **more: object) -> Comparison:
    return compare(items, metric, RAW, Letters, **more)  # type: ignore[arg-type]


def never() -> Letters:
    raise AssertionError("no embedder is needed")


def test_scores_of_texts() -> None:
    comparison = each(texts("aaab", "abbb", "aaab"), Metric.MANHATTAN)
    assert [(index, row.tolist()) for index, row in comparison.rows()] == [
        (0, [0, 4, 0]),
        (1, [4, 0, 4]),
        (2, [0, 4, 0]),
    ]
    assert (comparison.score, comparison.dimensions, comparison.model) == (4, 2, "letters@1")
    assert (comparison.names, comparison.ids) == (["aaab", "abbb", "aaab"], ["1", "2", "3"])


def test_vectors_alone_open_no_embedder() -> None:
    comparison = compare([vector(3, 4), vector(4, 3)], Metric.COSINE, RAW, never)
    assert comparison.score == pytest.approx(0.96)
    assert (comparison.ids, comparison.model) == (["7", "7"], "letters@1")


def test_texts_and_vectors_keep_their_order() -> None:
    comparison = each([text("ab"), vector(2, 0), text("bb")], Metric.DOT)
    assert comparison.vectors.tolist() == [[1, 1], [2, 0], [0, 2]]


@pytest.mark.parametrize(("items", "found"), [([], "nothing"), ([text("a")], "only one text")])
def test_fewer_than_two_cannot_be_compared(items: list[Item], found: str) -> None:
    with pytest.raises(UsageError, match=f"there is {found} to compare"):
        compare(items, Metric.COSINE, RAW, never)


def test_two_models_are_told_before_anything_is_embedded() -> None:
    embedder = Letters()
    for items in (
        [vector(1, 0, model="x"), vector(1, 0, model="y")],
        [vector(1, 0, model="x"), vector(1, 0, model=None)],
    ):
        with pytest.raises(ModelMismatch):
            compare(items, Metric.COSINE, RAW, never)
    for model in ("x", None):
        with pytest.raises(ModelMismatch, match="letters@1"):
            compare([vector(1, 0, model=model), text("a")], Metric.COSINE, RAW, lambda: embedder)
    assert embedder.asked == []


def test_vectors_that_nobody_stamped_can_be_compared_with_each_other() -> None:
    comparison = compare([vector(1, 0, model=None), vector(1, 1, model=None)], Metric.DOT, RAW, never)
    assert (comparison.score, comparison.model) == (1, None)


def test_vectors_of_other_length() -> None:
    with pytest.raises(ModelMismatch, match=r"vectors of 2 and 3 dimensions .*; pass --dimensions 3"):
        each([vector(1, 2, 3), text("ab")])
    with pytest.raises(ModelMismatch, match="make them alike"):
        compare([vector(1, 2, 3), vector(1, 2)], Metric.COSINE, RAW, never)


def test_zero_vector_has_no_direction_but_a_distance() -> None:
    with pytest.raises(InputError, match="the vector of 'xyz' is zero and has no direction"):
        each(texts("ab", "xyz"))
    assert each(texts("ab", "xyz"), Metric.MANHATTAN).score == 2


def test_refused_text_is_an_error_that_names_its_place() -> None:
    with pytest.raises(InputError, match="in:2: the text is refused; write another"):
        each(texts("a", "refuse", "b"))


def test_refused_texts_are_left_out_when_told() -> None:
    told: list[InputError] = []
    comparison = each(texts("refuse me", "a", "refuse", "b"), Metric.DOT, on_error=told.append)
    assert [str(error.place) for error in told] == ["in:1", "in:3"]
    assert (comparison.names, comparison.ids) == (["a", "b"], ["2", "4"])
    assert comparison.vectors.tolist() == [[1, 0], [0, 1]]


def test_too_few_remain() -> None:
    with pytest.raises(UsageError, match="only one text"):
        each(texts("refuse", "a"), on_error=lambda error: None)


def test_threshold_is_for_every_two_items() -> None:
    near = each(texts("aaab", "aab"), Metric.MANHATTAN)
    assert near.all_reach(1)
    assert not near.all_reach(0.9)
    far = each(texts("aaab", "aab", "bbbb"), Metric.MANHATTAN)
    assert not far.all_reach(1)
    assert far.all_reach(6)


def test_equal_vectors_reach_one() -> None:
    rng = np.random.default_rng(5)
    for row in rng.standard_normal((50, 384)):
        assert compare([vector(*row)] * 3, Metric.COSINE, RAW, never).all_reach(1.0)


def pair(line: int, left: str, right: str) -> Pair:
    return Pair(str(line), left, right, Place("pairs", line), {"left": left, "right": right})


def test_pairs_are_scored_in_order_and_each_text_is_embedded_once() -> None:
    embedder = Letters()
    rows = [pair(1, "a", "b"), pair(2, "a", "aa"), pair(3, "b", "a")]
    found = list(compare_pairs(rows, Metric.MANHATTAN, RAW, embedder))
    assert [row for scores in found for row in scores.pairs] == rows
    assert [score for scores in found for score in scores.scores.tolist()] == [2, 1, 2]
    if len(found) == 1:
        assert embedder.asked == [["a", "b", "aa"]]


def test_first_pairs_are_scored_before_the_last_is_read() -> None:
    scored = Event()

    def rows() -> Iterator[Pair]:
        yield pair(1, "a", "b")
        assert scored.wait(10)
        yield pair(2, "b", "a")

    found = compare_pairs(rows(), Metric.DOT, RAW, Letters())
    assert next(found).pairs == [pair(1, "a", "b")]
    scored.set()
    assert next(found).pairs == [pair(2, "b", "a")]


def test_pair_with_a_refused_text_ends_the_run_or_is_left_out() -> None:
    rows = [pair(1, "a", "b"), pair(2, "refuse", "b"), pair(3, "a", "refuse"), pair(4, "b", "b")]
    with pytest.raises(InputError, match="pairs:2: the text is refused"):
        list(compare_pairs(rows, Metric.DOT, RAW, Letters()))
    told: list[InputError] = []
    found = list(compare_pairs(rows, Metric.DOT, RAW, Letters(), on_error=told.append))
    assert [str(error) for error in told] == [
        f"pairs:{line}: the text is refused; write another" for line in (2, 3)
    ]
    assert [row.id for scores in found for row in scores.pairs] == ["1", "4"]
    assert [score for scores in found for score in scores.scores.tolist()] == [0, 1]


def test_pairs_that_all_fail_give_nothing() -> None:
    rows = [pair(1, "refuse", "a")]
    assert list(compare_pairs(rows, Metric.DOT, RAW, Letters(), on_error=lambda error: None)) == []
