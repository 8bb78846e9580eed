"""Shows scores: a plain line, bars and heat-coloured matrices, or a heat map."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import TYPE_CHECKING, BinaryIO

from simil.cli.output.cells import fit, one_line
from simil.cli.output.output_file import width
from simil.cli.output.score_digits import decimals_on, digits, fewer_digits
from simil.cli.output.terminal import bar, console, escaped, heat, sign

if TYPE_CHECKING:
    from rich.console import Console

    from simil.cli.commands.compare_formats import AnyComparison

__all__ = ["draw_comparison", "show_comparison", "sign_comparison"]

# Columns of a number in a matrix on the terminal.
_CELL = 7


def show_comparison(comparison: AnyComparison, form: str, stream: BinaryIO) -> None:
    """Write a comparison to `stream` in `form`; a table goes to the terminal."""
    is_pair = len(comparison.names) == 2
    if form == "table":
        (_show_two if is_pair else _show_matrix)(comparison)
        return
    if form == "plain" and is_pair:
        stream.write(f"{digits(comparison.score, decimals_on(comparison.scale))}\n".encode())
    else:
        from simil.cli.commands.compare_formats import write_comparison

        write_comparison(comparison, form, stream)
    stream.flush()


def draw_comparison(path: str, comparison: AnyComparison, files: Sequence[str] | None) -> None:
    """Draw the scores of all items with each other as a heat map; without `files`, its title names texts."""
    from simil.cli.plots.charts import chart_title, cut, heat_map
    from simil.cli.plots.drawing import draw

    rows = (row for _, row in comparison.rows())
    metric = comparison.scale.name if comparison.scale else str(comparison.metric)
    if files is not None:
        title = chart_title("Comparison of", files)
    else:
        shown, more = [cut(name, 30) for name in comparison.names[:3]], len(comparison.names) - 3
        title = f"Comparison of {', '.join(shown)}" + (f" and {more} more" if more > 0 else "")
    draw(path, heat_map(comparison.names, rows, title=title, model=comparison.model, metric=metric))


def _show_two(comparison: AnyComparison) -> None:
    """Print both texts, their score, and a bar that is full at the top of the scale."""
    terminal = console()
    for name in comparison.names:
        terminal.print(fit(one_line(name), width()).rstrip(), markup=False, highlight=False)
    score, top = comparison.score, comparison.scale.top if comparison.scale else 1.0
    room = max(min(width() - 10, 40), 5)
    if not comparison.has_top:
        shown = "failed" if isnan(score) else fewer_digits(score, is_distance=comparison.is_distance)
        what = "distance" if comparison.is_distance else "score"
        terminal.print(f"{shown}  {comparison.metric} {what}", style="bold", highlight=False)
    else:
        shown = fewer_digits(score, 4 if top == 1 else 2)
        terminal.print(f"[bold]{shown}[/bold]  {bar(terminal, score / top, room)}", highlight=False)
    sign_comparison(terminal, comparison)


def _show_matrix(comparison: AnyComparison) -> None:
    """Print the matrix in blocks of columns that fit the terminal."""
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
    sign_comparison(terminal, comparison)


def sign_comparison(terminal: Console, comparison: AnyComparison) -> None:
    """Print the last line of a table: how items were compared, and by which model."""
    scale = comparison.scale
    what = str(comparison.metric) if scale is None else f"{scale.name} {scale.source},"
    sign(terminal, what, comparison.model)


def _heated(score: float, comparison: AnyComparison) -> str:
    top = comparison.scale.top if comparison.scale else 1.0
    far = comparison.is_distance
    forms = [fewer_digits(score, many, is_distance=far) for many in ((3, 1, 0) if top == 1 else (1,))]
    # Better fewer digits than a shifted column.
    text = next((form for form in forms if len(form) < _CELL), f"{score:.0e}").rjust(_CELL)
    return f"[{heat(score / top)}]{text}[/]" if comparison.has_top else text
