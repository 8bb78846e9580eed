"""OpenVINO, imported so that it stays quiet: without its converter, and without its telemetry."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from simil.errors import ExtraMissing

__all__ = ["has_openvino", "import_nncf", "import_openvino", "need_nncf"]

_HINT = "run: pip install 'simil-cli[openvino]'"


def has_openvino() -> bool:
    """Say whether OpenVINO is installed; imports nothing."""
    return find_spec("openvino") is not None


def import_openvino() -> Any:
    """Return the module `openvino`; raises `ExtraMissing` where it is not installed."""
    if not has_openvino():
        raise ExtraMissing("OpenVINO is not installed", hint=_HINT)
    # The converter of other frameworks' models takes longer to import than all the rest.
    with _without("openvino.tools.ovc", "openvino_telemetry"):
        import openvino
    return openvino


def need_nncf() -> None:
    """Raise `ExtraMissing` where NNCF is not installed; imports nothing."""
    if find_spec("nncf") is None:
        raise ExtraMissing("NNCF, which quantizes models, is not installed", hint=_HINT)


def import_nncf() -> Any:
    """Return the module `nncf`; raises `ExtraMissing` where it is not installed."""
    need_nncf()
    import_openvino()
    with _without("openvino_telemetry"):
        import nncf
    return nncf


@contextmanager
def _without(*names: str) -> Iterator[None]:
    """Let imports of these modules fail, as if they were not installed.

    Importing `openvino` or `nncf` reports to a server on the internet where `openvino_telemetry` can be
    imported. Both do without it; nothing of simil's user is to leave the machine.
    """
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # Documented: makes `import` fail.
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)
