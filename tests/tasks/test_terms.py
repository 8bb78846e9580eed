"""Words of texts, and those that tell groups apart."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, CountVectorizer

from simil.tasks import stop_words
from simil.tasks.terms import distinctive_words, words


def test_stop_words_are_those_of_scikit_learn() -> None:
    assert stop_words.ENGLISH_STOP_WORDS == ENGLISH_STOP_WORDS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A 2D game, with 3 players!", ["2d", "game", "with", "players"]),
        ("The user's files don't open", ["the", "user", "files", "open"]),
        ("the user\u2019s files", ["the", "user", "files"]),
        ("l'été à Genève", ["l'été", "genève"]),
        ("GROẞE STRAẞE", ["große", "straße"]),
        ("command-line snake_case a.b.c x86_64", ["command", "line", "snake", "case", "x86"]),
        ("Привет, мир", ["привет", "мир"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("e\u0301te\u0301", ["été"]),
        ("don't isn't", []),
        ("12 345 - ...", []),
        ("", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


GROUPS = [
    ["fast arcade game", "a puzzle game for children", "game of cards", "arcade game with tanks"],
    ["perl module for files", "perl module to read files", "another module for perl"],
    ["read files of images", "convert images", "images and more images", "convert files"],
]


def test_they_are_weighted_as_class_based_tf_idf_says() -> None:
    """Written out in matrices: tf · log(1 + A / f), of the words that several texts share."""
    vectorizer = CountVectorizer(analyzer=words)
    single = vectorizer.fit_transform([text for texts in GROUPS for text in texts]).toarray()
    names = vectorizer.get_feature_names_out()
    kept = [name not in ENGLISH_STOP_WORDS for name in names]
    single, names = single[:, kept], names[kept]
    ends = np.cumsum([len(texts) for texts in GROUPS])[:-1]
    parts = np.split(single, ends)
    counts = np.array([part.sum(axis=0) for part in parts])
    shared = np.array([(part > 0).sum(axis=0) > 1 for part in parts])
    shares = counts / counts.sum(axis=1, keepdims=True)
    weights = shares * np.log(1 + counts.sum(axis=1).mean() / counts.sum(axis=0))
    expected = []
    for weight, common, count in zip(weights, shared, counts, strict=True):
        order = np.lexsort((names, -weight, ~common))
        expected.append([str(names[row]) for row in order if count[row]][:5])

    assert distinctive_words(GROUPS) == expected
    assert [group[0] for group in expected] == ["game", "module", "images"]


def test_words_of_one_text_of_several_come_last() -> None:
    (found,) = distinctive_words([["zebra zebra zebra zebra", "red apple", "red apple"]], 3)

    assert found == ["apple", "red", "zebra"]


def test_groups_without_words() -> None:
    assert distinctive_words([]) == []
    assert distinctive_words([[], ["the of and"], ["12"], ["word"]]) == [[], [], [], ["word"]]


def test_texts_may_come_once() -> None:
    assert distinctive_words([(text for text in texts) for texts in GROUPS]) == distinctive_words(GROUPS)
