"""Charts in the terminal, drawn by plotext; characters alone if colours are not wanted."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from simil.cli.output.cells import fit
from simil.cli.output.output_file import is_terminal, width
from simil.cli.output.rows import fewer_digits
from simil.cli.plots.charts import BarChart, Chart, HeatMap, ScatterPlot, cut, mark_of
from simil.data_stream import stdout, terminal_size
from simil.errors import ExtraMissing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["render"]

# From unlike to alike, with and without Unicode.
_SHADES = {True: " ·░▒▓█", False: " .:=#@"}
# The terminal's colours that are nearest to the scale of charts in files, dark to light.
_HEAT = (54, 60, 31, 36, 77, 184)
_COLOURS = (168, 62, 179, 29, 74, 125, 37, 142, 133)
_GREY = 245
_BLANK = -1
_SIGNS = "123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
# After these, the letters of other alphabets that look like none of them.
_MORE_SIGNS = "αβγδεζηθλμξπσφψωбгджзийлпфцчшщъыьэюя"
_BAR_COLOURS = {True: 29, False: 74}
_MOST_NAMED = 30


def render(chart: Chart) -> str:
    """Return the chart as lines that fit the terminal's width, in colour if the terminal shows it."""
    look = _Look()
    if isinstance(chart, BarChart):
        lines = _bar_chart(chart, look)
    else:
        lines = _heat_map(chart, look) if isinstance(chart, HeatMap) else _scatter_plot(chart, look)
    head = [cut(chart.title, look.columns), *textwrap.wrap(chart.caption, look.columns)]
    return "".join(line.rstrip() + "\n" for line in [*head, *lines])


class _Look:
    """What stdout can show."""

    def __init__(self) -> None:
        encoding = (getattr(stdout(), "encoding", None) or "").lower()
        self.unicode = encoding.startswith("utf")
        self.columns = width()
        self.lines = max(terminal_size().lines - 5, 12)
        self.colours = (
            is_terminal()
            and not os.environ.get("NO_COLOR")
            and os.environ.get("TERM") not in ("dumb", "unknown")
        )
        self.shades = _SHADES[self.unicode]
        self.dot = "·" if self.unicode else "."
        self.block = "█" if self.unicode else "#"

    def coloured(self, text: str, colour: int) -> str:
        return f"\x1b[38;5;{colour}m{text}\x1b[0m" if self.colours and text.strip() else text


def _plotext() -> Any:
    try:
        import plotext
    except ImportError as exc:
        # Its C++ part may be missing or built for another system.
        raise ExtraMissing(f"plotext cannot draw: {str(exc).splitlines()[0]}", extra="plot") from exc
    return plotext


def _canvas(columns: int, lines: int, look: _Look, *, framed: bool) -> Any:
    plotext = _plotext()
    plotext.terminal.limit(False, False)
    figure = plotext.figure
    figure.clear()
    figure.plot_size(columns, lines)
    figure.theme("colorless")
    figure.axes(framed and look.unicode)
    figure.legend(False)
    for axis in ("x", "y"):
        figure.ruler(axis).frequency(0)
    return figure


def _put(figure: Any, x: Sequence[float], y: Sequence[float], sign: str, colour: int, look: _Look) -> None:
    marker = _plotext().marker(sign, pixel=colour) if look.colours else sign
    figure.draw(figure.signal(list(x), list(y), marker=marker))


def _heat_map(chart: HeatMap, look: _Look) -> Iterator[str]:
    import numpy as np

    label = min(max(look.columns // 3, 10), 30, 2 + max((len(name) for name in chart.names), default=0))
    room = look.columns - label
    cells, per_cell = chart.coarser(min(room, 2 * look.lines))
    count = len(cells)
    if not count:
        return
    wide = int(np.clip(room // count, 1, 4))
    figure = _canvas(count * wide, count, look, framed=False)
    block = "█" if look.colours and look.unicode else ""
    shares = chart.shares(cells)
    levels = np.clip(np.nan_to_num(shares * len(look.shades)).astype(int), 0, len(look.shades) - 1)
    # What has no score, as a text with itself, stays blank.
    levels[np.isnan(shares)] = _BLANK
    figure.ruler("x").lim(0, count * wide - 1)
    figure.ruler("y").lim(0, count - 1)
    spread = np.repeat(levels[::-1], wide, axis=1)
    for level, shade in enumerate(look.shades):
        y, x = np.nonzero(spread == level)
        if len(x) and (shade != " " or look.colours):
            _put(figure, x.tolist(), y.tolist(), block or shade, _HEAT[level], look)
    for number, line in enumerate(figure.build().string(not look.colours).splitlines()[:count]):
        yield fit(cut(chart.names[number * per_cell], label - 1), label) + line
    yield ""
    yield _scale(chart, look)
    if per_cell > 1:
        yield cut(f"a character is the mean of {per_cell} x {per_cell}", look.columns)


def _scale(chart: HeatMap, look: _Look) -> str:
    """Return the line that explains the shades."""
    steps = len(look.shades)
    shades = range(steps) if chart.alike_is_high else range(steps - 1, -1, -1)
    blocks = "".join(
        look.coloured(("█" if look.colours and look.unicode else look.shades[shade]) * 3, _HEAT[shade])
        for shade in shades
    )
    return f"{chart.metric} {chart.low:.2f} [{blocks}] {chart.high:.2f}"


def _bar_chart(chart: BarChart, look: _Look) -> Iterator[str]:
    from rich.cells import cell_len

    names = [bar.name for panel in (*chart.scores, *chart.costs) for bar in panel.bars]
    label = min(max(map(cell_len, names), default=0) + 1, look.columns // 3)
    room = max(look.columns - label - 12, 4)
    for panel in (*chart.scores, *chart.costs):
        is_cost = panel in chart.costs
        if is_cost and panel is chart.costs[0]:
            yield ""
            yield cut("Costs, each on a scale of its own:", look.columns)
        yield ""
        yield cut(panel.name, look.columns)
        for bar in panel.bars:
            # What is below 0, as correlations can be, has no bar.
            long = round(max(bar.value or 0.0, 0.0) / (panel.top if is_cost else 1.0) * room)
            block = look.coloured(look.block * long, _BAR_COLOURS[bar.best])
            yield f"{fit(bar.name, label)}{block} {bar.label}{'*' if bar.best else ''}"
    if chart.scores:
        yield ""
        yield f"{' ' * label}0{'1'.rjust(room - 1)}"


def _scatter_plot(chart: ScatterPlot, look: _Look) -> Iterator[str]:
    import numpy as np

    legend = [*_legend(chart, look)]
    lines = int(np.clip(look.columns // 3, 12, look.lines))
    figure = _canvas(look.columns, lines, look, framed=True)
    if len(chart.points):
        low, high = chart.points.min(axis=0), chart.points.max(axis=0)
        gap = np.where(high > low, (high - low) * 0.02, 1.0)
        for axis, ends in zip("xy", np.array([low - gap, high + gap]).T.tolist(), strict=True):
            figure.ruler(axis).lim(*ends)
    if chart.scores is not None or chart.groups is None:
        across, up = chart.points.T.tolist()
        _put(figure, across, up, look.dot, _GREY, look)
        for number, row in reversed([*enumerate(chart.marked)]):
            x, y = chart.points[row].tolist()
            _put(figure, [x], [y], _sign(number, look), _COLOURS[0], look)
    else:
        for group, rows in chart.members():
            x, y = chart.points[rows].T.tolist()
            colour = _GREY if group < 0 else _COLOURS[mark_of(group)[0]]
            _put(figure, x, y, look.dot if group < 0 else _sign(group, look), colour, look)
    yield from figure.build().string(not look.colours).splitlines()
    yield from legend


def _legend(chart: ScatterPlot, look: _Look) -> Iterator[str]:
    if chart.scores is not None or chart.groups is None:
        for number, row in enumerate(chart.marked[:_MOST_NAMED]):
            score = "" if chart.scores is None else f"{fewer_digits(chart.scores[row])}  "
            sign = look.coloured(_sign(number, look), _COLOURS[0])
            yield f"{sign}  {cut(score + chart.texts[row], look.columns - 3)}"
        more = len(chart.marked) - _MOST_NAMED
    else:
        groups = [(group, rows) for group, rows in chart.members() if group >= 0]
        for group, rows in groups[:_MOST_NAMED]:
            sign = look.coloured(_sign(group, look), _COLOURS[mark_of(group)[0]])
            yield f"{sign}  {_named(chart, group, rows, look.columns - 3)}"
        more = len(groups) - _MOST_NAMED
        if chart.has_noise:
            outside = next(len(rows) for group, rows in chart.members() if group < 0)
            yield f"{look.coloured(look.dot, _GREY)}  noise ({outside:,})"
    if more > 0:
        yield f"   and {more} more"


def _named(chart: ScatterPlot, group: int, rows: NDArray[np.integer[Any]], columns: int) -> str:
    size = f" ({len(rows):,})"
    name = chart.name_of(group).partition(" · ")[2]
    return cut(name, max(columns - len(size), 4)) + size if name else size.strip()


def _sign(number: int, look: _Look) -> str:
    signs = _SIGNS + _MORE_SIGNS if look.unicode else _SIGNS
    return signs[number] if number < len(signs) else "+"
