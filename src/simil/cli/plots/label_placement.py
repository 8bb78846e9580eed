"""Places the labels of points so that none covers another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import ceil, cos, floor, pi, sin
from typing import TYPE_CHECKING, Any

from simil.cli.plots.charts import ScatterPlot

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["label_offsets", "place"]

_TURNS = 24
_DISTANCES = (0, 6, 14, 24, 36, 50, 66, 84, 104, 128, 156, 190, 230, 280, 340)
_GAP = 7.0
_MARGIN = 3.0
# Around a point, what its mark covers.
_MARK = 5.0
# The cost of crossing a label; a pixel of distance costs a third.
_CROSSING = 20.0
_STEPS = 16


def label_offsets(
    chart: ScatterPlot, room: tuple[float, float], size_of: Callable[[str], tuple[float, float]]
) -> list[tuple[int, str, tuple[float, float]]]:
    """Return the row, the label and its offset (see `place`) of each marked point with room for a label."""
    import numpy as np

    if not chart.marked:
        return []
    low, high = chart.limits(room)
    where = (chart.points - low) / (high - low) * np.array(room)
    texts = chart.labels()
    offsets = place(where[np.array(chart.marked)], [size_of(text) for text in texts], room, where)
    placed = zip(chart.marked, texts, offsets, strict=True)
    return [(row, text, offset) for row, text, offset in placed if offset is not None]


def place(
    points: NDArray[np.floating[Any]],
    sizes: Sequence[tuple[float, float]],
    room: tuple[float, float],
    others: NDArray[np.floating[Any]],
) -> list[tuple[float, float] | None]:
    """Return the offset of each label's centre from its point, None if there is no room for it.

    `points` [labels, 2] are in pixels of a picture of size `room`, y upwards; `sizes` are the width and
    height of each label. Earlier labels are placed first. A label never covers another label, a labelled
    point or one of the `others` [n, 2]. Of the places left it takes one that is near, and whose line to the
    point crosses no label.
    """
    import numpy as np

    free = _FreeRoom(np.concatenate([points, others]), room)
    taken = np.empty((0, 4))
    lines = np.empty((0, 2))
    along = np.linspace(0, 1, _STEPS)[:, None]
    offsets: list[tuple[float, float] | None] = []
    for (x, y), size in zip(points, sizes, strict=True):
        best: tuple[float, float, float] | None = None
        best_box = (0.0, 0.0, 0.0, 0.0)
        for distance, dx, dy in _candidates(*size):
            if best is not None and distance / 3 >= best[0]:
                break  # The others are further away still.
            box = (x + dx - size[0] / 2, y + dy - size[1] / 2, x + dx + size[0] / 2, y + dy + size[1] / 2)
            if not free.holds(box) or _overlaps(box, taken):
                continue
            line = np.array([x, y]) + along * np.array([dx, dy])
            crossed = sum(_covered(_box_of(other), line) > 0 for other in taken)
            crossed += _covered(box, lines) > 0
            cost = distance / 3 + _CROSSING * crossed
            if best is None or cost < best[0]:
                best, best_box = (cost, dx, dy), box
        if best is None:
            offsets.append(None)
        else:
            offsets.append((best[1], best[2]))
            taken = np.vstack([taken, best_box])
            lines = np.vstack([lines, np.array([x, y]) + along * np.array(best[1:])])
    return offsets


def _candidates(width: float, height: float) -> Iterator[tuple[float, float, float]]:
    """Yield distances of a label from its point, the nearest first, and the offset of the label's centre."""
    # To the right and to the left first: that is where labels are looked for.
    angles = sorted(
        (2 * pi * turn / _TURNS for turn in range(_TURNS)), key=lambda angle: round(abs(sin(angle)), 6)
    )
    for distance in _DISTANCES:
        for angle in angles:
            dx = cos(angle) * (width / 2 + _GAP + distance)
            yield distance, dx, sin(angle) * (height / 2 + _GAP + distance)


class _FreeRoom:
    """Where no point is, by sums over the pixels of a picture: a box costs four look-ups."""

    def __init__(self, points: NDArray[np.floating[Any]], room: tuple[float, float]) -> None:
        import numpy as np

        self._room = room
        width, height = int(np.ceil(room[0])), int(np.ceil(room[1]))
        across, up = np.clip(points, 0, (width - 1, height - 1)).astype(np.int64).T
        counts = np.zeros((width + 1, height + 1), np.int64)
        np.add.at(counts, (across + 1, up + 1), 1)
        self._sums = counts.cumsum(axis=0).cumsum(axis=1)

    def holds(self, box: _Box) -> bool:
        """Return whether the box is inside the picture and hides no part of a mark."""
        left, low, right, high = box
        if left < 0 or low < 0 or right > self._room[0] or high > self._room[1]:
            return False
        x = [
            min(max(floor(left - _MARK), 0), len(self._sums) - 1),
            min(ceil(right + _MARK), len(self._sums) - 1),
        ]
        tall = self._sums.shape[1] - 1
        y = [min(max(floor(low - _MARK), 0), tall), min(ceil(high + _MARK), tall)]
        inside = (
            self._sums[x[1], y[1]] - self._sums[x[0], y[1]] - self._sums[x[1], y[0]] + self._sums[x[0], y[0]]
        )
        return not inside


_Box = tuple[float, float, float, float]


def _box_of(row: NDArray[np.floating[Any]]) -> _Box:
    left, low, right, high = row.tolist()
    return left, low, right, high


def _overlaps(box: _Box, taken: NDArray[np.floating[Any]]) -> bool:
    left, low, right, high = box
    apart = (
        (taken[:, 0] > right + _MARGIN)
        | (taken[:, 2] < left - _MARGIN)
        | (taken[:, 1] > high + _MARGIN)
        | (taken[:, 3] < low - _MARGIN)
    )
    return not bool(apart.all())


def _covered(box: _Box, points: NDArray[np.floating[Any]]) -> int:
    left, low, right, high = box
    x, y = points[:, 0], points[:, 1]
    return int(((x >= left) & (x <= right) & (y >= low) & (y <= high)).sum())
