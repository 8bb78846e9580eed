"""What `--plot` draws, whichever back end draws it: a heat map, a scatter plot or bar charts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simil.cli.output.cells import file_name, fit, one_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

__all__ = [
    "COLOURS",
    "COLOURS_ON_DARK",
    "MOST_NAMED",
    "MOST_NUMBERS",
    "NOISE",
    "SCORE_COLOURS",
    "BarChart",
    "Chart",
    "ChartBar",
    "HeatMap",
    "Panel",
    "ScatterPlot",
    "chart_title",
    "cut",
    "heat_map",
    "mark_of",
    "safe_text",
    "scatter_plot",
]

# Paul Tol's "muted" scheme, which colour-blind people can tell apart, and the same for dark backgrounds.
COLOURS = (
    "#CC6677", "#332288", "#DDCC77", "#117733", "#88CCEE", "#882255", "#44AA99", "#999933", "#AA4499",
)  # fmt: skip
COLOURS_ON_DARK = (
    "#E58694", "#8A7BE8", "#DDCC77", "#3DB36A", "#88CCEE", "#D9558F", "#55C4B2", "#BDBD4D", "#D273C8",
)  # fmt: skip
NOISE = "#AAAAAA"
SCORE_COLOURS = {True: "#117733", False: "#6FB7D6"}
"""The colour of the best of several bars, and of the others."""
# Colours and shapes change together, so that no two of the first 63 groups are told apart by colour alone.
_SHAPES = 7

# A heat map of at most this many items shows each score as a number.
MOST_NUMBERS = 12
# A heat map of at most this many items names all of them; a larger one names about half as many.
MOST_NAMED = 120
# Labels of groups on a map that are more than a number.
_MOST_WORDS = 24
# Cells along each axis of a heat map: more than a screen has pixels would only cost time and memory.
_MOST_CELLS = 1000
# The tops of scales that have one: the colours of a heat map begin and end at a tenth of it.
_TOPS = {"cosine": 1.0, "probability": 1.0, "percentile": 100.0}
# XML allows these nowhere.
_NO_CHARACTERS = {0xFFFE: "�", 0xFFFF: "�"}


def mark_of(group: int) -> tuple[int, int | None]:
    """Return the numbers of the colour and the shape of a group's mark; without a shape, it is a number."""
    colours = len(COLOURS)
    return group % colours, group % _SHAPES if group < colours * _SHAPES else None


@dataclass(frozen=True, eq=False, slots=True)
class HeatMap:
    """Scores of all items with each other, float [cells, cells]; nan is no score.

    Each cell is the mean of `per_cell` x `per_cell` scores, without those of items with themselves, which
    say nothing: the diagonal is empty. The colour scale runs from `low` to `high`; `alike_is_high` says at
    which end items are alike.
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

    def shares(self, cells: Floats) -> Floats:
        """Return where scores lie on the colour scale: 0 is least alike, 1 is most alike."""
        relative: Floats = (cells - self.low) / (self.high - self.low)
        return relative if self.alike_is_high else 1 - relative

    @property
    def named_every(self) -> int:
        """How many rows of cells there are to a name, where a picture cannot name all."""
        count = len(self.cells)
        return 1 if count <= MOST_NAMED else -(-2 * count // MOST_NAMED)

    def ticks(self) -> list[tuple[int, int, str]]:
        """Return the cell, the item and the label of each tick."""
        cells = range(0, len(self.cells), self.named_every)
        return [(cell, cell * self.per_cell, cut(self.names[cell * self.per_cell], 30)) for cell in cells]

    def caption_for(self, per_cell: int, named_every: int = 1) -> str:
        """Return the caption for cells of `per_cell` items, of which one in `named_every` is named."""
        notes = [self.caption]
        if per_cell > 1:
            notes.append(f"a cell is the mean of {per_cell} x {per_cell}")
        if named_every > 1:
            notes.append(f"every {_ordinal(named_every)} text is named")
        return " · ".join(notes)


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

    def labels(self) -> list[str]:
        """Return the labels of marked texts: their group's name, in a crowd its number, or else the text."""
        if self.groups is None or self.scores is not None:
            return [cut(self.texts[row], 34) for row in self.marked]
        if len(self.marked) > _MOST_WORDS:
            return [str(self.groups[row] + 1) for row in self.marked]
        return [cut(self.name_of(int(self.groups[row])), 30) for row in self.marked]

    def typical_of(self, group: int) -> str:
        """Return the marked text of a group, "" without one."""
        assert self.groups is not None
        return next((self.texts[row] for row in self.marked if self.groups[row] == group), "")

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
        """Return the corners of a view of `room` (width, height): all points, one scale for both axes.

        Around the points there is room for labels.
        """
        import numpy as np

        if not len(self.points):
            return np.zeros(2), np.ones(2)
        low, high = self.points.min(axis=0), self.points.max(axis=0)
        sides = np.array(room)
        scale = float(((high - low) / sides).max()) or 1.0
        half = sides * scale * 0.58
        middle = (low + high) / 2
        return middle - half, middle + half


@dataclass(frozen=True, slots=True)
class ChartBar:
    """A value and the ends of its interval, None if there is none; `label` is the value as it is written."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    label: str
    best: bool

    @property
    def ends(self) -> list[float]:
        """The numbers that a scale must hold."""
        return [end for end in (self.value, self.low, self.high) if end is not None]


@dataclass(frozen=True, slots=True)
class Panel:
    """Bars under a heading: the models for one figure, or the figures of one model."""

    name: str
    bars: Sequence[ChartBar]

    @property
    def top(self) -> float:
        """The end of a scale of its own."""
        return max((end for bar in self.bars for end in bar.ends), default=1.0) or 1.0


@dataclass(frozen=True, slots=True)
class BarChart:
    """Scores, all on one scale that ends at 1, and costs, each panel on a scale of its own from 0."""

    scores: Sequence[Panel]
    costs: Sequence[Panel]
    title: str
    caption: str

    @property
    def low(self) -> float:
        """The beginning of the scale of scores: 0, or a quarter below the lowest, as correlations can be."""
        ends = [end for panel in self.scores for bar in panel.bars for end in bar.ends]
        return min(math.floor(min(ends, default=0.0) * 4) / 4, 0.0)


Chart = HeatMap | ScatterPlot | BarChart


def chart_title(beginning: str, files: Sequence[str]) -> str:
    """Return the title of a chart, which ends with the names of what was read."""
    named = [file_name(path) for path in files if path != "-"] or ["standard input"]
    if len(named) <= 2:
        return f"{beginning} {' and '.join(named)}"
    return f"{beginning} {named[0]} and {len(named) - 1} other files"


def heat_map(
    names: Sequence[str], rows: Iterable[Floats], *, title: str, model: str | None, metric: str
) -> HeatMap:
    """Return a heat map of `rows`, one score per name in each; thousands of rows are averaged in blocks."""
    per_cell = -(-len(names) // _MOST_CELLS)
    cells = _block_means(_without_diagonal(rows), len(names), per_cell)
    return HeatMap(
        [safe_text(name) for name in names],
        cells,
        per_cell,
        *_scale_of(cells, _TOPS.get(metric)),
        metric in ("dot", "cross-encoder") or metric in _TOPS,
        safe_text(title),
        safe_text(f"{metric} by {model or 'an unknown model'} · {len(names):,} texts"),
        metric,
    )


def _without_diagonal(rows: Iterable[Floats]) -> Iterator[Floats]:
    import numpy as np

    for number, row in enumerate(rows):
        scores = np.array(row, np.float64)
        scores[number] = np.nan
        yield scores


def _scale_of(cells: Floats, top: float | None) -> tuple[float, float]:
    """Return the ends of the colour scale: those of the scores, in tenths of the `top` if there is one."""
    import numpy as np

    scores = cells[np.isfinite(cells)]
    if not scores.size:
        return 0.0, top or 1.0
    low, high = float(scores.min()), float(scores.max())
    if top is not None:
        # The product of two equal vectors can be a little more than 1.
        low = math.floor(round(10 * low / top, 3)) * top / 10
        high = min(math.ceil(round(10 * high / top, 3)) * top / 10, top)
        return (low, high) if low < high else (high - top / 10, high)
    return (low, high) if low < high else (low - 0.5, high + 0.5)


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
    note: str,
) -> ScatterPlot:
    """Return a scatter plot of texts, one point [2] each.

    With `groups`, each point has the mark of its group (-1 is noise, grey) and the legend shows
    `group_names`, those of groups 0, 1, …; with `scores`, higher points are larger and darker. The rows
    in `marked` are outlined, and labelled with their group or else their text. `method` says how the points
    were computed, and `note` how the picture is to be read.
    """
    import numpy as np

    notes = [model or "an unknown model", f"{len(texts):,} texts", method, note]
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


def _ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number % 100 not in (11, 12, 13) else "th"
    return f"{number}{ending}"


def _block_means(rows: Iterable[Floats], count: int, step: int) -> Floats:
    """Return the means of the numbers in blocks of `step` x `step`; those at the end may be smaller."""
    import numpy as np

    if step <= 1:
        return np.array([*rows], dtype=np.float64).reshape(count, count)
    starts = np.arange(0, count, step)
    sums = np.zeros((len(starts), len(starts)))
    found = np.zeros_like(sums)
    for number, row in enumerate(rows):
        scores = np.asarray(row, np.float64)
        known = ~np.isnan(scores)
        sums[number // step] += np.add.reduceat(np.where(known, scores, 0.0), starts)
        found[number // step] += np.add.reduceat(known.astype(np.float64), starts)
    means: Floats = np.divide(sums, found, out=np.full_like(sums, np.nan), where=found > 0)
    return means
