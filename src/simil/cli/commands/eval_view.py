"""Shows how models did: plain lines, rows, a table with the best marked, or a bar chart."""

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
    from simil.cli.plots.charts import ChartBar, Panel
    from simil.session.measuring import Measured
    from simil.tasks.evaluation.bootstrap import Estimate
    from simil.tasks.evaluation.experiments import Experiment

__all__ = ["ModelResult", "draw_model_results", "show_model_results"]

_COSTS = ("texts_per_s", "pairs_per_s", "start_s", "memory_mb", "tokens", "price")
_HEADINGS = {
    "spearman": "Spearman",
    "pearson": "Pearson",
    "average_precision": "avg. prec.",
    "f1": "best F1",
    "ndcg@10": "nDCG@10",
    "texts_per_s": "texts/s",
    "pairs_per_s": "pairs/s",
    "start_s": "start (s)",
    "memory_mb": "memory (MB)",
    "price": "price ($)",
}
_LOWER = ("start_s", "memory_mb", "price")
# Neither more nor less of these is better.
_NEUTRAL = ("threshold", "tokens")
_DIGITS = {"texts_per_s": 1, "pairs_per_s": 1, "start_s": 3, "memory_mb": 1, "price": 8}
_CELL, _NAME = 13, 10


@dataclass(frozen=True, eq=False, slots=True)
class ModelResult:
    """A measured model and its quality by metric."""

    measured: Measured
    quality: Mapping[str, Estimate]


def _value_of(result: ModelResult, column: str) -> float | None:
    """Return the value in a column of the table, None if unknown or undefined."""
    if column in result.quality:
        return result.quality[column].value
    found: float | None = getattr(result.measured.cost, column)
    return found


def _best_in(results: Sequence[ModelResult], column: str) -> float | None:
    """Return the best value of a column, None if there is nothing to choose from."""
    values = [value for result in results if (value := _value_of(result, column)) is not None]
    if len(results) < 2 or not values or column in _NEUTRAL:
        return None
    return min(values) if column in _LOWER else max(values)


def show_model_results(
    results: Sequence[ModelResult], experiment: Experiment, form: str, stream: BinaryIO
) -> None:
    """Write one row per model in `form`; plain lines, csv and tsv begin with the column names."""
    if form == "table":
        _show_table(results, experiment)
        return
    facts: dict[str, object] = {}
    if form in ("json", "jsonl"):
        facts = {**experiment.facts, "resamples": experiment.resamples, "confidence": CONFIDENCE}
    plain = ["name", *_columns(results)]
    if form == "plain":
        stream.write(table_row(plain, "\t"))
    costs = _costs(results)
    write_rows((_row(result, costs) for result in results), form, stream, facts=facts, plain=plain)


def draw_model_results(path: str, results: Sequence[ModelResult], experiment: Experiment, data: str) -> None:
    """Draw the scores of models on `data`, and what they cost if there are several to compare."""
    from simil.cli.plots.charts import BarChart, Panel, safe_text
    from simil.cli.plots.drawing import draw

    scores = [name for name in results[0].quality if name not in _NEUTRAL and _is_known(results, name)]
    costs = [name for name in _costs(results) if name not in _NEUTRAL and _is_known(results, name)]
    notes = [experiment.size]
    if experiment.resamples:
        notes.append(f"lines are {CONFIDENCE:.0%} intervals")
    if len(results) > 1:
        notes.append("the best are darker")
        panels = [_panel(results, name) for name in scores]
        chart = BarChart(panels, [_panel(results, name) for name in costs], *_head(data, notes))
    else:
        # A cost alone says nothing as a bar.
        (result,) = results
        notes += [f"{_HEADINGS.get(name, name)} {_shown(name, _value_of(result, name))}" for name in costs]
        bars = [_bar(result, name, safe_text(_HEADINGS.get(name, name)), best=False) for name in scores]
        chart = BarChart([Panel(safe_text(result.measured.name), bars)], [], *_head(data, notes))
    draw(path, chart)


def _head(data: str, notes: Sequence[str]) -> tuple[str, str]:
    from simil.cli.plots.charts import chart_title, safe_text

    return safe_text(chart_title("Evaluation on", [data])), safe_text(" · ".join(notes))


def _is_known(results: Sequence[ModelResult], name: str) -> bool:
    return any(_value_of(result, name) is not None for result in results)


def _panel(results: Sequence[ModelResult], name: str) -> Panel:
    from simil.cli.plots.charts import Panel, safe_text

    best = _best_in(results, name)
    better = ", less is better" if name in _LOWER else ""
    bars = [
        _bar(
            result,
            name,
            safe_text(result.measured.name),
            best=best is not None and _value_of(result, name) == best,
        )
        for result in results
    ]
    return Panel(_HEADINGS.get(name, name) + better, bars)


def _bar(result: ModelResult, column: str, name: str, *, best: bool) -> ChartBar:
    from simil.cli.plots.charts import ChartBar

    value, score = _value_of(result, column), result.quality.get(column)
    low, high = (getattr(score, end, None) for end in ("low", "high"))
    return ChartBar(name, value, low, high, _shown(column, value), best)


def _columns(results: Sequence[ModelResult]) -> list[str]:
    return [*results[0].quality, *_costs(results)]


def _costs(results: Sequence[ModelResult]) -> list[str]:
    """Return the names of what models take; how many pairs they score only where one of them does."""
    scores_pairs = any(result.measured.scores is not None for result in results)
    return [name for name in _COSTS if name != "pairs_per_s" or scores_pairs]


def _row(result: ModelResult, costs: Sequence[str]) -> Row:
    measured = result.measured
    row: dict[str, object] = {
        "name": measured.name,
        "model": measured.model,
        "dimensions": measured.dimensions,
    }
    for name, score in result.quality.items():
        row[name] = _number(score.value)
        if score.low is not None:
            row |= {f"{name}_low": _number(score.low), f"{name}_high": _number(score.high)}
    for name in costs:
        value = _value_of(result, name)
        row[name] = value if value is None or name not in _DIGITS else round(value, _DIGITS[name])
    return row


def _number(value: float | None) -> object:
    import numpy as np

    return None if value is None else np.float64(value)


def _show_table(results: Sequence[ModelResult], experiment: Experiment) -> None:
    """Print one row per model, its intervals below it, in blocks of columns that fit the terminal."""
    terminal = console()
    widest = max(len(one_line(result.measured.name)) for result in results)
    label = min(max(widest + 1, _NAME), max(width() - _CELL, _NAME), max(width() // 3, _NAME))
    columns = [
        name
        for name in _columns(results)
        if name not in _COSTS or any(_value_of(result, name) is not None for result in results)
    ]
    many = max((width() - label) // _CELL, 1)
    for start in range(0, len(columns), many):
        block = columns[start : start + many]
        if start:
            terminal.print()
        head = " " * label + "".join(f"{_HEADINGS.get(name, name):>{_CELL - 1}} " for name in block)
        terminal.print(head.rstrip(), style="dim", markup=False, highlight=False)
        best = {name: _best_in(results, name) for name in block}
        for result in results:
            name = escaped(fit(result.measured.name, label))
            terminal.print(name + "".join(_cells(result, block, best)), highlight=False)
            under = "".join(f"{_interval(result, name):>{_CELL - 1}} " for name in block)
            if under.strip():
                terminal.print(" " * label + under.rstrip(), style="dim", markup=False, highlight=False)
    notes = [experiment.size]
    if experiment.resamples:
        notes.append(f"{CONFIDENCE:.0%} intervals of {experiment.resamples:,} resamples")
    if len(results) > 1:
        notes.append("* is best")
    terminal.print(fit(", ".join(notes), width()).rstrip(), style="dim", markup=False, highlight=False)


def _cells(result: ModelResult, block: Sequence[str], best: Mapping[str, float | None]) -> Iterator[str]:
    for name in block:
        value = _value_of(result, name)
        shown = _shown(name, value)
        if value is not None and value == best[name]:
            yield f"[bold green]{shown:>{_CELL - 1}}*[/]"
        else:
            yield f"{shown:>{_CELL - 1}} "


def _shown(name: str, value: float | None) -> str:
    if value is None:
        return "·"
    if name in ("texts_per_s", "pairs_per_s"):
        return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    if name in ("memory_mb", "tokens"):
        return f"{value:,.0f}"
    if name == "start_s":
        return f"{value:.2f}"
    # A threshold is for other commands: with fewer digits, it would give other counts.
    return f"{value:.6f}" if name in ("price", "threshold") else f"{value:.4f}"


def _interval(result: ModelResult, name: str) -> str:
    score = result.quality.get(name)
    if score is None or score.low is None or score.high is None:
        return ""
    return f"{score.low:.3f}…{score.high:.3f}"
