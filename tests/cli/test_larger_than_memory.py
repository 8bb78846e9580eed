"""Commands print for a dataset that is larger than memory what they print for one that is not."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import lance
import numpy as np
import pyarrow as pa
import pytest
from support.command import SIMIL, simil

from simil.usable_memory import LIMIT

ROWS = 1300  # more than the 1,024 of the smallest block
LIMITED = {LIMIT: "500kB"}
NOTE = "is larger than memory"


def write_dataset(path: Path, rows: int, dimensions: int, groups: int) -> None:
    """Write vectors that are in groups of near ones, with texts and a field."""
    random = np.random.default_rng(8)
    centres = random.normal(size=(groups, dimensions))
    for start in range(0, rows, 20_000):
        numbers = np.arange(start, min(start + 20_000, rows))
        vectors = centres[random.integers(0, groups, len(numbers))]
        vectors = vectors + random.normal(size=vectors.shape) * random.choice(
            [0, 0.1, 0.3], (len(vectors), 1)
        )
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        lists = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel().astype(np.float32)), dimensions)
        table = pa.table(
            {
                "id": [f"n{number}" for number in numbers],
                "text": [f"the text of line {number}" for number in numbers],
                "label": [f"group {number % 3}" for number in numbers],
                "embedding": lists,
            }
        )
        lance.write_dataset(table, str(path), mode="append" if start else "create")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("larger")
    write_dataset(found / "big.lance", ROWS, 24, 250)
    few = lance.dataset(str(found / "big.lance")).to_table(limit=40)
    lance.write_dataset(few, str(found / "few.lance"))
    return found


@pytest.mark.parametrize(
    "arguments",
    [
        "dedupe big.lance --threshold 0.97 -f jsonl",
        "dedupe big.lance --threshold 0.97 --show removed -f csv",
        "dedupe big.lance --threshold 0.9 --show pairs",
        "dedupe big.lance --threshold 0.9 --show groups -f json --against few.lance",
        "dedupe few.lance --threshold 0.9 --show pairs -f csv --against big.lance",
        "outliers big.lance -k 3",
        "outliers big.lance --all -f csv",
        "outliers few.lance --reference big.lance --all -f jsonl",
        "outliers big.lance --all --reference few.lance -f tsv",
        "cluster big.lance --threshold 0.99 -f csv",
        "cluster big.lance --threshold 0.99 --members 2",
        "cluster big.lance --threshold 0.99 --labels-only",
        "match few.lance big.lance -k 3 -f json",
        "match big.lance few.lance --threshold 0.9 -f csv",
        "match few.lance big.lance --one-to-one",
        "classify big.lance --examples few.lance -f csv",
        "classify big.lance --examples few.lance --method knn --top 2",
    ],
)
def test_output_is_that_of_a_dataset_in_memory(arguments: str, folder: Path) -> None:
    in_memory = simil(*arguments.split(), cwd=folder)
    limited = simil(*arguments.split(), cwd=folder, env=LIMITED)

    assert limited.out == in_memory.out
    assert limited.code == in_memory.code
    # Only what is said of memory is new.
    others = [line for line in limited.err.splitlines() if NOTE not in line]
    assert others == in_memory.err.splitlines()
    assert NOTE in limited.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("cluster big.lance", "HDBSCAN needs all 1,300 vectors in memory, which take"),
        ("outliers big.lance --method lof", "lof needs all vectors in memory; knn works on larger datasets"),
        ("outliers big.lance --plot out.png", "--plot needs all vectors in memory"),
        ("cluster big.lance -n 2 --plot out.png", "--plot needs all vectors in memory"),
        ("cluster big.lance --threshold 0", "more than 5,000 pairs of texts score at least 0, which is"),
        (
            "dedupe big.lance --dimensions 8",
            "larger than memory, where --dimensions has no effect",
        ),
        ("match big.lance big.lance --one-to-one", "matching 1,300 rows one to one takes 4.2 MB"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_numbers(arguments: str, said: str, folder: Path) -> None:
    result = simil(*arguments.split(), cwd=folder, env=LIMITED)
    assert (result.code, result.out) == (2, "")
    assert said in result.err.splitlines()[-1]


@pytest.mark.parametrize(
    "arguments",
    [
        "classify few.lance --examples big.lance",
        "classify big.lance --examples few.lance --evaluate",
        "embed big.lance big.lance -o other.npy",
    ],
)
def test_what_needs_all_vectors_is_refused_with_the_numbers(arguments: str, folder: Path) -> None:
    result = simil(*arguments.split(), cwd=folder, env=LIMITED)
    assert (result.code, result.out) == (3, "")
    assert "big.lance: holds 1,300 vectors, which take" in result.err
    assert "and 500 kB can be used" in result.err


def test_clusters_of_a_sample(folder: Path) -> None:
    result = simil("cluster", "big.lance", "-n", "4", "-f", "jsonl", cwd=folder, env=LIMITED)
    rows = [json.loads(line) for line in result.out.splitlines()]
    assert [row["id"] for row in rows] == [f"n{number}" for number in range(ROWS)]
    assert {row["cluster"] for row in rows} == {1, 2, 3, 4}
    assert "clusters are found in a sample, and its 1,300 rows are put into them" in result.err


def test_what_is_kept_can_be_a_dataset_again(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "kept.lance"
    given = ["dedupe", "big.lance", "--threshold", "0.9", "-o", str(output)]
    assert simil(*given, cwd=folder, env=LIMITED).code == 0
    kept, every = (lance.dataset(str(path)).to_table() for path in (output, folder / "big.lance"))
    rows = every.filter(pa.compute.is_in(every["id"], kept["id"]))
    assert 0 < len(kept) < len(every)
    assert kept.select(["id", "text", "label"]) == rows.select(["id", "text", "label"])
    assert kept["embedding"].combine_chunks() == rows["embedding"].combine_chunks()


def test_a_limit_that_is_no_size_is_one_line(folder: Path) -> None:
    result = simil("dedupe", "big.lance", cwd=folder, env={LIMIT: "much"})
    assert result.code == 2
    assert result.err == f"simil: {LIMIT} is not a size: 'much'; give one such as 2GB or 500MB\n"


def peak(arguments: Sequence[str], folder: Path, env: Mapping[str, str]) -> int:
    """Return the largest resident size of a run in kB."""
    with (folder / "out").open("wb") as out:
        process = subprocess.Popen([*SIMIL, *arguments], cwd=folder, stdout=out, env={**os.environ, **env})
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss


@pytest.mark.parametrize(
    "arguments", ["dedupe {} --threshold 0.5 -f jsonl", "cluster {} -n 3 -f csv", "match few.lance {} -f csv"]
)
def test_five_times_the_rows_need_no_more_memory(arguments: str, tmp_path: Path) -> None:
    write_dataset(tmp_path / "few.lance", 10, 256, 10)
    for name, rows in (("one", 12_000), ("five", 60_000)):
        write_dataset(tmp_path / f"{name}.lance", rows, 256, 10)
    small, large = (
        peak(arguments.format(f"{name}.lance").split(), tmp_path, {LIMIT: "10MB"}) for name in ("one", "five")
    )
    # The vectors alone are 49 MB more.
    assert large - small < 35_000
