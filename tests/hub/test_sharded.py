"""Weights in shards and in PyTorch's files: fetched whole, found where other tools left them, and run."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from support.hub_model import REPO, command
from support.hub_server import HubServer
from support.tiny_models import HIDDEN, bert, sentence_model, transformer_folder

import simil
from hub.conftest import Outcome
from hub.test_fetch import LIBRARY
from simil.errors import ModelError
from simil.models.files.model_source import EMBEDDED
from simil.models.resolve import resolve
from simil.models.select import fetch, find_local
from simil.progress import silent

INDEX = "model.safetensors.index.json"
TEXTS = ("Apple", "an orange in the garden")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose transformer is saved in shards."""
    base = tmp_path_factory.mktemp("sharded")
    model = bert()
    folder = sentence_model(base / "model", transformer_folder(base / "bert", model, EMBEDDED))
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="100kB")
    assert not (folder / "model.safetensors").exists()
    return folder


@pytest.fixture(scope="module")
def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def shards(files: dict[str, bytes]) -> list[str]:
    found = sorted(set(json.loads(files[INDEX])["weight_map"].values()))
    assert len(found) > 1
    return found


@pytest.fixture(scope="module")
def expected(folder: Path) -> np.ndarray:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu").encode(list(TEXTS))


@pytest.fixture
def embed(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., np.ndarray]:
    """Embed the texts by the model that the hub has, or one in a folder."""
    monkeypatch.setenv("SIMIL_CACHE_DIR", str(tmp_path / "simil"))

    def run(model: str = REPO, *, hub: HubServer | None = None, engine: str = "auto") -> np.ndarray:
        if hub is not None:
            monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        with simil.open(model, engine=engine, cache=False) as opened:
            return opened.embed(TEXTS)

    return run


def test_shards_are_fetched_whole_and_run_as_in_sentence_transformers(
    files: dict[str, bytes], shards: list[str], expected: np.ndarray, embed: Callable[..., np.ndarray]
) -> None:
    others = {"pytorch_model.bin": b"the same again", "model.gguf": b"and again"}
    with HubServer({REPO: files | others}) as hub:
        np.testing.assert_allclose(embed(hub=hub), expected, atol=1e-6)
        assert {name for name in files if hub.count("HEAD", name)} == files.keys() - {"README.md"}
        assert not any(hub.count("HEAD", name) for name in others)


def test_shards_are_pulled_and_found(files: dict[str, bytes], tmp_path: Path) -> None:
    with HubServer({REPO: files}) as hub:
        simil = command(hub, tmp_path)
        assert simil("models", "pull", REPO).returncode == 0
        assert simil("models", "pull", REPO).stdout.startswith(f"{REPO} is here, and whole: ")
        row = json.loads(simil("models", "show", REPO, "-f", "json").stdout)
    assert (row["state"], row["dimensions"]) == ("downloaded", HIDDEN)


def test_a_pytorch_file_is_taken_before_a_graph_and_runs(
    files: dict[str, bytes],
    shards: list[str],
    expected: np.ndarray,
    embed: Callable[..., np.ndarray],
    tmp_path: Path,
) -> None:
    pickled = {name: content for name, content in files.items() if name not in (INDEX, *shards)}
    pickled |= {"pytorch_model.bin": _as_pickle(files, shards, tmp_path), "onnx/model.onnx": b"not fetched"}
    with HubServer({REPO: pickled}) as hub:
        np.testing.assert_allclose(embed(hub=hub, engine="torch"), expected, atol=1e-6)
        assert hub.count("HEAD", "onnx/") == 0


def _as_pickle(files: dict[str, bytes], shards: list[str], folder: Path) -> bytes:
    import torch
    from safetensors.torch import load

    torch.save({k: v for name in shards for k, v in load(files[name]).items()}, folder / "weights")
    return (folder / "weights").read_bytes()


@pytest.fixture
def trapped(files: dict[str, bytes], shards: list[str], tmp_path: Path) -> Path:
    """A model whose weights are a pickle that makes the folder `planted` when it runs."""
    planted = tmp_path / "planted"

    class Trap:
        def __reduce__(self) -> object:
            return Path.mkdir, (planted,)

    _write(tmp_path / "model", {name: files[name] for name in files if name not in (INDEX, *shards)})
    # As large as the weights would have to be.
    (tmp_path / "model/pytorch_model.bin").write_bytes(pickle.dumps([Trap(), bytes(5_000_000)]))
    return tmp_path / "model"


def _write(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


@pytest.mark.parametrize("engine", ["auto", "torch"])
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "its weights are damaged or hold code, which is never run"),
        ({"model_args": {"weights_only": False}}, "it passes 'weights_only' to transformers"),
        ({"model_kwargs": {"weights_only": False}}, "it passes 'weights_only' to transformers"),
        ({"config_kwargs": {"attn_implementation": "org/kernel"}}, "it passes 'attn_implementation'"),
    ],
)
def test_a_pickle_is_refused_and_not_run(
    trapped: Path, embed: Callable[..., np.ndarray], engine: str, arguments: dict[str, object], says: str
) -> None:
    (trapped / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 64} | arguments))
    with pytest.raises(ModelError, match=says):
        embed(str(trapped), engine=engine)
    assert not (trapped.parent / "planted").exists()


def test_a_pickle_that_is_refused_is_one_line(trapped: Path, tmp_path: Path) -> None:
    with HubServer({}) as hub:
        done = command(hub, tmp_path)("compare", "-m", "./model", "--engine", "torch", *TEXTS)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (4, "", 1)
    assert done.stderr.endswith("its weights are damaged or hold code, which is never run\n")
    assert not (tmp_path / "planted").exists()


def test_a_folder_that_lacks_a_shard_names_it(
    files: dict[str, bytes], shards: list[str], tmp_path: Path
) -> None:
    _write(tmp_path / "model", {name: files[name] for name in files if name != shards[1]})
    with HubServer({}) as hub:
        done = command(hub, tmp_path)("compare", "-m", "./model", *TEXTS)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (4, "", 1)
    assert f"the weights are not whole: {shards[1]} is missing; " in done.stderr


@pytest.fixture
def sharded_hub(files: dict[str, bytes], cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with HubServer({"org/tiny": files}) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        yield server


def test_shards_that_other_tools_downloaded_are_found_once_all_are_there(
    sharded_hub: HubServer, files: dict[str, bytes], shards: list[str], python: Callable[..., Outcome]
) -> None:
    *others, last = sorted(files, key=lambda name: name == shards[-1])
    python(LIBRARY, "remote", *others)
    assert find_local(resolve("org/tiny")) is None

    sharded_hub.requests.clear()
    source = fetch(resolve("org/tiny"), silent)
    assert sharded_hub.count("GET", "/store/") == 1, "only the missing one"
    assert find_local(resolve("org/tiny")) == source
    (source.folder / last).unlink()
    assert find_local(resolve("org/tiny")) is None
    python(LIBRARY, "remote", last)
    assert find_local(resolve("org/tiny")) == source
