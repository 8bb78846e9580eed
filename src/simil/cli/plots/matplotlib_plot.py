"""Pictures as png and svg, by matplotlib."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from simil.cli.plots.bars import Bars, draw_bars
from simil.cli.plots.label_placement import place
from simil.cli.plots.pictures import COLOURS, NOISE, Map, Matrix, cut

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["image"]

_DPI = 150
_MATRIX_INCHES = (10.0, 9.0)
_MAP_INCHES = (12.0, 8.0)
_SHAPES = ("o", "s", "^", "D", "v", "P", "X")
_GREY = "#555555"
_MOST_LABELS = 40
_MOST_NUMBERS = 12
_MOST_NAMED = 24
# Beside the font that matplotlib brings, those that are installed of these: for what it has no letters for.
_FALLBACKS = (
    "Noto Sans",
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Noto Sans JP",
    "Noto Sans SC",
    "Noto Sans KR",
    "Noto Sans Arabic",
    "Noto Sans Hebrew",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
    "WenQuanYi Zen Hei",
    "Hiragino Sans",
    "PingFang SC",
    "Apple SD Gothic Neo",
    "Yu Gothic",
    "Microsoft YaHei",
    "Malgun Gothic",
    "Nirmala UI",
    "Arial Unicode MS",
    "Noto Emoji",
    "Symbola",
)


def image(picture: Matrix | Map | Bars, form: str) -> bytes:
    """Return the picture as "png" or "svg"; the same picture gives the same bytes."""
    with _quiet():
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        with rc_context(_settings()):
            figure = Figure(
                figsize=_MATRIX_INCHES if isinstance(picture, Matrix) else _MAP_INCHES, facecolor="white"
            )
            FigureCanvasAgg(figure)
            if isinstance(picture, Matrix):
                _draw_matrix(figure, picture)
            elif isinstance(picture, Bars):
                _head(figure, picture.title, picture.caption)
                draw_bars(figure, picture, lambda *margins: _box(figure, *margins))
            else:
                _draw_map(figure, picture)
            stream = io.BytesIO()
            # What it says of the time and of the program's version would change the bytes.
            metadata = {"Software": None} if form == "png" else {"Date": None, "Creator": "simil"}
            figure.savefig(stream, format=form, dpi=_DPI, metadata=metadata)
            return stream.getvalue()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep from stderr what matplotlib says of fonts and folders: nothing that a user could change here."""
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
        # A dollar in a text is a dollar.
        "text.parse_math": False,
        "text.usetex": False,
        # Text stays text: it can be found and copied, and a browser has letters for all of it.
        "svg.fonttype": "none",
        "svg.hashsalt": "simil",
        "axes.unicode_minus": False,
    }


def _head(figure: Any, title: str, caption: str) -> None:
    figure.text(0.025, 0.975, cut(title, 90), fontsize=14, weight="bold", va="top", ha="left")
    figure.text(0.025, 0.938, cut(caption, 130), fontsize=9, color=_GREY, va="top", ha="left")


def _box(figure: Any, left: float, bottom: float, right: float, top: float) -> Any:
    """Return axes with these margins, in inches."""
    width, height = figure.get_size_inches()
    return figure.add_axes(
        (left / width, bottom / height, (width - left - right) / width, (height - bottom - top) / height)
    )


# A heat map.


def _draw_matrix(figure: Any, matrix: Matrix) -> None:

    _head(figure, matrix.title, matrix.caption)
    count = len(matrix.cells)
    step = max(-(-count // _MOST_LABELS), 1)
    ticks = range(0, count, step)
    size = 10 if len(ticks) <= 16 else 9 if len(ticks) <= 28 else 7.5
    labels = [cut(matrix.names[tick * matrix.per_cell], 26) for tick in ticks]
    margin = 0.4 + max((_inches(label, size) for label in labels), default=0.0)
    width, height = figure.get_size_inches()
    # The cells are square, and the whole stands in the middle of its room.
    side = min(width - margin - 1.3, height - margin - 0.85)
    free = (width - margin - 1.3 - side) / 2
    left = margin + max(free, 0.0)
    axes = _box(figure, left, height - 0.85 - side, width - left - side, 0.85)
    colours = "viridis" if matrix.alike_is_high else "viridis_r"
    drawn = axes.imshow(
        matrix.cells, cmap=colours, vmin=matrix.low, vmax=matrix.high, aspect="equal", interpolation="nearest"
    )
    slanted = len(ticks) <= _MOST_NUMBERS
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
    for spine in axes.spines.values():
        spine.set_visible(False)
    if count <= _MOST_NUMBERS:
        _write_numbers(axes, drawn, matrix)
    bar = _box(figure, left + side + 0.2, height - 0.85 - side, width - left - side - 0.4, 0.85)
    below = bool((matrix.cells < matrix.low).any())
    figure.colorbar(drawn, cax=bar, extend="min" if below else "neither").outline.set_visible(False)
    bar.set_ylabel(matrix.metric, fontsize=9)
    bar.tick_params(labelsize=8, length=2, color=_GREY)


def _write_numbers(axes: Any, drawn: Any, matrix: Matrix) -> None:
    """Write each score into its cell, dark on light or light on dark."""
    digits = ".2f" if max(abs(matrix.low), abs(matrix.high)) < 100 else ".3g"
    for row, scores in enumerate(matrix.cells):
        for column, score in enumerate(scores):
            red, green, blue, _ = drawn.cmap(drawn.norm(score))
            light = 0.299 * red + 0.587 * green + 0.114 * blue > 0.5
            axes.text(
                column,
                row,
                f"{score:{digits}}",
                ha="center",
                va="center",
                fontsize=9 if len(matrix.cells) > 8 else 11,
                color="black" if light else "white",
            )


# A map.


def _draw_map(figure: Any, picture: Map) -> None:
    import numpy as np

    _head(figure, picture.title, picture.caption)
    right = 0.3 if picture.groups is None and picture.scores is None else 1.2
    if picture.groups is not None:
        right = 3.3
    left, bottom, top = 0.3, 0.3, 0.85
    axes = _box(figure, left, bottom, right, top)
    width, height = figure.get_size_inches()
    room = ((width - left - right) * 72, (height - bottom - top) * 72)
    low, high = _limits(picture.points, room)
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(low[1], high[1])
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color("#DDDDDD")
    size = float(np.clip(22000 / max(len(picture.points), 1), 7, 42))
    if picture.scores is not None:
        _draw_scores(figure, axes, picture, size, right)
    elif picture.groups is not None:
        _draw_groups(figure, axes, picture, size)
    else:
        axes.scatter(*picture.points.T, s=size, c=COLOURS[1], alpha=0.7, linewidths=0)
    where = (picture.points - low) / (high - low) * np.array(room)
    _draw_labels(axes, picture, where, room)


def _limits(
    points: NDArray[np.floating[Any]], room: tuple[float, float]
) -> tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]:
    """Return the corners of what is shown: all points, and one scale for both directions."""
    import numpy as np

    if not len(points):
        return np.zeros(2), np.ones(2)
    low, high = points.min(axis=0), points.max(axis=0)
    sides = np.array(room)
    scale = float(((high - low) / sides).max()) or 1.0
    half = sides * scale * 0.54
    middle = (low + high) / 2
    return middle - half, middle + half


def _draw_groups(figure: Any, axes: Any, picture: Map, size: float) -> None:
    handles: list[Any] = []
    names: list[str] = []
    for group, rows in picture.members():
        looks = _looks(group)
        drawn = axes.scatter(
            *picture.points[rows].T,
            s=size * (0.6 if group < 0 else 1),
            alpha=0.6 if group < 0 else 0.85,
            linewidths=0.3,
            edgecolors="white",
            zorder=1 if group < 0 else 2,
            **looks,
        )
        handles.append(drawn)
        # With its number before it: a name that begins with _ would be left out.
        names.append(f"{cut(picture.name_of(group), 34)}  ({len(rows):,})")
    if picture.has_noise:
        # Drawn first, so that it hides nothing, and named last.
        handles, names = [*handles[1:], handles[0]], [*names[1:], names[0]]
    more = len(names) - _MOST_NAMED
    if more > 0:
        handles, names = handles[:_MOST_NAMED], names[:_MOST_NAMED]
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
        title=f"and {more} more" if more > 0 else None,
        title_fontsize=8.5,
    )
    for handle in legend.legend_handles:
        handle.set_sizes([40])
        handle.set_alpha(1)


def _looks(group: int) -> dict[str, Any]:
    if group < 0:
        return {"c": NOISE, "marker": "o"}
    return {
        "c": COLOURS[group % len(COLOURS)],
        "marker": _SHAPES[group // len(COLOURS) % len(_SHAPES)],
    }


def _draw_scores(figure: Any, axes: Any, picture: Map, size: float, right: float) -> None:
    import numpy as np

    scores = picture.scores
    assert scores is not None
    order = np.argsort(scores, kind="stable")
    spread = float(np.ptp(scores)) if len(scores) else 0.0
    relative = (scores - scores.min()) / spread if spread else np.zeros(len(scores))
    drawn = axes.scatter(
        *picture.points[order].T,
        s=size * (0.5 + 4.5 * relative[order] ** 2),
        c=scores[order],
        cmap="viridis_r",
        alpha=0.9,
        linewidths=0.3,
        edgecolors="white",
    )
    if picture.marked:
        rows = np.array(picture.marked)
        axes.scatter(
            *picture.points[rows].T,
            s=size * (0.5 + 4.5 * relative[rows] ** 2) + 40,
            facecolors="none",
            edgecolors="#333333",
            linewidths=0.9,
        )
    if spread:
        width = figure.get_size_inches()[0]
        bar = _box(figure, width - right + 0.2, 0.3, right - 0.4, 0.85)
        figure.colorbar(drawn, cax=bar).outline.set_visible(False)
        bar.set_ylabel(cut(picture.score_name, 60), fontsize=9)
        bar.tick_params(labelsize=8, length=2, color=_GREY)


def _draw_labels(
    axes: Any, picture: Map, where: NDArray[np.floating[Any]], room: tuple[float, float]
) -> None:
    import numpy as np

    rows = picture.marked
    if not len(rows):
        return
    size = 8.5
    texts = [cut(picture.texts[row], 34) for row in rows]
    sizes = [(72 * _inches(text, size) + 4, size * 1.5) for text in texts]
    offsets = place(where[np.array(rows)], sizes, room, where)
    for row, text, offset in zip(rows, texts, offsets, strict=True):
        if offset is None:
            continue
        shared = {"xytext": offset, "textcoords": "offset points", "ha": "center", "va": "center"}
        # The line apart, so that it passes behind the other labels.
        line = {"arrowstyle": "-", "color": "#333333", "linewidth": 0.6, "shrinkA": 0, "shrinkB": 2}
        axes.annotate("", picture.points[row], zorder=4, arrowprops=line, **shared)
        box = {"boxstyle": "square,pad=0.12", "facecolor": "white", "alpha": 0.85, "linewidth": 0}
        axes.annotate(text, picture.points[row], zorder=5, fontsize=size, bbox=box, **shared)
    if picture.scores is None:
        axes.scatter(
            *picture.points[np.array(rows)].T,
            s=46,
            facecolors="none",
            edgecolors="#222222",
            linewidths=1.1,
            zorder=4,
        )


def _inches(text: str, size: float) -> float:
    """Return about how wide a text is: by columns, since the widths of all letters would take longer."""
    from rich.cells import cell_len

    return cell_len(text) * size * 0.59 / 72
