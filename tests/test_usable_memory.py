"""How much memory data may take."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from simil.errors import UsageError
from simil.usable_memory import LIMIT, free_memory, readable_size, usable_memory

GB = 10**9


def system(folder: Path, *, groups: str, **files: str) -> Path:
    """Return a folder with the files of a system; `files` are those of /sys/fs/cgroup, `__` for a slash."""
    (folder / "proc/self").mkdir(parents=True)
    (folder / "proc/meminfo").write_text("MemTotal:  24000000 kB\nMemAvailable:  20000000 kB\n")
    (folder / "proc/self/cgroup").write_text(groups)
    for name, content in files.items():
        path = folder / "sys/fs/cgroup" / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_name(path.name.replace("memory_", "memory.", 1)).write_text(content)
    return folder


def test_without_a_container_all_of_the_machine_is_free(tmp_path: Path) -> None:
    root = system(tmp_path, groups="0::/\n")
    assert free_memory(root) == 20_000_000 * 1024


@pytest.mark.parametrize(
    "files",
    [
        # The group itself, one around it, and the top, where a container does not see its own path.
        {"memory_max": "max\n", "a__b__memory_max": f"{4 * GB}\n", "a__b__memory_current": f"{3 * GB}\n"},
        {"a__memory_max": f"{4 * GB}\n", "a__memory_current": f"{3 * GB}\n", "a__b__memory_max": "max\n"},
        {"memory_max": f"{4 * GB}\n", "memory_current": f"{3 * GB}\n"},
    ],
)
def test_a_container_leaves_what_its_limit_exceeds_its_use_by(files: dict[str, str], tmp_path: Path) -> None:
    root = system(tmp_path, groups="0::/a/b\n", **files)
    assert free_memory(root) == GB


def test_pages_of_files_that_were_not_used_of_late_give_way(tmp_path: Path) -> None:
    statistics = f"anon 5\nactive_file {GB}\ninactive_file {2 * GB}\n"
    root = system(
        tmp_path,
        groups="0::/\n",
        memory_max=f"{4 * GB}",
        memory_current=f"{4 * GB}",
        memory_stat=statistics,
    )
    assert free_memory(root) == 2 * GB


def test_groups_of_version_1_count_too(tmp_path: Path) -> None:
    root = system(
        tmp_path,
        groups="5:cpu:/x\n4:memory:/docker/1\n",
        memory__memory_limit_in_bytes=f"{3 * GB}",
        memory__memory_usage_in_bytes=f"{2 * GB}",
        memory__memory_stat=f"inactive_file 1\ntotal_inactive_file {GB}\n",
    )
    assert free_memory(root) == 2 * GB


def test_a_group_that_uses_more_than_its_limit_leaves_nothing(tmp_path: Path) -> None:
    root = system(tmp_path, groups="0::/\n", memory_max=f"{GB}", memory_current=f"{2 * GB}")
    assert free_memory(root) == 0


@pytest.mark.parametrize(
    ("given", "size"),
    [("2000000", 2_000_000), ("64kB", 64_000), ("5 MB", 5_000_000), ("0.002g", 2_000_000), ("0", 0)],
)
def test_the_user_can_set_a_limit(given: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIMIT, given)
    assert usable_memory() == size


def test_a_limit_above_what_is_free_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIMIT, "900TB")
    free = free_memory()
    assert free is not None
    assert usable_memory() is not None and usable_memory() < free  # type: ignore[operator]


@pytest.mark.parametrize("given", ["much", "-1", "2 GiBB", "1e400", "nan"])
def test_a_limit_that_is_no_size_is_refused(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIMIT, given)
    with pytest.raises(UsageError, match="SIMIL_MEMORY_LIMIT is not a size"):
        usable_memory()


def test_a_limit_of_address_space_counts() -> None:
    code = "from simil.usable_memory import free_memory; print(free_memory())"
    script = 'ulimit -v 1000000; exec "$0" -c "$1"'
    done = subprocess.run(["sh", "-c", script, sys.executable, code], check=True, capture_output=True)
    assert 0 < int(done.stdout) < 1_000_000 * 1024


@pytest.mark.parametrize(("size", "shown"), [(999, "1 kB"), (1_500_000, "1.5 MB"), (21 * GB, "21.0 GB")])
def test_sizes_as_people_read_them(size: int, shown: str) -> None:
    assert readable_size(size) == shown
