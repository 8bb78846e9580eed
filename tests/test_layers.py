"""Imports go one way, and each heavy library is imported in few places, all of them known."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import simil

ROOT = Path(simil.__file__).parent

# Lower ones are not to import higher ones, and those of one rank not each other, but for the lowest.
RANKS: dict[str, int] = {
    "blas": 0,
    "errors": 0,
    "config": 0,
    "similarity": 0,
    "progress": 0,
    "_version": 0,
    "texts": 1,
    "models": 1,
    "vectors": 1,
    "embedders": 2,
    "tasks": 3,
    "api": 4,
    "cli": 4,
    "__init__": 5,
    "__main__": 5,
}

# Where each library may be imported; a name without a suffix is a folder.
PLACES: dict[str, set[str]] = {
    "typer": {"cli"},
    "rich": {"cli"},
    "httpx": {"embedders/openai/embedder.py", "embedders/openai/wire.py", "embedders/openai/probe.py"},
    "tiktoken": {"embedders/openai/tokens.py"},
    "onnxruntime": {"models/onnx_runtime.py"},
    "openvino": {"models/openvino.py"},
    "nncf": {"models/openvino.py"},
    "model2vec": {"models/static.py"},
    "onnx": {"models/bert.py", "models/prepare.py"},
    "tokenizers": {"models/tokenizer.py", "embedders/torch.py"},
    "sentence_transformers": {"embedders/torch.py", "models/export.py"},
    "transformers": {"models/quiet.py"},
    "torch": {"embedders/torch.py", "embedders/pooling.py", "models/export.py"},
    "safetensors": {"embedders/pooling.py", "embedders/static.py"},
    "huggingface_hub": {"models/hub.py", "models/hub_errors.py"},
    "sklearn": {
        "tasks/calibration.py",
        "tasks/classifiers.py",
        "tasks/cluster.py",
        "tasks/outliers.py",
        "tasks/terms.py",
    },
    "scipy": {"tasks/match.py"},
    "matplotlib": {"cli/plots/matplotlib_plot.py"},
    "plotly": {"cli/plots/plotly_plot.py"},
    "plotext": {"cli/plots/terminal_plot.py"},
    "umap": {"tasks/projection.py"},
    "dotenv": {"config.py"},
    "pathspec": {"texts/trees.py"},
    "platformdirs": {"config.py"},
    "threadpoolctl": {"blas.py"},
    "filelock": {"models/once.py", "embedders/cache/store.py"},
    "click": set(),
}


def _files() -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py"))


def _imports(name: str) -> Iterator[str]:
    """Every module that a file imports, those inside functions and for type checkers too."""
    for node in ast.walk(ast.parse((ROOT / name).read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{name} imports by a relative name"
            # `from simil import similarity` names the module in its list.
            yield from (
                [f"simil.{alias.name}" for alias in node.names] if node.module == "simil" else [node.module]
            )
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called.rpartition(".")[2] not in ("__import__", "import_module"), f"{name} hides an import"


def _part(name: str) -> str:
    return name.partition("/")[0].removesuffix(".py")


def test_the_walk_sees_the_imports() -> None:
    assert len(_files()) > 50
    assert {"simil.errors", "sentence_transformers", "torch"} <= set(_imports("embedders/torch.py"))
    assert "simil.similarity" in set(_imports("embedders/local.py"))


@pytest.mark.parametrize("name", _files())
def test_imports_go_one_way(name: str) -> None:
    own = _part(name)
    for module in _imports(name):
        package, _, rest = module.partition(".")
        if package != "simil":
            continue
        other = rest.partition(".")[0]
        assert other in RANKS, f"{name} imports {module}, which has no rank"
        lower = RANKS[other] < RANKS[own] or RANKS[other] == RANKS[own] == 0
        assert other == own or lower, f"{name} must not import {module}"


def test_the_lowest_do_not_import_each_other_in_a_circle() -> None:
    lowest = {part for part, rank in RANKS.items() if rank == 0}
    among = {
        part: {
            module.split(".")[1]
            for name in _files()
            if _part(name) == part
            for module in _imports(name)
            if module.startswith("simil.") and module.split(".")[1] != part
        }
        for part in lowest
    }

    assert all(imported <= lowest for imported in among.values())
    while free := {part for part, imported in among.items() if not imported & set(among)}:
        for part in free:
            del among[part]
    assert among == {}


@pytest.mark.parametrize("library", PLACES)
def test_a_library_is_imported_where_it_is_said_to_be(library: str) -> None:
    found = {name for name in _files() for module in _imports(name) if module.partition(".")[0] == library}

    assert {name if name in PLACES[library] else _part(name) for name in found} == PLACES[library]


@pytest.mark.parametrize("name", _files())
def test_nothing_heavy_is_imported_when_a_module_is(name: str) -> None:
    heavy = {*PLACES, "numpy", "orjson"} - {"typer", "click"}
    tree = ast.parse((ROOT / name).read_text("utf-8"))
    at_once = [
        alias.name if isinstance(node, ast.Import) else str(node.module)
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    ]

    assert {module.partition(".")[0] for module in at_once} & heavy == set()
