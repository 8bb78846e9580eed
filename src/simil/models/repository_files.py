"""Selects the files of a hub repository that simil needs, and finds out whether they were fetched."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from simil.errors import ModelNotFound

__all__ = ["has_weights", "needed_files"]

_GRAPH = "onnx/model.onnx"
_WEIGHTS = ("model.safetensors", _GRAPH, "pytorch_model.bin")
_NOT_NEEDED = (
    *(".md", ".png", ".jpg", ".gitattributes"),
    *(".bin", ".onnx", ".onnx_data", ".h5", ".ot", ".msgpack", ".safetensors"),
)


def has_weights(folder: Path) -> bool:
    """Say whether a folder holds the weights of the model's first module, perhaps in a subfolder."""
    return any((folder / name).is_file() for name in _WEIGHTS) or any(folder.glob("0_*/model.safetensors"))


def needed_files(names: Sequence[str]) -> list[str]:
    """Return the files of a repository to fetch: all small ones and one form of the weights.

    safetensors are preferred, since all engines can use them. Raises `ModelNotFound` if the repository holds
    no sentence-transformers model.
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
    """Say whether the graph may keep tensors in this file; some exporters write one file per tensor."""
    path = PurePosixPath(name)
    if str(path.parent) != "onnx" or name == _GRAPH or name.endswith((".json", ".model", ".txt")):
        return False
    return ".onnx" not in name or name.startswith(_GRAPH)  # Not those of a graph in another precision.


def _is_module_weights(name: str) -> bool:
    """Say whether these are the weights of a module beside the transformer, as in `2_Dense/...`."""
    path = PurePosixPath(name)
    return len(path.parts) == 2 and path.parts[0][:1].isdigit() and path.suffix in (".safetensors", ".bin")


def _is_second_form(name: str, present: set[str]) -> bool:
    """Say whether the repository has these weights of a module as safetensors, too."""
    return name.endswith(".bin") and str(PurePosixPath(name).with_name("model.safetensors")) in present
