"""Retrieval by words, and by words and meaning, in memory and in a dataset."""

from __future__ import annotations

import lance
import numpy as np
import pyarrow as pa
import pytest

from simil import similarity
from simil.errors import InputError, Place
from simil.index.stored_words import StoredWords, build_full_text
from simil.similarity.rank_fusion import fuse
from simil.tasks.corpus import Corpus
from simil.tasks.retrieval import SearchBy, search
from simil.tasks.stored_word_retrieval import (
    search_stored_hybrid,
    search_stored_words,
    with_numbers,
    with_texts,
)
from simil.tasks.word_retrieval import index_words, search_hybrid, search_words
from simil.texts import Text
from simil.vectors.stored_vectors import StoredVectors

COUNT, DIMENSIONS = 150, 12
NAMES = [f"item{number} kind{number % 5}" for number in range(COUNT)]
QUERIES = ["item7", "kind3", "item9 item11", "nothing of it"]


def as_texts(strings: list[str]) -> list[Text]:
    return [Text(str(row), string, Place("x", row + 1), {}) for row, string in enumerate(strings)]


def unit(seed: int, rows: int) -> np.ndarray:
    return similarity.unit(np.random.default_rng(seed).standard_normal((rows, DIMENSIONS), np.float32))


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return Corpus(as_texts(NAMES), unit(1, COUNT), "m")


@pytest.fixture(scope="module")
def queries() -> Corpus:
    return Corpus(as_texts(QUERIES), unit(2, len(QUERIES)), "m")


@pytest.fixture(scope="module")
def stored(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> StoredVectors:
    path = str(tmp_path_factory.mktemp("stored") / "texts.lance")
    vectors = pa.array([*corpus.vectors], pa.list_(pa.float32(), DIMENSIONS))
    given = pa.table({"id": [text.id for text in corpus.texts], "text": NAMES, "embedding": vectors})
    build_full_text(lance.write_dataset(given, path, max_rows_per_file=40))
    return StoredVectors.open(path)


def test_words_alone_find_what_has_them(queries: Corpus, corpus: Corpus) -> None:
    words = index_words(corpus.texts)

    results = search_words(queries.texts, words, top_k=3)

    assert [result.rows.tolist() for result in results] == [[7], [3, 8, 13], [9, 11], []]
    assert [result.nearest for result in results] == [7, 3, 9, -1]
    assert {result.by for result in results} == {SearchBy.WORDS}
    assert results[1].scores.tolist() == words.scores("kind3")[[3, 8, 13]].tolist()
    assert [len(result.rows) for result in search_words(queries.texts, words)] == [1, 10, 2, 0]
    assert search_words(queries.texts, index_words([])) == []


def test_hybrid_joins_the_rankings(queries: Corpus, corpus: Corpus) -> None:
    words = index_words(corpus.texts)

    results = search_hybrid(queries, corpus, words, top_k=20)

    for result, near in zip(results, search(queries, corpus, top_k=100), strict=True):
        by_words = words.candidates(result.query, 100)[1]
        rows, fused = fuse([by_words, near.rows])
        joint = result.joint
        assert joint is not None
        assert result.rows.tolist() == rows[:20].tolist()
        assert result.scores.tolist() == fused[:20].astype(np.float32).tolist()
        cosines = dict(zip(near.rows.tolist(), near.scores.tolist(), strict=True))
        for row, cosine, rank, bm25, word_rank in zip(
            result.rows.tolist(), joint.cosines.tolist(), joint.cosine_ranks.tolist(), joint.bm25.tolist(),
            joint.bm25_ranks.tolist(), strict=True,
        ):  # fmt: skip
            assert (row in cosines) == (rank > 0)
            assert rank == 0 or (near.rows[rank - 1], cosines[row]) == (row, cosine)
            assert word_rank == 0 or by_words[word_rank - 1] == row
            assert bm25 == words.scores(result.query)[row]


def test_a_text_by_words_alone_has_its_cosine_too(queries: Corpus, corpus: Corpus) -> None:
    """With item7 far from the query, so that it is no candidate by meaning."""
    vectors = corpus.vectors.copy()
    vectors[7] = -queries.vectors[0]
    far = corpus.replaced(vectors=vectors)

    result = search_hybrid(queries, far, index_words(far.texts))[0]

    assert result.joint is not None
    assert result.rows[0] == 7
    assert (result.joint.cosine_ranks[0], result.joint.bm25_ranks[0]) == (0, 1)
    assert result.joint.cosines[0] == pytest.approx(-1)


def test_without_words_the_order_is_that_of_meaning(queries: Corpus, corpus: Corpus) -> None:
    found = search_hybrid(queries, corpus, index_words(corpus.texts))[3]

    assert found.rows.tolist() == search(queries, corpus)[3].rows.tolist()


def test_a_dataset_gives_what_memory_gives(queries: Corpus, corpus: Corpus, stored: StoredVectors) -> None:
    """Texts without punctuation have the same terms in both, and so the same scores."""
    ours, theirs = index_words(corpus.texts), StoredWords(stored)
    in_memory = search_hybrid(queries, corpus, ours)
    in_dataset = search_stored_hybrid(queries, stored, theirs)
    shown, found = with_texts(in_dataset, stored, "m")

    for one, other, numbered in zip(in_memory, shown, with_numbers(in_dataset, stored), strict=True):
        assert one.joint is not None
        assert other.joint is not None
        assert [found.texts[row].text for row in other.rows.tolist()] == [NAMES[row] for row in one.rows]
        assert numbered.rows.tolist() == one.rows.tolist()
        assert numbered.nearest == one.nearest
        assert other.scores.tolist() == one.scores.tolist()
        assert other.joint.cosines.tolist() == one.joint.cosines.tolist()
        assert other.joint.cosine_ranks.tolist() == one.joint.cosine_ranks.tolist()
        assert other.joint.bm25.tolist() == pytest.approx(one.joint.bm25.tolist(), rel=1e-5)
        assert other.joint.bm25_ranks.tolist() == one.joint.bm25_ranks.tolist()


def test_words_in_a_dataset_are_those_in_memory(
    queries: Corpus, corpus: Corpus, stored: StoredVectors
) -> None:
    expected = search_words(queries.texts, index_words(corpus.texts))

    found = with_numbers(search_stored_words(queries.texts, stored, StoredWords(stored)), stored)

    assert [result.rows.tolist() for result in found] == [result.rows.tolist() for result in expected]
    assert [result.nearest for result in found] == [result.nearest for result in expected]


def test_a_condition_is_for_both_rankings(queries: Corpus, stored: StoredVectors) -> None:
    where = "id IN ('7', '8', '9', '20')"
    words = StoredWords(stored, where=where)

    results = search_stored_hybrid(queries, stored, words, where=where)

    for result in with_numbers(results, stored):
        assert {*result.rows.tolist()} == {7, 8, 9, 20}
    nothing = search_stored_hybrid(queries, stored, StoredWords(stored, where="id = 'x'"), where="id = 'x'")
    assert nothing == []


def test_vectors_without_texts_are_refused() -> None:
    texts = [*as_texts(["a"]), Text("b", "", Place("v.npy", 2), {})]
    with pytest.raises(InputError, match="the vector 'b' was saved without its text"):
        index_words(texts)


def test_results_that_are_reordered_keep_their_ranks(queries: Corpus, corpus: Corpus) -> None:
    result = search_hybrid(queries, corpus, index_words(corpus.texts))[0]
    places = np.array([3, 0])

    taken = result.taken(places)

    assert taken.joint is not None
    assert result.joint is not None
    assert taken.rows.tolist() == result.rows[places].tolist()
    assert taken.joint.cosines.tolist() == result.joint.cosines[places].tolist()
    assert taken.joint.bm25_ranks.tolist() == result.joint.bm25_ranks[places].tolist()
