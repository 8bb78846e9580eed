"""Imports ONNX Runtime without its telemetry."""

from __future__ import annotations

import os
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from simil.foreign import ForeignCode

__all__ = ["import_onnxruntime", "onnxruntime_version"]

_VERSION = re.compile(rb'^__version__ = "([^"]+)"', re.MULTILINE)


def import_onnxruntime() -> Any:
    """Return the module `onnxruntime`, with its telemetry turned off.

    Since 1.29 it records each run in the user's cache directory and reports these over the internet. Only
    an environment variable that is set before the import turns this off.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    with ForeignCode("ONNX Runtime cannot be loaded"):
        import onnxruntime

    return onnxruntime


def onnxruntime_version() -> str | None:
    """Return the version of ONNX Runtime, None if it is not installed.

    It is read from the package's own file, since a run by another engine needs the name of a prepared graph,
    but not the library, whose import takes longer than all else at such a start.
    """
    loaded = sys.modules.get("onnxruntime")
    if loaded is not None:
        return str(loaded.__version__)
    spec = find_spec("onnxruntime")
    if spec is None:
        return None
    found = _VERSION.search(Path(spec.origin).read_bytes()) if spec.origin else None
    return found[1].decode() if found else str(import_onnxruntime().__version__)
