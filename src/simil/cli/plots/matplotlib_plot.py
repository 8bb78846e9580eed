"""Charts as PNG and SVG, drawn by matplotlib."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

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

__all__ = ["render"]

_DPI = 150
_SQUARE_INCHES = (10.0, 9.0)
_WIDE_INCHES = (12.0, 8.0)
_SHAPES = ("o", "s", "^", "D", "v", "P", "X")
_GREY = "#555555"
_MOST_NAMED = 24
# Fonts for letters that matplotlib's own font lacks, if they are installed.
_FALLBACKS = (
    "Noto Sans", "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans JP", "Noto Sans SC", "Noto Sans KR",
    "Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans Devanagari", "Noto Sans Thai", "WenQuanYi Zen Hei",
    "Hiragino Sans", "PingFang SC", "Apple SD Gothic Neo", "Yu Gothic", "Microsoft YaHei", "Malgun Gothic",
    "Nirmala UI", "Arial Unicode MS", "Noto Emoji", "Symbola",
)  # fmt: skip


def render(chart: Chart, form: str) -> bytes:
    """Return the chart as "png" or "svg"; the same chart gives the same bytes."""
    with _silenced():
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        with rc_context(_settings()):
            inches = _SQUARE_INCHES if isinstance(chart, HeatMap) else _WIDE_INCHES
            figure = Figure(figsize=inches, facecolor="white")
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


def _settings() -> dict[str, Any]:
    from matplotlib import font_manager

    installed = set(font_manager.get_font_names())
    return {
        "font.family": ["DejaVu Sans", *(name for name in _FALLBACKS if name in installed)],
        "font.size": 9,
        # A dollar sign in a text is not the start of a formula.
        "text.parse_math": False,
        "text.usetex": False,
        # Text stays text: it can be searched and copied, and a browser has letters for all of it.
        "svg.fonttype": "none",
        "svg.hashsalt": "simil",
        "axes.unicode_minus": False,
    }


def _draw_head(figure: Any, chart: Chart) -> None:
    figure.text(0.025, 0.975, cut(chart.title, 90), fontsize=14, weight="bold", va="top", ha="left")
    figure.text(0.025, 0.938, cut(chart.caption, 130), fontsize=9, color=_GREY, va="top", ha="left")


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


def _draw_heat_map(figure: Any, chart: HeatMap) -> None:
    count = len(chart.cells)
    ticks = [cell for cell, _, _ in chart.ticks()]
    labels = [label for _, _, label in chart.ticks()]
    size = 10 if len(ticks) <= 16 else 9 if len(ticks) <= 28 else 7.5
    margin = 0.4 + max((_inches(label, size) for label in labels), default=0.0)
    width, height = figure.get_size_inches()
    # Cells are square, and the heat map is centred.
    side = min(width - margin - 1.3, height - margin - 0.85)
    free = (width - margin - 1.3 - side) / 2
    left = margin + max(free, 0.0)
    axes = _box(figure, left, height - 0.85 - side, width - left - side, 0.85)
    colours = "viridis" if chart.alike_is_high else "viridis_r"
    drawn = axes.imshow(
        chart.cells, cmap=colours, vmin=chart.low, vmax=chart.high, aspect="equal", interpolation="nearest"
    )
    slanted = len(ticks) <= MOST_NUMBERS
    axes.set_yticks(ticks, labels, fontsize=size)
    axes.set_xticks(
        ticks,
        labels,
        fontsize=size,
        rotation=45 if slanted else 90,
        ha="right" if slanted else "center",
        rotation_mode="anchor" if slanted else "default",
    )
    axes.tick_params(length=2, color=_GREY)
    if count <= MOST_NUMBERS:
        _write_numbers(axes, drawn, chart)
    bar = _box(figure, left + side + 0.2, height - 0.85 - side, width - left - side - 0.4, 0.85)
    below = bool((chart.cells < chart.low).any())
    _draw_scale(figure, drawn, bar, chart.metric, extend="min" if below else "neither")


def _write_numbers(axes: Any, drawn: Any, chart: HeatMap) -> None:
    """Write each score into its cell, dark on light or light on dark."""
    digits = ".2f" if max(abs(chart.low), abs(chart.high)) < 100 else ".3g"
    for row, scores in enumerate(chart.cells):
        for column, score in enumerate(scores):
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


def _draw_bar_chart(figure: Any, chart: BarChart) -> None:
    width, height = figure.get_size_inches()
    rows, columns = chart.grid
    wide, high = (width - 0.4) / columns, (height - 1.0) / rows
    label = min(0.3 + max(map(len, chart.names)) * 0.07, wide / 2)
    for row, column, panel in chart.placed():
        left, top = 0.2 + column * wide, 0.8 + row * high
        axes = _box(figure, left + label, height - top - high + 0.15, width - left - wide + 0.55, top + 0.3)
        _draw_panel(axes, panel)
        axes.set_yticks(range(len(chart.names)), [cut(name, 24) for name in chart.names], fontsize=8)
        axes.invert_yaxis()
        axes.set_ylim(len(chart.names) - 0.4, -0.6)


def _draw_panel(axes: Any, panel: Panel) -> None:
    axes.barh(range(len(panel.values)), [value or 0.0 for value in panel.values], color=panel.colours())
    for row, (value, low, high) in enumerate(zip(panel.values, panel.lows, panel.highs, strict=True)):
        if low is not None and high is not None:
            axes.plot([low, high], [row, row], color="#222222", linewidth=1.2)
        end = max(value or 0.0, high or 0.0)
        axes.text(end, row, f" {panel.label(row)}", va="center", ha="left", fontsize=8)
    lowest = min(0.0, *(value for value in (*panel.values, *panel.lows, 0.0) if value is not None))
    axes.set_xlim(lowest, panel.top)
    axes.set_xticks([])
    axes.set_title(panel.name, fontsize=10, loc="left", color=_GREY)
    axes.tick_params(length=0)


def _draw_scatter_plot(figure: Any, chart: ScatterPlot) -> None:
    import numpy as np

    left, bottom, top = 0.3, 0.3, 0.85
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


def _draw_groups(axes: Any, chart: ScatterPlot, size: float) -> None:
    handles: list[Any] = []
    names: list[str] = []
    for group, rows in chart.members():
        noise = group < 0
        drawn = axes.scatter(
            *chart.points[rows].T,
            c=NOISE if noise else COLOURS[group % len(COLOURS)],
            marker="o" if noise else _SHAPES[group // len(COLOURS) % len(_SHAPES)],
            s=size * (0.6 if noise else 1),
            alpha=0.6 if noise else 0.85,
            linewidths=0.3,
            edgecolors="white",
            zorder=1 if noise else 2,
        )
        handles.append(drawn)
        # The number comes first: matplotlib leaves out names that begin with _.
        names.append(f"{cut(chart.name_of(group), 34)}  ({len(rows):,})")
    if chart.has_noise:
        # Drawn first, so that it hides nothing, and listed last.
        handles, names = [*handles[1:], handles[0]], [*names[1:], names[0]]
    more = len(names) - _MOST_NAMED
    legend = axes.legend(
        handles[:_MOST_NAMED],
        names[:_MOST_NAMED],
        loc="upper left",
        bbox_to_anchor=(1.015, 1.005),
        borderaxespad=0,
        frameon=False,
        fontsize=8.5,
        handletextpad=0.3,
        labelspacing=0.55,
        title=f"and {more} more" if more > 0 else None,
        title_fontsize=8.5,
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
    _draw_rings(axes, chart, s=sizes[chart.marked] + 40, edgecolors="#333333", linewidths=0.9)
    if differ:
        width = figure.get_size_inches()[0]
        _draw_scale(figure, drawn, _box(figure, width - right + 0.2, 0.3, right - 0.4, 0.85), "score")


def _draw_labels(axes: Any, chart: ScatterPlot, room: tuple[float, float]) -> None:
    size = 8.5
    placed = label_offsets(chart, room, lambda text: (72 * _inches(text, size) + 4, size * 1.5))
    for row, text, offset in placed:
        shared = {"xytext": offset, "textcoords": "offset points", "ha": "center", "va": "center"}
        # The line is drawn apart, so that it passes behind the other labels.
        line = {"arrowstyle": "-", "color": "#333333", "linewidth": 0.6, "shrinkA": 0, "shrinkB": 2}
        axes.annotate("", chart.points[row], zorder=4, arrowprops=line, **shared)
        box = {"boxstyle": "square,pad=0.12", "facecolor": "white", "alpha": 0.85, "linewidth": 0}
        axes.annotate(text, chart.points[row], zorder=5, fontsize=size, bbox=box, **shared)
    if chart.scores is None:
        _draw_rings(axes, chart, s=46, edgecolors="#222222", linewidths=1.1, zorder=4)


def _draw_rings(axes: Any, chart: ScatterPlot, **how: Any) -> None:
    if chart.marked:
        axes.scatter(*chart.points[chart.marked].T, facecolors="none", **how)


def _inches(text: str, size: float) -> float:
    """Return the approximate width of a text: measuring each letter would take longer."""
    from rich.cells import cell_len

    return cell_len(text) * size * 0.59 / 72
