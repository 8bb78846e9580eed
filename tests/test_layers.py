"""Imports go one way, and each heavy library is imported in few places, all of them known."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import metadata
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import simil

ROOT = Path(simil.__file__).parent

# Each line may import from the lines before it, from its own package, and on the first line from each other.
LAYERS = (
    (
        "errors",
        "frozen",
        "file_locks",
        "private_files",
        "progress",
        "deadline",
        "blas",
        "similarity",
        "foreign",
        "data_stream",
        "_version",
        "device",
        "usable_memory",
        "near_names",
    ),
    ("consent",),
    ("config",),
    ("formats",),
    ("texts", "vectors", "models"),
    ("embedders",),
    ("scorers", "index"),
    ("tasks",),
    ("session",),
    ("runners", "server"),
    ("api", "cli"),
    ("__init__",),
    ("__main__",),
)
RANKS = {part: rank for rank, parts in enumerate(LAYERS) for part in parts}

# Where each library may be imported; a name without a suffix is a folder.
PLACES: dict[str, set[str]] = {
    "typer": {"cli"},
    "rich": {"cli"},
    "httpx": {
        "embedders/openai/batch_api/batch_client.py",
        "embedders/openai/client.py",
        "embedders/openai/transport.py",
        "embedders/openai/probe.py",
    },
    "tiktoken": {"embedders/openai/tokens.py"},
    "onnxruntime": {"models/graphs/onnx_runtime.py"},
    "openvino": {"models/graphs/openvino_runtime.py"},
    "nncf": {"models/graphs/openvino_runtime.py"},
    "model2vec": {"models/files/token_table.py"},
    "onnx": {"models/graphs/bert.py", "models/graphs/export.py", "models/graphs/prepare.py"},
    "tokenizers": {"models/files/tokenizer.py"},
    "sentence_transformers": {"embedders/local/torch.py", "models/graphs/export.py"},
    "transformers": {
        "models/files/own_code.py",
        "models/files/quiet.py",
        "models/files/tokenizer.py",
        "models/graphs/export.py",
    },
    "torch": {
        "embedders/local/torch.py",
        "embedders/local/pooling.py",
        "embedders/local/packed/packed_attention.py",
        "embedders/local/packed/packed_network.py",
        "embedders/local/packed/packed_pooling.py",
        "embedders/local/packed/packed_products.py",
        "embedders/local/packed/packed_runner.py",
        "embedders/local/packed/packed_transformer.py",
        "embedders/local/packed/packed_weights.py",
        "embedders/local/packed/sequences.py",
        "models/graphs/export.py",
    },
    "safetensors": {
        "embedders/local/pooling.py",
        "embedders/local/static.py",
        "embedders/local/packed/packed_weights.py",
    },
    "huggingface_hub": {"models/hub/download.py", "models/hub/hub_errors.py"},
    "sklearn": {
        "tasks/evaluation/calibration.py",
        "tasks/classifiers.py",
        "tasks/outlier_detection.py",
    },
    "scipy": {"tasks/matching.py", "tasks/seriation.py"},
    "matplotlib": {"cli/plots/chart_fonts.py", "cli/plots/matplotlib_plot.py"},
    "plotext": {"cli/plots/terminal_plot.py"},
    "umap": {"tasks/projection.py"},
    "dotenv": {"config.py"},
    "pathspec": {"texts/file_patterns.py", "texts/trees.py"},
    "markdown_it": {"texts/markdown_sections.py"},
    "markitdown": {"formats/document_conversion.py"},
    "pdfminer": {"formats/document_conversion.py"},
    "bs4": {"formats/document_conversion.py"},
    "platformdirs": {"private_files.py"},
    "threadpoolctl": {"blas.py"},
    "lance": {"formats/lance_library.py"},
    "pyarrow": {"formats/arrow_library.py"},
    "python_calamine": {"formats/workbooks.py"},
    "bm25s": {"index/word_index.py"},
    "Stemmer": {"index/word_tokens.py"},
    "ray": {"runners/ray_library.py"},
    "starlette": {"server"},
    "uvicorn": {"server"},
    "httptools": {"server"},
    "prometheus_client": {"server"},
    "filelock": {"models/graphs/build_once.py", "embedders/cache/store.py"},
    "mcp": {"server/mcp_server.py"},
    "anyio": {"server/mcp_server.py"},
    "click": set(),
}


@cache
def _files() -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py"))


@cache
def _tree(name: str) -> ast.Module:
    return ast.parse((ROOT / name).read_text("utf-8"))


@cache
def _imports(name: str) -> tuple[str, ...]:
    """Every module that a file imports, those inside functions and for type checkers too."""
    return tuple(_walked_imports(name))


def _walked_imports(name: str) -> Iterator[str]:
    for node in ast.walk(_tree(name)):
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
    assert {"simil.errors", "sentence_transformers", "torch"} <= set(_imports("embedders/local/torch.py"))
    assert "simil.similarity" in set(_imports("embedders/local/base.py"))


def _file_of(module: str) -> str | None:
    """The file of ours that holds `module`, or the name at its end; None for another package."""
    if module.partition(".")[0] != "simil":
        return None
    parts = module.split(".")[1:]
    for path in (Path(*parts, "__init__.py"), Path(*parts).with_suffix(".py") if parts else Path()):
        if (ROOT / path).is_file():
            return str(path)
    return _file_of(module.rpartition(".")[0])


def _file_imports(name: str) -> set[str]:
    """The files of ours that a file imports, those named in `from package import module` too."""
    found: set[str] = set()
    for node in ast.walk(_tree(name)):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        found |= {file for module in modules if (file := _file_of(module))}
    return found - {name}


@pytest.mark.parametrize("name", _files())
def test_imports_go_one_way(name: str) -> None:
    own = _part(name)
    assert own in RANKS, f"{name} has no layer"
    for other in sorted(_file_imports(name)):
        part = _part(other)
        lower = RANKS[part] < RANKS[own] or RANKS[part] == RANKS[own] == 0
        assert part == own or lower, f"{name} must not import {other}"


def test_no_file_imports_itself_by_way_of_others() -> None:
    left = {name: _file_imports(name) for name in _files()}
    while free := {name for name, imported in left.items() if not imported & set(left)}:
        for name in free:
            del left[name]

    assert left == {}, f"these import each other in a circle, or stand above one: {sorted(left)}"


def test_names_are_used_once() -> None:
    paths = [name for name in _files() if Path(name).name not in ("__init__.py", "base.py")]
    classes = [
        (node.name, name)
        for name in _files()
        for node in ast.walk(_tree(name))
        if isinstance(node, ast.ClassDef)
    ]

    assert _twice((Path(path).name, path) for path in paths) == {}
    assert _twice(classes) == {}


def _twice(named: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, place in named:
        found.setdefault(name, []).append(place)
    return {name: places for name, places in found.items() if len(places) > 1}


@pytest.mark.parametrize("library", PLACES)
def test_a_library_is_imported_where_it_is_said_to_be(library: str) -> None:
    found = {name for name in _files() for module in _imports(name) if module.partition(".")[0] == library}

    assert {name if name in PLACES[library] else _part(name) for name in found} == PLACES[library]


def test_what_is_imported_is_required() -> None:
    project = tomllib.loads((ROOT.parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
    lines = [*project["dependencies"], *chain.from_iterable(project["optional-dependencies"].values())]
    required = {Requirement(line).name.lower().replace("_", "-") for line in lines}
    # They come with sentence-transformers, in the versions that it takes.
    brought = {"torch", "transformers"}
    providers = metadata.packages_distributions()
    imported = {module.partition(".")[0] for name in _files() for module in _imports(name)}
    others = imported - sys.stdlib_module_names - {"simil", "_typeshed"}

    assert brought <= {Requirement(line).name for line in metadata.requires("sentence-transformers") or ()}
    for module in sorted(others):
        names = {name.lower().replace("_", "-") for name in providers[module]}
        assert names & (required | brought), f"{module} is imported and not required"


@pytest.mark.parametrize("name", _files())
def test_nothing_heavy_is_imported_when_a_module_is(name: str) -> None:
    heavy = {*PLACES, "numpy", "orjson"} - {"typer", "click"}
    at_once = [
        alias.name if isinstance(node, ast.Import) else str(node.module)
        for node in _tree(name).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    ]

    assert {module.partition(".")[0] for module in at_once} & heavy == set()
