"""The commands against a hub: a tiny model is fetched, verified, used, and found again without the hub."""

import hashlib
import json
from pathlib import Path

import pytest
from support.hub_model import HIDDEN, REPO, command, tiny_model
from support.hub_server import HubServer


@pytest.fixture(scope="module")
def files():
    return tiny_model()


@pytest.fixture
def hub(files):
    with HubServer({REPO: files}) as server:
        yield server


@pytest.fixture
def simil(hub, tmp_path):
    return command(hub, tmp_path)


def test_a_model_is_fetched_once_and_then_used_without_the_hub(simil, hub, files):
    first = simil("compare", "-m", REPO, "Apple", "Orange", "-f", "json")
    assert first.returncode == 0, first.stderr
    assert first.stderr == ""
    answer = json.loads(first.stdout)
    assert answer["model"] == f"{REPO}@{hub.commit(REPO)[:12]}"
    assert answer["dimensions"] == HIDDEN
    # Weights come from the hub's store, under the name of their hash.
    assert hub.count("GET", hashlib.sha256(files["model.safetensors"]).hexdigest()) == 1
    assert hub.count("GET", hashlib.sha256(files["onnx/model.onnx"]).hexdigest()) == 0
    assert hub.count("GET", "README.md") == 0

    asked = len(hub.requests)
    again = simil("compare", "-m", f"local:{REPO}", "Apple", "Orange", "-f", "json")
    offline = simil("compare", "--offline", "-m", REPO, "Apple", "Orange", "-f", "json")
    assert again.stdout == offline.stdout == first.stdout
    assert len(hub.requests) == asked


def test_fetched_from_the_hub_or_from_a_folder_the_vectors_are_the_same(simil, tmp_path, files):
    for name, content in files.items():
        (tmp_path / "tiny" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tiny" / name).write_bytes(content)
    (tmp_path / "tiny/onnx/model.onnx").unlink()
    fetched = simil("embed", "-m", REPO, "-t", "Apple", "-f", "jsonl")
    folder = simil("embed", "-m", "./tiny", "-t", "Apple", "-f", "jsonl")
    one, other = (json.loads(done.stdout) for done in (fetched, folder))
    assert one["embedding"] == other["embedding"]
    assert other["model"].startswith("tiny@")


def test_a_revision_is_pinned_with_an_at_sign(simil, hub, files):
    before = hub.commit(REPO)
    changed = files | {"1_Pooling/config.json": b'{"word_embedding_dimension": 32, "pooling_mode": "mean"}'}
    hub.publish(REPO, changed)
    pinned = simil("embed", "-m", f"{REPO}@{before}", "-t", "Apple", "-f", "jsonl")
    newest = simil("embed", "-m", REPO, "-t", "Apple", "-f", "jsonl")
    one, other = (json.loads(done.stdout) for done in (pinned, newest))
    assert one["model"] == f"{REPO}@{before[:12]}"
    assert other["model"] == f"{REPO}@{hub.commit(REPO)[:12]}"
    assert one["embedding"] != other["embedding"]


def test_offline_a_model_that_is_not_here_is_an_error_and_asks_nobody(simil, hub):
    done = simil("compare", "-m", REPO, "a", "b", HF_HUB_OFFLINE="1")
    assert done.returncode == 4
    assert done.stderr.startswith(
        f"simil: {REPO} is not on this machine and simil is offline (HF_HUB_OFFLINE); "
    )
    assert done.stderr.count("\n") == 1
    assert hub.requests == []


@pytest.mark.parametrize(
    ("status", "code", "exit_code", "says"),
    [
        (401, None, 4, "HF_TOKEN"),
        (404, "RepoNotFound", 4, "org/tiny"),
        (500, None, 5, "500"),
    ],
)
def test_a_hub_that_refuses_is_one_line(simil, hub, status, code, exit_code, says):
    hub.refuse("/api/models/", status, code)
    done = simil("compare", "-m", REPO, "a", "b")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (exit_code, "", 1)
    assert says in done.stderr


def test_a_file_with_a_wrong_hash_is_never_used(simil, hub):
    hub.misbehave("model.safetensors", "alter")
    for _ in range(2):
        done = simil("compare", "-m", REPO, "a", "b")
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (4, "", 1)
        assert "SHA-256" in done.stderr
    hub.behave()
    assert simil("compare", "-m", REPO, "a", "b").returncode == 0


def test_a_download_that_breaks_off_leaves_nothing_that_passes_for_a_model(simil, hub, tmp_path):
    hub.misbehave("model.safetensors", "cut", after=1000)
    done = simil("compare", "-m", REPO, "a", "b", HF_HUB_DOWNLOAD_TIMEOUT="1")
    assert done.returncode == 5, done.stderr
    assert done.stderr.count("\n") == 1
    offline = simil("compare", "-m", REPO, "a", "b", HF_HUB_OFFLINE="1")
    assert offline.returncode == 4
    hub.behave()
    assert simil("compare", "-m", REPO, "a", "b").returncode == 0
    assert not list(Path(tmp_path).rglob("*.incomplete"))
