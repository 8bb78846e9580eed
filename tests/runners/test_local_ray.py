"""`--on ray` without a cluster: Ray starts on this machine, and leaves nothing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from support import gated_plugin
from support.command import SIMIL, simil
from support.embedded_tables import assert_identical, table_of
from support.gated_plugin import Gate
from support.listening_sockets import descendants, listening_addresses

from simil.runners import ray_folder as ray_folder_module

# 127.0.0.1, as an address of IPv4 and of IPv6.
_LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F"}


def test_it_listens_on_loopback_alone_leaves_no_file_and_writes_what_one_process_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = gated_plugin.install(tmp_path / "site")
    gate = Gate(tmp_path / "gate")
    texts = tmp_path / "texts.txt"
    texts.write_text(f"one\n{gate.text}\n", "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(site))
    run = ["embed", "-m", "plugin:gated", "--no-cache", "texts.txt", "-o"]
    command = [*run, "out", "--on", "ray"]
    with subprocess.Popen([*SIMIL, *command], stderr=subprocess.PIPE, text=True, cwd=tmp_path) as driver:
        try:
            [worker] = gate.wait_for(1)
            running = descendants(driver.pid)
            addresses = listening_addresses(running)
            folders = {_folder_of(pid) for pid in running} - {None}
        finally:
            gate.open()
        said = driver.communicate(timeout=90)[1]

    assert driver.returncode == 0, said
    assert worker in running
    assert addresses
    assert addresses <= _LOOPBACK
    assert simil(*run, "one.parquet", cwd=tmp_path).code == 0
    assert_identical(table_of(tmp_path / "out"), pq.read_table(tmp_path / "one.parquet"))
    assert len(folders) == 1
    assert not any(Path(folder).exists() for folder in folders if folder)


def test_the_next_run_removes_what_a_killed_one_has_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_folder_module, "_SHORT_TMP", str(tmp_path))
    killed = tmp_path / "simil-ray-killed"
    linked = tmp_path / "simil-ray-linked"
    young = tmp_path / "simil-ray-young"
    others = tmp_path / "others"
    for folder in (killed, young, others):
        folder.joinpath("session").mkdir(parents=True)
    linked.symlink_to(others)
    os.utime(killed, (0, 0))
    os.utime(linked, (0, 0), follow_symlinks=False)

    with ray_folder_module.ray_folder() as running:
        os.utime(running, (0, 0))
        with ray_folder_module.ray_folder() as other:
            assert {*tmp_path.iterdir()} == {Path(running), Path(other), young, linked, others}
            assert others.joinpath("session").exists()

    assert {*tmp_path.iterdir()} == {young, linked, others}


def _folder_of(pid: int) -> str | None:
    """Where Ray keeps the files of a run, by the command line of its server."""
    arguments = Path("/proc", str(pid), "cmdline").read_text("utf-8").split("\0")
    logs = [argument.partition("=")[2] for argument in arguments if argument.startswith("--log_dir=")]
    return str(Path(logs[0]).parents[1]) if logs else None
