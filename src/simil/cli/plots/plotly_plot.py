"""Charts as self-contained HTML pages, drawn by plotly; hovering over a point shows its text."""

from __future__ import annotations

import textwrap
from html import escape
from typing import TYPE_CHECKING, Any

from simil.cli.plots.charts import (
    COLOURS,
    MOST_NUMBERS,
    NOISE,
    BarChart,
    Chart,
    HeatMap,
    Panel,
    ScatterPlot,
    cut,
)
from simil.cli.plots.label_placement import label_offsets

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["render"]

_SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "x")
# Up to this many items a cell of a heat map shows both texts; the page would grow too large beyond.
_MOST_PAIRS = 200
_HOVER = 300
_HOVER_COLUMNS = 70
# With more points than this the graphics card draws them: as elements of the page they would be slow.
_MANY = 4000
# Labels are placed for a window of this size.
_ROOM = (900.0, 640.0)
_CONFIG = {"displaylogo": False, "responsive": True, "scrollZoom": True}

# The traces and the layout of a figure.
_Figure = tuple[list[dict[str, Any]], dict[str, Any]]


def render(chart: Chart) -> bytes:
    """Return a whole HTML page with plotly.js in it; the same chart gives the same bytes."""
    import plotly.graph_objects as go
    from plotly.io import to_html

    if isinstance(chart, BarChart):
        data, layout = _bar_chart(chart)
    else:
        data, layout = _heat_map(chart) if isinstance(chart, HeatMap) else _scatter_plot(chart)
    layout |= {
        "title": {
            "text": f"<b>{escape(cut(chart.title, 90))}</b><br><sup>{escape(cut(chart.caption, 130))}</sup>",
            "x": 0.02,
        },
        "template": "plotly_white",
        "hoverlabel": {"align": "left"},
    }
    text = to_html(
        go.Figure(data, layout), config=_CONFIG, include_plotlyjs=True, include_mathjax=False, div_id="simil"
    )
    head = f"<head>\n    <title>{escape(chart.title)}</title>"
    return str(text).replace("<head>", head, 1).encode()


def _heat_map(chart: HeatMap) -> _Figure:
    import numpy as np

    count = len(chart.cells)
    numbers = [1 + item for _, item, _ in chart.ticks()]
    labels = [escape(label) for _, _, label in chart.ticks()]
    heat: dict[str, Any] = {
        "type": "heatmap",
        # As many digits as are shown: more would only make the page larger.
        "z": np.round(chart.cells, 4).astype(np.float32),
        "x0": 1,
        "dx": chart.per_cell,
        "y0": 1,
        "dy": chart.per_cell,
        "zmin": chart.low,
        "zmax": chart.high,
        "colorscale": "Viridis",
        "reversescale": not chart.alike_is_high,
        "colorbar": _colour_bar(chart.metric),
    }
    if count <= _MOST_PAIRS:
        names = [_hover(name, 120) for name in chart.names]
        heat["customdata"] = [[[row, column] for column in names] for row in names]
        heat["hovertemplate"] = "<b>%{z:.4f}</b><br>%{customdata[0]}<br>%{customdata[1]}<extra></extra>"
    else:
        # The texts of each cell would make a page of many megabytes: show their numbers instead.
        labels = [f"{number}  {label}" for number, label in zip(numbers, labels, strict=True)]
        heat["hovertemplate"] = "<b>%{z:.4f}</b><br>%{y}<br>%{x}<extra></extra>"
    if count <= MOST_NUMBERS:
        heat["texttemplate"] = "%{z:.2f}"
    axis = {
        "tickmode": "array",
        "tickvals": numbers,
        "ticktext": labels,
        "showgrid": False,
        "zeroline": False,
        "constrain": "domain",
    }
    layout = {
        "xaxis": axis | {"tickangle": -45 if count <= MOST_NUMBERS else -90},
        "yaxis": axis | {"autorange": "reversed", "scaleanchor": "x"},
        "margin": {"l": 200, "r": 40, "t": 90, "b": 190},
    }
    return [heat], layout


def _colour_bar(title: str) -> dict[str, Any]:
    return {"title": {"text": escape(title), "side": "right"}, "thickness": 18}


def _bar_chart(chart: BarChart) -> _Figure:
    rows, columns = chart.grid
    names = [f"{number}  {escape(cut(name, 24))}" for number, name in enumerate(chart.names, 1)]
    traces: list[dict[str, Any]] = []
    layout: dict[str, Any] = {
        "showlegend": False,
        "margin": {"l": 30, "r": 30, "t": 110, "b": 30},
        "annotations": [],
    }
    for number, (row, column, panel) in enumerate(chart.placed(), 1):
        axis = "" if number == 1 else str(number)
        across = [column / columns + 0.1, (column + 1) / columns - 0.02]
        up = [1 - (row + 0.85) / rows, 1 - (row + 0.12) / rows]
        traces.append(_bars(panel, names) | {"xaxis": f"x{axis}", "yaxis": f"y{axis}"})
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


def _bars(panel: Panel, names: list[str]) -> dict[str, Any]:
    above, below = (
        [
            0.0 if value is None or end is None else abs(end - value)
            for value, end in zip(panel.values, ends, strict=True)
        ]
        for ends in (panel.highs, panel.lows)
    )
    return {
        "type": "bar",
        "orientation": "h",
        "x": [*panel.values],
        "y": names,
        "text": [panel.label(row) for row in range(len(names))],
        "marker": {"color": panel.colours()},
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": above,
            "arrayminus": below,
            "visible": any(above + below),
        },
        "hovertemplate": "%{y}<br><b>%{x}</b><extra></extra>",
    }


def _scatter_plot(chart: ScatterPlot) -> _Figure:
    import numpy as np

    every = np.arange(len(chart.texts))
    size = float(np.clip(160 / max(len(every), 1) ** 0.45, 4, 11))
    if chart.scores is not None:
        traces = [_scored(chart, size)]
    elif chart.groups is not None:
        traces = [_grouped(chart, group, rows, size) for group, rows in chart.members()]
        if chart.has_noise:
            traces[0]["legendrank"] = 10_000
    else:
        traces = [_points(chart, every, {"size": size, "color": COLOURS[1], "opacity": 0.7})]
    bare: dict[str, Any] = {
        "showgrid": False,
        "zeroline": False,
        "showticklabels": False,
        "showline": True,
        "mirror": True,
        "linecolor": "#DDDDDD",
    }
    layout: dict[str, Any] = {
        "xaxis": bare,
        "yaxis": bare | {"scaleanchor": "x"},
        "showlegend": chart.groups is not None and chart.scores is None,
        "legend": {"itemsizing": "constant"},
        "margin": {"l": 30, "r": 30, "t": 90, "b": 30},
        "annotations": _labels(chart),
    }
    return traces, layout


def _points(chart: ScatterPlot, rows: NDArray[np.integer[Any]], marker: dict[str, Any]) -> dict[str, Any]:
    import numpy as np

    where = chart.points[rows].astype(np.float32)
    return {
        "type": "scattergl" if len(chart.texts) > _MANY else "scatter",
        "mode": "markers",
        "x": where[:, 0],
        "y": where[:, 1],
        "text": [_hover(chart.texts[row], _HOVER) for row in rows],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": marker,
    }


def _grouped(chart: ScatterPlot, group: int, rows: NDArray[np.integer[Any]], size: float) -> dict[str, Any]:
    marker = {"size": size, "opacity": 0.85, "line": {"width": 0.4, "color": "white"}}
    if group < 0:
        marker |= {"size": size * 0.8, "color": NOISE, "opacity": 0.6}
    else:
        marker |= {
            "color": COLOURS[group % len(COLOURS)],
            "symbol": _SHAPES[group // len(COLOURS) % len(_SHAPES)],
        }
    name = escape(f"{cut(chart.name_of(group), 40)} ({len(rows):,})")
    return _points(chart, rows, marker) | {
        "name": name,
        "hovertemplate": f"%{{text}}<extra>{_literal(name)}</extra>",
    }


def _scored(chart: ScatterPlot, size: float) -> dict[str, Any]:
    import numpy as np

    order, relative, differ = chart.by_score()
    marker = {
        "size": np.round(size * (0.7 + 1.6 * relative[order] ** 2), 2).astype(np.float32),
        "color": np.asarray(chart.scores)[order].astype(np.float32),
        "colorscale": "Viridis",
        "reversescale": True,
        "showscale": differ,
        "colorbar": _colour_bar("score"),
        "opacity": 0.9,
        "line": {"width": 0.4, "color": "white"},
    }
    hover = "<b>%{marker.color:.4f}</b><br>%{text}<extra></extra>"
    return _points(chart, order, marker) | {"hovertemplate": hover}


def _labels(chart: ScatterPlot) -> list[dict[str, Any]]:
    """Return the labels of marked points as annotations."""
    from rich.cells import cell_len

    return [
        {
            "x": float(chart.points[row, 0]),
            "y": float(chart.points[row, 1]),
            "ax": offset[0],
            "ay": -offset[1],
            "text": escape(text),
            "font": {"size": 11},
            "bgcolor": "rgba(255,255,255,0.8)",
            "arrowhead": 0,
            "arrowwidth": 0.8,
            "arrowcolor": "#333333",
        }
        for row, text, offset in label_offsets(chart, _ROOM, lambda text: (cell_len(text) * 6.4 + 6, 17))
    ]


def _hover(text: str, columns: int) -> str:
    """Return `text`, cut and wrapped, for plotly, which interprets some HTML in it."""
    return "<br>".join(escape(line) for line in textwrap.wrap(cut(text, columns), _HOVER_COLUMNS))


def _literal(text: str) -> str:
    """Return `text` escaped so that a template shows it as it is."""
    return text.replace("%{", "%&#123;").replace("</extra", "")
