"""BM25 over datasets: by Lance's full-text index, and by reading the texts where there is none."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import lance
import numpy as np
import pyarrow as pa
import pytest

from simil.errors import InputError, UsageError
from simil.index.stored_words import StoredWords, build_full_text
from simil.index.word_index import WordIndex
from simil.vectors.stored_vectors import StoredVectors

TEXTS = [
    "The RX-7 is a car with a rotary engine",
    "The RX-8 was number 7 of the list",
    "Release v2.3.1 mends the import",
    "Release v23.1 is old",
    "naïve ideas of cars",
    "我喜欢喝绿茶",
    "To be or not to be",
    "The Who",
    "no vector for the RX-7",
    "engines",
    "a running engine",
]
WITHOUT_VECTOR = TEXTS.index("no vector for the RX-7")
PLAIN_WORDS = ["car", "engines and cars", "release", "the who", "to be", "list of ideas"]


def table(texts: Sequence[str], first: int = 0) -> pa.Table:
    vectors = [None if "no vector" in text else np.ones(4, np.float32) / 2 for text in texts]
    return pa.table(
        {
            "id": [str(first + row) for row in range(len(texts))],
            "text": texts,
            "embedding": pa.array(vectors, pa.list_(pa.float32(), 4)),
        }
    )


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> StoredVectors:
    path = str(tmp_path_factory.mktemp("read") / "texts.lance")
    lance.write_dataset(table(TEXTS), path)
    return StoredVectors.open(path)


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> StoredVectors:
    path = str(tmp_path_factory.mktemp("indexed") / "texts.lance")
    build_full_text(lance.write_dataset(table(TEXTS), path))
    return StoredVectors.open(path)


def found(words: StoredWords, query: str, k: int = 20) -> list[str]:
    return [TEXTS[row] for row in words.best(query, k).row_ids.tolist()]


def test_without_an_index_the_texts_are_read(read: StoredVectors) -> None:
    filled = [text for row, text in enumerate(TEXTS) if row != WITHOUT_VECTOR]
    index = WordIndex(filled)
    words = StoredWords(read)

    for query in ["RX-7", "绿茶", *PLAIN_WORDS]:
        scores, rows = index.best(query, 20)
        assert found(words, query) == [filled[row] for row in rows.tolist()]
        assert words.best(query, 20).scores.tolist() == scores.tolist()
        assert words.candidates(query, 20).scores.tolist() == index.candidates(query, 20)[0].tolist()


def test_the_index_scores_plain_words_as_bm25_does(tmp_path: Path) -> None:
    """Words without punctuation inside, of which both make the same terms."""
    draw = random.Random(5)
    words = ["engine", "engines", "car", "running", "the", "release", "naïve", "e1004", "7", "who"]
    texts = [" ".join(draw.choices(words, k=draw.randrange(1, 9))) for _ in range(200)]
    build_full_text(lance.write_dataset(table(texts), str(tmp_path / "texts.lance")))
    stored, ours = StoredWords(StoredVectors.open(str(tmp_path / "texts.lance"))), WordIndex(texts)

    for query in ["car", "the engine", "who naive", "E1004", "the the run"]:
        scores, rows = ours.best(query, 200)
        found = stored.best(query, 200)
        assert found.row_ids.tolist() == rows.tolist()
        assert found.scores.tolist() == pytest.approx(scores.tolist(), rel=1e-5)


@pytest.mark.parametrize("with_index", [False, True])
def test_names_codes_and_scripts_are_found(
    read: StoredVectors, indexed: StoredVectors, with_index: bool
) -> None:
    words = StoredWords(indexed if with_index else read)

    assert found(words, "RX-7")[0] == TEXTS[0]
    assert found(words, "v2.3.1")[0] == TEXTS[2]
    assert found(words, "naive")[0] == TEXTS[4]
    assert found(words, "绿茶") == [TEXTS[5]]
    assert found(words, "to be or not to be")[0] == TEXTS[6]
    assert found(words, "the who")[0] == TEXTS[7]
    assert {*found(words, "run engines")} == {TEXTS[0], TEXTS[9], TEXTS[10]}
    assert found(words, "zebra") == found(words, "!?") == []


@pytest.mark.parametrize("with_index", [False, True])
def test_a_condition_leaves_out_rows_and_changes_no_score(
    read: StoredVectors, indexed: StoredVectors, with_index: bool
) -> None:
    stored = indexed if with_index else read
    every, some = StoredWords(stored), StoredWords(stored, where="id > '5' -- and no other (")

    best, kept = every.best("the", 20), some.best("the", 20)

    assert kept.row_ids.tolist() == [7]
    assert kept.scores.tolist() == best.scores[best.row_ids == 7].tolist()


@pytest.mark.parametrize("with_index", [False, True])
def test_rows_without_a_vector_are_no_results_but_fill_no_place(
    read: StoredVectors, indexed: StoredVectors, with_index: bool
) -> None:
    words = StoredWords(indexed if with_index else read)

    assert WITHOUT_VECTOR not in words.best("RX-7", 20).row_ids.tolist()
    assert len(words.best("vector RX-7", 1).row_ids) == 1


@pytest.mark.parametrize("with_index", [False, True])
def test_candidates_have_most_of_a_query(
    read: StoredVectors, indexed: StoredVectors, with_index: bool
) -> None:
    words = StoredWords(indexed if with_index else read)

    assert words.candidates("tell me all there is about RX-7", 20).row_ids.tolist()[0] == 0
    assert words.candidates("tell me all there is about cars", 20).row_ids.tolist() == []


@pytest.mark.parametrize("with_index", [False, True])
def test_scores_of_rows_are_those_of_the_ranking(
    read: StoredVectors, indexed: StoredVectors, with_index: bool
) -> None:
    words = StoredWords(indexed if with_index else read)
    best = words.best("a car with engines", 20)
    known = dict(zip(best.row_ids.tolist(), best.scores.tolist(), strict=True))

    rows = np.array([9, 5, 0, 4], np.uint64)

    assert words.scores("a car with engines", rows).tolist() == [known.get(row, 0) for row in rows.tolist()]


def test_rows_that_came_after_the_index_are_found(tmp_path: Path) -> None:
    path = str(tmp_path / "texts.lance")
    build_full_text(lance.write_dataset(table(TEXTS), path))
    lance.write_dataset(table(["The RX-9 is a dream", "another dream"], len(TEXTS)), path, mode="append")

    stored = StoredVectors.open(path)
    ids = [stored.take([row]).ids[0] for row in StoredWords(stored).best("RX-9 dream", 5).row_ids.tolist()]

    assert ids[:2] == [str(len(TEXTS)), str(len(TEXTS) + 1)]


def test_the_language_is_that_of_the_index(tmp_path: Path) -> None:
    path = str(tmp_path / "texts.lance")
    build_full_text(lance.write_dataset(table(["Häuser", "ein Haus"]), path), "german")
    stored = StoredVectors.open(path)

    assert StoredWords(stored).language == StoredWords(stored, "german").language == "german"
    assert len(StoredWords(stored).best("haus", 5).row_ids) == 2
    with pytest.raises(UsageError, match=r"is german, not english; .* simil index .* --language english"):
        StoredWords(stored, "english")


def test_none_keeps_all_endings(tmp_path: Path) -> None:
    path = str(tmp_path / "texts.lance")
    build_full_text(lance.write_dataset(table(["a car", "two cars"]), path), "none")
    words = StoredWords(StoredVectors.open(path))

    assert words.language == "none"
    assert words.best("cars", 5).row_ids.tolist() == [1]


def test_a_language_that_lance_does_not_stem_is_refused(tmp_path: Path) -> None:
    dataset = lance.write_dataset(table(["a"]), str(tmp_path / "texts.lance"))
    with pytest.raises(UsageError, match="Lance has no stemmer for 'basque'"):
        build_full_text(dataset, "basque")


def test_many_texts_without_an_index_are_refused(
    read: StoredVectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simil.index.stored_words._SCANNED_ROWS", 5)
    with pytest.raises(InputError, match=r"11 texts and no full-text index; build one: simil index "):
        StoredWords(read)


def test_a_dataset_without_texts_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "bare.lance")
    lance.write_dataset(table(TEXTS).drop(["text"]), path)
    with pytest.raises(InputError, match="has no column of texts"):
        StoredWords(StoredVectors.open(path))
