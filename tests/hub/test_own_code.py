"""Models that name code of their own: it is never run, and whether they need it depends on the revision."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from support.hub_model import HIDDEN, command, tiny_model
from support.hub_server import HubServer
from support.tiny_models import edit_json

import simil
from simil.errors import ModelError

NOMIC = "nomic-ai/nomic-embed-text-v1.5"
PULL_REQUEST = "refs/pr/57"
OWN = {"AutoConfig": "modeling_own.OwnConfig", "AutoModel": "modeling_own.OwnModel"}

Run = Callable[..., CompletedProcess[str]]


def naming_code(**settings: object) -> dict[str, bytes]:
    """The tiny model with code beside it that its settings name; the code would leave a trace."""
    files = tiny_model()
    config = json.loads(files["config.json"]) | {"auto_map": OWN} | settings
    planted = b"import pathlib\npathlib.Path('planted').mkdir()\n"
    return files | {"config.json": json.dumps(config).encode(), "modeling_own.py": planted}


@pytest.fixture
def hub() -> Iterator[HubServer]:
    """A repository that needs its own code on its main branch, and not at a pull request."""
    with HubServer({NOMIC: naming_code(model_type="own")}) as server:
        server.publish(NOMIC, naming_code(), PULL_REQUEST)
        yield server


@pytest.fixture
def run(hub: HubServer, tmp_path: Path) -> Run:
    return command(hub, tmp_path)


def refused(done: CompletedProcess[str], says: str) -> None:
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (4, "", 1), done.stderr
    assert says in done.stderr
    assert "trust_remote_code" not in done.stderr


def test_the_flag_of_the_catalog_is_about_the_default_revision(
    run: Run, hub: HubServer, tmp_path: Path
) -> None:
    refused(run("compare", "-m", "nomic", "a", "b"), f"{NOMIC} needs code from its repository")
    assert hub.requests == []

    done = run("embed", "-m", f"nomic@{PULL_REQUEST}", "-t", "Apple", "-f", "jsonl")
    assert (done.returncode, done.stderr) == (0, "")
    commit = hub.commit(NOMIC, PULL_REQUEST)
    assert json.loads(done.stdout)["model"] == f"{NOMIC}@{commit[:12]}"
    assert len(json.loads(done.stdout)["embedding"]) == HIDDEN
    repo = tmp_path / ".cache/huggingface/hub" / f"models--{NOMIC.replace('/', '--')}"
    assert (repo / "refs" / PULL_REQUEST).read_text() == commit

    asked = len(hub.requests)
    again = run("embed", "--offline", "-m", f"{NOMIC}@{PULL_REQUEST}", "-t", "Apple", "-f", "jsonl")
    assert again.stdout == done.stdout
    shown = json.loads(run("models", "show", f"nomic@{PULL_REQUEST}", "-f", "json").stdout)
    assert (shown["state"], shown["own_code"], shown["revision"]) == ("downloaded", False, commit)
    shown = json.loads(run("models", "show", "nomic", "-f", "json").stdout)
    assert (shown["state"], shown["own_code"]) == ("needs own code", True)
    assert len(hub.requests) == asked
    assert not (tmp_path / "planted").exists()


def test_what_needs_code_is_refused_before_its_weights_are_fetched(
    run: Run, hub: HubServer, tmp_path: Path
) -> None:
    model = f"{NOMIC}@main"
    done = run("models", "pull", model)
    refused(done, "its architecture 'own' is not one of transformers, and models' own code is never run")
    assert hub.count("HEAD", "config.json") > 0
    assert hub.count("HEAD", "model.safetensors") == hub.count("HEAD", "modeling_own.py") == 0
    refused(run("compare", "--offline", "-m", model, "a", "b"), "is not on this machine")
    assert not (tmp_path / "planted").exists()


def test_code_beside_an_architecture_that_transformers_knows_changes_nothing(
    run: Run, tmp_path: Path
) -> None:
    _write(tmp_path / "plain", tiny_model())
    _write(tmp_path / "naming", naming_code())
    plain, naming = (
        run("embed", "-m", f"./{name}", "-t", "Apple", "-f", "jsonl") for name in ("plain", "naming")
    )
    assert naming.returncode == 0
    one, other = (json.loads(done.stdout)["embedding"] for done in (plain, naming))
    assert one == other
    assert not (tmp_path / "planted").exists()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"model_type": "own"}, "it needs code of its own, which is never run"),
        (
            {"model_type": "own", "auto_map": {"AutoModel": "other/code--modeling_own.OwnModel"}},
            "the installed transformers does not know its architecture",
        ),
    ],
)
def test_a_folder_that_needs_code_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, object], says: str
) -> None:
    monkeypatch.setenv("SIMIL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    files = naming_code(**settings)
    del files["onnx/model.onnx"]
    _write(tmp_path / "own", files)
    for engine in ("auto", "torch"):
        with pytest.raises(ModelError, match=says) as error, simil.open("./own", engine=engine) as model:
            model.embed(["a"])
        assert "trust_remote_code" not in str(error.value)
    assert not (tmp_path / "planted").exists()


def test_an_activation_of_its_own_is_refused(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    _write(folder, tiny_model())
    modules = json.loads((folder / "modules.json").read_text())
    dense = {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"}
    (folder / "modules.json").write_text(json.dumps([*modules, dense]))
    (folder / "2_Dense").mkdir()
    (folder / "2_Dense/config.json").write_text("{}")
    edit_json(folder / "2_Dense/config.json", in_features=HIDDEN, activation_function="own.Activation")
    refused(run("compare", "-m", "./own", "a", "b"), "its activation 'own.Activation' is not one of torch")


def _write(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def test_an_adapter_is_refused_even_beside_whole_weights(run: Run, tmp_path: Path) -> None:
    _write(tmp_path / "adapter", tiny_model() | {"adapter_config.json": b"{}"})
    refused(run("compare", "-m", "./adapter", "a", "b"), "the model is an adapter for another one")
