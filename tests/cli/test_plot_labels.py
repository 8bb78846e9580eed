"""Labels of a map: none covers another or a point, and all stand in the picture."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simil.cli.plots.label_placement import place

ROOM = (600.0, 400.0)


@given(st.integers(1, 25), st.integers(0, 500))
def test_labels_do_not_overlap(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.uniform((150, 150), (450, 250), size=(count, 2))
    sizes = [(float(width), 13.0) for width in rng.integers(20, 160, count)]
    others = rng.uniform((100, 100), (500, 300), size=(300, 2))
    offsets = place(points, sizes, ROOM, others)

    middles = [
        (point + offset, size) for point, offset, size in zip(points, offsets, sizes, strict=True) if offset
    ]
    assert len(offsets) == count and offsets[0] is not None
    for number, (middle, size) in enumerate(middles):
        half = np.array(size) / 2
        assert (middle - half >= 0).all() and (middle + half <= ROOM).all()
        assert not (np.abs(np.concatenate([points, others]) - middle) < half).all(axis=1).any()
        for other, other_size in middles[:number]:
            assert (np.abs(middle - other) > half + np.array(other_size) / 2).any()


def test_a_label_alone_stands_beside_its_point() -> None:
    (offset,) = place(np.array([[300.0, 200.0]]), [(80.0, 13.0)], ROOM, np.empty((0, 2)))

    assert offset == (47.0, 0.0)
