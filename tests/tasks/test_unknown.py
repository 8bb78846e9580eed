"""Texts of which the model knows nothing are near each other; only equal ones of them belong together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

import simil
from simil import similarity
from simil.errors import UsageError
from simil.tasks.clustering import cluster
from simil.tasks.corpus import Corpus
from simil.tasks.deduplication import Duplicates, dedupe, near_duplicates
from simil.tasks.matching import Matches, match, match_one_to_one
from simil.texts import Text
from tasks.conftest import corpus_of

# One letter is a known text, at an angle of its own; a picture is an unknown one, all in one direction.
ANGLES = {letter: np.pi * number / 60 for number, letter in enumerate("abcdefgh")}


def corpus(*texts: str) -> Corpus:
    angles = [ANGLES.get(text, 1.4) for text in texts]
    vectors = similarity.unit(np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32))
    return replace(corpus_of([*texts], vectors), unknown=np.array([text not in ANGLES for text in texts]))


def groups(found: Duplicates) -> list[str]:
    return [
        found.representative_of(row).text + "@" * int(found.in_reference[row])
        for row in range(len(found.texts))
    ]


def embed(texts: list[Text]) -> Corpus:
    return corpus(*(text.text for text in texts))


def pairs(found: Matches, left: Corpus, right: Corpus) -> list[str]:
    rows = zip(found.left.tolist(), found.right.tolist(), strict=True)
    return [left.texts[i].text + right.texts[j].text for i, j in rows]


def test_only_equal_ones_are_duplicates() -> None:
    given = corpus("🦄", "a", "🐴", "b", "🦄", "🐳", "🐳")
    for found in (near_duplicates(given, 0.99), dedupe(given.texts, embed, 0.99)):
        assert groups(found) == ["🦄", "a", "🐴", "a", "🦄", "🐳", "🐳"]
        assert found.kept.tolist() == [True, True, True, False, False, True, False]
        assert found.scores[found.representatives != np.arange(7)].min() > 0.99
    assert groups(near_duplicates(given, -1)) == ["🦄", "a", "🐴", "a", "🦄", "🐳", "🐳"]


def test_only_equal_ones_are_duplicates_of_a_reference() -> None:
    given, reference = corpus("🦄", "a", "🐴", "h", "🦄", "🐳", "🐴"), corpus("b", "🐴", "🐚")
    for found in (near_duplicates(given, 0.99, reference), dedupe(given.texts, embed, 0.99, reference)):
        assert groups(found) == ["🦄", "b@", "🐴@", "h", "🦄", "🐳", "🐴@"]


@pytest.mark.parametrize("known", [["a"], []])
def test_nothing_but_unknown_texts_on_one_side(known: list[str]) -> None:
    given, reference = corpus(*known, "🦄", "🐴"), corpus("🐳")
    assert near_duplicates(given, 0.5, reference).kept.all()
    assert near_duplicates(reference, 0.5, given).kept.all()


def test_only_equal_ones_match() -> None:
    left, right = corpus("🦄", "a", "🐴", "h", "🐳"), corpus("🐴", "b", "🦄", "g", "🐴", "🐚")
    assert pairs(match(left, right), left, right) == ["🦄🦄", "ab", "🐴🐴", "hg"]
    assert pairs(match(left, right, k=9), left, right) == ["🦄🦄", "ab", "ag", "🐴🐴", "🐴🐴", "hg", "hb"]
    found = match(left, right, k=2, threshold=0.9985)
    assert pairs(found, left, right) == ["🦄🦄", "ab", "🐴🐴", "🐴🐴", "hg"]
    assert found.scores.tolist() == pytest.approx([1, np.cos(np.pi / 60), 1, 1, np.cos(np.pi / 60)])
    assert not len(match(left, right, threshold=1.1))


@pytest.mark.parametrize("threshold", [None, 0.9985, -1.0])
def test_only_equal_ones_match_one_to_one(threshold: float | None) -> None:
    left, right = corpus("🦄", "a", "🐴", "h", "🐳"), corpus("🐴", "b", "🦄", "g", "🐴", "🐚")
    found = match_one_to_one(left, right, threshold=threshold)
    assert pairs(found, left, right) == ["🦄🦄", "ab", "🐴🐴", "hg"]
    found = match_one_to_one(right, left, threshold=threshold)
    assert pairs(found, right, left) == ["🐴🐴", "ba", "🦄🦄", "gh"]


@pytest.mark.parametrize("threshold", [None, 0.5])
def test_where_nothing_is_known_nothing_is_the_nearest_miss(threshold: float | None) -> None:
    left, right = corpus("🦄", "🐴"), corpus("🐳", "a", "b")
    for one, other in [(left, right), (right, left)]:
        for find in (match, match_one_to_one):
            found = find(one, other, threshold=threshold)
            assert (len(found), found.nearest_miss) == (0, None)
    missed = match(corpus("🦄", "a"), corpus("🐳", "h"), threshold=0.99).nearest_miss
    assert missed is not None
    assert missed[:2] == (1, 1)
    assert match_one_to_one(corpus("🦄", "a"), corpus("🐳", "h"), threshold=0.99).nearest_miss == missed


def test_one_text_that_a_file_knows_and_we_do_not() -> None:
    """Saved vectors do not tell which of their texts are unknown."""
    ours, saved = corpus("🦄", "🐴"), replace(corpus("🐴", "a"), unknown=None, saved=True)
    assert pairs(match(ours, saved), ours, saved) == ["🐴🐴"]
    assert pairs(match_one_to_one(saved, ours), saved, ours) == ["🐴🐴"]
    assert groups(near_duplicates(ours, 0.5, saved)) == ["🦄", "🐴@"]


def labels(given: Corpus, **how: float) -> NDArray[np.int64]:
    return cluster(given, **how).labels.tolist()  # type: ignore[arg-type]


def test_only_equal_ones_are_in_a_cluster() -> None:
    given = corpus("🦄", "a", "🐴", "a", "🦄", "h", "b", "🐳", "h")
    assert labels(given, threshold=0.99) == [3, 1, -1, 1, 3, 2, 1, -1, 2]
    assert labels(given, threshold=0.99, min_size=3) == [-1, 1, -1, 1, -1, -1, 1, -1, -1]
    assert labels(given) == [3, 1, -1, 1, 3, 2, 1, -1, 2]
    # The number of clusters is given, and a text of which nothing is known is near none of them.
    assert labels(given, clusters=2) == [-1, 1, -1, 1, -1, 2, 1, -1, 2]
    found = cluster(given, clusters=2)
    assert found.outside.tolist() == [0, 2, 4, 7]
    assert found.scores[1] > 0.99


def test_too_few_texts_of_which_anything_is_known() -> None:
    assert labels(corpus("🦄", "🐴", "a")) == labels(corpus("🦄", "🐴", "a"), threshold=0.5) == [-1, -1, -1]
    assert labels(corpus("🦄", "🐴", "🦄")) == [1, -1, 1]
    with pytest.raises(UsageError, match="1 text with words that the model knows cannot make 2 clusters"):
        cluster(corpus("🦄", "🐴", "a"), clusters=2)


def test_the_embedded_model_does_so() -> None:
    texts = ["สวัสดีครับ", "🦄", "hello there", "🐴🐳", "🦄", "ACGT" * 40]
    with simil.open("minilm", cache=False) as model:
        assert model.compare("🦄", "🐴") == pytest.approx(1)
        assert model.dedupe(texts).kept.tolist() == [True, True, True, True, False, True]
        assert model.match(texts, texts[1:3]).left.tolist() == [1, 2, 4]
        assert model.cluster(texts, threshold=0.5).labels.tolist() == [-1, 1, -1, -1, 1, -1]
