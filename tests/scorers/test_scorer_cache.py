"""Scores are kept by what they depend on, and a model is opened only for pairs that are new."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorers.conftest import Make, Open, predicted
from simil.embedders.cache.keys import KeyBuilder
from simil.embedders.cache.store import VectorCache
from simil.embedders.pieces import Piece, TextRejected
from simil.errors import ModelDamaged
from simil.scorers.base import Pair, Scorer
from simil.scorers.cached_scorer import CachedScorer, pair_keys

_TEXTS = st.text(st.characters() | st.sampled_from("0123456789 "), max_size=6)
_KEYS = KeyBuilder("cross-encoder", "lengths")


class _Lengths(Scorer):
    """A score is the number of characters of a pair; `asked` lists the pairs that it was computed for."""

    stamp = "lengths"

    def __init__(self) -> None:
        self.asked: list[Pair] = []

    def start(self, pairs: Sequence[Pair]) -> Iterator[Piece | TextRejected]:
        self.asked += pairs
        scores = np.array([[len(first) + len(second)] for first, second in pairs], np.float32)
        yield Piece(np.arange(len(pairs)), scores, np.zeros(len(pairs), np.uint8))


@pytest.fixture
def lengths() -> _Lengths:
    return _Lengths()


def _cached(folder: Path, scorer: Scorer) -> CachedScorer:
    return CachedScorer("lengths", _KEYS, VectorCache(folder, 10**8), lambda: scorer)


@given(st.tuples(_TEXTS, _TEXTS), st.tuples(_TEXTS, _TEXTS))
def test_two_pairs_have_one_key_only_if_they_are_equal(one: Pair, other: Pair) -> None:
    keys = pair_keys(_KEYS, [one, other])

    assert (keys[0] == keys[1]) == (one == other)


def test_where_the_first_text_ends_is_in_the_key() -> None:
    assert len({*pair_keys(_KEYS, [("ab", "c"), ("a", "bc"), ("", "abc"), ("c", "ab"), ("1 a", "b")])}) == 5


def test_equal_pairs_are_scored_once(lengths: _Lengths) -> None:
    assert lengths.score([("a", "b"), ("ab", "c"), ("a", "b")]).tolist() == [2, 3, 2]
    assert lengths.asked == [("a", "b"), ("ab", "c")]
    assert lengths.score([]).shape == (0,)


def test_only_new_pairs_are_scored(tmp_path: Path, lengths: _Lengths) -> None:
    first = _cached(tmp_path, lengths)
    first.score([("a", "b"), ("ab", "c")])
    first.close()
    second = _cached(tmp_path, lengths)

    scores = second.score([("ab", "c"), ("x", ""), ("b", "a"), ("a", "b")])

    assert scores.tolist() == [3, 1, 2, 2]
    assert lengths.asked == [("a", "b"), ("ab", "c"), ("x", ""), ("b", "a")]


def test_nothing_is_opened_if_all_pairs_are_known(tmp_path: Path, lengths: _Lengths) -> None:
    first = _cached(tmp_path, lengths)
    first.score([("a", "b")])
    first.close()

    def fail() -> Scorer:
        raise AssertionError("opened")

    cached = CachedScorer("lengths", _KEYS, VectorCache(tmp_path, 10**8), fail)
    assert cached.score([("a", "b"), ("a", "b")]).tolist() == [2, 2]


def test_scores_of_a_model_are_kept(
    transformer: Make, open_model: Open, pairs: list[Pair], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "simil")
    first = open_model(transformer("bert"), cache=True)
    scores = first.score(pairs)
    first.close()
    second = open_model(transformer("bert"), cache=True)

    assert second.score(pairs).tolist() == scores.tolist()
    # What was cut is known of cached scores, too.
    assert second.truncated == first.truncated > 0
    second.close()
    first_note, second_note = (text for text in caplog.messages if ", float32, revision " in text)
    assert first_note.startswith("bert: onnx, ")
    assert second_note.startswith("bert: from the cache, ")
    np.testing.assert_allclose(scores, predicted(transformer("bert"), pairs), rtol=0, atol=1e-5)


def test_nothing_is_kept_without_a_cache(transformer: Make, tmp_path: Path, open_model: Open) -> None:
    open_model(transformer("bert")).score([("an apple", "a pear")])

    assert (tmp_path / "cache" / "prepared").exists()
    assert not (tmp_path / "cache" / "vectors").exists()


def test_a_damaged_graph_is_made_anew_and_its_scores_too(
    transformer: Make, tmp_path: Path, open_model: Open, caplog: pytest.LogCaptureFixture
) -> None:
    pair = ("an apple", "a pear")
    (expected,) = predicted(transformer("bert"), [pair])
    first = open_model(transformer("bert"), cache=True)
    first.score([pair])
    first.close()
    (built,) = [path for path in (tmp_path / "cache" / "prepared").iterdir() if path.is_dir()]
    with (built / "weights.bin").open("r+b") as file:
        file.seek(5000)
        file.write(bytes(4000))

    with caplog.at_level(logging.WARNING, "simil"):
        second = open_model(transformer("bert"), cache=True)
        assert second.score([pair])[0] == pytest.approx(expected, abs=1e-5)

    assert "were damaged: they are built again, and so are cached vectors" in caplog.text
    assert isinstance(second, CachedScorer)
    assert second._opened is not None


def test_a_graph_that_changes_while_it_is_in_use_gives_no_score(
    transformer: Make, tmp_path: Path, open_model: Open
) -> None:
    scorer = open_model(transformer("bert"), cache=True)
    scorer.score([("an apple", "a pear")])
    (built,) = [path for path in (tmp_path / "cache" / "prepared").iterdir() if path.is_dir()]
    with (built / "weights.bin").open("r+b") as file:
        file.write(b"0")

    with pytest.raises(ModelDamaged, match="changed while they were in use"):
        scorer.score([("an apple", "a plum")])


def test_a_change_of_the_model_gives_other_scores(
    transformer: Make, tmp_path: Path, open_model: Open
) -> None:
    import safetensors.numpy

    folder = tmp_path / "model"
    shutil.copytree(transformer("bert"), folder)
    first = open_model(folder, cache=True)
    before = first.score([("an apple", "a pear")])
    first.close()
    weights = safetensors.numpy.load_file(folder / "model.safetensors")
    weights["classifier.bias"] += 1
    safetensors.numpy.save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    second = open_model(folder, cache=True)

    assert second.stamp != first.stamp
    assert second.score([("an apple", "a pear")]) > before
