"""Scores for a person: a bar for two texts, a heat-coloured matrix for more."""

from __future__ import annotations

import sys
from math import isnan
from typing import TYPE_CHECKING

from simil.cli.output.cells import fit, one_line
from simil.cli.output.output_file import width

if TYPE_CHECKING:
    from rich.console import Console

    from simil.tasks.comparison import Comparison
    from simil.texts import Pair

__all__ = [
    "bar",
    "console",
    "escaped",
    "meter",
    "meter_columns",
    "show_matrix",
    "show_pair",
    "show_two",
    "sign",
]

_CELL = 7
_METER, _GAP, _NARROW = 10, "  ", 60
# From unlike to alike, for dark and light backgrounds.
_HEAT = ("blue", "cyan", "green", "yellow", "red")


def show_two(comparison: Comparison) -> None:
    """Print both texts, their score, and a bar that is full at 1."""
    terminal = console()
    for name in comparison.names:
        terminal.print(fit(one_line(name), width()).rstrip(), markup=False, highlight=False)
    score, top = comparison.score, comparison.scale.top if comparison.scale else 1.0
    room = max(min(width() - 10, 40), 5)
    if comparison.is_distance:
        terminal.print(f"{score:.4f}  {comparison.metric} distance", style="bold", highlight=False)
    else:
        shown = f"{score:.4f}" if top == 1 else f"{score:.2f}"
        terminal.print(f"[bold]{shown}[/bold]  {bar(terminal, score / top, room)}", highlight=False)
    _sign_comparison(terminal, comparison)


def show_pair(pair: Pair, score: float, *, percent: bool = False) -> None:
    """Print a row: its score, or which percentage it is, and both texts."""
    room = max((width() - 9 - 3) // 2, 4)
    shown = " failed" if isnan(score) else f"{score:7.2f}" if percent else f"{score:7.4f}"
    sys.stdout.write(f"{shown}  {fit(pair.left, room)} │ {fit(pair.right, room).rstrip()}\n")


def show_matrix(comparison: Comparison) -> None:
    """Print the matrix, in blocks of as many columns as the terminal is wide."""
    import numpy as np

    terminal = console()
    count = len(comparison.names)
    digits = len(str(count))
    label = min(
        max(width() // 3, 10), max(len(one_line(name[:80])) for name in comparison.names) + digits + 1
    )
    columns = max((width() - label) // _CELL, 1)
    for start in range(0, count, columns):
        stop = min(start + columns, count)
        if start:
            terminal.print()
        terminal.print(
            " " * label + "".join(f"{number:>{_CELL}}" for number in range(start + 1, stop + 1)),
            style="dim",
            highlight=False,
        )
        for index, row in comparison.rows():
            numbered = f"{index + 1:>{digits}} {one_line(comparison.names[index])}"
            cells = "".join(_heated(float(score), comparison) for score in np.asarray(row[start:stop]))
            terminal.print(escaped(fit(numbered, label)) + cells, highlight=False)
    _sign_comparison(terminal, comparison)


def _sign_comparison(terminal: Console, comparison: Comparison) -> None:
    scale = comparison.scale
    what = str(comparison.metric) if scale is None else f"{scale.name} {scale.source},"
    sign(terminal, what, comparison.model)


def sign(terminal: Console, what: str, model: str | None) -> None:
    """Print the last line of a table: what was done, and which model spoke."""
    line = f"{what} by {model or 'an unknown model'}".lstrip()
    terminal.print(fit(line, width()).rstrip(), style="dim", markup=False, highlight=False)


def console() -> Console:
    """Return a console on stdout, as wide as the terminal."""
    from rich.console import Console

    return Console(file=sys.stdout, width=width(), soft_wrap=True)


def bar(terminal: Console, score: float, room: int) -> str:
    """Return markup of a bar `room` columns long, full at 1, in the colour of the score."""
    blocks = ("█", "░") if terminal.encoding.startswith("utf") else ("#", "-")
    full = round(max(0.0, min(score, 1.0)) * room)
    return f"[{_heat(score)}]{blocks[0] * full}[/][dim]{blocks[1] * (room - full)}[/dim]"


def meter(terminal: Console, score: float) -> str:
    """Return markup of a bar and the space behind it, `meter_columns` wide."""
    return f"{bar(terminal, score, _METER)}{_GAP}" if meter_columns() else ""


def meter_columns() -> int:
    """Return how many columns a meter takes on this terminal: none on a narrow one."""
    return _METER + len(_GAP) if width() >= _NARROW else 0


def _heated(score: float, comparison: Comparison) -> str:
    top = comparison.scale.top if comparison.scale else 1.0
    forms = (".3f", ".1f", ".0f") if top == 1 else (".1f",)
    # Fewer digits rather than a shifted column.
    digits = next((form for form in forms if len(f"{score:{form}}") < _CELL), ".0e")
    text = f"{score:{_CELL}{digits}}"
    return text if comparison.is_distance else f"[{_heat(score / top)}]{text}[/]"


def _heat(score: float) -> str:
    return _HEAT[min(int(max(score, 0.0) * len(_HEAT)), len(_HEAT) - 1)]


def escaped(text: str) -> str:
    """Return `text` as markup that shows it as it is."""
    from rich.markup import escape

    return escape(text)
