"""Renders `-h` and `--help` from the pages of help, for a terminal of any width.

`-h` fits on a screen: what a command does, the options that people use, examples. `--help` holds everything.
Words are wrapped; what must be copied in one piece, such as the name of an option, never is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from simil.cli.help.command_page import CommandPage, Entry, Named, SubcommandGroup
from simil.cli.help.command_text import Example

__all__ = ["full_help", "short_help"]

# Longer lines are hard to read.
_WIDEST = 100
_INDENT = _GAP = "  "
# Where descriptions begin: below names, or beside them if that leaves room. Longer names stand alone.
_BELOW, _BESIDE, _MOST_FOR_NAMES = 6, 30, 0.4
# A shorter note is not broken.
_WHOLE_NOTE = 24
_BOLD, _DIM, _COLOUR, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[36m", "\x1b[0m"
# A word of a command line, with the blanks between its quotes.
_WORD = re.compile(r"""(?:"[^"]*"|'[^']*'|[^\s"'])+""")


def short_help(page: CommandPage, width: int, *, styled: bool = False) -> str:
    """Return what `-h` prints, in lines of at most `width` columns."""
    layout = _Layout(min(width, _WIDEST), styled=styled)
    parts = [
        layout.paragraph(page.purpose),
        layout.usage(page.usage),
        *layout.subcommands(page.subcommands),
        layout.entries("Arguments", page.arguments),
        layout.entries("Options", page.common),
        layout.examples(page.examples),
        layout.where_more_is(page),
    ]
    return _joined(parts)


def full_help(page: CommandPage, width: int, *, styled: bool = False) -> str:
    """Return what `--help` prints, in lines of at most `width` columns."""
    layout = _Layout(min(width, _WIDEST), styled=styled)
    parts = [
        layout.paragraph(page.purpose),
        layout.usage(page.usage),
        *(layout.paragraph(text) for text in page.description),
        *layout.subcommands(page.subcommands),
        layout.examples(page.examples),
        layout.entries("Arguments", page.arguments),
        *(layout.entries(group.heading, group.entries) for group in page.groups),
        layout.named("Environment variables", page.variables),
        layout.named("Exit codes", page.exit_codes),
    ]
    return _joined(parts)


def _joined(parts: Iterable[list[str]]) -> str:
    return "\n\n".join("\n".join(lines) for lines in parts if lines) + "\n"


class _Layout:
    """Lays out the parts of help as lines, with colours if it is `styled`."""

    def __init__(self, width: int, *, styled: bool) -> None:
        self._width = width
        self._styled = styled

    def paragraph(self, text: str) -> list[str]:
        return _wrapped(text.split(), self._width)

    def usage(self, ways: Sequence[str]) -> list[str]:
        word = "Usage:"
        lines = [line for way in ways for line in _hanging(way.split(), self._width - len(word) - 1)]
        first, *rest = lines
        return [f"{self._style(word, _BOLD)} {first}", *(f"{' ' * len(word)} {line}" for line in rest)]

    def entries(self, heading: str, entries: Sequence[Entry]) -> list[str]:
        # Long names stand below each other, whether there is a short one or not.
        some_short = any(len(entry.names) > 1 for entry in entries)
        described = []
        for entry in entries:
            is_long_alone = len(entry.names) == 1 and entry.names[0].startswith("--")
            before = "    " if some_short and is_long_alone else ""
            described.append((before + entry.label, [*entry.help.split(), *_noted(entry)]))
        return self._described(heading, described)

    def named(self, heading: str, items: Sequence[Named]) -> list[str]:
        return self._described(heading, [(item.name, item.meaning.split()) for item in items])

    def subcommands(self, groups: Sequence[SubcommandGroup]) -> Iterator[list[str]]:
        lists = [[(one.name.split()[-1], one.meaning.split()) for one in group.commands] for group in groups]
        longest = max((len(name) for commands in lists for name, _ in commands), default=0)
        for group, commands in zip(groups, lists, strict=True):
            yield self._described(group.heading, commands, longest)

    def examples(self, examples: Sequence[Example]) -> list[str]:
        lines = [self._style("Examples:", _BOLD)] if examples else []
        room = self._width - len(_INDENT)
        for example in examples:
            comment = _hanging(["#", *example.comment.split()], room, "# ")
            lines += [_INDENT + self._style(line, _DIM) for line in comment]
            # A backslash continues a command line that is copied.
            *wrapped, last = _hanging(_WORD.findall(example.command), room - 2)
            lines += [*(f"{_INDENT}{line} \\" for line in wrapped), _INDENT + last]
        return lines

    def where_more_is(self, page: CommandPage) -> list[str]:
        lines = self.paragraph(f"For all options, run: {page.title} --help")
        return lines + self.paragraph(f"For one command, run: {page.title} COMMAND -h") * bool(
            page.subcommands
        )

    def _described(
        self, heading: str, items: Sequence[tuple[str, Sequence[str]]], longest: int = 0
    ) -> list[str]:
        """Lay out names and the words that describe them, beside each other where there is room."""
        lines = [self._style(f"{heading}:", _BOLD)] if items else []
        longest = max((longest, *(len(name) for name, _ in items)))
        at = min(len(_INDENT) + longest + len(_GAP), _BESIDE)
        is_beside = at <= self._width * _MOST_FOR_NAMES
        at = at if is_beside else _BELOW
        for name, words in items:
            bare = name.strip()
            shown = (
                name.replace(bare, self._style(bare, _COLOUR)) if is_beside else self._style(bare, _COLOUR)
            )
            first, *rest = _wrapped(words, self._width - at)
            room = at - len(_INDENT) - len(name)
            if is_beside and room >= len(_GAP):
                lines.append(f"{_INDENT}{shown}{' ' * room}{first}")
            else:
                lines += [_INDENT + shown, " " * at + first]
            lines += [" " * at + line for line in rest]
        return lines

    def _style(self, text: str, style: str) -> str:
        return f"{style}{text}{_PLAIN}" if self._styled else text


def _noted(entry: Entry) -> Iterator[str]:
    """Return the words of its notes, each note in brackets."""
    for note in entry.notes:
        bracketed = f"[{note}]"
        yield from [bracketed] if len(bracketed) <= _WHOLE_NOTE else bracketed.split()


def _hanging(words: Sequence[str], width: int, indent: str = "    ") -> list[str]:
    """Return lines of `words`, all but the first indented."""
    line = " ".join(words)
    first, *rest = [line] if len(line) <= width else _wrapped(words, width - len(indent))
    return [first, *(indent + line for line in rest)]


def _wrapped(words: Iterable[str], width: int) -> list[str]:
    """Return lines of `words` of at most `width` columns; a longer word gets a line of its own."""
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
