"""Datasets read from records: which columns are chosen, and the errors of bad records."""

from __future__ import annotations

import re

import pytest

from simil.errors import InputError, Place, UsageError
from simil.tasks.evaluation.dataset_columns import (
    DatasetColumns,
    find_pair_columns,
    find_qrels_columns,
    has_query_columns,
)
from simil.tasks.evaluation.datasets import read_pairs, read_retrieval
from simil.texts import Record, Text


def record(line: int = 2, **fields: object) -> Record:
    return Record(Place("f.tsv", line), fields)


def named(*names: str) -> Record:
    return record(**dict.fromkeys(names, "x"))


def refused(place: Place) -> None:
    raise AssertionError(place)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        # As SICK, the STS benchmark, PAWS, Quora's questions and others name them.
        (
            ["pair_ID", "sentence_A", "sentence_B", "relatedness_score", "entailment_judgment"],
            ("sentence_A", "sentence_B", "relatedness_score"),
        ),
        (["genre", "sid", "score", "sentence1", "sentence2"], ("sentence1", "sentence2", "score")),
        (["id", "sentence1", "sentence2", "label"], ("sentence1", "sentence2", "label")),
        (
            ["id", "qid1", "question1", "question2", "is_duplicate"],
            ("question1", "question2", "is_duplicate"),
        ),
        (["text1", "text2", "label"], ("text1", "text2", "label")),
        # Two columns beside the score, whatever they are called; one column beside the texts.
        (["de", "en", "score"], ("de", "en", "score")),
        (["text1", "text2", "how_alike"], ("text1", "text2", "how_alike")),
    ],
)
def test_columns_of_pairs_go_by_their_names(names: list[str], expected: tuple[str, str, str]) -> None:
    assert find_pair_columns(named(*names), (), None) == DatasetColumns(*expected)


def test_what_is_asked_for_goes_before_names() -> None:
    first = named("text1", "text2", "a", "b", "score", "grade")
    assert find_pair_columns(first, ("a", "b"), "grade") == DatasetColumns("a", "b", "grade")
    assert find_pair_columns(first, ("3", "b"), "6") == DatasetColumns("a", "b", "grade")
    assert find_pair_columns(named("x", "y", "z"), (), "y") == DatasetColumns("x", "z", "y")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["text1", "text2", "score", "label"], "which field is the score? There are: 'score', 'label'"),
        (["text1", "text2", "x", "y"], "which field is the score? There are: 'x', 'y'"),
        (["text1", "text2"], "which field is the score? There are: none"),
        (["x", "y", "z", "score"], "which two fields are the pair?"),
        (["text1", "text2", "question1", "question2", "score"], "which two fields are the pair?"),
    ],
)
def test_what_is_not_clear_is_asked(names: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        find_pair_columns(named(*names), (), None)


def test_a_column_that_is_not_there() -> None:
    with pytest.raises(InputError, match="name one with --score-field"):
        find_pair_columns(named("text1", "text2", "score"), (), "gold")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["query-id", "corpus-id", "score"], ("query-id", "corpus-id", "score")),
        (["query", "positive"], ("query", "positive", None)),
        (["question", "answer", "source"], ("question", "answer", None)),
    ],
)
def test_columns_of_queries(names: list[str], expected: tuple[str, str, str | None]) -> None:
    first = named(*names)
    assert has_query_columns(first)
    assert find_qrels_columns(first, (), None) == DatasetColumns(*expected)


def test_columns_of_queries_that_are_not_named_so() -> None:
    assert not has_query_columns(named("ask", "reply"))
    assert find_qrels_columns(named("id", "ask", "reply"), (), None) == DatasetColumns("ask", "reply", None)
    with pytest.raises(UsageError, match="which field is the query"):
        find_qrels_columns(named("ask", "reply", "by"), (), None)
    with pytest.raises(UsageError, match="which field is the grade"):
        find_qrels_columns(named("query", "answer", "score", "label"), (), None)


PAIR = DatasetColumns("a", "b", "s")


def test_a_text_that_stands_in_several_pairs_is_kept_once() -> None:
    pairs = read_pairs(
        [record(2, a="x", b="y", s="1.5"), record(3, a="y", b="x", s=2), record(4, a="z", b="z", s=True)],
        PAIR,
        on_blank=refused,
    )
    assert [text.text for text in pairs.texts] == ["x", "y", "z"]
    assert str(pairs.texts[2].origin) == "f.tsv:4"
    assert (pairs.left.tolist(), pairs.right.tolist()) == ([0, 1, 2], [1, 0, 2])
    assert pairs.scores.tolist() == [1.5, 2.0, 1.0]


@pytest.mark.parametrize("score", ["", "high", "nan", "inf", None, [1], "1,5"])
def test_a_score_that_is_no_number_names_its_place(score: object) -> None:
    with pytest.raises(InputError, match=re.escape("f.tsv:7: the score in 's' is")) as caught:
        read_pairs([record(7, a="x", b="y", s=score)], PAIR, on_blank=refused)
    assert caught.value.exit_code == 3


def test_bad_and_blank_pairs_are_reported_and_left_out() -> None:
    blank: list[Place] = []
    bad: list[InputError] = []
    records = [record(2, a=" ", b="y", s=1), record(3, a="x", b="y", s="?"), record(4, a="x", b="y", s=0)]
    pairs = read_pairs(records, PAIR, on_blank=blank.append, on_error=bad.append)
    assert ([place.line for place in blank], [error.place.line for error in bad if error.place]) == ([2], [3])
    assert pairs.scores.tolist() == [0.0]


def test_no_pair_at_all() -> None:
    with pytest.raises(InputError, match="there are no labelled pairs"):
        read_pairs([], PAIR, on_blank=refused)


def test_from_which_score_on_pairs_are_alike() -> None:
    def alike(scores: list[float], positive_from: float | None) -> list[bool] | None:
        records = [record(a=f"a{n}", b=f"b{n}", s=score) for n, score in enumerate(scores)]
        found = read_pairs(records, PAIR, on_blank=refused).positives(positive_from)
        return None if found is None else found.tolist()

    assert alike([0, 1, 1], None) == [False, True, True]
    assert alike([0, 1, 0.5], None) is None
    assert alike([1, 3, 5], 3) == [False, True, True]
    assert alike([1, 1], 2) == [False, False]


@pytest.mark.parametrize("score", ["1_0", "\u0661", "\uff11", "1e", "infinity"])
def test_a_score_is_written_as_data_writes_numbers(score: str) -> None:
    with pytest.raises(InputError, match="not a number"):
        read_pairs([record(a="x", b="y", s=score)], DatasetColumns("a", "b", "s"), on_blank=refused)


def texts(**known: str) -> list[Text]:
    return [Text(id_, text, Place("t"), {}) for id_, text in known.items()]


def test_queries_and_documents_by_their_ids() -> None:
    found = read_retrieval(
        [
            record(q="q2", d="d1", s="2"),
            record(q="q2", d="d3", s=0),
            record(q="q2", d="d2", s=1),
            record(q="q1", d="d3", s=-1),
        ],
        DatasetColumns("q", "d", "s"),
        queries=texts(q1="first", q2="second"),
        documents=texts(d1="one", d2="two", d3="three"),
        on_blank=refused,
    )
    # A query without a relevant document is not asked; every document is searched.
    assert [text.text for text in found.queries] == ["second"]
    assert [text.text for text in found.documents] == ["one", "two", "three"]
    assert found.qrels == [{0: 2.0, 1: 1.0}]


def test_queries_and_documents_in_the_rows_themselves() -> None:
    found = read_retrieval(
        [record(q="a", d=["x", "y"]), record(q="b", d="y"), record(q="a", d="z")],
        DatasetColumns("q", "d", None),
        on_blank=refused,
    )
    assert [text.text for text in found.queries] == ["a", "b"]
    assert [text.text for text in found.documents] == ["x", "y", "z"]
    assert found.qrels == [{0: 1.0, 1: 1.0, 2: 1.0}, {1: 1.0}]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"q": "q9", "d": "d1"}, "there is no query with the id 'q9'"),
        ({"q": "q1", "d": "d9"}, "there is no document with the id 'd9'"),
        ({"q": ["q1", "q1"], "d": "d1"}, "field 'q' is an array"),
        ({"q": "q1", "d": {"id": "d1"}}, "field 'd' holds an object"),
        ({"q": "q1"}, "no field 'd'"),
    ],
)
def test_bad_relevance_names_its_place(fields: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=re.escape(f"f.tsv:5: {said}")):
        read_retrieval(
            [record(5, **fields)],
            DatasetColumns("q", "d", None),
            queries=texts(q1="first"),
            documents=texts(d1="one"),
            on_blank=refused,
        )


@pytest.mark.parametrize("what", ["query", "document"])
def test_an_id_that_two_texts_have_is_named(what: str) -> None:
    known = [Text("1", "a", Place("t", 1), {}), Text("1", "b", Place("t", 2), {})]
    queries, documents = (known if name == what else texts(**{"1": "x"}) for name in ("query", "document"))

    def read(errors: list[InputError] | None) -> list[str]:
        found = read_retrieval(
            [record(q="1", d="1")],
            DatasetColumns("q", "d", None),
            queries=queries,
            documents=documents,
            on_blank=refused,
            on_error=None if errors is None else errors.append,
        )
        return [text.text for text in (found.queries if what == "query" else found.documents)]

    with pytest.raises(InputError, match=f"t:2: the {what} id '1' occurs twice"):
        read(None)
    errors: list[InputError] = []
    assert read(errors) == ["a"]
    assert len(errors) == 1


def test_nothing_relevant_at_all() -> None:
    with pytest.raises(InputError, match="no query has a relevant document"):
        read_retrieval([record(q="a", d="b", s=0)], DatasetColumns("q", "d", "s"), on_blank=refused)
