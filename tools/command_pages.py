"""Write what the help says of each command into docs/commands, between marks; what people wrote there stays.

    python tools/command_pages.py

A command without a page gets one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from simil.cli.help.command_page import CommandPage, Entry, page_names, page_of

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "commands"
_MARKS = "<!-- {0}: written by tools/command_pages.py -->\n", "<!-- end of {0} -->\n"
_NEW_PAGE = "# {title}\n\n" + "\n".join("".join(_MARKS).format(part) for part in ("help", "options"))
_USUAL_CODES = {"0", "2"}
# An option in the middle of a sentence.
_OPTION = re.compile(r"(?<![\w`-])((?:simil [a-z]+ )?--?[a-z][a-z0-9-]*)")


def commands() -> list[str]:
    """Return the names of the commands that have a page."""
    return [name for name in page_names() if name and " " not in name]


def with_help(text: str, command: str) -> str:
    """Return the page of a command with what stands between its marks made anew."""
    page = page_of(command)
    below = [page_of(name) for name in page_names() if name.startswith(f"{command} ")]
    text = _between(text, "help", [_head(page)])
    return _between(text, "options", [_tail(page), *(_section(one) for one in below)])


def _between(text: str, part: str, blocks: Iterable[Iterable[str]]) -> str:
    begin, end = (mark.format(part) for mark in _MARKS)
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    if not rest.partition(end)[1]:
        raise ValueError(f"the page lacks the marks of {part}")
    written = "\n".join(line for block in blocks for line in block)
    return f"{before}{begin}\n{written}\n{end}{after}"


def _head(page: CommandPage) -> Iterator[str]:
    yield from (_worded(page.purpose), "")
    yield from _code(page.usage)
    for paragraph in page.description:
        yield from (_worded(paragraph), "")
    if page.examples:
        lines = (line for one in page.examples for line in (f"# {one.comment}", one.command))
        yield from _code(lines)


def _tail(page: CommandPage) -> Iterator[str]:
    """Return the arguments, options and exit codes, under headings of their own."""
    yield from _table("## Arguments", "argument", page.arguments)
    for group in page.groups:
        if group.heading == "Options" and page.subcommands:
            continue  # They are those of the subcommands, below.
        heading = group.heading if group.heading == "Options" else f"Options: {group.heading}"
        yield from _table(f"## {heading}", "option", group.entries)
    if not page.subcommands:
        yield from _exit_codes(page, "## Exit codes")


def _section(page: CommandPage) -> Iterator[str]:
    """Return a subcommand, as a section of its command's page."""
    yield from (f"## {page.title}", "", _worded(page.purpose), "")
    yield from _code(page.usage)
    for paragraph in page.description:
        yield from (_worded(paragraph), "")
    entries = [*page.arguments, *(entry for group in page.groups for entry in group.entries)]
    yield from _table("", "option", [entry for entry in entries if "--help" not in entry.names])
    if any(code.name not in _USUAL_CODES for code in page.exit_codes):
        yield from _exit_codes(page, "")


def _code(lines: Iterable[str]) -> Iterator[str]:
    yield from ("```sh", *lines, "```", "")


def _table(heading: str, kind: str, entries: Iterable[Entry]) -> Iterator[str]:
    rows = [f"| {_cell(f'`{entry.label}`')} | {_cell(_described(entry))} |" for entry in entries]
    if rows:
        yield from (heading, "") if heading else ()
        yield from (f"| {kind} | |", "| --- | --- |", *rows, "")


def _described(entry: Entry) -> str:
    parts = [_worded(entry.help)]
    if entry.choices:
        parts.append(f"Values: {', '.join(f'`{choice}`' for choice in entry.choices)}.")
    if entry.default:
        parts.append(f"Default: {_worded(entry.default)}.")
    if entry.variable:
        parts.append(f"Environment: `{entry.variable}`.")
    return " ".join(parts)


def _exit_codes(page: CommandPage, heading: str) -> Iterator[str]:
    if page.exit_codes:
        yield from (heading, "") if heading else ()
        rows = (f"| {code.name} | {_cell(_worded(code.meaning))} |" for code in page.exit_codes)
        yield from ("| exit code | |", "| --- | --- |", *rows, "")


def _worded(text: str) -> str:
    return _OPTION.sub(r"`\1`", text)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    for command in commands():
        path = FOLDER / f"{command}.md"
        text = path.read_text("utf-8") if path.exists() else _NEW_PAGE.format(title=f"simil {command}")
        path.write_text(with_help(text, command), "utf-8")


if __name__ == "__main__":
    main()
