"""What --ignore cuts out of texts before they are embedded, and what becomes of what is left."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simil.errors import UsageError
from simil.formats.detection import typed
from simil.formats.sources import Source
from simil.texts import Pair, ReadOptions, Text, read_pairs, read_texts
from simil.texts.chunks import by_spans, in_chunks, paragraphs
from simil.texts.ignored_parts import rest_of

TIMES = (r"^\d\d:\d\d ",)


@pytest.mark.parametrize(
    ("text", "patterns", "rest"),
    [
        ("12:30 user 7 left", [r"^\d\d:\d\d ", r"\d+"], "user left"),
        ("12:30 user 7 left", [r"\d+"], ": user left"),  # each pattern has what the one before left
        ("  two  spaces  stay", [r"\d+"], "  two  spaces  stay"),
        ("abc", ["x*"], "abc"),  # matches nothing, everywhere
        ("id=5\nid=6", [r"\d"], "id= id="),
        ("DROP this", ["(?i)drop"], "this"),
        ("12:30", [r"\d", ":"], ""),
    ],
)
def test_what_is_left(text: str, patterns: list[str], rest: str) -> None:
    assert rest_of(text, patterns) == rest


def read(folder: Path, content: str, **options: object) -> tuple[list[Text], list[str]]:
    path = folder / "a.log"
    path.write_text(content, "utf-8")
    blank: list[str] = []
    texts = read_texts(
        [typed(Source(str(path)))],
        ReadOptions(**options),  # type: ignore[arg-type]
        on_blank=lambda place: blank.append(str(place.line)),
        keeps_failed=True,
    )
    return [*texts], blank


def test_what_is_shown_stays_and_what_is_left_is_embedded(tmp_path: Path) -> None:
    texts, blank = read(tmp_path, "12:30 up\n\n12:31 \n12:32 up\nup\n", ignored=TIMES)

    assert [text.text for text in texts] == ["12:30 up", "", "12:31 ", "12:32 up", "up"]
    assert [text.embedded for text in texts if not text.is_missing] == ["up"] * 3
    assert blank == ["2", "3"]  # A text of which nothing is left is as blank as an empty one.


def test_both_texts_of_a_pair_are_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b\n12:30 up,12:31 down\n12:30 up,12:31 \n", "utf-8")
    blank: list[int | None] = []
    options = ReadOptions(ignored=TIMES)
    pairs: list[Pair] = [
        *read_pairs(typed(Source(str(path))), options, on_blank=lambda place: blank.append(place.line))
    ]

    assert [(pair.left, pair.embedded) for pair in pairs] == [("12:30 up", ("up", "down"))]
    assert blank == [3]


def test_parts_of_a_file_are_cut_one_by_one(tmp_path: Path) -> None:
    texts, _ = read(tmp_path, "12:30 up\nnow\n\n12:31 \n\n12:32 down\n", whole=True)
    parts = [*in_chunks(texts, by_spans(paragraphs), several=False, ignored=(r"^\d\d:\d\d ?",))]

    assert [(part.id, part.text, part.embedded) for part in parts] == [
        ("1", "12:30 up\nnow", "up now"),
        ("6", "12:32 down", "down"),
    ]


@pytest.mark.parametrize("pattern", ["(", "a{2,1}", "[z-a]", r"(?P<a", "a(?i)b", "*"])
def test_a_wrong_pattern_is_refused_with_the_place_of_the_mistake(pattern: str) -> None:
    with pytest.raises(re.error) as mistake:
        re.compile(pattern)
    assert mistake.value.pos is not None
    with pytest.raises(UsageError, match=f"at character {mistake.value.pos + 1}(\\D|$)"):
        ReadOptions(ignored=("fine", pattern))


def test_a_pattern_without_end_is_refused() -> None:
    with pytest.raises(UsageError, match="too large"):
        ReadOptions(ignored=("a{99999999999999}",))
