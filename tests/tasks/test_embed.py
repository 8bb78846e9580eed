"""Texts in, vectors out, as a stream; and vectors passed on in another form."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from itertools import count, islice
from weakref import WeakSet

import numpy as np
import pytest
from numpy.typing import NDArray
from support.letters import Letters

from simil.embedders.base import Kind
from simil.embedders.pieces import Piece, VectorForm
from simil.embedders.recent_vectors import RecentVectors
from simil.errors import InputError, ModelMismatch, Place, UsageError
from simil.tasks.conversion import convert
from simil.tasks.embedding import EmbedOptions, embed_stream
from simil.texts import Text
from simil.vectors import VectorFile

RAW = EmbedOptions(normalize=False)


def text(line: int, content: str) -> Text:
    return Text(str(line), content, Place("in", line), {})


def file(vectors: list[list[float]], model: str | None = "m@1") -> VectorFile:
    many = len(vectors)
    ids = tuple(f"id{number}" for number in range(many))
    return VectorFile("v.json", model, ids, (None,) * many, ({},) * many, np.array(vectors, np.float32))


def test_endless_texts_give_vectors() -> None:
    batches = embed_stream((text(line, "a" * (line % 5)) for line in count(1)), Letters(), RAW)
    for batch in islice(batches, 4):
        assert batch.vectors[:, 0].tolist() == [len(item.text) for item in batch.texts]
    batches.close()  # type: ignore[attr-defined]


class _Content(str):
    """A string that tells whether it is still there."""


def test_texts_do_not_wait_for_the_collector_of_cycles() -> None:
    alive: WeakSet[_Content] = WeakSet()

    def given(line: int) -> Text:
        content = _Content(line)
        alive.add(content)
        return text(line, content)

    letters = Letters()
    gc.disable()  # A run collects cycles seldom.
    try:
        for _ in embed_stream(map(given, range(10_000)), letters, RAW):
            letters.asked.clear()
            assert len(alive) < 9_000
    finally:
        gc.enable()


def test_refused_text_comes_after_the_batches_before_it() -> None:
    texts = [text(line, "a") for line in range(1, 3000)] + [text(3000, "refuse")]
    seen = 0
    with pytest.raises(InputError, match="in:3000: the text is refused; write another"):
        for batch in embed_stream(texts, Letters(), RAW):
            seen += len(batch.texts)
    assert seen > 0


def test_refused_texts_are_left_out_when_told() -> None:
    told: list[InputError] = []
    texts = [text(1, "refuse"), text(2, "a"), text(3, "refuse"), text(4, "ab")]
    batches = list(embed_stream(texts, Letters(), RAW, on_error=told.append))
    assert [str(error.place) for error in told] == ["in:1", "in:3"]
    assert [item.id for batch in batches for item in batch.texts] == ["2", "4"]
    assert np.concatenate([batch.vectors for batch in batches]).tolist() == [[1, 0], [1, 1]]


def test_texts_that_all_fail_give_no_batch() -> None:
    assert list(embed_stream([text(1, "refuse")], Letters(), RAW, on_error=lambda error: None)) == []


def test_all_texts_are_counted_as_they_get_done() -> None:
    texts = [text(line, "a" * (line % 50)) for line in range(1, 200)]
    texts += [text(200, "refuse"), text(201, "")._replace(is_missing=True)]
    done: list[int] = []
    told: list[InputError] = []
    stream = embed_stream(texts, Letters(), RAW, on_error=told.append, keeps_failed=True, on_done=done.append)
    for batch in stream:
        assert sum(done) >= len(batch.texts)
    assert sum(done) == 201
    assert len(told) == 1


def test_converted_vectors_keep_ids_and_values() -> None:
    model, batches = convert([file([[3, 4]]), file([[0, 2], [1, 0]])], EmbedOptions())
    found = list(batches)
    assert model == "m@1"
    assert [id_ for batch in found for id_ in batch.ids] == ["id0", "id0", "id1"]
    assert np.concatenate([batch.vectors for batch in found]).tolist() == [[3, 4], [0, 2], [1, 0]]


def test_shortened_vectors_get_length_one_unless_told_otherwise() -> None:
    for normalize, expected in ((True, [[0.6, 0.8]]), (False, [[3, 4]])):
        _, batches = convert([file([[3, 4, 9]])], EmbedOptions(dimensions=2, normalize=normalize))
        assert next(batches).vectors == pytest.approx(np.array(expected), abs=1e-6)


def test_what_does_not_go_into_one_file() -> None:
    for files in (
        [file([[1]]), file([[1]], "other")],
        [file([[1]]), file([[1]], None)],
        [file([[1]]), file([[1, 2]])],
    ):
        with pytest.raises(ModelMismatch, match="do not go into one file"):
            convert(files, EmbedOptions())


def test_conversion_cannot_make_vectors_longer() -> None:
    with pytest.raises(UsageError, match="the vectors have 1 dimensions"):
        convert([file([[1]])], EmbedOptions(dimensions=2))


def test_what_a_stream_repeats_is_embedded_once() -> None:
    letters = Letters()
    texts = [text(line, "a" * (1 + line % 300)) for line in range(20_000)]
    batches = [*embed_stream(texts, letters, RAW)]

    assert [int(row[0]) for batch in batches for row in batch.vectors] == [len(one.text) for one in texts]
    # The second batch is begun before the first is done.
    assert sum(map(len, letters.asked)) <= 2 * 300


def test_a_stream_of_texts_that_never_repeat_is_remembered_in_part() -> None:
    recent, wide = RecentVectors(), _Wide()

    def counted(texts: list[str]) -> int:
        pieces = recent.completed(
            texts, lambda texts: wide.start(texts, Kind.SYMMETRIC, VectorForm(None, normalize=False))
        )
        return sum(len(piece.rows) for piece in pieces if isinstance(piece, Piece))

    for start in range(0, 4000, 500):
        assert counted([str(number) for number in range(start, start + 500)]) == 500
    wide.asked.clear()
    assert counted(["0", "3999"]) == 2
    assert wide.asked == [["0"]]


class _Wide(Letters):
    dimensions = 4096

    def embed_batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.repeat(super().embed_batch(texts), 2048, axis=1)


def test_parts_that_are_ignored_are_not_embedded() -> None:
    letters = Letters()
    texts = [text(1, "aaa 12")._replace(rest="aaa"), text(2, "aaa 13")._replace(rest="aaa"), text(3, "aa")]
    (batch,) = embed_stream(texts, letters, RAW)

    assert batch.vectors[:, 0].tolist() == [3, 3, 2]
    assert [one.text for one in batch.texts] == ["aaa 12", "aaa 13", "aa"]
    assert letters.asked == [["aaa", "aa"]]
