"""Pictures as pages of html that need nothing else, by plotly; the pointer shows the texts."""

from __future__ import annotations

import textwrap
from html import escape
from typing import TYPE_CHECKING, Any

from simil.cli.plots.bars import Bars, bar_page
from simil.cli.plots.pictures import COLOURS, NOISE, Map, Matrix, cut

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["page"]

_SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "x")
_MOST_LABELS = 40
_MOST_NUMBERS = 12
_MOST_PAIRS = 200
_HOVER = 300
_HOVER_COLUMNS = 70
# From here on, points are drawn by the graphics card: as elements of the page they would be slow.
_MANY = 4000
_CONFIG = {"displaylogo": False, "responsive": True, "scrollZoom": True}


def page(picture: Matrix | Map | Bars) -> bytes:
    """Return a whole page of html, plotly.js in it; the same picture gives the same bytes."""
    import plotly.graph_objects as go
    from plotly.io import to_html

    if isinstance(picture, Bars):
        data, layout = bar_page(picture)
    else:
        data, layout = _matrix(picture) if isinstance(picture, Matrix) else _map(picture)
    layout |= {
        "title": {
            "text": f"<b>{escape(cut(picture.title, 90))}</b>"
            f"<br><sup>{escape(cut(picture.caption, 130))}</sup>",
            "x": 0.02,
        },
        "template": "plotly_white",
        "hoverlabel": {"align": "left"},
    }
    text = to_html(
        go.Figure(data, layout), config=_CONFIG, include_plotlyjs=True, include_mathjax=False, div_id="simil"
    )
    head = f"<head>\n    <title>{escape(picture.title)}</title>"
    return str(text).replace("<head>", head, 1).encode()


def _matrix(matrix: Matrix) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    import numpy as np

    count = len(matrix.cells)
    few = count <= _MOST_PAIRS
    cells = list(range(0, count, max(-(-count // _MOST_LABELS), 1)))
    numbers = [1 + cell * matrix.per_cell for cell in cells]
    labels = [escape(cut(matrix.names[number - 1], 26)) for number in numbers]
    heat: dict[str, Any] = {
        "type": "heatmap",
        # As many digits as are shown: the page would be larger, and say no more.
        "z": np.round(matrix.cells, 4).astype(np.float32),
        "x0": 1,
        "dx": matrix.per_cell,
        "y0": 1,
        "dy": matrix.per_cell,
        "zmin": matrix.low,
        "zmax": matrix.high,
        "colorscale": "Viridis",
        "reversescale": not matrix.alike_is_high,
        "colorbar": {"title": {"text": escape(matrix.metric), "side": "right"}, "thickness": 18},
    }
    if few:
        names = [_hover(name, 120) for name in matrix.names]
        heat["customdata"] = [[[row, column] for column in names] for row in names]
        heat["hovertemplate"] = "<b>%{z:.4f}</b><br>%{customdata[0]}<br>%{customdata[1]}<extra></extra>"
    else:
        # The names of each cell would make a page of many megabytes: the numbers of the texts instead.
        labels = [f"{number}  {label}" for number, label in zip(numbers, labels, strict=True)]
        heat["hovertemplate"] = "<b>%{z:.4f}</b><br>%{y}<br>%{x}<extra></extra>"
    if count <= _MOST_NUMBERS:
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
        "xaxis": axis | {"tickangle": -45 if count <= _MOST_NUMBERS else -90},
        "yaxis": axis | {"autorange": "reversed", "scaleanchor": "x"},
        "margin": {"l": 200, "r": 40, "t": 90, "b": 190},
    }
    return [heat], layout


def _map(picture: Map) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    import numpy as np

    every = np.arange(len(picture.texts))
    size = float(np.clip(160 / max(len(every), 1) ** 0.45, 4, 11))
    if picture.scores is not None:
        traces = [_scored(picture, every, size)]
    elif picture.groups is not None:
        traces = [_grouped(picture, group, rows, size) for group, rows in picture.members()]
        if picture.has_noise:
            traces[0]["legendrank"] = 10_000
    else:
        traces = [_points(picture, every, {"size": size, "color": COLOURS[1], "opacity": 0.7})]
    bare: dict[str, Any] = {
        "showgrid": False,
        "zeroline": False,
        "showticklabels": False,
        "showline": True,
        "mirror": True,
    }
    bare |= {"linecolor": "#DDDDDD"}
    layout: dict[str, Any] = {
        "xaxis": bare,
        "yaxis": bare | {"scaleanchor": "x"},
        "showlegend": picture.groups is not None and picture.scores is None,
        "legend": {"itemsizing": "constant"},
        "margin": {"l": 30, "r": 30, "t": 90, "b": 30},
        "annotations": _labels(picture),
    }
    return traces, layout


def _points(picture: Map, rows: NDArray[np.integer[Any]], marker: dict[str, Any]) -> dict[str, Any]:
    import numpy as np

    where = picture.points[rows].astype(np.float32)
    return {
        "type": "scattergl" if len(picture.texts) > _MANY else "scatter",
        "mode": "markers",
        "x": where[:, 0],
        "y": where[:, 1],
        "text": [_hover(picture.texts[row], _HOVER) for row in rows],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": marker,
    }


def _grouped(picture: Map, group: int, rows: NDArray[np.integer[Any]], size: float) -> dict[str, Any]:
    marker = {"size": size, "opacity": 0.85, "line": {"width": 0.4, "color": "white"}}
    if group < 0:
        marker |= {"size": size * 0.8, "color": NOISE, "opacity": 0.6}
    else:
        marker |= {
            "color": COLOURS[group % len(COLOURS)],
            "symbol": _SHAPES[group // len(COLOURS) % len(_SHAPES)],
        }
    name = escape(f"{cut(picture.name_of(group), 40)} ({len(rows):,})")
    return _points(picture, rows, marker) | {
        "name": name,
        "hovertemplate": f"%{{text}}<extra>{_literal(name)}</extra>",
    }


def _scored(picture: Map, rows: NDArray[np.integer[Any]], size: float) -> dict[str, Any]:
    import numpy as np

    scores = picture.scores
    assert scores is not None
    order = rows[np.argsort(scores, kind="stable")]
    spread = float(np.ptp(scores)) if len(scores) else 0.0
    relative = (scores - scores.min()) / spread if spread else np.zeros(len(scores))
    marker = {
        "size": np.round(size * (0.7 + 1.6 * relative[order] ** 2), 2).astype(np.float32),
        "color": scores[order].astype(np.float32),
        "colorscale": "Viridis",
        "reversescale": True,
        "showscale": bool(spread),
        "colorbar": {"title": {"text": escape(picture.score_name), "side": "right"}, "thickness": 18},
        "opacity": 0.9,
        "line": {"width": 0.4, "color": "white"},
    }
    hover = "<b>%{marker.color:.4f}</b><br>%{text}<extra></extra>"
    return _points(picture, order, marker) | {"hovertemplate": hover}


def _labels(picture: Map) -> list[dict[str, Any]]:
    """Return the labels of marked points, placed for a window of common size."""
    import numpy as np
    from rich.cells import cell_len

    from simil.cli.plots.label_placement import place

    if not len(picture.marked):
        return []
    room = (900.0, 640.0)
    low, high = picture.points.min(axis=0), picture.points.max(axis=0)
    scale = float(((high - low) / np.array(room)).max()) or 1.0
    where = (picture.points - (low + high) / 2) / (scale * 1.1) + np.array(room) / 2
    texts = [cut(picture.texts[row], 34) for row in picture.marked]
    offsets = place(
        where[np.array(picture.marked)], [(cell_len(text) * 6.4 + 6, 17) for text in texts], room, where
    )
    return [
        {
            "x": float(picture.points[row, 0]),
            "y": float(picture.points[row, 1]),
            "ax": offset[0],
            "ay": -offset[1],
            "text": escape(text),
            "font": {"size": 11},
            "bgcolor": "rgba(255,255,255,0.8)",
            "arrowhead": 0,
            "arrowwidth": 0.8,
            "arrowcolor": "#333333",
        }
        for row, text, offset in zip(picture.marked, texts, offsets, strict=True)
        if offset is not None
    ]


def _hover(text: str, columns: int) -> str:
    """Return `text` cut and in lines, for plotly, which reads some of html in it."""
    return "<br>".join(escape(line) for line in textwrap.wrap(cut(text, columns), _HOVER_COLUMNS))


def _literal(text: str) -> str:
    """Return `text` so that a template shows it as it is."""
    return text.replace("%{", "%&#123;").replace("</extra", "")
