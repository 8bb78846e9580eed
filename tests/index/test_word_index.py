"""BM25 over texts, against the formula written out, and against an index that bm25s builds itself."""

from __future__ import annotations

import random
from collections import Counter
from math import log

import bm25s
import numpy as np
import pytest

from simil.index.word_index import WordIndex
from simil.index.word_tokens import Tokenizer

WORDS = [f"word{number}" for number in range(60)]
QUERIES = ["word0 word1", "word3 word3 word59", "word7 unknown", "Word5, word6!", "unknown"]


@pytest.fixture(scope="module")
def texts() -> list[str]:
    draw = random.Random(11)
    return [" ".join(draw.choices(WORDS, k=draw.randrange(0, 12))) for _ in range(300)]


@pytest.fixture(scope="module")
def index(texts: list[str]) -> WordIndex:
    return WordIndex(texts)


def by_formula(texts: list[str], query: str) -> list[float]:
    tokenizer = Tokenizer()
    counted = [Counter(tokenizer.terms(text)) for text in texts]
    mean = sum(map(Counter.total, counted)) / len(texts)
    scores = []
    for counts in counted:
        score = 0.0
        for term in tokenizer.terms(query):
            df = sum(term in other for other in counted)
            idf = log(1 + (len(texts) - df + 0.5) / (df + 0.5))
            tf, norm = counts[term], 1.2 * (1 - 0.75 + 0.75 * counts.total() / mean)
            score += idf * tf * 2.2 / (tf + norm) if tf else 0
        scores.append(score)
    return scores


@pytest.mark.parametrize("query", QUERIES)
def test_scores_are_those_of_the_formula(texts: list[str], index: WordIndex, query: str) -> None:
    assert index.scores(query).tolist() == pytest.approx(by_formula(texts, query), rel=1e-5)


def test_scores_are_those_of_an_index_that_bm25s_builds(texts: list[str], index: WordIndex) -> None:
    tokenizer = Tokenizer()
    theirs = bm25s.BM25(k1=1.2, b=0.75, method="atire", idf_method="lucene")
    theirs.index([tokenizer.terms(text) for text in texts], show_progress=False)

    for query in QUERIES[:4]:
        expected = theirs.get_scores(tokenizer.terms(query))
        assert index.scores(query).tolist() == pytest.approx(expected.tolist(), rel=1e-5)


@pytest.mark.parametrize("k", [1, 5, 300, 1000])
def test_the_best_are_the_matches_in_order_ties_by_row(index: WordIndex, k: int) -> None:
    for query in QUERIES:
        all_scores = index.scores(query)
        expected = [row for row in np.argsort(-all_scores, kind="stable").tolist() if all_scores[row] > 0]

        scores, rows = index.best(query, k)

        assert rows.tolist() == expected[:k]
        assert scores.tolist() == all_scores[rows].tolist()


def test_only_some_rows_can_be_found(index: WordIndex) -> None:
    even = np.arange(300) % 2 == 0

    scores, rows = index.best("word0 word1", 300, among=even)

    assert (rows % 2 == 0).all()
    assert {*rows.tolist()} == {row for row in index.best("word0 word1", 300)[1].tolist() if row % 2 == 0}
    assert scores.tolist() == index.scores("word0 word1")[rows].tolist()


def test_no_texts_and_no_words_are_no_fault() -> None:
    for texts in ([], [""], ["!?", ""]):
        index = WordIndex(texts)
        assert len(index) == len(texts)
        assert index.best("word", 3)[1].tolist() == []
        assert index.candidates("!", 3)[1].tolist() == []


def test_candidates_have_most_of_what_a_query_says() -> None:
    texts = ["red wine", "a stain of red wine in a shirt", "a shirt", "bread", "wine and bread"]
    index = WordIndex(texts)

    assert index.candidates("red wine stain shirt", 5)[1].tolist() == [1]
    assert index.candidates("bread", 5)[1].tolist() == [3, 4]
    # The words that no text has count too.
    assert index.candidates("red carpets are expensive", 5)[1].tolist() == []


def test_a_number_or_code_of_the_query_is_enough() -> None:
    texts = ["Error E1004: the door is open", "Error E1040: no water", "Errors happen"]
    index = WordIndex(texts)

    assert index.candidates("what am I supposed to do about E1004", 3)[1].tolist() == [0]
    assert index.candidates("what am I supposed to do about errors", 3)[1].tolist() == []


def test_a_part_of_a_code_is_no_code() -> None:
    index = WordIndex(["HTTP 1.1", "the digest SHA-1", "one", "1"])

    assert index.candidates("what is wrong with SHA-1 now", 4)[1].tolist() == [1]
    assert index.candidates("what is wrong with 1 of them now", 4)[1].tolist() == []
