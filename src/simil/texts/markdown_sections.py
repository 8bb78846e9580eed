"""Sections of Markdown: what stands below each heading, with the headings above it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple

from simil.texts.chunks import Chunk
from simil.texts.records import Text, is_blank

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

__all__ = ["is_markdown", "sections"]

# Of files with other suffixes, lines that begin with # are comments more often than headings.
_SUFFIXES = {
    "", ".txt", ".md", ".markdown", ".mdown", ".mdwn", ".mkd", ".mkdn", ".mdx", ".qmd", ".rmd",
    ".pdf", ".docx", ".html", ".htm", ".xhtml",  # of which Markdown was made
}  # fmt: skip
_FRONT_MATTER = re.compile(
    r"(?P<fence>---|\+\+\+)[ \t]*\r?\n(?=[^\s])(?P<fields>.*?)^(?P=fence)[ \t]*(?:\r?\n|\Z)",
    re.DOTALL | re.MULTILINE,
)
_TITLE = re.compile(r"^title[ \t]*[:=][ \t]*(['\"]?)(.*?)\1[ \t\r]*$", re.MULTILINE)
_LINE_END = re.compile(r"\r\n?|\n")
_ATTRIBUTES = re.compile(r"\s*\{[#.:][^{}]*\}$")
_BETWEEN_HEADINGS = " > "
# What a reader sees of a part of a heading, where that is not its content.
_SHOWN = {"softbreak": " ", "hardbreak": " ", "html_inline": ""}


class _Heading(NamedTuple):
    """A heading: its level from 1, its words, and its first line and the one after its last, from 0."""

    level: int
    title: str
    first: int
    end: int


def is_markdown(text: Text) -> bool:
    """Return whether a text is likely to be Markdown: by the name of its file, or as one of a table."""
    return text.origin.line is not None or PurePath(text.origin.source).suffix.lower() in _SUFFIXES


def sections(text: str) -> Iterator[Chunk]:
    """Yield what stands between two headings, by CommonMark's rules, after the path of headings above it.

    A heading in a list or a quotation does not divide, and one without text of its own is only in the paths
    of those below it. Front matter is left out, but for its title, which begins the paths of a text without
    a heading of the first level. The place of a section is that of its heading.
    """
    front = _FRONT_MATTER.match(text)
    start = front.end() if front else 0
    lines = [start, *(end.end() for end in _LINE_END.finditer(text, start)), len(text)]
    headings = _headings(text[start:])
    title = _TITLE.search(front["fields"]) if front else None
    above = [_Heading(0, title[2], 0, 0)] if title and all(one.level > 1 for one in headings) else []
    # What comes before the first heading, and an end.
    first = _Heading(0, "", 0, 0)
    for heading, following in pairwise([first, *headings, _Heading(0, "", len(lines) - 1, 0)]):
        if heading is not first:
            above = [*(one for one in above if one.level < heading.level), heading]
        body = text[lines[heading.end] : lines[following.first]].strip()
        if is_blank(body) and (heading is first or following.level > heading.level):
            continue
        path = _BETWEEN_HEADINGS.join(one.title for one in above if one.title)
        place = lines[heading.first] if heading is not first else text.index(body, start)
        yield Chunk(place, "\n".join(filter(None, [path, body])))


def _headings(text: str) -> list[_Heading]:
    tokens = _parser().parse(text)
    found = []
    for opening, content in pairwise(tokens):
        if opening.type == "heading_open" and opening.level == 0 and opening.map:
            first, end = opening.map
            found.append(_Heading(int(opening.tag[1:]), _words(content.content), first, end))
    return found


def _words(heading: str) -> str:
    """Return the words of a heading, without marks for emphasis, code and links."""
    tokens: list[Token] = []
    parser = _parser()
    parser.inline.parse(heading, parser, {}, tokens)
    words = "".join(_SHOWN.get(token.type, token.content) for token in tokens)
    return " ".join(_ATTRIBUTES.sub("", words).split())


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark")
    # Of paragraphs nobody needs to know more.
    parser.core.ruler.disable(["inline", "text_join"])
    return parser
