"""Charts as self-contained HTML pages of a few dozen kilobytes: hovering over a point shows its text.

A page loads nothing, and its policy forbids it to. A browser draws it from the data in it, for the size of
its window and in its colour scheme.
"""

from __future__ import annotations

from dataclasses import asdict
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from simil.cli.plots.charts import (
    COLOURS,
    COLOURS_ON_DARK,
    MOST_NAMED,
    MOST_NUMBERS,
    NOISE,
    BarChart,
    Chart,
    HeatMap,
    Panel,
    ScatterPlot,
    cut,
    mark_of,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["render"]

# Cells along each axis of a heat map: more would only make the page larger.
_MOST_CELLS = 400
_LONGEST_TEXT = 300
_SHAPES = ("round", "square", "up", "diamond", "down", "plus", "cross")
# The colour scale "viridis" at equal steps.
_RAMP = (
    (68, 1, 84), (71, 39, 119), (62, 73, 137), (48, 103, 141), (37, 130, 142),
    (30, 157, 136), (53, 183, 121), (110, 206, 88), (181, 222, 43), (253, 231, 37),
)  # fmt: skip
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p id="caption">{caption}</p>
<div id="chart"><noscript>JavaScript draws this chart.</noscript></div>
</main>
<div id="tip" role="status"></div>
<script type="application/json" id="data">{data}</script>
<script>
{script}</script>
</body>
</html>
"""  # noqa: E501


def render(chart: Chart) -> bytes:
    """Return a whole HTML page with the chart in it; the same chart gives the same bytes."""
    import orjson

    if isinstance(chart, BarChart):
        data, caption = _bar_chart(chart), chart.caption
    elif isinstance(chart, HeatMap):
        data, caption = _heat_map(chart)
    else:
        data, caption = _scatter_plot(chart), chart.caption
    # A text that holds "</script>" does not end the data.
    written = orjson.dumps(data, option=orjson.OPT_SERIALIZE_NUMPY).decode().replace("<", "\\u003c")
    page = files("simil.cli.plots")
    return _PAGE.format(
        title=escape(chart.title),
        caption=escape(caption),
        style=page.joinpath("chart_page.css").read_text("utf-8"),
        script=page.joinpath("chart_page.js").read_text("utf-8"),
        data=written,
    ).encode()


def _heat_map(chart: HeatMap) -> tuple[dict[str, Any], str]:
    import numpy as np

    cells, per_cell = chart.coarser(_MOST_CELLS)
    # As many digits as are shown; what is no number has no score.
    rows = [[None if np.isnan(score) else round(float(score), 4) for score in row] for row in cells]
    data = {
        "kind": "heat",
        "cells": rows,
        "names": [cut(name, 120) for name in chart.names[::per_cell]],
        "per_cell": per_cell,
        "low": chart.low,
        "high": chart.high,
        "reversed": not chart.alike_is_high,
        "metric": chart.metric,
        "ramp": _RAMP,
        "most_numbers": MOST_NUMBERS,
        "most_named": MOST_NAMED,
    }
    caption = chart.caption_for(per_cell)
    if len(cells) > MOST_NAMED:
        caption += " · some rows are named; point at the others for their names"
    return data, caption


def _scatter_plot(chart: ScatterPlot) -> dict[str, Any]:
    import numpy as np

    points = chart.points - (chart.points.min(axis=0) + chart.points.max(axis=0)) / 2
    width, height = (np.ptp(points, axis=0)).tolist()
    data: dict[str, Any] = {
        "kind": "scatter",
        "x": _rounded(points[:, 0]),
        "y": _rounded(points[:, 1]),
        "width": width,
        "height": height,
        "texts": [cut(text, _LONGEST_TEXT) for text in chart.texts],
        "marked": chart.marked,
        "labels": [cut(label, 40) for label in chart.labels()],
        "colours": COLOURS,
        "dark_colours": COLOURS_ON_DARK,
        "noise": NOISE,
        "groups": None,
        "scores": None,
        "ramp": _RAMP,
        "marks": [_mark(group) for group in range(max(len(chart.group_names), 1))],
    }
    if chart.scores is not None:
        data["scores"] = _rounded(chart.scores)
        data["score_ends"] = [float(chart.scores.min()), float(chart.scores.max())]
    elif chart.groups is not None:
        sizes = {group: len(rows) for group, rows in chart.members()}
        numbers = range(len(chart.group_names))
        data["groups"] = chart.groups
        data["names"] = [cut(chart.name_of(group), 60) for group in numbers]
        data["sizes"] = [sizes.get(group, 0) for group in numbers]
        data["typical"] = [cut(chart.texts[row], 80) for row in chart.marked]
        data["outside"] = sizes.get(-1, 0)
    return data


def _mark(group: int) -> tuple[int, str]:
    colour, shape = mark_of(group)
    return colour, "number" if shape is None else _SHAPES[shape]


def _rounded(values: NDArray[np.floating[Any]]) -> list[float]:
    """Return numbers with as many digits as a screen shows."""
    return [float(f"{value:.5g}") for value in values.tolist()]


def _bar_chart(chart: BarChart) -> dict[str, Any]:
    return {
        "kind": "bars",
        "low": chart.low,
        "scores": [_panel(panel) for panel in chart.scores],
        "costs": [_panel(panel) for panel in chart.costs],
    }


def _panel(panel: Panel) -> dict[str, Any]:
    return {"name": panel.name, "top": panel.top, "bars": [asdict(bar) for bar in panel.bars]}
