"""What is not needed is not loaded: `--help` is quick, and two words need no torch."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import lance
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

HEAVY = {
    "httpx",
    "huggingface_hub",
    "numpy",
    "onnx",
    "onnxruntime",
    "orjson",
    "scipy",
    "sentence_transformers",
    "sklearn",
    "tokenizers",
    "torch",
    "transformers",
}

# Runs the command as its entry point does, then lists what is loaded on stderr's last line.
_PROGRAM = """
import json, os, sys
sys.argv[0] = "simil"
leave = os._exit
def show_and_leave(code):
    print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})), file=sys.stderr, flush=True)
    leave(code)
os._exit = show_and_leave
from simil.__main__ import main
main()
"""


def _loaded(program: str, *arguments: str, folder: Path) -> tuple[set[str], str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, *arguments],
        cwd=folder,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr.splitlines()[-1])), done.stdout


def test_importing_the_package_loads_no_numpy(tmp_path: Path) -> None:
    program = (
        "import json, sys, simil\n"
        "assert simil.compare and simil.embed and simil.__version__\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})), file=sys.stderr)\n"
    )
    loaded, _ = _loaded(program, folder=tmp_path)

    assert "simil" in loaded
    assert loaded & (HEAVY | {"typer", "rich", "dotenv", "platformdirs"}) == set()


def test_the_version_needs_no_typer(tmp_path: Path) -> None:
    loaded, printed = _loaded(_PROGRAM, "--version", folder=tmp_path)

    assert printed.startswith("simil ")
    assert loaded & {"typer", *HEAVY} == set()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["-h"],
        *([name, "-h"] for name in ("compare", "embed", "eval", "doctor")),
        ["models", "--help"],
    ],
    ids=" ".join,
)
def test_help_loads_neither_typer_nor_anything_heavy(arguments: list[str], tmp_path: Path) -> None:
    loaded, printed = _loaded(_PROGRAM, *arguments, folder=tmp_path)

    assert printed
    assert loaded & ({"typer", "rich", "inspect", "dataclasses", "shutil"} | HEAVY) == set()


@pytest.mark.parametrize(
    "arguments",
    [
        ["models"],
        ["models", "--format", "json"],
        ["models", "show", "bge-base"],
        ["models", "path", "minilm"],
    ],
    ids=" ".join,
)
def test_models_are_listed_without_an_engine(arguments: list[str], tmp_path: Path) -> None:
    loaded, printed = _loaded(_PROGRAM, *arguments, folder=tmp_path)

    assert printed
    assert loaded & (HEAVY | {"filelock", "openvino", "model2vec"}) <= {"orjson"}


def test_two_words_need_neither_torch_nor_a_network_library(tmp_path: Path) -> None:
    command = ("compare", "-m", "minilm", "--no-cache", "Apple", "Orange")
    _loaded(_PROGRAM, *command, folder=tmp_path)  # Prepares the model, if no test has.
    loaded, printed = _loaded(_PROGRAM, *command, folder=tmp_path)

    assert float(printed) == pytest.approx(0.3725, abs=0.001)
    assert {"numpy", "onnxruntime", "tokenizers"} <= loaded
    assert loaded & HEAVY == {"numpy", "onnxruntime", "tokenizers"}


def test_the_packed_engine_needs_torch_and_none_of_what_loads_models_with_it(tmp_path: Path) -> None:
    command = ("compare", "-m", "minilm", "--no-cache", "--engine", "packed", "Apple", "Orange")
    loaded, printed = _loaded(_PROGRAM, *command, folder=tmp_path)

    assert float(printed) == pytest.approx(0.3725, abs=0.001)
    assert {"torch", "tokenizers"} <= loaded
    assert (
        loaded & {"sentence_transformers", "transformers", "onnx", "onnxruntime", "scipy", "sklearn"} == set()
    )


@pytest.mark.parametrize("options", [["-n", "2"], ["--min-size", "2"]], ids=["k-means", "hdbscan"])
def test_clusters_of_saved_vectors_need_only_numpy(options: list[str], tmp_path: Path) -> None:
    vectors = np.repeat(np.eye(2), 4, axis=0) + 0.01 * np.arange(16).reshape(8, 2)
    np.save(tmp_path / "saved.npy", vectors.astype(np.float32))
    command = ("cluster", "--labels-only", *options, "saved.npy")
    loaded, printed = _loaded(_PROGRAM, *command, folder=tmp_path)

    assert printed.split() == ["1"] * 4 + ["2"] * 4
    assert loaded & HEAVY <= {"numpy", "orjson"}


def test_parquet_needs_no_pandas(tmp_path: Path) -> None:
    """Which pyarrow would import, where it is installed, as soon as it makes a value."""
    pq.write_table(pa.table({"id": ["1", "2"], "text": ["an apple", "the sea"]}), tmp_path / "texts.parquet")
    command = ("embed", "-m", "minilm", "texts.parquet", "-o", "vectors.parquet")
    loaded, _ = _loaded(_PROGRAM, *command, folder=tmp_path)

    assert "pyarrow" in loaded
    assert "pandas" not in loaded
    assert pq.read_table(tmp_path / "vectors.parquet")["text"].to_pylist() == ["an apple", "the sea"]


def test_a_dataset_is_searched_with_the_light_library(tmp_path: Path) -> None:
    table = pa.table({"id": ["a", "b"], "embedding": pa.array([[1, 0], [0, 1]], pa.list_(pa.float32(), 2))})
    lance.write_dataset(table, tmp_path / "v.lance")
    np.save(tmp_path / "q.npy", np.array([[0.6, 0.8]], np.float32))
    loaded, printed = _loaded(_PROGRAM, "search", "--queries", "q.npy", "v.lance", folder=tmp_path)

    assert printed == "0.800000\tb\tb\n0.600000\ta\ta\n"
    assert {"lance", "pyarrow"} <= loaded
    assert loaded & (HEAVY | {"pandas", "lancedb", "polars", "pydantic"}) <= {"numpy", "orjson"}


@pytest.mark.parametrize(
    ("arguments", "adapted"),
    [
        (["compare", "-m", "minilm", "Apple", "Orange"], False),
        (["models", "show", "bge-base"], False),
        (["compare", "-m", "minilm", "Apple", "Orange", "--threshold", "0.1"], True),
    ],
    ids=["two words", "a name", "a number"],
)
def test_plain_options_need_no_pydantic(arguments: list[str], adapted: bool, tmp_path: Path) -> None:
    """Fails if Typer changes how it processes values: see `simil.cli.options.fast_typer`."""
    loaded, printed = _loaded(_PROGRAM, *arguments, folder=tmp_path)

    assert printed
    assert ("pydantic" in loaded) == adapted


# What takes a good part of the time of a run that needs neither a model nor a file of texts.
_SLOW = {"csv", "dataclasses", "inspect", "platformdirs", "shutil", "tempfile"}


def test_two_words_seen_before_need_neither_an_engine_nor_numpy_nor_typer(tmp_path: Path) -> None:
    command = ("compare", "-m", "minilm", "Apple", "Orange")
    _, first = _loaded(_PROGRAM, *command, folder=tmp_path)
    loaded, second = _loaded(_PROGRAM, *command, folder=tmp_path)

    assert second == first
    assert "sqlite3" in loaded
    assert loaded & {"typer", "rich", *HEAVY, *_SLOW} == set()


def test_a_probability_needs_numpy_only(tmp_path: Path) -> None:
    shutil.copy(Path(__file__).parent / "cli" / "cases" / "compare-calibrated" / "c.json", tmp_path)
    command = ("compare", "-m", "minilm", "--calibration", "c.json", "Apple", "Orange")
    _loaded(_PROGRAM, *command, folder=tmp_path)
    loaded, printed = _loaded(_PROGRAM, *command, folder=tmp_path)

    assert 0 <= float(printed) <= 1
    assert loaded & HEAVY == {"numpy", "orjson"}
