"""Few texts go to one embedder and many to another, and what either has computed is not computed again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import numpy as np
import pytest

from simil.embedders.base import Embedder, Kind, Piece, ReadAhead, TextRejected, VectorForm
from simil.embedders.bulk_embedder import BulkEmbedder
from simil.errors import ModelError
from vector_cache.conftest import Counting, Open, cached

Join = Callable[..., BulkEmbedder]
# Three new texts are many.
MANY = 3


class Fast(Counting):
    """Gives its vectors one by one, in the opposite order, and others than `Counting` does."""

    read_ahead = ReadAhead(4096, 1 << 22)

    def start_batch(self, kind: Kind, texts: Sequence[str]) -> Iterator[Piece | TextRejected]:
        self.asked.append(list(texts))
        return self._each(texts)

    def _each(self, texts: Sequence[str]) -> Iterator[Piece | TextRejected]:
        for row in reversed(range(len(texts))):
            vector = np.array([[len(texts[row]), ord(texts[row][0]), 1]], np.float32)
            yield Piece(np.array([row]), vector, np.zeros(1, np.uint8))


class Failing(Fast):
    """Gives two vectors of each batch, and then fails."""

    def _each(self, texts: Sequence[str]) -> Iterator[Piece | TextRejected]:
        yield from islice(super()._each(texts), 2)
        raise ModelError("the card has fallen off the bus")


@pytest.fixture
def join(open_cache: Open) -> Join:
    """Join two embedders around one cache, or around none."""

    def joined(few: Embedder, many: Embedder | ModelError, *, is_cached: bool = True) -> BulkEmbedder:
        seen: list[str] = []

        def outgrows(texts: Sequence[str]) -> bool:
            seen.extend(texts)
            return len(seen) >= MANY

        def open_many() -> Embedder:
            if isinstance(many, ModelError):
                raise many
            return cached(open_cache(), many, precision="float16") if is_cached else many

        return BulkEmbedder(
            few.stamp,
            lambda: cached(open_cache(), few) if is_cached else few,
            open_many,
            outgrows=outgrows,
            is_cached=is_cached,
        )

    return joined


@pytest.mark.parametrize("is_cached", [True, False])
def test_the_second_one_is_taken_once_there_are_many_and_stays(join: Join, *, is_cached: bool) -> None:
    few, many = Counting(), Fast()
    embedder = join(few, many, is_cached=is_cached)
    for texts in (["fig"], ["pear"], ["plum", "lime"], ["date"]):
        embedder.embed(texts)

    assert few.asked == [["fig"], ["pear"]]
    assert many.asked == [["plum", "lime"], ["date"]]
    assert embedder.read_ahead == Fast.read_ahead


def test_a_vector_of_either_is_not_computed_again(join: Join) -> None:
    join(Counting(), Fast()).embed(["fig"])
    expected = join(Counting(), Fast()).embed(["fig", "pear", "plum", "lime"])
    few, many = Counting(), Fast()
    embedder = join(few, many)

    assert embedder.missing(["lime", "kiwi", "fig"], Kind.SYMMETRIC, VectorForm()) == [1]
    assert embedder.stored(["fig", "lime"], Kind.SYMMETRIC, VectorForm()) is None
    (stored,) = embedder.stored(["fig"], Kind.SYMMETRIC, VectorForm()) or ()
    np.testing.assert_array_equal(stored.values, expected[0])
    found = embedder.embed(["lime", "plum", "kiwi", "pear", "fig"])
    np.testing.assert_array_equal(found[[4, 3, 1, 0]], expected)
    assert few.asked == [["kiwi"]]
    assert many.asked == []
    # The first was computed by one, and the second by the other.
    np.testing.assert_array_equal(expected[:1], Counting().embed(["fig"]))
    np.testing.assert_array_equal(expected[1:2], Fast().embed(["pear"]))


@pytest.mark.parametrize("is_cached", [True, False])
def test_the_first_one_completes_what_the_second_one_began(
    join: Join, caplog: pytest.LogCaptureFixture, *, is_cached: bool
) -> None:
    caplog.set_level("INFO", "simil")
    few, many = Counting(), Failing()
    embedder = join(few, many, is_cached=is_cached)
    texts = ["fig", "pear", "plum", "lime"]

    vectors = embedder.embed(texts)
    np.testing.assert_array_equal(vectors[:2], Counting().embed(texts[:2]))
    np.testing.assert_array_equal(vectors[2:], Fast().embed(texts[2:]))
    embedder.embed(["date", "kiwi", "melon"])
    if is_cached:
        np.testing.assert_array_equal(embedder.embed(texts), vectors)
    assert few.asked == [["fig", "pear"], ["date", "kiwi", "melon"]]
    assert many.asked == [texts]
    assert [record.getMessage() for record in caplog.records] == [
        "no GPU is used: the card has fallen off the bus"
    ]


@pytest.mark.parametrize("is_cached", [True, False])
def test_the_first_one_does_all_if_the_second_one_cannot_be_opened(
    join: Join, caplog: pytest.LogCaptureFixture, *, is_cached: bool
) -> None:
    caplog.set_level("INFO", "simil")
    few = Counting()
    embedder = join(few, ModelError("no driver", hint="install it"), is_cached=is_cached)
    texts = ["fig", "pear", "plum", "lime"]

    np.testing.assert_array_equal(embedder.embed(texts), Counting().embed(texts))
    assert few.asked == [texts]
    assert [record.getMessage() for record in caplog.records] == ["no GPU is used: no driver; install it"]


def test_nothing_is_opened_where_nothing_is_asked(join: Join) -> None:
    embedder = join(Counting(), ModelError("it was opened"))

    assert embedder.embed([]).shape == (0, 0)
    embedder.close()
