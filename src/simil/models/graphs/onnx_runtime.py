"""ONNX Runtime, imported so that nothing of simil's user leaves the machine."""

from __future__ import annotations

import os
from typing import Any

__all__ = ["import_onnxruntime"]


def import_onnxruntime() -> Any:
    """Return the module `onnxruntime`, without its telemetry.

    Since 1.29 it notes each run in the user's cache directory and reports them to a server on the internet,
    and heeds only a variable that is set before it is imported.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    return onnxruntime
