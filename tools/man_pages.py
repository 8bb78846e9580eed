"""Write a manual page of each command into a folder: simil.1, simil-search.1, simil-models-pull.1 …

    python tools/man_pages.py FOLDER

A wheel takes them along, to share/man/man1; see wheel_hook.py. It needs no package but simil.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from simil._version import __version__
from simil.cli.help.command_page import CommandPage, Entry, Named, page_names, page_of

# What roff takes for commands, quotes or typographic marks.
_SPECIAL = {"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti"}
_TABLE = str.maketrans(_SPECIAL)
# The words of a usage line or a name that are to be replaced: FILE, or NAME[=TEXT].
_REPLACED = re.compile(r"[A-Z]{1,}[A-Z=]*")


def write_pages(folder: Path) -> None:
    """Write the pages of all commands."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in page_names():
        page = page_of(name)
        folder.joinpath(f"{_file_name(page)}.1").write_text(man_page(page), encoding="ascii")


def man_page(page: CommandPage) -> str:
    """Return the manual page of a command, in the macros of man(7)."""
    title = _file_name(page)
    lines = [
        f'.TH {_escaped(title).upper()} 1 "" "simil {__version__}" "simil manual"',
        ".SH NAME",
        f"{_escaped(title)} \\- {_escaped(page.purpose[:1].lower() + page.purpose[1:].rstrip('.'))}",
        ".SH SYNOPSIS",
        *_synopsis(page.usage),
        *_section("DESCRIPTION", _paragraphs([page.purpose, *page.description])),
        *_section("COMMANDS", _commands(page)),
        *_section("ARGUMENTS", _entries(page.arguments)),
        *_options(page),
        *_section("EXAMPLES", _examples(page)),
        *_section("ENVIRONMENT", _named(page.variables or _variables_of_options(page))),
        *_section("EXIT STATUS", _named(page.exit_codes)),
        *_section("SEE ALSO", [", ".join(_references(page))]),
    ]
    return "\n".join(lines) + "\n"


def _file_name(page: CommandPage) -> str:
    return page.title.replace(" ", "-")


def _escaped(text: str) -> str:
    escaped = text.translate(_TABLE)
    return f"\\&{escaped}" if escaped.startswith(".") else escaped


def _section(heading: str, lines: Iterable[str]) -> list[str]:
    lines = list(lines)
    # A heading begins a paragraph.
    return [f".SH {heading}", *lines[lines[:1] == [".PP"] :]] if any(lines) else []


def _synopsis(usage: Sequence[str]) -> Iterator[str]:
    for number, line in enumerate(usage):
        if number:
            yield ".br"
        yield _marked(line)


def _marked(label: str) -> str:
    """Return how something is typed: bold, what is to be replaced in italics."""
    parts = _REPLACED.split(label), [*_REPLACED.findall(label), ""]
    words = (f"\\fB{_escaped(bold)}\\fR\\fI{_escaped(name)}\\fR" for bold, name in zip(*parts, strict=True))
    return "".join(words).replace("\\fB\\fR", "").replace("\\fI\\fR", "")


def _paragraphs(texts: Sequence[str]) -> Iterator[str]:
    for text in texts:
        yield from (".PP", _escaped(text))


def _described(label: str, text: str) -> Iterator[str]:
    yield from (".TP", label, _escaped(text))


def _entries(entries: Sequence[Entry]) -> Iterator[str]:
    for entry in entries:
        notes = "".join(f" [{note}]" for note in entry.notes)
        yield from _described(_marked(entry.label), f"{entry.help}{notes}")


def _options(page: CommandPage) -> Iterator[str]:
    for number, group in enumerate(page.groups):
        yield from [".SH OPTIONS"] if number == 0 else [f'.SS "{group.heading}"']
        yield from _entries(group.entries)


def _commands(page: CommandPage) -> Iterator[str]:
    for group in page.subcommands:
        if len(page.subcommands) > 1:
            yield f'.SS "{group.heading}"'
        for command in group.commands:
            reference = f"\\fB{_escaped(f'simil {command.name}'.replace(' ', '-'))}\\fR(1)"
            yield from _described(reference, command.meaning)


def _examples(page: CommandPage) -> Iterator[str]:
    for example in page.examples:
        yield from (".PP", f"{_escaped(example.comment)}:", ".PP", ".nf", ".RS 4")
        yield from (_escaped(example.command), ".RE", ".fi")


def _named(items: Iterable[Named]) -> Iterator[str]:
    for item in items:
        yield from _described(f"\\fB{_escaped(item.name)}\\fR", item.meaning)


def _variables_of_options(page: CommandPage) -> Iterator[Named]:
    """Yield the variables that options take precedence over, with these options."""
    entries = (entry for group in page.groups for entry in group.entries if entry.variable)
    for entry in entries:
        yield Named(entry.variable, f"The default of {max(entry.names, key=len)}.")


def _references(page: CommandPage) -> Iterator[str]:
    *above, _ = page.title.split()
    below = [f"simil {one.name}" for group in page.subcommands for one in group.commands]
    above_titles = [" ".join(above[: count + 1]) for count in range(len(above))]
    for title in (*above_titles, *below):
        yield f"\\fB{_escaped(title.replace(' ', '-'))}\\fR(1)"


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
