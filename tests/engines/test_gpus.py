"""GPUs are found by their driver: here a library with its functions, and a folder in place of `/dev`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from simil.embedders.local.gpus import find_gpus, may_have_gpus

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the driver's library is one of Linux")

# As cuda.h declares them; `CODE` is what cuInit returns.
_DRIVER = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int cuInit(unsigned flags) { return flags ? 1 : CODE; }

int cuDeviceGetCount(int *count) {
    const char *visible = getenv("CUDA_VISIBLE_DEVICES");
    *count = visible && !*visible ? 0 : 2;
    return 0;
}

int cuDeviceGet(int *device, int ordinal) { *device = 40 + ordinal; return ordinal > 1; }

int cuDeviceGetName(char *name, int length, int device) {
    snprintf(name, length, "Card %d", device);
    return 0;
}

int cuGetErrorName(int code, const char **name) { *name = "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"; return 0; }
"""

Compile = Callable[[int], str]


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Compile:
    """Compile a driver whose start returns a code."""
    folder = tmp_path_factory.mktemp("driver")
    (folder / "driver.c").write_text(_DRIVER)

    def compiled(code: int) -> str:
        library = folder / f"libcuda{code}.so"
        command = ["gcc", "-shared", "-fPIC", f"-DCODE={code}", "-o", library, folder / "driver.c"]
        subprocess.run(command, check=True)
        return str(library)

    return compiled


@pytest.fixture
def devices(tmp_path: Path) -> Path:
    """A folder with the files of one card."""
    for name in ("nvidia0", "nvidiactl"):
        (tmp_path / name).touch()
    return tmp_path


def test_the_driver_names_the_gpus(driver: Compile, devices: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = driver(0)

    assert find_gpus(devices, library).names == ("Card 40", "Card 41")
    assert find_gpus(devices, library).why_none == ""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert find_gpus(devices, library).names == ()
    assert find_gpus(devices, library).why_none == "the CUDA driver cannot be used: it finds no device"


def test_an_error_of_the_driver_is_named(driver: Compile, devices: Path) -> None:
    found = find_gpus(devices, driver(803))

    assert found.names == ()
    assert found.why_none == "the CUDA driver cannot be used: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"


def test_without_files_of_devices_no_library_is_opened(tmp_path: Path) -> None:
    assert not may_have_gpus(tmp_path)
    assert find_gpus(tmp_path, "no-such-library.so").why_none == "this machine has none"


def test_without_a_driver_there_is_no_gpu(devices: Path) -> None:
    assert may_have_gpus(devices)
    assert (
        "the CUDA driver cannot be used: no-such-library.so"
        in find_gpus(devices, "no-such-library.so").why_none
    )
