"""How models did: a line each for a pipe, rows for a machine, a table with the best marked for a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from simil.cli.output.cells import fit, one_line
from simil.cli.output.output_file import width
from simil.cli.output.rows import Row, table_row, write_rows
from simil.cli.output.terminal import console, escaped
from simil.tasks.evaluation.bootstrap import CONFIDENCE

if TYPE_CHECKING:
    from simil.session.measuring import Measured
    from simil.tasks.evaluation.bootstrap import Estimate
    from simil.tasks.evaluation.experiments import Experiment

__all__ = ["COSTS", "HEADINGS", "NEUTRAL", "Rating", "best_in", "show_ratings", "value_of"]

COSTS = ("texts_per_s", "start_s", "memory_mb", "tokens", "price")
HEADINGS = {
    "spearman": "Spearman",
    "pearson": "Pearson",
    "average_precision": "avg. prec.",
    "f1": "best F1",
    "ndcg@10": "nDCG@10",
    "texts_per_s": "texts/s",
    "start_s": "start (s)",
    "memory_mb": "memory (MB)",
    "price": "price ($)",
}
_LOWER = ("start_s", "memory_mb", "price")
# Neither more nor less of it is better.
NEUTRAL = ("threshold", "tokens")
_DIGITS = {"texts_per_s": 1, "start_s": 3, "memory_mb": 1, "price": 8}
_CELL, _NAME = 13, 10


@dataclass(frozen=True, eq=False, slots=True)
class Rating:
    """A model that was measured, and how well it does."""

    measured: Measured
    quality: Mapping[str, Estimate]


def value_of(rating: Rating, column: str) -> float | None:
    """Return what stands in a column of the table, None where it is not known or not defined."""
    if column in rating.quality:
        return rating.quality[column].value
    found: float | None = getattr(rating.measured.cost, column)
    return found


def best_in(ratings: Sequence[Rating], column: str) -> float | None:
    """Return the best value of a column; None where there is nothing to choose from."""
    values = [value for rating in ratings if (value := value_of(rating, column)) is not None]
    if len(ratings) < 2 or not values or column in NEUTRAL:
        return None
    return min(values) if column in _LOWER else max(values)


def show_ratings(ratings: Sequence[Rating], trial: Experiment, form: str, stream: BinaryIO) -> None:
    """Write the ratings in `form`; plain lines and tables of csv and tsv begin with the names of columns."""
    if form == "table":
        _show_table(ratings, trial)
        return
    facts: dict[str, object] = {}
    if form in ("json", "jsonl"):
        facts = {**trial.facts, "resamples": trial.resamples, "confidence": CONFIDENCE}
    plain = ["name", *_columns(ratings)]
    if form == "plain":
        stream.write(table_row(plain, "\t"))
    write_rows(map(_row, ratings), form, stream, facts=facts, plain=plain)


def _columns(ratings: Sequence[Rating]) -> list[str]:
    return [*ratings[0].quality, *COSTS]


def _row(rating: Rating) -> Row:
    measured = rating.measured
    row: dict[str, object] = {
        "name": measured.name,
        "model": measured.model,
        "dimensions": measured.dimensions,
    }
    for name, score in rating.quality.items():
        row[name] = _number(score.value)
        if score.low is not None:
            row |= {f"{name}_low": _number(score.low), f"{name}_high": _number(score.high)}
    for name in COSTS:
        value = value_of(rating, name)
        row[name] = value if value is None or name not in _DIGITS else round(value, _DIGITS[name])
    return row


def _number(value: float | None) -> object:
    import numpy as np

    return None if value is None else np.float64(value)


def _show_table(ratings: Sequence[Rating], trial: Experiment) -> None:
    """Print a row a model, its intervals under it, in blocks of as many columns as the terminal is wide."""
    terminal = console()
    widest = max(len(one_line(rating.measured.name)) for rating in ratings)
    label = min(max(widest + 1, _NAME), max(width() - _CELL, _NAME), max(width() // 3, _NAME))
    columns = [
        name
        for name in _columns(ratings)
        if name not in COSTS or any(value_of(rating, name) is not None for rating in ratings)
    ]
    many = max((width() - label) // _CELL, 1)
    for start in range(0, len(columns), many):
        block = columns[start : start + many]
        if start:
            terminal.print()
        head = " " * label + "".join(f"{HEADINGS.get(name, name):>{_CELL - 1}} " for name in block)
        terminal.print(head.rstrip(), style="dim", markup=False, highlight=False)
        best = {name: best_in(ratings, name) for name in block}
        for rating in ratings:
            name = escaped(fit(rating.measured.name, label))
            terminal.print(name + "".join(_cells(rating, block, best)), highlight=False)
            under = "".join(f"{_interval(rating, name):>{_CELL - 1}} " for name in block)
            if under.strip():
                terminal.print(" " * label + under.rstrip(), style="dim", markup=False, highlight=False)
    notes = [trial.size]
    if trial.resamples:
        notes.append(f"{CONFIDENCE:.0%} intervals of {trial.resamples:,} resamples")
    if len(ratings) > 1:
        notes.append("* is best")
    terminal.print(fit(", ".join(notes), width()).rstrip(), style="dim", markup=False, highlight=False)


def _cells(rating: Rating, block: Sequence[str], best: Mapping[str, float | None]) -> Iterator[str]:
    for name in block:
        value = value_of(rating, name)
        shown = _shown(name, value)
        if value is not None and value == best[name]:
            yield f"[bold green]{shown:>{_CELL - 1}}*[/]"
        else:
            yield f"{shown:>{_CELL - 1}} "


def _shown(name: str, value: float | None) -> str:
    if value is None:
        return "·"
    if name == "texts_per_s":
        return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    if name in ("memory_mb", "tokens"):
        return f"{value:,.0f}"
    if name == "start_s":
        return f"{value:.2f}"
    return f"{value:.6f}" if name == "price" else f"{value:.4f}"


def _interval(rating: Rating, name: str) -> str:
    score = rating.quality.get(name)
    if score is None or score.low is None or score.high is None:
        return ""
    return f"{score.low:.3f}…{score.high:.3f}"
