"""What is drawn, whatever draws it: numbers, and texts made safe to show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simil.cli.output.cells import one_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["COLOURS", "NOISE", "Map", "Matrix", "coarser", "cut", "map_of", "matrix_of", "shown"]

# Of Paul Tol's "muted" scheme: told apart by colour-blind people too. After the last, the shape changes.
COLOURS = (
    "#CC6677",
    "#332288",
    "#DDCC77",
    "#117733",
    "#88CCEE",
    "#882255",
    "#44AA99",
    "#999933",
    "#AA4499",
)
NOISE = "#BBBBBB"

# Cells a side of a heat map: more than a screen has pixels for would only cost time and memory.
_MOST_CELLS = 1000
# Scales from 0 to this, whatever the scores are.
_TOPS = {"cosine": 1.0, "probability": 1.0, "percentile": 100.0}
# Not allowed in XML, whatever stands around them.
_NO_CHARACTERS = {0xFFFE: "�", 0xFFFF: "�"}


@dataclass(frozen=True, eq=False, slots=True)
class Matrix:
    """Scores of items with each other, float [cells, cells]; a cell is the mean of `per_cell` items a side.

    `low` and `high` are the ends of the scale of colours; `alike_is_high` says which end is the alike one.
    """

    names: Sequence[str]
    cells: NDArray[np.floating[Any]]
    per_cell: int
    low: float
    high: float
    alike_is_high: bool
    title: str
    caption: str
    metric: str


@dataclass(frozen=True, eq=False, slots=True)
class Map:
    """Points [texts, 2], each with its text; `groups` or `scores` or neither say how they look."""

    points: NDArray[np.floating[Any]]
    texts: Sequence[str]
    groups: NDArray[np.integer[Any]] | None
    group_names: Sequence[str]
    scores: NDArray[np.floating[Any]] | None
    marked: Sequence[int]
    title: str
    caption: str
    score_name: str

    def members(self) -> Iterator[tuple[int, NDArray[np.integer[Any]]]]:
        """Yield each group that has members, noise (-1) first, and the rows of its members."""
        import numpy as np

        if self.groups is not None:
            for group in np.unique(self.groups):
                yield int(group), np.flatnonzero(self.groups == group)

    @property
    def has_noise(self) -> bool:
        """Say whether some texts belong to no group."""
        return self.groups is not None and bool((self.groups < 0).any())

    def name_of(self, group: int) -> str:
        """Return what the legend calls a group."""
        if group < 0:
            return "noise"
        named = group < len(self.group_names) and self.group_names[group]
        return f"{group + 1} · {self.group_names[group]}" if named else f"{group + 1}"


def matrix_of(
    names: Sequence[str],
    rows: Iterable[NDArray[np.floating[Any]]],
    *,
    title: str,
    model: str | None,
    metric: str,
) -> Matrix:
    """Return the matrix of `rows`; of thousands, the means of squares of it."""
    per_cell = -(-len(names) // _MOST_CELLS)
    cells = _means(rows, len(names), per_cell)
    low, high = 0.0, _TOPS.get(metric, 1.0)
    if metric not in _TOPS and cells.size:
        low, high = float(cells.min()), float(cells.max())
        if low == high:
            low, high = low - 0.5, high + 0.5
    notes = [f"{metric} by {model or 'an unknown model'}", f"{len(names):,} texts"]
    if per_cell > 1:
        notes.append(f"a cell is the mean of {per_cell} x {per_cell}")
    return Matrix(
        [shown(name) for name in names],
        cells,
        per_cell,
        low,
        high,
        metric == "dot" or metric in _TOPS,
        shown(title),
        shown(" · ".join(notes)),
        metric,
    )


def map_of(
    points: NDArray[np.floating[Any]],
    texts: Sequence[str],
    groups: Sequence[int] | NDArray[np.integer[Any]] | None,
    group_names: Sequence[str],
    scores: NDArray[np.floating[Any]] | None,
    *,
    marked: Sequence[int],
    title: str,
    model: str | None,
    method: str,
    score_name: str,
) -> Map:
    """Return the map of `points`."""
    import numpy as np

    notes = [method, f"{len(texts):,} texts", model or "an unknown model"]
    return Map(
        np.asarray(points, np.float64),
        [shown(text) for text in texts],
        None if groups is None else np.asarray(groups, np.int64),
        [shown(name) for name in group_names],
        None if scores is None else np.asarray(scores, np.float64),
        [int(row) for row in marked],
        shown(title),
        shown(" · ".join(notes)),
        shown(score_name),
    )


def coarser(matrix: Matrix, most: int) -> tuple[NDArray[np.floating[Any]], int]:
    """Return cells of at most `most` a side, and how many items one stands for."""
    step = -(-len(matrix.cells) // max(most, 1))
    return _means(matrix.cells, len(matrix.cells), step), step * matrix.per_cell


def shown(text: str) -> str:
    """Return the beginning of `text` on one line, without characters that a file could not hold."""
    return one_line(text[:2000]).translate(_NO_CHARACTERS)


def cut(text: str, columns: int) -> str:
    """Return the beginning of `text`, with … where it is cut, in at most `columns` columns."""
    from simil.cli.output.cells import fit

    return fit(text, columns).rstrip()


def _means(rows: Iterable[NDArray[np.floating[Any]]], count: int, step: int) -> NDArray[np.floating[Any]]:
    """Return the means of squares of `step` x `step`; those at the end may be smaller."""
    import numpy as np

    if step <= 1:
        return np.array([*rows], dtype=np.float64).reshape(count, count)
    starts = np.arange(0, count, step)
    widths = np.diff([*starts, count])
    sums = np.zeros((len(starts), len(starts)))
    for number, row in enumerate(rows):
        sums[number // step] += np.add.reduceat(np.asarray(row, np.float64), starts)
    means: NDArray[np.floating[Any]] = sums / np.outer(widths, widths)
    return means
