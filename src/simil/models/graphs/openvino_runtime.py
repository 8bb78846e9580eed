"""Imports OpenVINO and NNCF without their telemetry, and without OpenVINO's slow model converter."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from simil.errors import ExtraMissing
from simil.foreign import ForeignCode

__all__ = ["has_openvino", "import_nncf", "import_openvino", "require_nncf"]

_EXTRA = "openvino"


def has_openvino() -> bool:
    """Say whether OpenVINO is installed, without importing it."""
    return find_spec("openvino") is not None


def import_openvino() -> Any:
    """Return the module `openvino`; raises `ExtraMissing` if it is not installed."""
    if not has_openvino():
        raise ExtraMissing("OpenVINO is not installed", extra=_EXTRA)
    # The converter of other frameworks' models takes longer to import than all the rest.
    with ForeignCode("OpenVINO cannot be loaded"), _without("openvino.tools.ovc", "openvino_telemetry"):
        import openvino
    return openvino


def require_nncf() -> None:
    """Raise `ExtraMissing` if NNCF is not installed, without importing it."""
    if find_spec("nncf") is None:
        raise ExtraMissing("NNCF, which quantizes models, is not installed", extra=_EXTRA)


def import_nncf() -> Any:
    """Return the module `nncf`; raises `ExtraMissing` if it is not installed."""
    require_nncf()
    import_openvino()
    with ForeignCode("NNCF cannot be loaded"), _without("openvino_telemetry"):
        import nncf
    return nncf


@contextmanager
def _without(*names: str) -> Iterator[None]:
    """Make imports of these modules fail, as if they were not installed.

    If `openvino_telemetry` can be imported, importing `openvino` or `nncf` sends a report over the internet.
    Both work without it, and simil sends no such reports.
    """
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # As documented, this makes `import` fail.
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)
