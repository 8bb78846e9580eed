"""Checks of engines: each embeds a text with the embedded model, and the vector must be right."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

from simil.device import Device
from simil.embedders.factory import open_embedder
from simil.embedders.local.engine_choice import leaves_device_open, wants_packed
from simil.embedders.local.engine_libraries import require_for_packed
from simil.embedders.local.gpus import find_gpus
from simil.errors import ExtraMissing, SimilError
from simil.models.catalog import FALLBACK
from simil.models.graphs.openvino_runtime import has_openvino
from simil.models.torch_libraries import require_sentence_transformers, require_torch
from simil.tasks.doctor.findings import CheckContext, Finding, fail, note, ok, warn

__all__ = ["REFERENCE", "devices", "onnx", "openvino", "packed", "torch"]

# A text and its vector by sentence-transformers with the original weights, from tools/doctor_reference.py.
REFERENCE = Path(__file__).with_name("reference.json")
_MIN_COSINE = 0.99999
_OPENVINO = "run: pip install 'simil-cli[openvino]'"
_DEEP = "run: simil doctor --deep; importing torch takes seconds"


def onnx(context: CheckContext) -> Iterator[Finding]:
    """Embed with ONNX Runtime."""
    yield _try_engine("onnx", context, needed=True)


def openvino(context: CheckContext) -> Iterator[Finding]:
    """Embed with OpenVINO, if it is installed."""
    settings = context.settings
    needed = settings.engine == "openvino" or settings.precision == "int8"
    if has_openvino():
        yield _try_engine("openvino", context, needed=needed)
    elif needed:
        yield fail("engine openvino", "the settings ask for it, but it is not installed", _OPENVINO)
    else:
        yield note("engine openvino", "not installed: many texts take two to three times as long", _OPENVINO)


def torch(context: CheckContext) -> Iterator[Finding]:
    """Embed with sentence-transformers, if it is installed and `deep`."""
    settings = context.settings
    try:
        require_sentence_transformers("the torch engine")
    except ExtraMissing as exc:
        finding = fail if settings.engine == "torch" or settings.device.kind == "mps" else note
        yield finding("engine torch", exc.message, exc.hint)
        return
    if context.deep:
        yield _try_engine("torch", context, needed=settings.engine == "torch")
    else:
        yield note("engine torch", "not tried", _DEEP)


def packed(context: CheckContext) -> Iterator[Finding]:
    """Embed with the packed engine on the processor, if `deep`."""
    needed = wants_packed(context.settings)
    try:
        if needed:
            require_for_packed(context.settings)
        else:
            require_torch("the packed engine")
    except ExtraMissing as exc:
        yield (fail if needed else note)("engine packed", exc.message, exc.hint)
        return
    if context.deep:
        yield _try_engine("packed", context, needed=needed)
    else:
        yield note("engine packed", "not tried", _DEEP)


def devices(context: CheckContext) -> Iterator[Finding]:
    """Report the GPUs that their driver names and who goes there; if `deep`, also what PyTorch can use."""
    found, wanted = find_gpus(), context.settings.device
    gpus = f"no CUDA device, {found.why_none}"
    if found.names:
        gpus = f"{', '.join(found.names)}: {_use(context)}"
    try:
        require_torch(f"device {wanted}" if wanted.is_gpu else "a GPU")
    except ExtraMissing as exc:
        finding = fail if wanted.is_gpu else warn if found.names else note
        unused = f"{', '.join(found.names)}, not used" if found.names else "only cpu"
        yield finding("devices", f"{unused}: {exc.message}", exc.hint)
        return
    if context.deep:
        yield _usable(context, gpus, has_gpus=bool(found.names))
    elif wanted.kind == "cuda" and not found.names:
        yield warn("devices", f"{wanted} is set, but there is {gpus}", "correct --device")
    else:
        yield ok("devices", gpus)


def _use(context: CheckContext) -> str:
    settings = context.settings
    if settings.device.is_gpu:
        return f"{settings.device} is set"
    return "many texts go there" if leaves_device_open(settings) else "not used by these settings"


def _usable(context: CheckContext, gpus: str, *, has_gpus: bool) -> Finding:
    """Say which devices PyTorch can use, and whether the settings ask for another."""
    from simil.embedders.local.torch import torch_devices, usable_devices

    usable, wanted = usable_devices(), context.settings.device
    try:
        if wanted.kind != "auto":
            torch_devices(wanted)
        elif has_gpus:
            torch_devices(Device("cuda", (0,)))
    except SimilError as exc:
        if wanted.kind != "auto":
            return fail(
                "devices", f"{wanted} is set, but only {', '.join(usable)} can be used", "correct --device"
            )
        return warn("devices", f"{gpus}, but {exc.message}", exc.hint)
    return ok("devices", f"{', '.join(usable)}; {gpus}")


def _try_engine(engine: str, context: CheckContext, *, needed: bool) -> Finding:
    check = f"engine {engine}"
    try:
        cosine = _cosine(engine, context)
    except SimilError as exc:
        # An engine that is not needed gives way to another if it cannot run.
        return fail(check, exc) if needed else warn(check, exc.message, exc.hint)
    if cosine < _MIN_COSINE:
        return fail(
            check,
            f"gives a different vector for {FALLBACK} (cosine {cosine:.6f})",
            "install the versions that simil is tested with, and report this",
        )
    return ok(check, f"gives the right vector for {FALLBACK}")


def _cosine(engine: str, context: CheckContext) -> float:
    """Return the cosine of the reference text's vector and the expected one, both of length 1."""
    import numpy as np

    reference = json.loads(REFERENCE.read_text("utf-8"))
    expected = np.frombuffer(base64.b64decode(reference["vector"]), "<f4").astype(np.float64)
    settings = context.settings.replaced(
        model=FALLBACK,
        engine=engine,
        device=Device("cpu"),
        precision="float32",
        cache=False,
    )
    embedder = open_embedder(settings)
    try:
        return float(embedder.embed([reference["text"]])[0] @ expected)
    finally:
        embedder.close()
