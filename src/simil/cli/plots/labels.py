"""Where the labels of points go, so that none covers another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["place"]

_DIRECTIONS = ((1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1), (0, 1), (0, -1))
_DISTANCES = (0, 8, 18, 30, 46, 68, 96)
_GAP = 7.0
_MARGIN = 3.0


def place(
    points: NDArray[np.floating[Any]],
    sizes: Sequence[tuple[float, float]],
    room: tuple[float, float],
    others: NDArray[np.floating[Any]],
) -> list[tuple[float, float] | None]:
    """Return how far the middle of each label is from its point, None where there is no room for it.

    Points are [labels, 2] in pixels of a picture of `room` pixels, y upwards; `sizes` are width and height
    of the labels. Earlier ones are placed first; of the places that are free the one that covers the
    fewest of the `others`, points [n, 2], is taken, near ones first.
    """
    import numpy as np

    taken = np.empty((0, 4))
    offsets: list[tuple[float, float] | None] = []
    for (x, y), (width, height) in zip(points, sizes, strict=True):
        best: tuple[float, float, float] | None = None
        best_box = (0.0, 0.0, 0.0, 0.0)
        for distance in _DISTANCES:
            for right, up in _DIRECTIONS:
                # The diagonal ones are pushed less to the side, where the label is long.
                dx = right * (width / 2 + _GAP + distance * (0.5 if up else 1))
                dy = up * (height / 2 + _GAP + distance)
                box = (x + dx - width / 2, y + dy - height / 2, x + dx + width / 2, y + dy + height / 2)
                if not _inside(box, room) or _overlaps(box, taken) or _covers(box, points):
                    continue
                cost = 0.5 * _covered(box, others) + distance / 3
                if best is None or cost < best[0]:
                    best, best_box = (cost, dx, dy), box
        if best is None:
            offsets.append(None)
        else:
            offsets.append((best[1], best[2]))
            taken = np.vstack([taken, best_box])
    return offsets


_Box = tuple[float, float, float, float]


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
    """Say whether a labelled point would be hidden."""
    return _covered(box, points) > 0


def _covered(box: _Box, points: NDArray[np.floating[Any]]) -> int:
    left, low, right, high = box
    x, y = points[:, 0], points[:, 1]
    return int(((x >= left) & (x <= right) & (y >= low) & (y <= high)).sum())
