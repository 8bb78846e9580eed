from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from support.command import run, simil
from support.hub_server import HubServer

from simil.errors import ModelDamaged, ModelError
from simil.models.files.token_table import read_static
from static_models.conftest import Open

# A program for which model2vec is not installed.
_WITHOUT = """
import sys
sys.modules["model2vec"] = None
sys.argv[0] = "simil"
from simil.__main__ import main
main()
"""
# Prints the names of the loaded libraries to stderr at the end.
_LOADED = """
import os, sys
leave = os._exit
def show_and_leave(code):
    print(*sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr, flush=True)
    leave(code)
os._exit = show_and_leave
sys.argv[0] = "simil"
from simil.__main__ import main
main()
"""


@pytest.fixture
def copied(static_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(static_folder, tmp_path / "model"))


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def in_a_subfolder(folder: Path) -> None:
    """Move a sentence-transformers model into its module's folder, as in several repositories of the hub."""
    inner = folder / "0_StaticEmbedding"
    inner.mkdir()
    for name in ("model.safetensors", "tokenizer.json"):
        (folder / name).rename(inner / name)
    modules = json.loads((folder / "modules.json").read_text("utf-8"))
    modules[0]["path"] = inner.name
    (folder / "modules.json").write_text(json.dumps(modules), "utf-8")


def test_a_folder_is_a_model_also_without_modules_json(copied: Path, open_static: Open) -> None:
    expected = open_static(copied).embed(["a cold river"])
    (copied / "modules.json").unlink()

    np.testing.assert_array_equal(open_static(copied).embed(["a cold river"]), expected)


def test_a_module_in_its_own_folder_is_read(
    by_sentence_transformers: Callable[..., Path], open_static: Open
) -> None:
    folder = by_sentence_transformers()
    expected = open_static(folder).embed(["a cold river"])
    in_a_subfolder(folder)

    np.testing.assert_array_equal(open_static(folder).embed(["a cold river"]), expected)
    np.testing.assert_allclose(
        open_static(folder, engine="torch").embed(["a cold river"]), expected, atol=1e-6
    )


def test_other_models_are_not_taken_for_static_ones(minilm_original: Path, tmp_path: Path) -> None:
    assert read_static(minilm_original) is None
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        shutil.copy(minilm_original / name, bare / name)
    assert read_static(bare) is None


def test_what_cuts_dimensions_is_left_to_sentence_transformers(
    by_sentence_transformers: Callable[..., Path], open_static: Open
) -> None:
    folder = by_sentence_transformers(truncate_dim=8)
    settings = folder / "config_sentence_transformers.json"
    settings.write_text(json.dumps(json.loads(settings.read_text("utf-8")) | {"truncate_dim": 8}), "utf-8")
    assert read_static(folder) is None


def test_engines_that_cannot_run_it_say_so(static_folder: Path, open_static: Open) -> None:
    for engine in ("onnx", "openvino"):
        with pytest.raises(ModelError, match="it is a static model"):
            open_static(static_folder, engine=engine)
    result = simil("compare", "-m", str(static_folder), "--precision", "int8", "a", "b")
    assert result.code == 4
    assert result.error_line == (
        f"int8 is not supported for {static_folder.name}: it is a static model; leave out --precision"
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.safetensors", b"nothing"),
        ("model.safetensors", None),
        ("tokenizer.json", b"{}"),
        ("config.json", b'{"max_length": -1}'),
        ("config.json", b"[]"),
    ],
)
def test_damaged_files_are_named(name: str, content: bytes | None, copied: Path, open_static: Open) -> None:
    path = copied / name
    path.write_bytes(path.read_bytes()[:-100] if content is None else content)

    with pytest.raises(ModelDamaged) as caught:
        open_static(copied)

    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_table_that_does_not_fit_the_tokenizer_is_refused(
    copied: Path, minilm_original: Path, open_static: Open
) -> None:
    shutil.copy(minilm_original / "tokenizer.json", copied / "tokenizer.json")

    with pytest.raises(ModelDamaged, match="beside it: ValueError: Number of tokens"):
        open_static(copied)


def test_no_torch_and_no_network_library_is_loaded(static_folder: Path, tmp_path: Path) -> None:
    texts = ["-m", str(static_folder), "--no-cache", "a cold river", "an orange"]
    result = run([sys.executable, "-c", _LOADED, "compare", *texts], cwd=tmp_path)

    assert float(result.out)
    loaded = set(result.err.split())
    assert {"model2vec", "tokenizers", "numpy"} <= loaded
    assert not loaded & {"torch", "sentence_transformers", "transformers", "onnxruntime", "huggingface_hub"}


def test_without_the_extra_one_line_says_how_to_get_it(static_folder: Path, tmp_path: Path) -> None:
    result = run([sys.executable, "-c", _WITHOUT, "compare", "-m", str(static_folder), "a", "b"])

    assert result.code == 4
    assert result.error_line == (
        "model2vec, which runs static models, is not installed; run: pip install 'simil-cli[static]'"
    )


def test_a_kept_vector_needs_nothing(static_folder: Path, tmp_path: Path) -> None:
    env = {"SIMIL_CACHE_DIR": str(tmp_path / "cache")}
    command = ["compare", "-m", str(static_folder), "a cold river", "an orange"]
    first = simil(*command, env=env)
    again = run([sys.executable, "-c", _WITHOUT, *command], env=env)

    assert first.code == again.code == 0
    assert again.out == first.out


def test_a_text_that_it_knows_nothing_of_is_told_with_its_place(static_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("orange\n漢字\n", "utf-8")
    result = simil("embed", "-m", str(static_folder), "texts.txt", cwd=tmp_path)

    assert result.code == 3
    assert result.error_line.startswith("texts.txt:2: the text contains nothing that")


@pytest.fixture
def hub(
    static_folder: Path,
    by_sentence_transformers: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[HubServer]:
    inner = Path(shutil.copytree(by_sentence_transformers(), tmp_path / "inner"))
    in_a_subfolder(inner)
    beside = {"README.md": b"# Card", "onnx/model.onnx": b"graph", "pytorch_model.bin": b"the same again"}
    models = {
        "org/potion": files_of(static_folder) | beside,
        "org/inner": files_of(inner)
        | {"README.md": b"# Card", "0_StaticEmbedding/pytorch_model.bin": b"the same again"},
    }
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with HubServer(models) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "huggingface"))
        yield server


@pytest.mark.parametrize("repo", ["org/potion", "org/inner"])
def test_a_repository_is_fetched_once_and_no_more_of_it_than_needed(repo: str, hub: HubServer) -> None:
    first = simil("compare", "-m", repo, "a cold river", "an orange")
    asked = len(hub.requests)
    again = simil("compare", "-m", repo, "--no-cache", "a cold river", "an orange")

    assert (first.code, first.err) == (0, "")
    assert float(first.out)
    assert again == first
    assert len(hub.requests) == asked
    assert hub.count("GET", "/store/") == 1
    for name in ("README", ".onnx", ".bin"):
        assert hub.count("GET", name) == hub.count("HEAD", name) == 0


def test_there_is_nothing_to_prepare_of_one(copied: Path) -> None:
    (copied / "modules.json").unlink()
    result = simil("models", "prepare", str(copied))

    assert result.code == 4
    assert result.error_line == f"{copied} is not prepared: it is a static model; it runs as it is"


def test_a_folder_that_holds_no_model_is_told_in_one_line(copied: Path) -> None:
    (copied / "modules.json").unlink()
    (copied / "model.safetensors").unlink()
    result = simil("compare", "-m", str(copied), "a", "b")

    assert result.code == 4
    assert result.error_line.startswith(f"sentence-transformers cannot load {copied}: ")
