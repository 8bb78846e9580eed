"""Shows what `simil doctor` finds, as it finds it: lines, JSON, or a coloured list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from simil.cli.output.cells import one_line
from simil.cli.output.output_file import is_terminal, width
from simil.data_stream import stdout

if TYPE_CHECKING:
    from simil.tasks.doctor import Finding

__all__ = ["show_findings"]

_STYLES = {"ok": "green", "note": "dim", "warn": "yellow", "fail": "bold red"}
# Columns of the status with its gap, and of a check's name.
_MARK, _NAME = 6, 21
_NARROW = 60


def show_findings(findings: Iterable[Finding], form: str) -> Iterator[Finding]:
    """Write each finding as soon as it comes, and yield it."""
    if form == "json":
        yield from _as_json(findings)
    elif is_terminal():
        yield from _on_terminal(findings)
    else:
        yield from _as_lines(findings)


def _as_json(findings: Iterable[Finding]) -> Iterator[Finding]:
    import orjson

    found = [*findings]
    # Paths need not be UTF-8.
    shown = [{name: _in_utf8(value) for name, value in asdict(finding).items()} for finding in found]
    stdout().write(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode() + "\n")
    yield from found


def _in_utf8(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _as_lines(findings: Iterable[Finding]) -> Iterator[Finding]:
    for finding in findings:
        cells = (finding.status, finding.check, finding.detail, finding.hint)
        stdout().write("\t".join(map(one_line, cells)).rstrip("\t") + "\n")
        stdout().flush()
        yield finding


def _on_terminal(findings: Iterable[Finding]) -> Iterator[Finding]:
    from simil.cli.output.terminal import console

    terminal = console()
    counts = dict.fromkeys(_STYLES, 0)
    for finding in findings:
        counts[finding.status] += 1
        terminal.print(f"[{_STYLES[finding.status]}]{finding.status:4}[/]", end="  ")
        lines = _lines(finding)
        terminal.print("\n".join(lines), markup=False, highlight=False)
        yield finding
    summary = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    terminal.print(summary, style="bold" if counts["fail"] else "dim", highlight=False)


def _lines(finding: Finding) -> list[str]:
    """Return what follows the status: the check's name, what was found, and below it what to do."""
    from textwrap import wrap

    # On a narrow terminal the detail goes below the check's name, unless both fit on one line.
    name, detail = one_line(finding.check), one_line(finding.detail)
    narrow = width() < _NARROW
    margin = _MARK + (0 if narrow else _NAME + 2)
    room = max(width() - margin, 10)
    lines = wrap(detail, room, break_on_hyphens=False) or [""]
    beside = len(name) + 2 + len(detail) <= room if narrow else len(name) <= _NAME
    first = f"{name:{0 if narrow else _NAME}}  {lines.pop(0)}" if beside else name
    if finding.hint:
        lines += wrap(f"-> {one_line(finding.hint)}", room, subsequent_indent="   ", break_on_hyphens=False)
    return [first, *(" " * margin + line for line in lines)]
