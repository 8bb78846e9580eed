"""The cores that this process may use, and the features of the processor."""

from __future__ import annotations

from pathlib import Path

from simil.blas import cores, processors

__all__ = [
    "computes_bfloat16",
    "physical_cores",
    "processor_facts",
    "processor_key",
    "spare_processors",
]

# The features of x86 and ARM processors that matrix products use.
_FEATURES = (
    *("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8"),
    *("asimd", "bf16", "i8mm"),
)

_CPUS = Path("/sys/devices/system/cpu")
_CPUINFO = Path("/proc/cpuinfo")
# Bytes that hold what it says of the first processor.
_ONE_PROCESSOR = 16_384
_CGROUP = Path("/sys/fs/cgroup/cpu.max")


def physical_cores() -> int:
    """Return how many physical cores this process may use, at least 1.

    Two hyper-threads of a core share its multipliers, so more threads than cores slow matrix products
    down. On Linux this respects the processors that the process is bound to and a container's quota.
    Elsewhere it is the number of logical processors.
    """
    allowed = processors()
    if allowed is None:
        return cores()
    count = len({_core_of(processor) for processor in allowed})
    return max(1, min(count, _quota() or count))


def spare_processors() -> int:
    """Return how many processes may work beside one that feeds a GPU, 0 where there are hardly any cores.

    That one needs two logical processors. More than a dozen processes have nothing left to do.
    """
    usable = cores()
    return max(0, min(usable, _quota() or usable, 14) - 2)


def processor_facts() -> tuple[str, list[str]]:
    """Return the processor's name and, on Linux, those of its features that matrix products use."""
    name, features = _processor()
    return name, [feature for feature in _FEATURES if feature in features]


def processor_key() -> str:
    """Return what tells processors apart for which a graph is compiled differently: name and all features."""
    name, features = _processor()
    return f"{name} {' '.join(sorted(features))}"


def _processor() -> tuple[str, list[str]]:
    """Return the name of the first processor and, on Linux, its features."""
    import platform

    try:
        with _CPUINFO.open("rb") as file:  # All of it, for hundreds of processors, takes long.
            first = file.read(_ONE_PROCESSOR).partition(b"\n\n")[0].decode("utf-8", "replace")
    except OSError:
        first = ""
    fields = {
        key.strip(): value.strip() for key, _, value in (line.partition(":") for line in first.splitlines())
    }
    features = (fields.get("flags") or fields.get("Features") or "").split()
    return fields.get("model name") or platform.processor() or platform.machine(), features


def computes_bfloat16() -> bool:
    """Return whether the processor multiplies bfloat16; also where its features are not known."""
    _, features = _processor()
    return not features or not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(features)


def _core_of(processor: int) -> tuple[str, str]:
    """Return the package and the core of a logical processor; the processor itself if they are unknown."""
    topology = _CPUS / f"cpu{processor}" / "topology"
    try:
        return (topology / "physical_package_id").read_text(), (topology / "core_id").read_text()
    except OSError:
        return "", str(processor)


def _quota() -> int | None:
    """Return how many processors' worth of time a container may use (cgroup v2), None for no limit."""
    try:
        quota, period = _CGROUP.read_text("ascii").split()
        return None if quota == "max" else max(1, round(int(quota) / int(period)))
    except (OSError, ValueError, ZeroDivisionError):
        return None
