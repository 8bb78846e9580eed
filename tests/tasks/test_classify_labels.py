"""Labels as options name them and as records carry them."""

from __future__ import annotations

import numpy as np
import pytest

from simil.errors import InputError, Place, UsageError
from simil.tasks.corpus import Corpus
from simil.tasks.labels import LabelDescription, corpus_with_labels, label_of, parse_descriptions, with_labels
from simil.texts import Text


def _texts(*fields: dict[str, object]) -> list[Text]:
    return [Text(str(n), "x", Place("f.csv", n), one) for n, one in enumerate(fields, 1)]


def test_a_name_stands_for_itself_and_a_label_can_have_several_descriptions() -> None:
    found = parse_descriptions(["spam", "spam=an unwanted offer", " ham = a = b ", "spam=an unwanted offer"])

    assert found == [
        LabelDescription("spam", "spam"),
        LabelDescription("spam", "an unwanted offer"),
        LabelDescription("ham", "a = b"),
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["a="], "'a=' has no description"),
        (["a=  "], "has no description"),
        (["=a"], "'=a' has no name"),
        ([" "], "has no name"),
        (["a=x", "b=x"], "'a' and 'b' have the same description"),
        (["a", "b=a"], "'a' and 'b' have the same description"),
    ],
)
def test_what_describes_no_label_is_refused(options: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_descriptions(options)


@pytest.mark.parametrize(
    ("value", "label"),
    [("a", "a"), (" a ", "a"), (1, "1"), (2.5, "2.5"), (True, "true"), ("日本", "日本")],
)
def test_a_label_is_a_string_or_what_json_writes(value: object, label: str) -> None:
    assert label_of({"label": value}, "label") == label


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"label": ""}, "is empty"),
        ({"label": " \t"}, "is empty"),
        ({"label": None}, "is empty"),
        ({"label": ["a"]}, "is an array"),
        ({"label": {}}, "is an object"),
        ({"kind": "a"}, "no field 'label'; there are: 'kind'"),
        ({}, "there are: none"),
    ],
)
def test_what_is_no_label_is_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        label_of(fields, "label")
    with pytest.raises(InputError, match=r"f\.csv:1: "):
        list(with_labels(_texts(fields), "label"))


def test_texts_without_a_label_are_told_and_left_out() -> None:
    told: list[InputError] = []
    texts = _texts({"label": "a"}, {"label": ""}, {}, {"label": "b"})

    kept = list(with_labels(texts, "label", on_error=told.append))

    assert [text.id for text in kept] == ["1", "4"]
    assert [str(error.place) for error in told] == ["f.csv:2", "f.csv:3"]


def test_a_table_without_the_column_is_refused_at_once() -> None:
    with pytest.raises(InputError, match="no field 'label'"):
        list(with_labels(_texts({"kind": "a"}), "label", on_error=lambda error: None, table=True))


def test_saved_vectors_keep_their_rows() -> None:
    corpus = Corpus(_texts({"label": ""}, {"label": "a"}), np.eye(2, dtype=np.float32), "m@1", saved=True)

    kept = corpus_with_labels(corpus, "label", on_error=lambda error: None)

    assert [text.id for text in kept.texts] == ["2"]
    np.testing.assert_array_equal(kept.vectors, [[0, 1]])
