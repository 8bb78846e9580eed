"""Which files of a hub repository simil fetches, and whether a folder has them.

A model is what its modules read: settings and vocabularies in the folder of each, and the weights of each in
one form. Whatever else a repository holds stays there: other forms and precisions of the weights,
checkpoints, training data, pictures.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

from simil.errors import ModelDamaged, ModelNotFound
from simil.models.files.folder_check import check_adapters
from simil.models.files.module_folders import MODULES, ModuleFolder, module_folders
from simil.models.files.own_code import check_architectures, check_modules
from simil.models.files.weight_files import ADAPTER, form_in_use, whole_weights

__all__ = ["has_weights", "wanted_files"]

_Listing = Callable[[str], Collection[str]]

_CONFIG = "config.json"
_GRAPHS, _GRAPH = "onnx", "model.onnx"
# What the libraries read beside weights: settings, and vocabularies by the names that they have there.
_READ = re.compile(
    r"(modules|.*(config|token|vocab|template).*|normalizer|emoji|byte_maps|word_(shape|pronunciation))\.json"
    r"|.+\.(jinja|model|spm|tiktoken|codes|tokenizer)|(vocab|merges|dict)\.txt|vocab"
)
_NOT_READ = "data_config.json"  # It lists the data of the training.
_WITH_WEIGHTS = {
    "Transformer", "MLMTransformer", "CLIPModel", "StaticEmbedding", "WordEmbeddings", "WordWeights",
    "CNN", "LSTM", "Dense", "LayerNorm", "WeightedLayerPooling",
}  # fmt: skip


def wanted_files(names: Sequence[str], folder: Path) -> Iterator[list[str]]:
    """Yield the files to fetch of a repository, in steps: what one step brings tells what the next one needs.

    The files of a step are in `folder` before the next is asked for; weights come last. Raises
    `ModelNotFound` if the repository holds no model of sentence-transformers, or no weights that it reads,
    and `ModelError` if it is an adapter or made for code of its own.
    """
    tree = _by_folder(names)
    if not tree[""] & {MODULES, _CONFIG, ADAPTER}:
        raise ModelNotFound("the repository holds no sentence-transformers model")
    if MODULES in tree[""]:
        yield [MODULES]
    settings = _settings(module_folders(folder), tree.__getitem__)
    yield settings
    modules = module_folders(folder)  # Now with those that a router chooses from.
    yield [name for name in _settings(modules, tree.__getitem__) if name not in settings]
    check_modules(folder)
    check_adapters(folder)
    check_architectures(folder)
    weights = {module: _weights(module, tree.__getitem__) for module in modules}
    if _is_incomplete(weights):
        raise ModelNotFound(
            "the repository holds no whole weights as safetensors, as PyTorch's or as an ONNX graph",
            hint="choose another model",
        )
    yield [name for found in weights.values() for name in found]


def has_weights(folder: Path) -> bool:
    """Say whether a folder holds the weights of all modules of the model, each in one whole form."""
    try:
        modules = module_folders(folder)
    except ModelDamaged:  # Whoever opens the model says what is wrong.
        return True

    def listing(path: str) -> Collection[str]:
        with suppress(OSError), os.scandir(folder / path) as entries:
            return {entry.name for entry in entries if entry.is_file()}
        return set()

    return not _is_incomplete({module: _weights(module, listing) for module in modules})


def _by_folder(names: Iterable[str]) -> defaultdict[str, set[str]]:
    """Return the names of the files in each folder by its path, "" for the repository itself."""
    tree: defaultdict[str, set[str]] = defaultdict(set)
    for name in names:
        parent, _, base = name.rpartition("/")
        tree[parent].add(base)
    return tree


def _settings(modules: Iterable[ModuleFolder], listing: _Listing) -> list[str]:
    return [
        _path(folder, name)
        for folder in dict.fromkeys(["", *(module.path for module in modules)])
        for name in sorted(listing(folder))
        if _READ.fullmatch(name) and name != _NOT_READ
    ]


def _weights(module: ModuleFolder, listing: _Listing) -> list[str]:
    """Return the files with a module's weights in one form, [] if none is whole.

    For a transformer without any other, that is the graph.
    """
    names = listing(module.path)
    found = whole_weights(names)
    # Where an index is, the libraries look for its shards, whatever else there is.
    if found or module.kind != "Transformer" or form_in_use(names):
        return [_path(module.path, name) for name in found]
    graph = listing(_GRAPHS)
    return [_path(_GRAPHS, name) for name in sorted(graph) if _is_of_graph(name)] if _GRAPH in graph else []


def _is_of_graph(name: str) -> bool:
    """Say whether this is the graph or may hold tensors of it; some exporters write one file per tensor."""
    if name.endswith((".json", ".model", ".txt")):
        return False
    return ".onnx" not in name or name.startswith(_GRAPH)  # Not those of a graph in another precision.


def _is_incomplete(weights: Mapping[ModuleFolder, Sequence[str]]) -> bool:
    return any(module.kind in _WITH_WEIGHTS and not found for module, found in weights.items())


def _path(folder: str, name: str) -> str:
    return str(PurePosixPath(folder, name))
