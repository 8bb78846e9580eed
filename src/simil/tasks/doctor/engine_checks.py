"""Whether each engine gives the vector that it should: the embedded model embeds a text."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from simil.embedders.factory import open_embedder
from simil.errors import SimilError
from simil.models.catalog import FALLBACK
from simil.models.graphs.openvino_runtime import has_openvino
from simil.tasks.doctor.findings import CheckContext, Finding, fail, note, ok, warn

__all__ = ["REFERENCE", "devices", "onnx", "openvino", "torch"]

# A text and its vector by sentence-transformers from the model's original weights; tools/doctor_reference.py
# makes it.
REFERENCE = Path(__file__).with_name("reference.json")
_ALIKE = 0.99999
_OPENVINO = "run: pip install 'simil-cli[openvino]'"
_DEEP = "simil doctor --deep looks; importing torch takes seconds"


def onnx(context: CheckContext) -> Iterator[Finding]:
    """Embed with ONNX Runtime."""
    yield _tried("onnx", context, needed=True)


def openvino(context: CheckContext) -> Iterator[Finding]:
    """Embed with OpenVINO, where it is installed."""
    settings = context.settings
    needed = settings.engine == "openvino" or settings.precision != "float32"
    if has_openvino():
        yield _tried("openvino", context, needed=needed)
    elif needed:
        yield fail("engine openvino", "the settings ask for it, and it is not installed", _OPENVINO)
    else:
        yield note("engine openvino", "not installed: many texts take two to three times as long", _OPENVINO)


def torch(context: CheckContext) -> Iterator[Finding]:
    """Embed with sentence-transformers, if asked to look deep."""
    if context.deep:
        yield _tried("torch", context, needed=context.settings.engine == "torch")
    else:
        yield note("engine torch", "not tried", _DEEP)


def devices(context: CheckContext) -> Iterator[Finding]:
    """Tell what --device can name, if asked to look deep."""
    if not context.deep:
        yield note("devices", "not looked for", _DEEP)
        return
    from simil.embedders.local.torch import usable_devices

    usable = usable_devices()
    wanted = context.settings.device
    if wanted != "auto" and wanted not in usable:
        yield fail(
            "devices", f"{wanted} is set, and only {', '.join(usable)} can be used", "correct --device"
        )
    else:
        yield ok("devices", ", ".join(usable))


def _tried(engine: str, context: CheckContext, *, needed: bool) -> Finding:
    check = f"engine {engine}"
    try:
        alike = _cosine(engine, context)
    except SimilError as exc:
        # Without being asked for, one that cannot run gives way to another.
        return fail(check, exc) if needed else warn(check, exc.message, exc.hint)
    if alike < _ALIKE:
        return fail(
            check,
            f"gives another vector than {FALLBACK} has (cosine {alike:.6f})",
            "install the versions that simil is tested with, and report this",
        )
    return ok(check, f"embeds, with the vector that {FALLBACK} has")


def _cosine(engine: str, context: CheckContext) -> float:
    """Return how alike the vector of the reference text, of length 1, is to what it should be."""
    import numpy as np

    reference = json.loads(REFERENCE.read_text("utf-8"))
    expected = np.frombuffer(base64.b64decode(reference["vector"]), "<f4").astype(np.float64)
    settings = replace(
        context.settings, model=FALLBACK, engine=engine, device="cpu", precision="float32", cache=False
    )
    embedder = open_embedder(settings)
    try:
        return float(embedder.embed([reference["text"]])[0] @ expected)
    finally:
        embedder.close()
