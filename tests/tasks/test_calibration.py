"""Calibrations: what isotonic regression says, kept in a file, never applied to vectors of another model."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from simil import similarity
from simil.errors import InputError, ModelMismatch
from simil.tasks.evaluation.calibration import Calibration, calibrate, calibration_file_name, read_calibration

_PAIRS = st.lists(
    st.tuples(st.one_of(st.floats(-1, 1, width=32), st.integers(-2, 2).map(lambda n: n / 2)), st.booleans()),
    min_size=2,
    max_size=40,
).filter(lambda rows: len({alike for _, alike in rows}) == 2)


def learnt(cosines: np.ndarray, alike: np.ndarray) -> Calibration:
    return calibrate(cosines, alike, model="m@1", dimensions=3, learnt_from="pairs.tsv", date="2026-01-31")


@given(rows=_PAIRS)
def test_it_is_isotonic_regression_and_rises(rows: list[tuple[float, bool]]) -> None:
    cosines = np.array([cosine for cosine, _ in rows], np.float32)
    alike = np.array([one for _, one in rows])
    calibration = learnt(cosines, alike)
    reference = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
    # A text with itself is alike.
    settled = np.where(cosines >= 1 - 1e-6, 1, cosines.astype(float))
    reference.fit(np.append(settled, 1.0), np.append(alike.astype(float), 1.0))
    asked = np.linspace(-1, 1, 401, dtype=np.float32)
    found = calibration.apply(asked)
    assert found == pytest.approx(reference.predict(asked.astype(float)), rel=0, abs=1e-6)
    assert (np.diff(found) >= 0).all()
    assert 0 <= found.min() <= found.max() <= 1
    points = np.array(calibration.scores)
    assert np.interp(points, calibration.scores, calibration.probabilities) == pytest.approx(
        reference.predict(points), rel=0, abs=1e-9
    )


def test_a_text_with_itself_is_alike() -> None:
    vector = np.random.default_rng(3).normal(size=384).astype(np.float32)
    cosine = similarity.matrix(vector[None] / np.linalg.norm(vector), vector[None] / np.linalg.norm(vector))
    calibration = learnt(np.array([0.1, 0.9], np.float32), np.array([True, False]))
    for almost in (cosine[0, 0], np.float32(1 - 2**-21), np.float32(1 + 2**-22)):
        assert calibration.apply(np.array([almost]))[0] == 1
    assert calibration.apply(np.array([1 - 2e-6], np.float32))[0] < 1


def test_a_file_brings_it_back(tmp_path: Path) -> None:
    calibration = learnt(np.array([0.1, 0.5, 0.7, 0.9], np.float32), np.array([False, True, False, True]))
    path = tmp_path / "c.json"
    path.write_bytes(calibration.to_json())
    assert read_calibration(path, "c.json") == calibration
    facts = json.loads(path.read_text("utf-8"))
    assert {"model", "metric", "dimensions", "pairs", "learnt_from", "date"} <= set(facts)


@pytest.mark.parametrize("alike", [[True, True], [False, False]])
def test_one_kind_of_pairs_teaches_nothing(alike: list[bool]) -> None:
    with pytest.raises(InputError, match="needs both kinds"):
        learnt(np.array([0.1, 0.2], np.float32), np.array(alike))


@pytest.mark.parametrize(
    "change",
    [
        {"simil_calibration": 2},
        {"scores": []},
        {"scores": [0.5, 0.1]},
        {"scores": [0.1]},
        {"scores": "abc"},
        {"probabilities": [0.9, 0.1]},
        {"probabilities": [0.0, 1.5]},
        {"probabilities": [0.0, None]},
        {"metric": "dot"},
        {"scores": [[0.1], [0.9]]},
        {"scores": ["0.1", "0.9"]},
        {"scores": [0.1, True]},
        {"scores": {"0.1": 1, "0.9": 2}},
        {"probabilities": [[0.0], [1.0]]},
        {"probabilities": ["0", "1"]},
        {"pairs": "many"},
        {"pairs": None},
        {"pairs": 1.5},
        {"pairs": True},
        {"dimensions": "3"},
        {"dimensions": True},
        {"model": 7},
        {"metric": ["cosine"]},
        {"learnt_from": None},
        {"date": 20260131},
        {"more": 1},
    ],
)
def test_a_file_that_is_none_is_refused(change: dict[str, object], tmp_path: Path) -> None:
    good = Calibration("m", "cosine", 3, 5, "p.tsv", "2026-01-31", [0.1, 0.9], [0.0, 1.0])
    path = tmp_path / "c.json"
    path.write_text(json.dumps(json.loads(good.to_json()) | change), "utf-8")
    with pytest.raises(InputError, match="is not a calibration"):
        read_calibration(path, "c.json")


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b'{"simil_calibration": 1}', b"null"])
def test_a_file_of_something_else_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match="is not a calibration"):
        read_calibration(path, "c.json")


@pytest.mark.parametrize(("model", "dimensions"), [("m@2", 3), ("m@1", 4), (None, 3)])
def test_it_is_for_vectors_of_its_model_and_length(model: str | None, dimensions: int) -> None:
    good = Calibration("m@1", "cosine", 3, 5, "p.tsv", "2026-01-31", [0.1, 0.9], [0.0, 1.0])
    good.check("m@1", 3, "c.json")
    with pytest.raises(ModelMismatch):
        good.check(model, dimensions, "c.json")


def test_names_of_files_are_safe_and_tell_models_apart() -> None:
    names = {
        calibration_file_name(model, "cosine", dimensions)
        for model in ("org/m@1", "org_m@1", "../../m", "é" * 300)
        for dimensions in (3, 4)
    }
    assert len(names) == 8
    assert all(set("/\\\0").isdisjoint(name) and len(name) < 130 for name in names)


def test_applying_needs_no_sklearn() -> None:
    program = (
        "import sys\nimport numpy as np\n"
        "from simil.tasks.evaluation.calibration import Calibration\n"
        "c = Calibration('m', 'cosine', 3, 5, 'p', '2026-01-31', [0.0, 1.0], [0.0, 1.0])\n"
        "assert c.apply(np.array([0.25], np.float32))[0] == 0.25\n"
        "assert not {'sklearn', 'scipy'} & set(sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
