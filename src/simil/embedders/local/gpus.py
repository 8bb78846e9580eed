"""Finds CUDA devices by asking their driver, which takes a fraction of the time of importing torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from simil.frozen import Frozen

if TYPE_CHECKING:
    import ctypes

__all__ = ["DEVICE_FILES", "FoundGpus", "find_gpus", "may_have_gpus"]

DEVICE_FILES = Path("/dev")
# One of them is there wherever the driver can be used: that of Linux, that of Linux on Windows.
_FILES = ("nvidiactl", "dxg")
_DRIVER = "libcuda.so.1"
_NAME_BYTES = 256


class FoundGpus(Frozen):
    """The names of the CUDA devices that this process may use, or in `why_none` why there are none."""

    names: tuple[str, ...] = ()
    why_none: str = ""


def may_have_gpus(device_files: Path = DEVICE_FILES) -> bool:
    """Return whether this machine seems to have a CUDA device; takes microseconds."""
    return any((device_files / name).exists() for name in _FILES)


def find_gpus(device_files: Path = DEVICE_FILES, driver: str = _DRIVER) -> FoundGpus:
    """Return the CUDA devices, by the driver's library; it follows CUDA_VISIBLE_DEVICES.

    Opens no library where there are no files of devices.
    """
    if not may_have_gpus(device_files):
        return FoundGpus(why_none="this machine has none")
    import ctypes

    try:
        return FoundGpus(_names(ctypes.CDLL(driver)))
    except (OSError, AttributeError) as exc:  # No such library, or another one of its name.
        return FoundGpus(why_none=f"the CUDA driver cannot be used: {exc}")


def _names(driver: ctypes.CDLL) -> tuple[str, ...]:
    """Return the devices' names; raises `OSError` for an error of the driver."""
    import ctypes

    _call(driver, "cuInit", 0)
    count = ctypes.c_int()
    _call(driver, "cuDeviceGetCount", ctypes.byref(count))
    if not count.value:
        raise OSError("it finds no device")
    return tuple(_name(driver, number) for number in range(count.value))


def _name(driver: ctypes.CDLL, number: int) -> str:
    import ctypes

    device, name = ctypes.c_int(), ctypes.create_string_buffer(_NAME_BYTES)
    _call(driver, "cuDeviceGet", ctypes.byref(device), number)
    _call(driver, "cuDeviceGetName", name, _NAME_BYTES, device)
    return name.value.decode("utf-8", "replace")


def _call(driver: ctypes.CDLL, function: str, *arguments: object) -> None:
    import ctypes

    code = getattr(driver, function)(*arguments)
    if code:
        meaning = ctypes.c_char_p()
        driver.cuGetErrorName(code, ctypes.byref(meaning))
        raise OSError((meaning.value or str(code).encode()).decode("ascii", "replace"))
