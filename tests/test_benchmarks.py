"""The benchmarks run and count right; how fast anything is, is not tested here."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from math import sqrt
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"

# Makes the folder and loads it in one process: importing torch is what takes long.
MAKE_AND_LOAD = """
import json, sys
from pathlib import Path
from make_bge_shaped import make
from workloads import texts
folder = make(Path(sys.argv[1]), json.loads(sys.argv[2]))
from sentence_transformers import SentenceTransformer
model = SentenceTransformer(str(folder), device="cpu")
vectors = model.encode(texts("6 words", 3))
print(json.dumps([str(model[1].pooling_mode), model.max_seq_length, vectors[[0, -1]].astype(float).tolist()]))
"""
TINY = {"num_hidden_layers": 1, "hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64}


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import one of the benchmarks' modules."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))

    def load(name: str) -> ModuleType:
        monkeypatch.delitem(sys.modules, name, raising=False)
        return importlib.import_module(name)

    return load


def test_the_bge_shaped_folder_gives_both_sides_the_same_vectors(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "tiny"
    pooling, limit, theirs = _python(tmp_path, "-c", MAKE_AND_LOAD, str(folder), json.dumps(TINY))
    assert (pooling, limit) == ("cls", 512)
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]  # Nothing is left of the making.

    bulk = str(BENCHMARKS / "bulk.py")
    result = _python(tmp_path, bulk, "ours", "--model", str(folder), "--texts", "3")["6 words"]
    assert result["texts_per_s"] > 0
    for left, right in zip(theirs, result["vectors"], strict=True):
        assert sqrt(sum(value * value for value in right)) == pytest.approx(1, abs=1e-5)
        assert left == pytest.approx(right, abs=1e-5)


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path, load: Any) -> None:
    (tmp_path / "kept").write_text("mine")
    with pytest.raises(SystemExit, match="is there already"):
        load("make_bge_shaped").make(tmp_path, TINY)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_ratios_are_of_neighbours_and_their_median_meets_the_bar(load: Any) -> None:
    figure = load("report").Figure
    time = figure("time", "s", [10, 20, 90], [1, 1, 3], "peer/ours", at_least=12)
    assert time.ratios == [10, 20, 30]
    assert time.holds is True
    memory = figure("memory", "MB", [100.0], [41.0], "ours/peer", at_most=0.4)
    assert memory.holds is False
    assert figure("shown", "MB", [1], [1], "ours/peer").holds is None
    within = figure("within", "MB", [100], [80], "ours/peer", at_least=0.85, at_most=1.15)
    assert (within.bar, within.holds) == (">= 0.85 and <= 1.15", False)


def test_the_table_and_what_is_kept_say_the_same(load: Any) -> None:
    report = load("report")
    rows = [
        report.Figure("time", "s", [10, 20, 90], [1, 1, 3], "peer/ours", at_least=12, note="warm"),
        report.Check("pipe", [0.25], holds=True, bar="ends"),
        report.Check("lost", [], holds=False, bar=""),
    ]
    lines = [line.split() for line in report.table(rows).splitlines()]
    assert lines[1:] == [
        ["time", "20", "s", "1", "s", "20", "(10..30)", ">=", "12", "holds", "warm"],
        ["pipe", "0.25", "s", "ends", "holds"],
        ["lost", "MISSED"],
    ]
    kept = json.loads(json.dumps([report.to_dict(row) for row in rows]))
    assert [kept[0][key] for key in ("peer", "median", "min", "max", "holds")] == [
        [10, 20, 90],
        20,
        10,
        30,
        True,
    ]
    assert kept[1]["seconds"] == [0.25]


def test_the_machine_is_named_without_its_folders(load: Any) -> None:
    where = load("report").machine()
    assert where["versions"]["simil-cli"]
    assert str(Path.home()) not in json.dumps(where)


def test_sides_are_measured_by_turns_after_one_run_each(load: Any) -> None:
    order: list[str] = []
    peer, ours = load("measure").by_turns(
        lambda: order.append("peer") or len(order), lambda: order.append("ours") or len(order), 2
    )
    assert order == ["peer", "ours"] * 3
    assert (peer, ours) == ([3, 5], [4, 6])


def test_a_process_is_measured_and_a_failed_one_is_not(tmp_path: Path, load: Any) -> None:
    measure = load("measure")
    big = "import sys; data = bytearray(64_000_000); sys.stdout.write(str(len(data)))"
    usage = measure.run([sys.executable, "-c", big], env=dict(os.environ), cwd=tmp_path)
    assert usage.stdout == "64000000"
    assert usage.seconds > 0
    assert usage.peak_bytes > 64e6
    with pytest.raises(measure.MeasurementFailed, match="ended with 3"):
        measure.run([sys.executable, "-c", "raise SystemExit(3)"], env=dict(os.environ), cwd=tmp_path)


def test_texts_differ_from_each_other_and_not_between_runs(load: Any) -> None:
    workloads = load("workloads")
    for length, (least, most) in workloads.LENGTHS.items():
        texts = workloads.texts(length, 2700)
        assert len(set(texts)) == 2700
        assert {len(text.split()) for text in texts} == set(range(least, most + 1))
        assert texts[:5] == workloads.texts(length, 5)


def _python(folder: Path, *arguments: str) -> Any:
    env = os.environ | {
        "PYTHONPATH": str(BENCHMARKS),
        "PYTHONDONTWRITEBYTECODE": "1",
        "SIMIL_CACHE_DIR": str(folder / "cache"),
        "HF_HUB_OFFLINE": "1",
    }
    done = subprocess.run(
        [sys.executable, *arguments], env=env, cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
