"""What `--plot` draws, whichever back end draws it: a heat map, a scatter plot or bar charts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simil.cli.output.cells import fit, one_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

__all__ = [
    "COLOURS",
    "MOST_NUMBERS",
    "NOISE",
    "BarChart",
    "Chart",
    "HeatMap",
    "Panel",
    "ScatterPlot",
    "cut",
    "heat_map",
    "safe_text",
    "scatter_plot",
]

# Paul Tol's "muted" scheme, which colour-blind people can tell apart. After the last, the shape changes.
COLOURS = (
    "#CC6677", "#332288", "#DDCC77", "#117733", "#88CCEE", "#882255", "#44AA99", "#999933", "#AA4499",
)  # fmt: skip
NOISE = "#BBBBBB"
_BEST, _OTHER = COLOURS[3], COLOURS[4]

# A heat map of at most this many items shows each score as a number.
MOST_NUMBERS = 12
# Labels along each axis of a heat map.
_MOST_LABELS = 40
# Cells along each axis of a heat map: more than a screen has pixels would only cost time and memory.
_MOST_CELLS = 1000
# These scales start at 0 and end here, whatever the scores are.
_TOPS = {"cosine": 1.0, "probability": 1.0, "percentile": 100.0}
# Panels side by side in a bar chart.
_PANELS_ACROSS = 3
# XML allows these nowhere.
_NO_CHARACTERS = {0xFFFE: "�", 0xFFFF: "�"}


@dataclass(frozen=True, eq=False, slots=True)
class HeatMap:
    """Scores of all items with each other, float [cells, cells].

    Each cell is the mean of `per_cell` x `per_cell` scores. The colour scale runs from `low` to `high`;
    `alike_is_high` says at which end items are alike.
    """

    names: Sequence[str]
    cells: Floats
    per_cell: int
    low: float
    high: float
    alike_is_high: bool
    title: str
    caption: str
    metric: str

    def coarser(self, most: int) -> tuple[Floats, int]:
        """Return at most `most` x `most` cells, and how many items each spans."""
        step = -(-len(self.cells) // max(most, 1))
        return _block_means(self.cells, len(self.cells), step), step * self.per_cell

    def ticks(self) -> list[tuple[int, int, str]]:
        """Return the cell, the item and the label of each tick."""
        count = len(self.cells)
        cells = range(0, count, max(-(-count // _MOST_LABELS), 1))
        return [(cell, cell * self.per_cell, cut(self.names[cell * self.per_cell], 26)) for cell in cells]


@dataclass(frozen=True, eq=False, slots=True)
class ScatterPlot:
    """Points [texts, 2], each with its text, styled by `groups` (-1 is noise), by `scores`, or all alike."""

    points: Floats
    texts: Sequence[str]
    groups: NDArray[np.integer[Any]] | None
    group_names: Sequence[str]
    scores: Floats | None
    marked: Sequence[int]
    title: str
    caption: str

    def members(self) -> Iterator[tuple[int, NDArray[np.integer[Any]]]]:
        """Yield each group that has members, noise first, with the rows of its members."""
        import numpy as np

        if self.groups is not None:
            for group in np.unique(self.groups):
                yield int(group), np.flatnonzero(self.groups == group)

    @property
    def has_noise(self) -> bool:
        """Whether some texts belong to no group."""
        return self.groups is not None and bool((self.groups < 0).any())

    def name_of(self, group: int) -> str:
        """Return what the legend calls a group."""
        if group < 0:
            return "noise"
        named = group < len(self.group_names) and self.group_names[group]
        return f"{group + 1} · {self.group_names[group]}" if named else f"{group + 1}"

    def by_score(self) -> tuple[NDArray[np.integer[Any]], Floats, bool]:
        """Return the rows from the lowest score to the highest, scores scaled to 0…1, whether they differ."""
        import numpy as np

        assert self.scores is not None
        spread = float(np.ptp(self.scores)) if len(self.scores) else 0.0
        relative = (self.scores - self.scores.min()) / spread if spread else np.zeros(len(self.scores))
        return np.argsort(self.scores, kind="stable"), relative, bool(spread)

    def limits(self, room: tuple[float, float]) -> tuple[Floats, Floats]:
        """Return the corners of a view of `room` (width, height): all points, one scale for both axes."""
        import numpy as np

        if not len(self.points):
            return np.zeros(2), np.ones(2)
        low, high = self.points.min(axis=0), self.points.max(axis=0)
        sides = np.array(room)
        scale = float(((high - low) / sides).max()) or 1.0
        half = sides * scale * 0.54
        middle = (low + high) / 2
        return middle - half, middle + half


@dataclass(frozen=True, slots=True)
class Panel:
    """One bar chart: a value for each name, None if it has none, and the ends of its interval."""

    name: str
    values: Sequence[float | None]
    lows: Sequence[float | None]
    highs: Sequence[float | None]
    best: float | None

    @property
    def top(self) -> float:
        """The end of the scale."""
        ends = [abs(value) for value in (*self.values, *self.highs, *self.lows) if value is not None]
        return max(ends, default=1.0) or 1.0

    def label(self, row: int) -> str:
        """Return the number that is written beside a bar."""
        value = self.values[row]
        if value is None:
            return "·"
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.4g}"

    def is_best(self, row: int) -> bool:
        """Return whether no other bar is better."""
        return self.best is not None and self.values[row] == self.best

    def colours(self) -> list[str]:
        """Return the colour of each bar."""
        return [_BEST if self.is_best(row) else _OTHER for row in range(len(self.values))]


@dataclass(frozen=True, slots=True)
class BarChart:
    """Panels, each with one bar per name."""

    names: Sequence[str]
    panels: Sequence[Panel]
    title: str
    caption: str

    @property
    def grid(self) -> tuple[int, int]:
        """The rows and columns that the panels are laid out in."""
        return -(-len(self.panels) // _PANELS_ACROSS), _PANELS_ACROSS

    def placed(self) -> Iterator[tuple[int, int, Panel]]:
        """Yield the row and column of each panel in the grid, and the panel."""
        for number, panel in enumerate(self.panels):
            yield *divmod(number, _PANELS_ACROSS), panel


Chart = HeatMap | ScatterPlot | BarChart


def heat_map(
    names: Sequence[str], rows: Iterable[Floats], *, title: str, model: str | None, metric: str
) -> HeatMap:
    """Return a heat map of `rows`, one score per name in each; thousands of rows are averaged in blocks."""
    per_cell = -(-len(names) // _MOST_CELLS)
    cells = _block_means(rows, len(names), per_cell)
    low, high = 0.0, _TOPS.get(metric, 1.0)
    if metric not in _TOPS and cells.size:
        low, high = float(cells.min()), float(cells.max())
        if low == high:
            low, high = low - 0.5, high + 0.5
    notes = [f"{metric} by {model or 'an unknown model'}", f"{len(names):,} texts"]
    if per_cell > 1:
        notes.append(f"a cell is the mean of {per_cell} x {per_cell}")
    return HeatMap(
        [safe_text(name) for name in names],
        cells,
        per_cell,
        low,
        high,
        metric == "dot" or metric in _TOPS,
        safe_text(title),
        safe_text(" · ".join(notes)),
        metric,
    )


def scatter_plot(
    points: Floats,
    texts: Sequence[str],
    *,
    groups: Sequence[int] | None = None,
    group_names: Sequence[str] = (),
    scores: Floats | None = None,
    marked: Sequence[int] = (),
    title: str,
    model: str | None,
    method: str,
) -> ScatterPlot:
    """Return a scatter plot of texts, one point [2] each.

    With `groups`, each point has the colour of its group (-1 is noise, grey) and the legend shows
    `group_names`, those of groups 0, 1, …; with `scores`, higher points are larger and darker. The rows
    in `marked` are labelled with their text. `method` says how the points were computed.
    """
    import numpy as np

    notes = [method, f"{len(texts):,} texts", model or "an unknown model"]
    return ScatterPlot(
        np.asarray(points, np.float64),
        [safe_text(text) for text in texts],
        None if groups is None else np.asarray(groups, np.int64),
        [safe_text(name) for name in group_names],
        None if scores is None else np.asarray(scores, np.float64),
        [int(row) for row in marked],
        safe_text(title),
        safe_text(" · ".join(notes)),
    )


def safe_text(text: str) -> str:
    """Return the beginning of `text` on one line, without characters that a file could not hold."""
    return one_line(text[:2000]).translate(_NO_CHARACTERS)


def cut(text: str, columns: int) -> str:
    """Return the beginning of `text` in at most `columns` columns, with … where it is cut."""
    return fit(text, columns).rstrip()


def _block_means(rows: Iterable[Floats], count: int, step: int) -> Floats:
    """Return the means of blocks of `step` x `step`; those at the end may be smaller."""
    import numpy as np

    if step <= 1:
        return np.array([*rows], dtype=np.float64).reshape(count, count)
    starts = np.arange(0, count, step)
    widths = np.diff([*starts, count])
    sums = np.zeros((len(starts), len(starts)))
    for number, row in enumerate(rows):
        sums[number // step] += np.add.reduceat(np.asarray(row, np.float64), starts)
    means: Floats = sums / np.outer(widths, widths)
    return means
