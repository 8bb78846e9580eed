"""Places the labels of points so that none covers another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from simil.cli.plots.charts import ScatterPlot, cut

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["label_offsets", "place"]

_DIRECTIONS = ((1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1), (0, 1), (0, -1))
_DISTANCES = (0, 8, 18, 30, 46, 68, 96)
_GAP = 7.0
_MARGIN = 3.0
_RING = 5.0
# The cost of crossing a label; a covered point costs 0.5, and a pixel of distance a third.
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
    texts = [cut(chart.texts[row], 34) for row in chart.marked]
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
    height of each label. Earlier labels are placed first. A label never covers another label or a
    labelled point. Of the places left it takes one that is near, covers few of the `others` [n, 2], and
    whose line to the point crosses no label.
    """
    import numpy as np

    taken = np.empty((0, 4))
    lines = np.empty((0, 2))
    along = np.linspace(0, 1, _STEPS)[:, None]
    offsets: list[tuple[float, float] | None] = []
    for (x, y), (width, height) in zip(points, sizes, strict=True):
        best: tuple[float, float, float] | None = None
        best_box = (0.0, 0.0, 0.0, 0.0)
        for distance in _DISTANCES:
            for right, up in _DIRECTIONS:
                # Diagonally, half of the sideways distance will do, since labels are long.
                dx = right * (width / 2 + _GAP + distance * (0.5 if up else 1))
                dy = up * (height / 2 + _GAP + distance)
                box = (x + dx - width / 2, y + dy - height / 2, x + dx + width / 2, y + dy + height / 2)
                if not _inside(box, room) or _overlaps(box, taken) or _covers(box, points):
                    continue
                line = np.array([x, y]) + along * np.array([dx, dy])
                crossed = sum(_covered(_box_of(other), line) > 0 for other in taken)
                crossed += _covered(box, lines) > 0
                cost = 0.5 * _covered(box, others) + distance / 3 + _CROSSING * crossed
                if best is None or cost < best[0]:
                    best, best_box = (cost, dx, dy), box
        if best is None:
            offsets.append(None)
        else:
            offsets.append((best[1], best[2]))
            taken = np.vstack([taken, best_box])
            lines = np.vstack([lines, np.array([x, y]) + along * np.array(best[1:])])
    return offsets


_Box = tuple[float, float, float, float]


def _box_of(row: NDArray[np.floating[Any]]) -> _Box:
    left, low, right, high = row.tolist()
    return left, low, right, high


def _inside(box: _Box, room: tuple[float, float]) -> bool:
    return box[0] >= 0 and box[1] >= 0 and box[2] <= room[0] and box[3] <= room[1]


def _overlaps(box: _Box, taken: NDArray[np.floating[Any]]) -> bool:
    left, low, right, high = box
    apart = (
        (taken[:, 0] > right + _MARGIN)
        | (taken[:, 2] < left - _MARGIN)
        | (taken[:, 1] > high + _MARGIN)
        | (taken[:, 3] < low - _MARGIN)
    )
    return not bool(apart.all())


def _covers(box: _Box, points: NDArray[np.floating[Any]]) -> bool:
    """Return whether the box would hide a labelled point or a part of its ring."""
    left, low, right, high = box
    return _covered((left - _RING, low - _RING, right + _RING, high + _RING), points) > 0


def _covered(box: _Box, points: NDArray[np.floating[Any]]) -> int:
    left, low, right, high = box
    x, y = points[:, 0], points[:, 1]
    return int(((x >= left) & (x <= right) & (y >= low) & (y <= high)).sum())
