"""Around an embedder: nothing is computed twice, and what is done is kept."""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import chain
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from simil.embedders.base import Embedder, Kind, Piece, TextRejected, VectorForm
from simil.embedders.cache.cached_embedder import CachedEmbedder
from simil.embedders.cache.database import current
from simil.embedders.cache.keys import KeyBuilder
from simil.embedders.cache.store import VectorCache
from simil.embedders.pieces import Mark, reindex
from simil.errors import ModelError
from vector_cache.conftest import Counting, Open, cached


def test_what_was_seen_is_not_embedded_again(open_cache: Open) -> None:
    inner = Counting()
    first = cached(open_cache(), inner).embed(["pear", "fig", "pear"])
    second = cached(open_cache(), inner).embed(["fig", "plum", "pear"])

    assert inner.asked == [["pear", "fig"], ["plum"]]
    np.testing.assert_array_equal(first, Counting().embed(["pear", "fig", "pear"]))
    np.testing.assert_array_equal(second, Counting().embed(["fig", "plum", "pear"]))


def test_nothing_is_opened_where_all_is_known(open_cache: Open) -> None:
    expected = cached(open_cache(), Counting()).embed(["pear"])

    def fail() -> Embedder:
        raise AssertionError("it was opened")

    embedder = CachedEmbedder("counting@1", KeyBuilder("test", "counting@1"), open_cache(), fail)
    np.testing.assert_array_equal(embedder.embed(["pear", "pear"]), expected[[0, 0]])
    embedder.close()


def test_what_is_asked_differently_is_kept_apart(open_cache: Open) -> None:
    inner, plain = Counting(), Counting()
    embedder = cached(open_cache(), inner)
    ways = [
        {"dimensions": dimensions, "normalize": normalize}
        for dimensions in (None, 2)
        for normalize in (True, False)
    ]
    for _ in range(2):
        for way in ways:
            np.testing.assert_array_equal(embedder.embed(["fig"], **way), plain.embed(["fig"], **way))
    assert len(inner.asked) == len(ways)


def test_another_recipe_has_its_own(open_cache: Open) -> None:
    inner = Counting()
    for precision in ("float32", "int8", "float32"):
        cached(open_cache(), inner, precision=precision).embed(["fig"])
    assert len(inner.asked) == 2


def test_a_text_of_a_batch_that_is_still_at_work_is_not_begun_again(open_cache: Open) -> None:
    inner = Counting()
    embedder = cached(open_cache(), inner)
    one, other = embedder.begin(["pear", "fig"]), embedder.begin(["fig", "plum"])
    np.testing.assert_array_equal(one(), Counting().embed(["pear", "fig"]))
    np.testing.assert_array_equal(other(), Counting().embed(["fig", "plum"]))

    assert inner.asked == [["pear", "fig"], ["plum"]]


def test_also_where_nobody_waits_for_that_batch(open_cache: Open) -> None:
    inner = Counting()
    embedder = cached(open_cache(), inner)
    embedder.begin(["pear", "fig"])
    np.testing.assert_array_equal(embedder.embed(["fig", "plum"]), Counting().embed(["fig", "plum"]))


@given(batches=st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=8), max_size=6), ahead=st.booleans())
def test_whatever_comes_together_or_again(
    batches: list[list[str]], ahead: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    inner = Counting()
    cache = VectorCache(tmp_path_factory.mktemp("vectors"), 1 << 40)
    embedder = cached(cache, inner)
    if ahead:
        results = [wait() for wait in [embedder.begin(batch) for batch in batches]]
    else:
        results = [embedder.embed(batch) for batch in batches]
    embedder.close()

    asked = [text for texts in inner.asked for text in texts]
    assert sorted(asked) == sorted({text for batch in batches for text in batch})
    for batch, result in zip(batches, results, strict=True):
        np.testing.assert_array_equal(result, Counting().embed(batch) if batch else result)


class Refusing(Counting):
    """Refuses "bad", before it begins or as late as it can."""

    late = False

    def start_batch(self, kind: Kind, texts: Sequence[str]) -> Iterator[Piece | TextRejected]:
        refused = [TextRejected(row, "bad text") for row, text in enumerate(texts) if text == "bad"]
        rows = [row for row, text in enumerate(texts) if text != "bad"]
        pieces = reindex(super().start_batch(kind, [texts[row] for row in rows]), rows)
        return chain(pieces, refused) if self.late else chain(refused, pieces)


@pytest.mark.parametrize("late", [False, True])
def test_the_place_of_a_refused_text_is_that_among_all(late: bool, open_cache: Open) -> None:
    inner = Refusing()
    embedder = cached(open_cache(), inner)
    embedder.embed(["pear", "fig"])
    inner.late = late
    with pytest.raises(TextRejected) as caught:
        embedder.embed(["pear", "pear", "plum", "fig", "bad", "bad"])

    assert caught.value.index == 4


@pytest.mark.parametrize("late", [False, True])
def test_who_goes_on_without_a_refused_text_is_told_each_of_its_places(late: bool, open_cache: Open) -> None:
    inner = Refusing()
    inner.late = late
    embedder = cached(open_cache(), inner)
    refused: list[TextRejected] = []
    vectors = embedder.begin(["pear", "bad", "plum", "fig", "bad"], on_rejected=refused.append)()

    assert [(each.index, str(each)) for each in refused] == [(1, "bad text"), (4, "bad text")]
    assert np.isnan(vectors).any(axis=1).tolist() == [False, True, False, False, True]
    np.testing.assert_array_equal(vectors[[0, 2, 3]], Counting().embed(["pear", "plum", "fig"]))
    assert inner.asked == [["pear", "plum", "fig"]]


class Pieces(Counting):
    """Gives a piece for each text, and is interrupted before the fourth."""

    def start_batch(self, kind: Kind, texts: Sequence[str]) -> Iterator[Piece]:
        self.asked.append(list(texts))
        for row, text in enumerate(texts):
            if row == 3:
                raise KeyboardInterrupt
            mark = {"long": Mark.CUT, "🦄": Mark.UNKNOWN, "🦄🦄": Mark.CUT | Mark.UNKNOWN}.get(text, 0)
            yield Piece(np.array([row]), self._vector(text), np.array([mark], np.uint8))

    def _vector(self, text: str) -> NDArray[np.float32]:
        return np.array([[len(text), ord(text[0]), 1]], np.float32)


def test_what_is_done_is_kept_when_the_run_is_interrupted(open_cache: Open) -> None:
    texts = ["pear", "fig", "plum", "kiwi", "date"]
    with pytest.raises(KeyboardInterrupt):
        cached(open_cache(), Pieces()).embed(texts)
    inner = Pieces()
    cached(open_cache(), inner).embed(texts)

    assert inner.asked == [["kiwi", "date"]]


def test_what_is_done_is_kept_when_nobody_takes_the_rest(open_cache: Open) -> None:
    embedder = cached(open_cache(), Pieces())
    pieces = embedder.start(["pear", "fig", "plum"], Kind.SYMMETRIC, VectorForm())
    assert [next(pieces).rows.tolist() for _ in range(2)] == [[0], [1]]
    del pieces
    gc.collect()
    inner = Pieces()
    cached(open_cache(), inner).embed(["pear", "fig", "plum"])

    assert inner.asked == [["plum"]]


def test_the_next_vectors_are_computed_while_others_are_written(open_cache: Open) -> None:
    computed = Event()

    class InTwoPieces(Counting):
        def start_batch(self, kind: Kind, texts: Sequence[str]) -> Iterator[Piece | TextRejected]:
            for rows in (range(1500), range(1500, len(texts))):
                yield from reindex(super().start_batch(kind, [texts[row] for row in rows]), rows)
                computed.set()

    def clock() -> float:  # Asked for when texts are looked up, and when vectors are written.
        assert not inner.asked or computed.wait(60)
        return 0.0

    inner, texts = InTwoPieces(), [f"text {number}" for number in range(2000)]
    first = cached(open_cache(clock=clock), inner).embed(texts)

    np.testing.assert_array_equal(cached(open_cache(), inner).embed(texts), first)
    assert [len(asked) for asked in inner.asked] == [1500, 500]


def test_texts_that_were_cut_count_each_time(open_cache: Open) -> None:
    for _ in range(2):
        embedder = cached(open_cache(), Pieces())
        embedder.embed(["long", "fig", "long"])
        assert embedder.truncated == 2


def test_unknown_texts_are_told_each_time(open_cache: Open) -> None:
    for inner in (Pieces(), Pieces()):
        rows: list[int] = []
        embedder = cached(open_cache(), inner)
        embedder.begin(["fig", "🦄", "🦄🦄", "🦄"], on_unknown=rows.append)()
        assert (rows, embedder.truncated) == ([1, 2, 3], 1)
    assert inner.asked == []


class Wider(Counting):
    """Another model under the same name."""

    dimensions = 5

    def embed_batch_as(self, kind: Kind, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.ones((len(texts), 5), np.float32)


def test_another_model_under_the_same_name_is_found_out(open_cache: Open) -> None:
    cached(open_cache(), Counting()).embed(["fig"])
    with pytest.raises(ModelError, match="gives vectors of 3 and of 5 dimensions") as caught:
        cached(open_cache(), Wider()).embed(["fig", "plum"])
    assert "simil cache clear" in caught.value.hint


def test_without_a_cache_all_goes_on(folder: Path, open_cache: Open) -> None:
    folder.write_text("a file in its place")
    inner = Counting()
    embedder = cached(open_cache(), inner)
    for _ in range(2):
        one, other = embedder.begin(["pear", "fig"]), embedder.begin(["fig"])
        np.testing.assert_array_equal(one()[1:], other())
    # The second of two batches at work waited for the first, whose vectors were not kept.
    assert inner.asked == [["pear", "fig"], ["fig"]] * 2


def test_vectors_that_are_all_cached_are_read_without_numpy(open_cache: Open) -> None:
    form = VectorForm(2)
    expected = cached(open_cache(), Counting()).embed(["pear", "fig"], dimensions=2)
    embedder = cached(open_cache(), Counting())
    stored = embedder.stored(["fig", "pear", "fig"], Kind.SYMMETRIC, form)

    assert stored is not None
    np.testing.assert_array_equal([vector.values for vector in stored], expected[[1, 0, 1]])
    assert [vector.mark for vector in stored] == [0, 0, 0]
    assert embedder.stored(["fig", "plum"], Kind.SYMMETRIC, form) is None
    assert embedder.stored(["fig"], Kind.SYMMETRIC, VectorForm(3)) is None
    assert Counting().stored(["fig"], Kind.SYMMETRIC, form) is None


def test_a_damaged_vector_is_not_stored(
    folder: Path, open_cache: Open, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(open_cache()) as cache:
        cached(cache, Counting()).embed(["pear", "fig"])
    with closing(sqlite3.connect(current(folder))) as file, file:
        file.execute("UPDATE vectors SET value = zeroblob(16) WHERE id = 1")
    embedder = cached(open_cache(), Counting())

    assert embedder.stored(["pear", "fig"], Kind.SYMMETRIC, VectorForm()) is None
    assert "1 vector in the cache is damaged and will be computed again" in caplog.text
    np.testing.assert_array_equal(embedder.embed(["pear", "fig"]), Counting().embed(["pear", "fig"]))


def test_damage_that_cannot_be_dropped_is_told_once(
    folder: Path, open_cache: Open, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(open_cache()) as cache:
        cached(cache, Counting()).embed(["pear", "fig"])
    with closing(sqlite3.connect(current(folder), isolation_level=None)) as file:
        file.execute("UPDATE vectors SET value = zeroblob(16)")
        file.execute("BEGIN IMMEDIATE")  # Others cannot write now.
        embedder = cached(open_cache(busy_ms=20), Counting())
        assert embedder.stored(["pear", "fig"], Kind.SYMMETRIC, VectorForm()) is None
        np.testing.assert_array_equal(embedder.embed(["pear", "fig"]), Counting().embed(["pear", "fig"]))

    damage, unwritten = [record.getMessage() for record in caplog.records]
    assert damage == "2 vectors in the cache are damaged and will be computed again"
    assert "new vectors are not kept" in unwritten
