"""The number of threads that a run uses by default."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from simil.embedders.local import cores


def _machine(root: Path, core_of: dict[int, int]) -> Path:
    for processor, core in core_of.items():
        topology = root / f"cpu{processor}" / "topology"
        topology.mkdir(parents=True)
        (topology / "physical_package_id").write_text("0\n")
        (topology / "core_id").write_text(f"{core}\n")
    return root


@pytest.fixture
def four_of_eight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four cores of two threads each; the process may use six threads on three cores."""
    cpus = _machine(tmp_path / "cpu", {number: number % 4 for number in range(8)})
    monkeypatch.setattr(cores, "_CPUS", cpus)
    monkeypatch.setattr(cores, "_CGROUP", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 4, 5, 6}, raising=False)


@pytest.mark.usefixtures("four_of_eight")
def test_two_threads_of_a_core_count_once() -> None:
    assert cores.physical_cores() == 3


@pytest.mark.usefixtures("four_of_eight")
@pytest.mark.parametrize(
    ("quota", "expected"),
    [
        ("max 100000", 3),
        ("200000 100000", 2),
        ("50000 100000", 1),
        ("900000 100000", 3),
        ("odd", 3),
        ("1 0", 3),
    ],
)
def test_the_quota_of_a_container_is_heeded(tmp_path: Path, quota: str, expected: int) -> None:
    (tmp_path / "cpu.max").write_text(f"{quota}\n")
    assert cores.physical_cores() == expected


@pytest.mark.usefixtures("four_of_eight")
@pytest.mark.parametrize(
    ("quota", "expected"), [("max 100000", 4), ("300000 100000", 1), ("50000 100000", 0)]
)
def test_a_gpu_needs_two_processors_for_itself(tmp_path: Path, quota: str, expected: int) -> None:
    (tmp_path / "cpu.max").write_text(f"{quota}\n")
    assert cores.spare_processors() == expected


def test_where_nothing_is_known_every_processor_is_a_core(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cores, "_CPUS", tmp_path)
    monkeypatch.setattr(cores, "_CGROUP", tmp_path / "none")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3, 5}, raising=False)
    assert cores.physical_cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cores.physical_cores() == 1
