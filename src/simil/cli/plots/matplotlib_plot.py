"""Charts as PNG and SVG, drawn by matplotlib."""

from __future__ import annotations

import io
import logging
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import isnan
from typing import Any

from simil.cli.plots.chart_fonts import families_for, missing_font_note
from simil.cli.plots.charts import (
    COLOURS,
    MOST_NUMBERS,
    NOISE,
    SCORE_COLOURS,
    BarChart,
    Chart,
    HeatMap,
    Panel,
    ScatterPlot,
    cut,
    mark_of,
)
from simil.cli.plots.label_placement import label_offsets

__all__ = ["render"]

_DPI = 150
_WIDE_INCHES = (12.0, 8.0)
# The head of a picture, the side of a heat map, and the least height of a line of text, in inches.
_HEAD, _SIDE, _LINE = 0.95, 7.4, 0.13
_SHAPES = ("o", "s", "^", "D", "v", "P", "X")
_GREY = "#555555"
# Entries of a legend, and how many of them have room for a text.
_MOST_NAMED, _MOST_TYPICAL = 64, 24

log = logging.getLogger("simil")


def render(chart: Chart, form: str) -> bytes:
    """Return the chart as "png" or "svg"; the same chart gives the same bytes."""
    with _silenced():
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        families, missing = families_for(_written(chart))
        if missing and form == "png":  # The letters of an .svg are drawn where it is shown.
            log.warning("%s", missing_font_note(missing))
        with rc_context(_settings(families)):
            figure = Figure(figsize=_inches_of(chart), facecolor="white")
            FigureCanvasAgg(figure)
            _draw_head(figure, chart)
            if isinstance(chart, HeatMap):
                _draw_heat_map(figure, chart)
            elif isinstance(chart, BarChart):
                _draw_bar_chart(figure, chart)
            else:
                _draw_scatter_plot(figure, chart)
            stream = io.BytesIO()
            # A date or a version in the metadata would change the bytes.
            metadata = {"Software": None} if form == "png" else {"Date": None, "Creator": "simil"}
            figure.savefig(stream, format=form, dpi=_DPI, metadata=metadata)
            return stream.getvalue()


def _written(chart: Chart) -> Iterator[str]:
    """Yield what is written in the picture."""
    yield chart.title
    yield chart.caption
    if isinstance(chart, HeatMap):
        yield from _row_labels(chart)
    elif isinstance(chart, BarChart):
        yield from (bar.name for panel in (*chart.scores, *chart.costs) for bar in panel.bars)
    else:
        yield from chart.labels()
        if chart.groups is not None:
            yield from (cut(chart.texts[row], 40) for row in chart.marked)


@contextmanager
def _silenced() -> Iterator[None]:
    """Keep matplotlib's remarks on fonts and folders off stderr: a user cannot change anything about them."""
    logger = logging.getLogger("matplotlib")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def _settings(families: list[str]) -> dict[str, Any]:
    return {
        "font.family": families,
        "font.size": 9,
        # A dollar sign in a text is not the start of a formula.
        "text.parse_math": False,
        "text.usetex": False,
        # Text stays text: it can be searched and copied, and a browser has letters for all of it.
        "svg.fonttype": "none",
        "svg.hashsalt": "simil",
        "axes.unicode_minus": False,
    }


def _inches_of(chart: Chart) -> tuple[float, float]:
    """Return the size of the picture: large enough that every name has a line."""
    if isinstance(chart, HeatMap):
        margin, side, bottom = _heat_map_room(chart)
        return margin + side + 1.3, _HEAD + side + bottom
    width, height = _WIDE_INCHES
    if isinstance(chart, BarChart):
        lines = max(_lines_of(chart.scores), _lines_of(chart.costs))
        return width, max(_HEAD + 0.6 + 0.24 * lines, 2.5)
    if chart.groups is None:
        return width, height
    entries = min(len(chart.group_names) + chart.has_noise, _MOST_NAMED)
    return width, max(height, _HEAD + 0.5 + entries * _entry_inches(chart))


def _draw_head(figure: Any, chart: Chart) -> None:
    height = figure.get_size_inches()[1]
    caption = (
        chart.caption_for(chart.per_cell, chart.named_every) if isinstance(chart, HeatMap) else chart.caption
    )
    lines = textwrap.wrap(caption, int(figure.get_size_inches()[0] * 12.5))[:2]
    figure.text(
        0.025, 1 - 0.2 / height, cut(chart.title, 90), fontsize=14, weight="bold", va="top", ha="left"
    )
    figure.text(0.025, 1 - 0.49 / height, "\n".join(lines), fontsize=9, color=_GREY, va="top", ha="left")


def _box(figure: Any, left: float, bottom: float, right: float, top: float) -> Any:
    """Return axes without spines that have these margins, in inches."""
    width, height = figure.get_size_inches()
    axes = figure.add_axes(
        (left / width, bottom / height, (width - left - right) / width, (height - bottom - top) / height)
    )
    for spine in axes.spines.values():
        spine.set_visible(False)
    return axes


def _draw_scale(figure: Any, drawn: Any, bar: Any, title: str, **how: Any) -> None:
    """Draw the colour scale of `drawn` into the axes `bar`."""
    figure.colorbar(drawn, cax=bar, **how).outline.set_visible(False)
    bar.set_ylabel(title, fontsize=9)
    bar.tick_params(labelsize=8, length=2, color=_GREY)


def _row_labels(chart: HeatMap) -> list[str]:
    """Return the labels of rows: the names, with the numbers that stand for them above the columns."""
    return [label if _slanted(chart) else f"{item + 1}  {label}" for _, item, label in chart.ticks()]


def _slanted(chart: HeatMap) -> bool:
    """Whether there is room for names below the columns, too."""
    return len(chart.cells) <= MOST_NUMBERS


def _label_size(chart: HeatMap) -> float:
    ticks = len(chart.ticks())
    return 10 if ticks <= 16 else 9 if ticks <= 36 else 7.5


def _heat_map_room(chart: HeatMap) -> tuple[float, float, float]:
    """Return the margin at the left, the side of the heat map, and the margin below it."""
    widest = max((_inches(label, _label_size(chart)) for label in _row_labels(chart)), default=0.0)
    side = max(_SIDE, _LINE * len(chart.ticks()))
    # A slanted name is as high as it is wide, and needs a little less of either.
    return 0.5 + widest, side, 0.35 + 0.75 * widest if _slanted(chart) else 0.25


def _draw_heat_map(figure: Any, chart: HeatMap) -> None:
    import numpy as np
    from matplotlib import colormaps

    margin, side, bottom = _heat_map_room(chart)
    axes = _box(figure, margin, bottom, 1.3, _HEAD)
    # Blank cells: what was not scored, and texts with themselves.
    colours = colormaps["viridis" if chart.alike_is_high else "viridis_r"].with_extremes(bad="#E9E9EC")
    drawn = axes.imshow(
        np.ma.masked_invalid(chart.cells),
        cmap=colours,
        vmin=chart.low,
        vmax=chart.high,
        aspect="equal",
        interpolation="nearest",
    )
    ticks = [cell for cell, _, _ in chart.ticks()]
    size = _label_size(chart)
    axes.set_yticks(ticks, _row_labels(chart), fontsize=size)
    if _slanted(chart):
        names = _row_labels(chart)
        axes.set_xticks(ticks, names, fontsize=size, rotation=45, ha="right", rotation_mode="anchor")
    else:
        numbers = [str(item + 1) for _, item, _ in chart.ticks()]
        axes.set_xticks(ticks, numbers, fontsize=min(size, 8), rotation=90 if len(ticks) > 30 else 0)
        axes.xaxis.tick_top()
    axes.tick_params(length=2, color=_GREY)
    if len(chart.cells) <= MOST_NUMBERS:
        _write_numbers(axes, drawn, chart)
    bar = _box(figure, margin + side + 0.2, bottom, 0.9, _HEAD)
    _draw_scale(figure, drawn, bar, chart.metric)


def _write_numbers(axes: Any, drawn: Any, chart: HeatMap) -> None:
    """Write each score into its cell, dark on light or light on dark."""
    digits = ".2f" if max(abs(chart.low), abs(chart.high)) < 100 else ".3g"
    for row, scores in enumerate(chart.cells):
        for column, score in enumerate(scores):
            if isnan(score):
                continue
            red, green, blue, _ = drawn.cmap(drawn.norm(score))
            light = 0.299 * red + 0.587 * green + 0.114 * blue > 0.5
            axes.text(
                column,
                row,
                f"{score:{digits}}",
                ha="center",
                va="center",
                fontsize=9 if len(chart.cells) > 8 else 11,
                color="black" if light else "white",
            )


def _lines_of(panels: Sequence[Panel]) -> int:
    """Return how many lines panels take: their bars, each with a heading and a gap."""
    return sum(len(panel.bars) + 2 for panel in panels)


def _draw_bar_chart(figure: Any, chart: BarChart) -> None:
    """Draw scores on one scale at the left, and costs, each panel on a scale of its own, at the right."""
    width, height = figure.get_size_inches()
    bars = [bar for panel in (*chart.scores, *chart.costs) for bar in panel.bars]
    label = 0.35 + min(max((_inches(cut(bar.name, 26), 9) for bar in bars), default=0.0), 2.2)
    share = 0.56 if chart.costs else 0.9
    high = height - _HEAD - 0.6
    axes = _box(figure, label, height - _HEAD - high, width * (1 - share) + 0.7, _HEAD)
    lines = _draw_panels(axes, chart.scores, [1.0] * len(chart.scores))
    axes.set_xlim(chart.low, 1)
    axes.set_xticks([tick / 4 for tick in range(round(4 * chart.low), 5)])
    axes.set_ylim(high / 0.24 - 0.4, -0.6)
    axes.vlines(axes.get_xticks(), -0.6, lines - 1.2, color="#E3E3E6", linewidth=0.8, zorder=0)
    axes.tick_params(axis="x", labelsize=8, length=0, colors=_GREY)
    if chart.costs:
        axes = _box(figure, width * share + label, height - _HEAD - high, 0.8, _HEAD)
        _draw_panels(axes, chart.costs, [panel.top for panel in chart.costs])
        axes.set_xlim(0, 1)
        axes.set_xticks([])
        axes.set_ylim(high / 0.24 - 0.4, -0.6)


def _draw_panels(axes: Any, panels: Sequence[Panel], tops: Sequence[float]) -> int:
    """Draw panels below each other, each up to its top; return how many lines they take."""
    line, ticks, names = 0, [], []
    for panel, top in zip(panels, tops, strict=True):
        axes.text(
            0,
            line,
            panel.name,
            transform=axes.get_yaxis_transform(),
            va="center",
            weight="bold",
            fontsize=9.5,
        )
        for row, bar in enumerate(panel.bars, line + 1):
            axes.barh(row, (bar.value or 0.0) / top, color=SCORE_COLOURS[bar.best], height=0.72, zorder=2)
            if bar.low is not None and bar.high is not None:
                axes.plot(
                    [bar.low / top, bar.high / top], [row, row], color="#222222", linewidth=1.2, zorder=3
                )
            end = max(0.0, *(end / top for end in bar.ends)) if bar.ends else 0.0
            weight = "bold" if bar.best else "normal"
            axes.text(end, row, f" {bar.label}", va="center", ha="left", fontsize=8.5, weight=weight)
            ticks.append(row)
            names.append(cut(bar.name, 26))
        line += len(panel.bars) + 2
    axes.set_yticks(ticks, names, fontsize=9)
    axes.tick_params(axis="y", length=0)
    return line


def _draw_scatter_plot(figure: Any, chart: ScatterPlot) -> None:
    import numpy as np

    left, bottom, top = 0.3, 0.3, _HEAD
    right = 3.3 if chart.groups is not None else 0.3 if chart.scores is None else 1.2
    axes = _box(figure, left, bottom, right, top)
    width, height = figure.get_size_inches()
    room = ((width - left - right) * 72, (height - bottom - top) * 72)
    low, high = chart.limits(room)
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(low[1], high[1])
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color("#DDDDDD")
    size = float(np.clip(22000 / max(len(chart.points), 1), 7, 42))
    if chart.scores is not None:
        _draw_scores(figure, axes, chart, size, right)
    elif chart.groups is not None:
        _draw_groups(axes, chart, size)
    else:
        axes.scatter(*chart.points.T, s=size, c=COLOURS[1], alpha=0.7, linewidths=0)
    _draw_labels(axes, chart, room)


def _entry_inches(chart: ScatterPlot) -> float:
    """Return how high an entry of the legend is: with few of them, each shows its most typical text."""
    return 0.36 if len(chart.group_names) <= _MOST_TYPICAL else 0.19


def _marker(group: int) -> Any:
    """Return the shape of a group's mark, as matplotlib takes it."""
    shape = mark_of(group)[1]
    return _number_path(group + 1) if shape is None else _SHAPES[shape]


def _number_path(number: int) -> Any:
    """Return the outline of a number, around its centre."""
    from matplotlib.textpath import TextPath
    from matplotlib.transforms import Affine2D

    path = TextPath((0, 0), str(number), size=10)
    box = path.get_extents()
    return path.transformed(Affine2D().translate(-(box.x0 + box.x1) / 2, -(box.y0 + box.y1) / 2))


def _is_number(group: int) -> bool:
    return mark_of(group)[1] is None


def _size(group: int) -> float:
    """Return how large a group's mark is: a number needs more room to be read."""
    return 3.0 if _is_number(group) else 1.0


def _draw_groups(axes: Any, chart: ScatterPlot, size: float) -> None:
    handles: list[Any] = []
    names: list[str] = []
    for group, rows in chart.members():
        noise = group < 0
        drawn = axes.scatter(
            *chart.points[rows].T,
            c=NOISE if noise else COLOURS[mark_of(group)[0]],
            marker="." if noise else _marker(group),
            s=size * (0.5 if noise else _size(group)),
            alpha=0.6 if noise else 0.85,
            linewidths=0 if _is_number(group) else 0.3,
            edgecolors="white",
            zorder=1 if noise else 2,
        )
        handles.append(drawn)
        # The number comes first: matplotlib leaves out names that begin with _.
        names.append(f"{cut(chart.name_of(group), 34)}  ({len(rows):,})")
        if not noise and len(chart.group_names) <= _MOST_TYPICAL:
            names[-1] += f"\n{cut(chart.typical_of(group), 40)}"
    if chart.has_noise:
        # Drawn first, so that it hides nothing, and listed last.
        handles, names = [*handles[1:], handles[0]], [*names[1:], names[0]]
    more = len(names) - _MOST_NAMED
    if more > 0:
        handles = [*handles[:_MOST_NAMED], axes.scatter([], [], c="none")]
        names = [*names[:_MOST_NAMED], f"and {more} more"]
    legend = axes.legend(
        handles,
        names,
        loc="upper left",
        bbox_to_anchor=(1.015, 1.005),
        borderaxespad=0,
        frameon=False,
        fontsize=8.5,
        handletextpad=0.3,
        labelspacing=0.55,
    )
    for handle in legend.legend_handles:
        handle.set_sizes([40])
        handle.set_alpha(1)


def _draw_scores(figure: Any, axes: Any, chart: ScatterPlot, size: float, right: float) -> None:
    import numpy as np

    order, relative, differ = chart.by_score()
    sizes = size * (0.5 + 4.5 * relative**2)
    drawn = axes.scatter(
        *chart.points[order].T,
        s=sizes[order],
        c=np.asarray(chart.scores)[order],
        cmap="viridis_r",
        alpha=0.9,
        linewidths=0.3,
        edgecolors="white",
    )
    if chart.marked:
        where = chart.points[chart.marked].T
        axes.scatter(
            *where, s=sizes[chart.marked] + 40, facecolors="none", edgecolors="#333333", linewidths=0.9
        )
    if differ:
        width = figure.get_size_inches()[0]
        _draw_scale(figure, drawn, _box(figure, width - right + 0.2, 0.3, right - 0.4, _HEAD), "score")


def _draw_labels(axes: Any, chart: ScatterPlot, room: tuple[float, float]) -> None:
    size = 8.5
    placed = label_offsets(chart, room, lambda text: (72 * _inches(text, size) + 4, size * 1.5))
    for row, text, offset in placed:
        shared = {"xytext": offset, "textcoords": "offset points", "ha": "center", "va": "center"}
        # The line is drawn apart, so that it passes behind the other labels.
        line = {"arrowstyle": "-", "color": "#333333", "linewidth": 0.6, "shrinkA": 0, "shrinkB": 4}
        axes.annotate("", chart.points[row], zorder=4, arrowprops=line, **shared)
        box = {"boxstyle": "square,pad=0.12", "facecolor": "white", "linewidth": 0}
        axes.annotate(text, chart.points[row], zorder=5, fontsize=size, bbox=box, **shared)
    if chart.scores is None and chart.groups is not None:
        for row in chart.marked:
            how = {"facecolors": "none", "edgecolors": "#222222", "linewidths": 1.1, "zorder": 4}
            group = int(chart.groups[row])
            axes.scatter(
                *chart.points[row],
                s=70 * _size(group),
                marker="o" if _is_number(group) else _marker(group),
                **how,
            )


def _inches(text: str, size: float) -> float:
    """Return the width of a text."""
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.font_manager import FontProperties

    renderer = RendererAgg(1, 1, 72)
    width: float = renderer.get_text_width_height_descent(text, FontProperties(size=size), ismath=False)[0]
    return width / 72
