"""`simil doctor`: what this installation is, and what about it does not work."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from simil.cli.options import types as opt
from simil.cli.options import values
from simil.cli.options.run import quieted
from simil.cli.output.cells import one_line
from simil.cli.output.output_file import is_terminal, width

if TYPE_CHECKING:
    from simil.tasks.doctor import Finding

__all__ = ["doctor"]

_STYLES = {"ok": "green", "note": "dim", "warn": "yellow", "fail": "bold red"}
# Columns of the status with its gap, and of a check's name.
_MARK, _NAME = 6, 21
_NARROW = 60


def doctor(
    model: opt.Model = None,
    offline: opt.Offline = False,
    deep: Annotated[
        bool,
        typer.Option("--deep", help="Also import torch, load plug-ins, and show the API its key."),
    ] = False,
    env_file: opt.EnvFile = None,
    form: Annotated[
        str, typer.Option("-f", "--format", metavar="text|json", help="For a person, or for machines.")
    ] = "text",
) -> None:
    """Look at the installation: versions, engines, models, caches, settings, connections.

    A line a check, with what to do where one fails; no secrets, so that it can go into a bug report.
    """
    from simil.tasks.doctor import diagnose, is_well

    values.check_choice("--format", form, ("text", "json"))
    with quieted():
        findings = diagnose(model=model, offline=offline, deep=deep, env_file=env_file)
        seen = list(_shown(findings, form))
    if not all(map(is_well, seen)):
        raise typer.Exit(1)


def _shown(findings: Iterable[Finding], form: str) -> Iterator[Finding]:
    """Write each finding as soon as there is one, and pass it on."""
    if form == "json":
        yield from _as_json(findings)
    elif is_terminal():
        yield from _on_terminal(findings)
    else:
        yield from _as_lines(findings)


def _as_json(findings: Iterable[Finding]) -> Iterator[Finding]:
    import orjson

    found = [*findings]
    sys.stdout.write(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode() + "\n")
    yield from found


def _as_lines(findings: Iterable[Finding]) -> Iterator[Finding]:
    for finding in findings:
        cells = (finding.status, finding.check, finding.detail, finding.hint)
        sys.stdout.write("\t".join(map(one_line, cells)).rstrip("\t") + "\n")
        sys.stdout.flush()
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
    told = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    terminal.print(told, style="bold" if counts["fail"] else "dim", highlight=False)


def _lines(finding: Finding) -> list[str]:
    """Return what stands behind the status: the check's name, what was found, and below it what to do."""
    from textwrap import wrap

    # On a narrow terminal what was found goes below the check's name, unless both fit.
    name, detail = one_line(finding.check), one_line(finding.detail)
    narrow = width() < _NARROW
    margin = _MARK + (0 if narrow else _NAME + 2)
    room = max(width() - margin, 10)
    told = wrap(detail, room, break_on_hyphens=False) or [""]
    beside = len(name) + 2 + len(detail) <= room if narrow else len(name) <= _NAME
    first = f"{name:{0 if narrow else _NAME}}  {told.pop(0)}" if beside else name
    if finding.hint:
        told += wrap(f"-> {one_line(finding.hint)}", room, subsequent_indent="   ", break_on_hyphens=False)
    return [first, *(" " * margin + line for line in told)]
