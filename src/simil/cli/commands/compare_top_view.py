"""Shows the most similar pairs of a comparison: plain lines, rows, objects, or a table with bars."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from simil.cli.commands.compare_view import sign_comparison
from simil.cli.output.cells import fit, one_line
from simil.cli.output.output_file import width
from simil.cli.output.rows import Row, has_columns, write_rows
from simil.cli.output.score_digits import decimals_on, digits, fewer_digits
from simil.cli.output.terminal import console, escaped, meter, meter_columns
from simil.tasks.top_pairs import top_pairs

if TYPE_CHECKING:
    from simil.cli.commands.compare_formats import AnyComparison
    from simil.tasks.top_pairs import TopPairs

__all__ = ["show_top_pairs"]


def show_top_pairs(comparison: AnyComparison, count: int, form: str, stream: BinaryIO) -> None:
    """Write the `count` most similar pairs to `stream` in `form`; a table goes to the terminal."""
    found = top_pairs(comparison, count)
    if form == "table":
        _show_table(comparison, found)
        return
    facts = dict(comparison.facts) if form in ("json", "jsonl") else {}
    if form == "jsonl":
        facts.pop("dimensions", None)
    columns = ["score", "a", "b", "a_id", "b_id"]
    write_rows(_rows(comparison, found, form), form, stream, facts=facts, plain=columns[:3], columns=columns)


def _rows(comparison: AnyComparison, found: TopPairs, form: str) -> Iterator[Row]:
    decimals = decimals_on(comparison.scale)
    is_printed = form == "plain" or (has_columns(form) and form not in ("parquet", "arrow"))
    names, ids = comparison.names, comparison.ids
    for first, second, score in zip(found.first.tolist(), found.second.tolist(), found.scores, strict=True):
        yield {
            "score": digits(score, decimals) if is_printed else score,
            "a": names[first],
            "b": names[second],
            "a_id": ids[first],
            "b_id": ids[second],
        }


def _show_table(comparison: AnyComparison, found: TopPairs) -> None:
    """Print a line for each pair: its score, a bar of it, and both names."""
    terminal = console()
    top = comparison.scale.top if comparison.scale else 1.0
    far = comparison.is_distance
    shown = [fewer_digits(score, 4 if top == 1 else 2, is_distance=far) for score in found.scores]
    digits = max(map(len, shown), default=0)
    has_bar = comparison.has_top and meter_columns()
    room = max((width() - digits - 2 - (meter_columns() if has_bar else 0) - 3) // 2, 4)
    for number, score in enumerate(found.scores.tolist()):
        drawn = meter(terminal, score / top) if has_bar else ""
        first, second = (
            escaped(fit(one_line(comparison.names[rows[number]]), room))
            for rows in (found.first, found.second)
        )
        line = f"[bold]{shown[number]:>{digits}}[/bold]  {drawn}{first} │ {second.rstrip()}"
        terminal.print(line, highlight=False)
    sign_comparison(terminal, comparison)
