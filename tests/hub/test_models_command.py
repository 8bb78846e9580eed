"""`simil models` against a hub: a model is fetched, listed, prepared, found and removed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from support.hub_model import HIDDEN, REPO, command, tiny_model
from support.hub_server import HubServer

E5 = "intfloat/multilingual-e5-small"
OTHER = "org/other"

Simil = Callable[..., CompletedProcess[str]]


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return tiny_model()


@pytest.fixture
def hub(files: dict[str, bytes]) -> Iterator[HubServer]:
    with HubServer({REPO: files, OTHER: files, E5: files}) as server:
        yield server


@pytest.fixture
def simil(hub: HubServer, tmp_path: Path) -> Simil:
    return command(hub, tmp_path)


def listed(simil: Simil) -> dict[str, dict[str, object]]:
    done = simil("models", "-f", "json")
    assert (done.returncode, done.stderr) == (0, "")
    return {row["name"]: row for row in json.loads(done.stdout)["data"]}


def everything(folder: Path) -> set[Path]:
    return {Path(parent, name) for parent, _, names in os.walk(folder) for name in names}


def test_a_model_is_pulled_listed_prepared_and_removed(simil: Simil, hub: HubServer, tmp_path: Path) -> None:
    assert REPO not in listed(simil)
    assert simil("models", "pull", OTHER).returncode == 0
    simil("embed", "-m", OTHER, "-t", "Apple")
    kept = everything(tmp_path)

    done = simil("models", "pull", REPO)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{REPO} fetched: 4 MB, revision {hub.commit(REPO)[:12]} in ")
    row = listed(simil)[REPO]
    size = sum(
        len(content) for name, content in tiny_model().items() if name != "README.md" and "onnx" not in name
    )
    assert (row["state"], row["prepared"], row["disk_mb"]) == ("downloaded", False, round(size / 1e6, 1))
    assert (row["dimensions"], row["max_tokens"]) == (HIDDEN, 64)

    folder = simil("models", "path", REPO).stdout.rstrip("\n")
    assert folder.endswith(f"snapshots/{hub.commit(REPO)}")
    assert Path(folder, "config.json").is_file()

    prepared = Path(simil("models", "prepare", REPO).stdout.rstrip("\n"))
    assert (prepared / "model.onnx").is_file()
    assert listed(simil)[REPO]["prepared"] is True
    before = prepared.stat().st_mtime_ns
    simil("compare", "-m", REPO, "--no-cache", "Apple", "Orange")
    assert prepared.stat().st_mtime_ns == before

    asked = len(hub.requests)
    taken = sum(path.stat().st_size for path in {path.resolve() for path in everything(prepared)})
    done = simil("models", "remove", REPO)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{REPO} removed, {(size + taken) / 1e6:.0f} MB freed\n")
    assert str(prepared) in done.stdout
    assert not prepared.exists()
    assert REPO not in listed(simil)
    # What the other model has is whole, and but for locks nothing of this one is left.
    left = everything(tmp_path)
    assert kept <= left
    assert not [path for path in left if "tiny" in str(path.relative_to(tmp_path))]
    assert simil("compare", "--offline", "-m", OTHER, "Apple", "Orange").returncode == 0
    assert len(hub.requests) == asked


def test_a_second_pull_fetches_nothing_and_says_so(simil: Simil, hub: HubServer) -> None:
    simil("models", "pull", REPO)
    weights = hub.count("GET", "model.safetensors")
    done = simil("models", "pull", REPO)
    assert done.stdout.startswith(f"{REPO} is here, and whole: ")
    assert hub.count("GET", "model.safetensors") == weights
    assert simil("models", "pull", "-q", REPO).stdout == ""


def test_a_pull_that_broke_off_is_seen_and_goes_on(simil: Simil, hub: HubServer) -> None:
    hub.misbehave("model.safetensors", "cut", after=1000)
    done = simil("models", "pull", E5, HF_HUB_DOWNLOAD_TIMEOUT="1")
    assert (done.returncode, done.stderr.count("\n")) == (5, 1)
    assert listed(simil)["e5-small"]["state"] == "begun"
    small = hub.count("GET", "1_Pooling/config.json")

    hub.behave()
    assert simil("models", "pull", E5).returncode == 0
    assert listed(simil)["e5-small"]["state"] == "downloaded"
    assert hub.count("GET", "1_Pooling/config.json") == small == 1


def test_what_broke_off_can_be_removed(simil: Simil, hub: HubServer, tmp_path: Path) -> None:
    hub.misbehave("model.safetensors", "cut", after=1000)
    simil("models", "pull", REPO, HF_HUB_DOWNLOAD_TIMEOUT="1")
    done = simil("models", "remove", REPO)
    assert (done.returncode, done.stderr) == (0, "")
    assert not [path for path in everything(tmp_path) if "tiny" in str(path.relative_to(tmp_path))]
    done = simil("models", "remove", REPO)
    assert (done.returncode, done.stderr) == (
        4,
        f"simil: {REPO} is not on this machine; simil models lists those that are\n",
    )


def test_the_default_is_marked_once_it_is_here(files: dict[str, bytes], tmp_path: Path) -> None:
    with HubServer({"BAAI/bge-base-en-v1.5": files}) as hub:
        simil = command(hub, tmp_path)
        asked = json.loads(simil("models", "-f", "json").stdout)
        assert (asked["used"], asked["why"]) == (
            "bge-base",
            "the default; the first run fetches it, or uses minilm",
        )
        assert hub.requests == []
        simil("models", "pull", "bge-base")
        asked = json.loads(simil("models", "-f", "json").stdout)
        assert (asked["used"], asked["why"]) == ("bge-base", "the default, and here")


def test_a_hub_that_was_unreachable_makes_the_embedded_model_the_one_that_is_used(
    simil: Simil, tmp_path: Path
) -> None:
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9"}
    simil("compare", "a", "b", **nowhere)
    asked = json.loads(simil("models", "-f", "json", **nowhere).stdout)
    assert (asked["used"], asked["why"]) == (
        "minilm",
        "bge-base is not here, and the hub did not answer a moment ago",
    )


@pytest.mark.parametrize(("status", "code"), [(401, None), (404, "RepoNotFound")])
def test_a_misspelt_repository_is_answered_with_the_nearest(
    simil: Simil, hub: HubServer, status: int, code: str | None
) -> None:
    hub.refuse("/api/models/", status, code)
    for arguments in (
        ("compare", "-m", "BAAI/bge-bsae-en-v1.5", "a", "b"),
        ("models", "pull", "BAAI/bge-bsae-en-v1.5"),
    ):
        done = simil(*arguments)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (4, "", 1)
        assert done.stderr.endswith("; did you mean BAAI/bge-base-en-v1.5?\n")


@pytest.mark.parametrize(
    ("kind", "prompt"), [("query", "query: "), ("document", "passage: "), ("symmetric", "query: ")]
)
def test_the_prompts_of_the_catalog_reach_a_model_that_brings_none(
    simil: Simil, files: dict[str, bytes], tmp_path: Path, kind: str, prompt: str
) -> None:
    bare = {name: content for name, content in files.items() if name != "onnx/model.onnx"}
    for name, content in bare.items():
        (tmp_path / "tiny" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tiny" / name).write_bytes(content)
    known = simil("embed", "-m", "e5-small", "--kind", kind, "-t", "Apple", "-f", "jsonl")
    plain = simil("embed", "-m", "./tiny", "-t", f"{prompt}Apple", "-f", "jsonl")
    assert known.returncode == 0, known.stderr
    assert json.loads(known.stdout)["embedding"] == json.loads(plain.stdout)["embedding"]


def test_the_prompts_of_its_own_files_go_before_those_of_the_catalog(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    own = {"config_sentence_transformers.json": b'{"prompts": {"query": "ask: "}}'}
    with HubServer({E5: files | own, REPO: files}) as hub:
        simil = command(hub, tmp_path)
        one, other = (
            json.loads(simil("embed", "-m", name, *kind, "-t", text, "-f", "jsonl").stdout)["embedding"]
            for name, kind, text in ((E5, ("--kind", "query"), "Apple"), (REPO, (), "ask: Apple"))
        )
        assert one == other
