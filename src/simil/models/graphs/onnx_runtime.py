"""Imports ONNX Runtime without its telemetry."""

from __future__ import annotations

import os
from typing import Any

from simil.foreign import ForeignCode

__all__ = ["import_onnxruntime"]


def import_onnxruntime() -> Any:
    """Return the module `onnxruntime`, with its telemetry turned off.

    Since 1.29 it records each run in the user's cache directory and reports these over the internet. Only
    an environment variable that is set before the import turns this off.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    with ForeignCode("ONNX Runtime cannot be loaded"):
        import onnxruntime

    return onnxruntime
