"""What models were rated with, as bars: a panel for each column of the table, a bar for each model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from simil.cli.output.cells import fit
from simil.cli.plots.pictures import COLOURS, cut, shown

if TYPE_CHECKING:
    from simil.cli.commands.eval_view import Rating
    from simil.tasks.evaluation.experiments import Experiment

__all__ = ["Bars", "Panel", "bar_lines", "bar_page", "bars_of", "draw_bars"]

_ACROSS = 3
_BEST, _OTHER, _GREY = COLOURS[3], COLOURS[4], "#555555"


@dataclass(frozen=True, slots=True)
class Panel:
    """One column: a value for each model, None where it has none, with the ends of its interval."""

    name: str
    values: Sequence[float | None]
    lows: Sequence[float | None]
    highs: Sequence[float | None]
    best: float | None

    @property
    def top(self) -> float:
        """Where the scale ends."""
        ends = [abs(value) for value in (*self.values, *self.highs, *self.lows) if value is not None]
        return max(ends, default=1.0) or 1.0

    def text(self, row: int) -> str:
        """Return the value of a model as it is written beside its bar."""
        value = self.values[row]
        if value is None:
            return "·"
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.4g}"

    def is_best(self, row: int) -> bool:
        """Say whether no model does better."""
        return self.best is not None and self.values[row] == self.best


@dataclass(frozen=True, slots=True)
class Bars:
    """Panels with a bar for each of `names`."""

    names: Sequence[str]
    panels: Sequence[Panel]
    title: str
    caption: str


def bars_of(ratings: Sequence[Rating], trial: Experiment) -> Bars:
    """Return what there is to draw of ratings: the columns of the table in which models can do better."""
    from simil.cli.commands.eval_view import COSTS, HEADINGS, NEUTRAL, best_in, value_of

    panels = []
    for name in (*ratings[0].quality, *COSTS):
        values = [value_of(rating, name) for rating in ratings]
        if name not in NEUTRAL and any(value is not None for value in values):
            scores = [rating.quality.get(name) for rating in ratings]
            lows, highs = (
                [getattr(score, end) if score else None for score in scores] for end in ("low", "high")
            )
            panels.append(Panel(HEADINGS.get(name, name), values, lows, highs, best_in(ratings, name)))
    names = [shown(rating.measured.name) for rating in ratings]
    notes = [trial.size, *(["lines are 95% intervals"] if trial.resamples else [])]
    return Bars(names, panels, "Models", ", ".join(notes))


def draw_bars(figure: Any, bars: Bars, box: Callable[[float, float, float, float], Any]) -> None:
    """Draw the panels on a figure of matplotlib; `box` gives axes with margins in inches, left one first."""
    width, height = figure.get_size_inches()
    down = -(-len(bars.panels) // _ACROSS)
    wide, high = (width - 0.4) / _ACROSS, (height - 1.0) / down
    label = min(0.3 + max(map(len, bars.names)) * 0.07, wide / 2)
    for place, panel in enumerate(bars.panels):
        row, column = divmod(place, _ACROSS)
        left, top = 0.2 + column * wide, 0.8 + row * high
        axes = box(left + label, height - top - high + 0.15, width - left - wide + 0.55, top + 0.3)
        places = range(len(bars.names))
        axes.barh(
            places,
            [value or 0.0 for value in panel.values],
            color=[_BEST if panel.is_best(one) else _OTHER for one in places],
        )
        for one in places:
            low, high_end, value = panel.lows[one], panel.highs[one], panel.values[one]
            if low is not None and high_end is not None:
                axes.plot([low, high_end], [one, one], color="#222222", linewidth=1.2)
            end = max(value or 0.0, high_end or 0.0)
            axes.text(end, one, f" {panel.text(one)}", va="center", ha="left", fontsize=8)
        axes.set_yticks(places, [cut(name, 24) for name in bars.names], fontsize=8)
        axes.invert_yaxis()
        axes.set_ylim(len(bars.names) - 0.4, -0.6)
        axes.set_xlim(
            min(0.0, *(value for value in (*panel.values, *panel.lows, 0.0) if value is not None)), panel.top
        )
        axes.set_xticks([])
        axes.set_title(panel.name, fontsize=10, loc="left", color=_GREY)
        for spine in axes.spines.values():
            spine.set_visible(False)
        axes.tick_params(length=0)


def bar_page(bars: Bars) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the traces and the layout of plotly."""
    down = -(-len(bars.panels) // _ACROSS)
    names = [f"{number}  {escape(cut(name, 24))}" for number, name in enumerate(bars.names, 1)]
    traces: list[dict[str, Any]] = []
    layout: dict[str, Any] = {
        "showlegend": False,
        "margin": {"l": 30, "r": 30, "t": 110, "b": 30},
        "annotations": [],
    }
    for place, panel in enumerate(bars.panels, 1):
        row, column = divmod(place - 1, _ACROSS)
        axis = "" if place == 1 else str(place)
        across = [column / _ACROSS + 0.1, (column + 1) / _ACROSS - 0.02]
        up = [1 - (row + 0.85) / down, 1 - (row + 0.12) / down]
        places = range(len(names))
        traces.append(
            {
                "type": "bar",
                "orientation": "h",
                "x": [*panel.values],
                "y": names,
                "xaxis": f"x{axis}",
                "yaxis": f"y{axis}",
                "text": [panel.text(one) for one in places],
                "marker": {"color": [_BEST if panel.is_best(one) else _OTHER for one in places]},
                "error_x": _errors(panel),
                "hovertemplate": "%{y}<br><b>%{x}</b><extra></extra>",
            }
        )
        layout[f"xaxis{axis}"] = {
            "domain": across,
            "anchor": f"y{axis}",
            "showticklabels": False,
            "showgrid": False,
        }
        layout[f"yaxis{axis}"] = {"domain": up, "anchor": f"x{axis}", "autorange": "reversed"}
        layout["annotations"].append(
            {"x": across[0], "y": up[1], "xref": "paper", "yref": "paper", "text": escape(panel.name)}
            | {"showarrow": False, "xanchor": "left", "yanchor": "bottom"}
        )
    return traces, layout


def _errors(panel: Panel) -> dict[str, Any]:
    above, below = (
        [
            0.0 if value is None or end is None else abs(end - value)
            for value, end in zip(panel.values, ends, strict=True)
        ]
        for ends in (panel.highs, panel.lows)
    )
    return {
        "type": "data",
        "symmetric": False,
        "array": above,
        "arrayminus": below,
        "visible": any(above + below),
    }


def bar_lines(bars: Bars, columns: int, block: str) -> Iterator[str]:
    """Yield lines for a terminal; a bar is made of `block`, and the best is marked."""
    label = min(max(map(len, bars.names)) + 1, columns // 3)
    room = max(columns - label - 12, 4)
    for panel in bars.panels:
        yield ""
        yield panel.name
        for row, name in enumerate(bars.names):
            long = round(max(panel.values[row] or 0.0, 0.0) / panel.top * room)
            yield f"{fit(name, label)}{block * long} {panel.text(row)}{'*' if panel.is_best(row) else ''}"
