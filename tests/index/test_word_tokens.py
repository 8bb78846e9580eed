"""Which terms texts have, in names, codes, numbers and scripts of all kinds."""

from __future__ import annotations

import pytest

from simil.errors import UsageError
from simil.index.word_tokens import Tokenizer, check_language, compounds, languages


@pytest.fixture(scope="module")
def english() -> Tokenizer:
    return Tokenizer()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("RX-7", ["rx", "7", "rx7"]),
        ("RX7", ["rx7"]),
        ("E1004", ["e1004"]),
        ("v2.3.1", ["2", "3", "1", "2.3.1"]),
        ("3.14", ["3", "14", "3.14"]),
        ("1,000", ["1", "000", "1,000"]),
        ("one,two", ["one", "two"]),
        ("12:30", ["12", "30", "12:30"]),
        ("O'Brien", ["brien", "obrien"]),
        ("O\u2019Brien\u2019s", ["brien", "obrien"]),
        ("l'eau", ["eau", "leau"]),
        ("U.S.A.", ["usa"]),
        ("R&D", ["rd"]),
        ("C++", ["c", "c++"]),
        ("C#.", ["c", "c#"]),
        ("C/C++", ["c", "c", "c++", "c/c++"]),
        ("a+b", ["a", "b"]),
        ("foo@bar.com", ["foo", "bar", "com", "foo@bar.com"]),
        ("get_user_name", ["get", "user", "name", "get_user_name"]),
        ("(running, dogs!)", ["run", "dog"]),
        ("naïve", ["naiv"]),
        ("Ångström", ["angstrom"]),
        ("Straße", ["strass"]),
        ("Łódź", ["lodz"]),
        ("ＡＢＣ１２", ["abc12"]),  # noqa: RUF001
        ("Ελλάς", ["ελλασ"]),
        ("हिन्दी", ["हिन्दी"]),
        ("绿茶", ["绿", "茶", "绿茶"]),
        ("茶", ["茶"]),
        ("東京2020", ["東", "京", "東京", "2020"]),
        ("서울에서", ["서", "울", "에", "서", "서울", "울에", "에서"]),
        ("ชา", ["ชา"]),
        ("… -- ++ !?", []),
        ("", []),
    ],
)
def test_terms(english: Tokenizer, text: str, found: list[str]) -> None:
    assert english.terms(text) == found


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("The RX-7 has two seats", "rx7"),
        ("The RX-7 has two seats", "RX 7"),
        ("Release v2.3.1", "2.3.1"),
        ("Niamh O'Brien", "OBRIEN"),
        ("naïve", "naive"),
        ("cafe\u0301", "café"),
        ("我喜欢喝绿茶", "绿茶"),
        ("ฉันชอบดื่มชาเขียว", "ชาเขียว"),
    ],
)
def test_a_text_has_all_terms_of_what_it_is_to_be_found_by(english: Tokenizer, text: str, query: str) -> None:
    assert {*english.terms(query)} <= {*english.terms(text)}


def test_many_texts_have_the_terms_of_each(english: Tokenizer) -> None:
    texts = [
        "The RX-7!",
        "",
        "  ",
        "a b a",
        "绿茶 v2.3.1",
        "The rx-7",
        *(f"text {i % 9}" for i in range(9000)),
    ]

    found = english.tokenize(texts)

    names = [*found.vocabulary]
    ends = found.lengths.cumsum().tolist()
    parts = [found.numbers[end - n : end] for end, n in zip(ends, found.lengths.tolist(), strict=True)]
    assert [[names[number] for number in part] for part in parts] == [*map(english.terms, texts)]


def test_progress_counts_texts(english: Tokenizer) -> None:
    counts: list[int] = []
    english.tokenize(["a"] * 20_000, counts.append)

    assert sum(counts) == 20_000
    assert len(counts) > 1


def test_endings_are_those_of_a_language() -> None:
    assert Tokenizer("none").terms("Running universities") == ["running", "universities"]
    assert Tokenizer("german").terms("Häuser laufend") == ["haus", "laufend"]


def test_a_language_without_a_stemmer_is_refused() -> None:
    check_language("none")
    for name in languages():
        check_language(name)
    with pytest.raises(UsageError, match="there is no stemmer for 'klingon'") as caught:
        check_language("klingon")
    assert "finnish" in str(caught.value)


def test_compounds_have_punctuation_inside() -> None:
    assert compounds("Is the RX-7, of v2.3.1, well-made?") == ["RX-7", "v2.3.1", "well-made"]
