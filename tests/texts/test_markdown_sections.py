"""Sections of Markdown: each with the headings above it, at the line of its own, and nothing lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from simil.errors import Place
from simil.texts import Text
from simil.texts.chunks import in_chunks
from simil.texts.markdown_sections import is_markdown, sections

lines_of_markdown = st.lists(
    st.sampled_from(
        [
            "# A",
            "## B",
            "### C",
            "text",
            "more",
            "",
            "Set",
            "===",
            "---",
            "```",
            "~~~",
            "- # x",
            "> # q",
            "    # c",
        ]
    ),
    max_size=14,
)


def parts(text: str) -> list[tuple[int, str]]:
    whole = Text("a.md", text, Place("a.md"), {})
    found = in_chunks([whole], lambda text: sections(text.text), several=False)
    return [(part.origin.line or 0, part.text) for part in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("text\n\nmore", [(1, "text\n\nmore")]),
        ("\n\n text\n", [(3, "text")]),
        ("# A\ntext", [(1, "A\ntext")]),
        ("# A\n\n## B\n\ntext\n", [(3, "A > B\ntext")]),  # no bare heading
        ("# A\n## B\n# C\n", [(2, "A > B"), (3, "C")]),  # unless it is all there is
        ("before\n\n# A\n\ntext", [(1, "before"), (3, "A\ntext")]),
        ("# A\n### C\nc\n## B\nb\n", [(2, "A > C\nc"), (4, "A > B\nb")]),
        ("## B\nb\n# A\na\n## D\nd\n", [(1, "B\nb"), (3, "A\na"), (5, "A > D\nd")]),
        ("Two\nlines\n===\n\ntext\n", [(1, "Two lines\ntext")]),
        ("text\n\n---\n\nmore", [(1, "text\n\n---\n\nmore")]),  # a rule, not a heading
        ("# A\n```\n# no\n```\n", [(1, "A\n```\n# no\n```")]),
        (
            "# A\n~~~~\n```\n# no\n~~~\n# no\n~~~~\n# B\nb",
            [(1, "A\n~~~~\n```\n# no\n~~~\n# no\n~~~~"), (8, "B\nb")],
        ),
        ("# A\n\n    # code\n", [(1, "A\n# code")]),
        ("# A\n- # no\n\n> # no\n", [(1, "A\n- # no\n\n> # no")]),
        ("<!--\n# no\n-->\n# A\na\n", [(1, "<!--\n# no\n-->"), (4, "A\na")]),
        ("#no\n#\n####### no\n", [(1, "#no"), (2, "####### no")]),  # a heading without words
        ("# *A* `b` [c](d) ![e](f) <i>g</i> ##\na", [(1, "A b c e g\na")]),
        ("# A {#top .x}\na", [(1, "A\na")]),
        ("# A\r\na\r\n## B\r\nb\r\n", [(1, "A\na"), (3, "A > B\nb")]),
    ],
)
def test_sections(text: str, expected: list[tuple[int, str]]) -> None:
    assert parts(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "---\ntitle: The guide\ntags: [a]\n---\n\ntext\n## B\nb\n",
            [(6, "The guide\ntext"), (7, "The guide > B\nb")],
        ),
        ('---\ntitle: "Q: A"\n---\n# A\na\n', [(4, "A\na")]),  # a heading of the first level is the title
        ("+++\ntitle = 'T'\n+++\na\n", [(4, "T\na")]),
        ("---\ntags: x\n---\na\n", [(4, "a")]),
        ("---\ntags: x\n\na\n", [(1, "---\ntags: x\n\na")]),  # never closed
        ("---\n\na\n\n---\n", [(1, "---\n\na\n\n---")]),  # two rules
        ("\n---\ntags: x\n---\n", [(2, "---"), (3, "tags: x")]),  # not at the beginning
        ("---\ntitle: x\n---", []),
    ],
)
def test_front_matter(text: str, expected: list[tuple[int, str]]) -> None:
    assert parts(text) == expected


@given(lines_of_markdown)
def test_nothing_is_lost_and_every_place_is_right(lines: list[str]) -> None:
    text = "x\n" + "\n".join(lines)  # no front matter
    found = parts(text)

    tokens = MarkdownIt("commonmark").parse(text)
    tops = [
        token.map[0] for token in tokens if token.type == "heading_open" and token.level == 0 and token.map
    ]
    words = "".join(
        "".join(part.partition("\n")[2] if line - 1 in tops else part for line, part in found).split()
    )
    headings = {
        line
        for token in tokens
        if token.type == "heading_open" and token.level == 0 and token.map
        for line in range(*token.map)
    }
    others = [line for number, line in enumerate(text.split("\n")) if number not in headings]
    assert words == "".join("".join(others).split())
    assert [line for line, _ in found] == sorted({line for line, _ in found})
    assert all(line - 1 in tops or text.split("\n")[line - 1].strip() for line, _ in found)


@pytest.mark.parametrize(
    ("name", "line", "expected"),
    [
        ("a.md", None, True), ("A.MD", None, True), ("README", None, True), ("a.txt", None, True),
        ("stdin", None, True), ("a.py", None, False), ("a.yaml", None, False), ("a.csv", 3, True),
    ],
)  # fmt: skip
def test_what_is_taken_for_markdown(name: str, line: int | None, expected: bool) -> None:
    assert is_markdown(Text("1", "# a", Place(name, line), {})) is expected
