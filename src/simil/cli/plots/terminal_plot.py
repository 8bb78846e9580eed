"""Pictures in the terminal, by plotext; in characters alone where colours are not wanted."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from simil.cli.output.output_file import is_terminal, width
from simil.cli.plots.bars import Bars, bar_lines
from simil.cli.plots.pictures import Map, Matrix, coarser, cut
from simil.errors import ExtraMissing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["drawn"]

# From unlike to alike, with and without the letters of Unicode.
_SHADES = {True: " ·░▒▓█", False: " .:=#@"}
# Of the 256 colours of terminals, those nearest to the scale of the pictures in files, dark to light.
_HEAT = (54, 60, 31, 36, 77, 184)
_COLOURS = (168, 62, 179, 29, 74, 125, 37, 142, 133)
_GREY = 245
_SIGNS = "123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MOST_NAMED = 20


def drawn(picture: Matrix | Map | Bars) -> str:
    """Return the picture as lines no longer than the terminal is wide, with colours where it shows them."""
    look = _Look()
    if isinstance(picture, Bars):
        lines = bar_lines(picture, look.columns, "█" if look.unicode else "#")
    else:
        lines = _matrix(picture, look) if isinstance(picture, Matrix) else _map(picture, look)
    head = [cut(picture.title, look.columns), cut(picture.caption, look.columns)]
    return "".join(line.rstrip() + "\n" for line in [*head, *lines])


class _Look:
    """What stdout can show."""

    def __init__(self) -> None:
        encoding = (getattr(sys.stdout, "encoding", None) or "").lower()
        self.unicode = encoding.startswith("utf")
        self.columns = width()
        self.lines = max(shutil.get_terminal_size().lines - 5, 12)
        self.colours = (
            is_terminal()
            and not os.environ.get("NO_COLOR")
            and os.environ.get("TERM") not in ("dumb", "unknown")
        )
        self.shades = _SHADES[self.unicode]

    def coloured(self, text: str, colour: int) -> str:
        return f"\x1b[38;5;{colour}m{text}\x1b[0m" if self.colours and text.strip() else text


def _plotext() -> Any:
    try:
        import plotext
    except ImportError as exc:
        # Its part in C++ may be missing, or be for another system.
        raise ExtraMissing(
            f"plotext cannot draw: {str(exc).splitlines()[0]}", hint="run: pip install 'simil-cli[plot]'"
        ) from exc
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


def _put(
    figure: Any, x: Sequence[float], y: Sequence[float], sign: str, colour: int | None, look: _Look
) -> None:
    plotext = _plotext()
    marker = plotext.marker(sign, pixel=colour) if colour is not None and look.colours else sign
    figure.draw(figure.signal(list(x), list(y), marker=marker))


def _matrix(matrix: Matrix, look: _Look) -> Iterator[str]:
    import numpy as np

    label = min(max(look.columns // 3, 10), 30, 2 + max((len(name) for name in matrix.names), default=0))
    room = look.columns - label
    cells, per_cell = coarser(matrix, min(room, 2 * look.lines))
    count = len(cells)
    if not count:
        return
    wide = int(np.clip(room // count, 1, 4))
    figure = _canvas(count * wide, count, look, framed=False)
    relative = (cells - matrix.low) / (matrix.high - matrix.low)
    levels = np.clip((relative * len(look.shades)).astype(int), 0, len(look.shades) - 1)
    if not matrix.alike_is_high:
        levels = len(look.shades) - 1 - levels
    figure.ruler("x").lim(0, count * wide - 1)
    figure.ruler("y").lim(0, count - 1)
    spread = np.repeat(levels[::-1], wide, axis=1)
    for level, shade in enumerate(look.shades):
        y, x = np.nonzero(spread == level)
        if len(x) and (shade != " " or look.colours):
            _put(
                figure,
                x.tolist(),
                y.tolist(),
                "█" if look.colours and look.unicode else shade,
                _HEAT[level],
                look,
            )
    picture = figure.build().string(not look.colours)
    for number, line in enumerate(picture.splitlines()[:count]):
        yield _padded(cut(matrix.names[number * per_cell], label - 1), label) + line
    yield ""
    yield _scale(matrix, look)
    if per_cell > 1:
        yield cut(f"a character is the mean of {per_cell} x {per_cell}", look.columns)


def _scale(matrix: Matrix, look: _Look) -> str:
    """Return the line that says which shade is which score."""
    steps = len(look.shades)
    shades = range(steps) if matrix.alike_is_high else range(steps - 1, -1, -1)
    blocks = "".join(
        look.coloured(("█" if look.colours and look.unicode else look.shades[shade]) * 3, _HEAT[shade])
        for shade in shades
    )
    return f"{matrix.low:.2f} [{blocks}] {matrix.high:.2f}"


def _map(picture: Map, look: _Look) -> Iterator[str]:
    import numpy as np

    legend = [*_legend(picture, look)]
    lines = int(np.clip(look.columns // 3, 12, look.lines))
    figure = _canvas(look.columns, lines, look, framed=True)
    dot = "·" if look.unicode else "."
    if len(picture.points):
        low, high = picture.points.min(axis=0), picture.points.max(axis=0)
        gap = np.where(high > low, (high - low) * 0.02, 1.0)
        figure.ruler("x").lim(*map(float, (low - gap)[[0]].tolist() + (high + gap)[[0]].tolist()))
        figure.ruler("y").lim(*map(float, (low - gap)[[1]].tolist() + (high + gap)[[1]].tolist()))
    if picture.scores is not None or picture.groups is None:
        across, up = picture.points.T.tolist()
        _put(figure, across, up, dot, _GREY, look)
        for number, row in reversed([*enumerate(picture.marked)]):
            x, y = picture.points[row].tolist()
            _put(figure, [x], [y], _sign(number), _COLOURS[0], look)
    else:
        for group, rows in picture.members():
            x, y = picture.points[rows].T.tolist()
            colour = _GREY if group < 0 else _COLOURS[group % len(_COLOURS)]
            _put(figure, x, y, dot if group < 0 else _sign(group), colour, look)
    yield from figure.build().string(not look.colours).splitlines()
    yield from legend


def _legend(picture: Map, look: _Look) -> Iterator[str]:
    if picture.scores is not None or picture.groups is None:
        for number, row in enumerate(picture.marked[:_MOST_NAMED]):
            score = "" if picture.scores is None else f"{picture.scores[row]:.4f}  "
            sign = look.coloured(_sign(number), _COLOURS[0])
            yield f"{sign}  {cut(score + picture.texts[row], look.columns - 3)}"
        more = len(picture.marked) - _MOST_NAMED
    else:
        groups = [(group, rows) for group, rows in picture.members() if group >= 0]
        for group, rows in groups[:_MOST_NAMED]:
            sign = look.coloured(_sign(group), _COLOURS[group % len(_COLOURS)])
            yield f"{sign}  {_named(picture, group, rows, look.columns - 3)}"
        more = len(groups) - _MOST_NAMED
        if picture.has_noise:
            dot = look.coloured("·" if look.unicode else ".", _GREY)
            yield f"{dot}  noise ({int((picture.groups < 0).sum()) if picture.groups is not None else 0:,})"
    if more > 0:
        yield f"   and {more} more"


def _named(picture: Map, group: int, rows: NDArray[np.integer[Any]], columns: int) -> str:
    size = f" ({len(rows):,})"
    name = picture.name_of(group).partition(" · ")[2]
    return cut(name, max(columns - len(size), 4)) + size if name else size.strip()


def _sign(number: int) -> str:
    return _SIGNS[number] if number < len(_SIGNS) else "+"


def _padded(text: str, columns: int) -> str:
    from rich.cells import set_cell_size

    return set_cell_size(text, columns)
