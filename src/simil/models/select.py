"""Which model speaks in this run, and its files on this machine.

A pinned model is that model or an error. An unpinned run uses the default model if it is here or can
be fetched, else the embedded one, and says so.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from simil.errors import ModelError, ModelNotFound, ProviderError, Unreachable
from simil.models.catalog import DEFAULT, FALLBACK, find_info
from simil.models.files.model_source import ModelSource, embedded_source
from simil.models.names import did_you_mean, near_repository
from simil.models.resolve import ModelRef, Provider, resolve
from simil.progress import Progress

if TYPE_CHECKING:
    from simil.models.hub.download import Snapshot

__all__ = ["choose", "fetch", "find_local", "locate"]

log = logging.getLogger("simil")

# What an unreachable hub may cost a run that nobody pinned to a model, and one that somebody did.
_UNPINNED_S, _PINNED_S = 3.0, 10.0
_GRAPH = "onnx/model.onnx"
_WEIGHTS = ("model.safetensors", _GRAPH, "pytorch_model.bin")
_NOT_NEEDED = (
    ".md",
    ".png",
    ".jpg",
    ".gitattributes",
    ".bin",
    ".onnx",
    ".onnx_data",
    ".h5",
    ".ot",
    ".msgpack",
    ".safetensors",
)


def choose(
    name: str | None, *, offline: bool, cache_dir: Path, progress: Progress
) -> tuple[ModelRef, ModelSource | None]:
    """Return the model of this run and, where it runs on this machine, its files, fetched if need be.

    `name` is what the user pinned, None for nothing.
    """
    if name is not None:
        ref = resolve(name)
        return ref, locate(ref, offline=offline, progress=progress)
    ref = resolve(DEFAULT)
    found = find_local(ref)
    if found is not None:
        return ref, found
    try:
        return ref, _fetch_unpinned(ref, offline=offline, cache_dir=cache_dir, progress=progress)
    except (ProviderError, ModelError) as exc:
        log.info("%s", exc)
        log.warning(
            "%s is not on this machine (%s): %s is used; -m %s (or SIMIL_MODEL) pins it",
            DEFAULT,
            exc.message,
            FALLBACK,
            FALLBACK,
        )
    ref = resolve(FALLBACK)
    return ref, locate(ref, offline=offline, progress=progress)


def _fetch_unpinned(ref: ModelRef, *, offline: bool, cache_dir: Path, progress: Progress) -> ModelSource:
    from simil.models.hub import download as hub

    if offline:
        raise ModelNotFound("simil is offline")
    if hub.remembered(cache_dir, time.time()):
        raise Unreachable("the hub could not be reached a moment ago")
    try:
        return _fetch(ref, progress, _UNPINNED_S)
    except ProviderError:
        hub.remember(cache_dir, time.time())
        raise


def find_local(ref: ModelRef) -> ModelSource | None:
    """Return the files of a model where they are on this machine; nobody is asked for them.

    None for a model that is not here, and for one that does not run here. Raises `ModelDamaged` where the
    embedded model's are not whole.
    """
    if ref.provider is Provider.EMBEDDED:
        assert ref.info is not None
        return embedded_source(ref.info)
    if ref.provider is Provider.FOLDER:
        folder = Path(ref.target)
        return ModelSource(folder.name, folder)
    if ref.provider is not Provider.HUB:
        return None
    from simil.models.hub import download as hub

    snapshot = hub.find(ref.target, ref.revision)
    if snapshot is None or not _has_weights(snapshot.path):
        return None
    return _source(ref, snapshot)


def locate(ref: ModelRef, *, offline: bool, progress: Progress) -> ModelSource | None:
    """Return the files of a local model, fetching them from the hub where needed; None for the others."""
    found = find_local(ref)
    if found is not None or ref.provider is not Provider.HUB:
        return found
    if offline:
        raise ModelNotFound(
            f"{ref.target} is not on this machine and simil is offline",
            hint=did_you_mean(near_repository(ref.target))
            or "run once without --offline, or use -m minilm, which ships with simil",
        )
    return fetch(ref, progress)


def fetch(ref: ModelRef, progress: Progress) -> ModelSource:
    """Return the files of a model of the hub, fetched, or verified where they are here already.

    Raises `ModelError` for one that is of no use without code of its own, and what `hub.fetch` raises.
    """
    if ref.info is not None and ref.info.own_code:
        raise ModelError(
            f"{ref.target} asks for code of its own to be run, which simil never does",
            hint="choose another; simil models lists them",
        )
    return _fetch(ref, progress, _PINNED_S)


def _has_weights(folder: Path) -> bool:
    """Say whether the weights of the first module are here, which may lie in a folder of its own."""
    return any((folder / name).is_file() for name in _WEIGHTS) or any(folder.glob("0_*/model.safetensors"))


def _fetch(ref: ModelRef, progress: Progress, first_contact_s: float) -> ModelSource:
    from simil.models.hub import download as hub

    snapshot = hub.fetch(
        ref.target, ref.revision, want=_wanted, progress=progress, first_contact_s=first_contact_s
    )
    return _source(ref, snapshot)


def _source(ref: ModelRef, snapshot: Snapshot) -> ModelSource:
    return ModelSource(ref.target, snapshot.path, snapshot.revision, find_info(ref.target))


def _wanted(names: Sequence[str]) -> list[str]:
    """Choose what to fetch: all small files of the chain, and one form of the weights.

    safetensors come first: both engines and sentence-transformers itself can use them.
    """
    present = set(names)
    if not present & {"modules.json", "config.json"}:
        raise ModelNotFound("the repository holds no sentence-transformers model")
    small = [
        name
        for name in names
        if not name.endswith(_NOT_NEEDED) and not name.startswith(("onnx/", "openvino/"))
    ]
    weights = next((name for name in _WEIGHTS if name in present), None)
    chosen = [weights] if weights else [name for name in names if _is_shard(name)]
    if weights == _GRAPH:
        chosen += [name for name in names if _is_graph_data(name)]
    chosen += [name for name in names if _is_module_weights(name) and not _is_second_form(name, present)]
    return [*small, *chosen]


def _is_shard(name: str) -> bool:
    return name.startswith("model-") and name.endswith(".safetensors")


def _is_graph_data(name: str) -> bool:
    """Say whether the graph may keep tensors in this file; some exporters give each one of its own."""
    path = PurePosixPath(name)
    if str(path.parent) != "onnx" or name == _GRAPH or name.endswith((".json", ".model", ".txt")):
        return False
    return ".onnx" not in name or name.startswith(_GRAPH)  # Not those of a graph in another precision.


def _is_module_weights(name: str) -> bool:
    """Say whether this is the weights file of a module beside the transformer, `2_Dense/...`."""
    path = PurePosixPath(name)
    return len(path.parts) == 2 and path.parts[0][:1].isdigit() and path.suffix in (".safetensors", ".bin")


def _is_second_form(name: str, present: set[str]) -> bool:
    """Say whether a module's weights are there as safetensors, too."""
    return name.endswith(".bin") and str(PurePosixPath(name).with_name("model.safetensors")) in present
