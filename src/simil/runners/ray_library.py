"""Ray, which the extra [ray] installs."""

from __future__ import annotations

import os
from typing import Any

from simil.errors import ExtraMissing

__all__ = ["ray_library"]

# Read when Ray is imported, by the processes that it starts too. Nothing leaves the machine unasked: no
# usage statistics. Values that the user has set stay, but that one.
_QUIET = {
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_DEDUP_LOGS": "0",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


def ray_library() -> Any:
    """Return the module, with `data`, quiet; raises ExtraMissing without the extra.

    Only for a process of simil itself, since it sets environment variables.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray
        import ray.data
    except ImportError as exc:
        raise ExtraMissing("--on ray needs Ray Data, which is not installed", extra="ray") from exc
    return ray
