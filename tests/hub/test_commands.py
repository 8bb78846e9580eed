"""The commands against a hub: a tiny model is fetched, verified, used, and found again without the hub."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from hub.server import HubServer
from simil.models import source

REPO = "org/tiny"
HIDDEN, LAYERS = 32, 2


def tiny_model():
    """The files of a BERT of two layers with random weights, the embedded model's tokenizer, CLS pooling."""
    config = {
        "model_type": "bert",
        "architectures": ["BertModel"],
        "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 4,
        "intermediate_size": 4 * HIDDEN,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
        "max_position_embeddings": 64,
        "type_vocab_size": 2,
        "vocab_size": 30522,
    }
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    ]
    files = {
        "config.json": config,
        "modules.json": modules,
        "sentence_bert_config.json": {"max_seq_length": 64, "do_lower_case": False},
        "1_Pooling/config.json": {"word_embedding_dimension": HIDDEN, "pooling_mode_cls_token": True},
    }
    return {
        **{name: json.dumps(content).encode() for name, content in files.items()},
        "tokenizer.json": (source.EMBEDDED / "tokenizer.json").read_bytes(),
        "tokenizer_config.json": (source.EMBEDDED / "tokenizer_config.json").read_bytes(),
        "README.md": b"# not needed",
        "onnx/model.onnx": b"not needed either",
        "model.safetensors": save(weights()),
    }


def weights():
    random = np.random.default_rng(7)
    shapes = {
        "embeddings.word_embeddings.weight": (30522, HIDDEN),
        "embeddings.position_embeddings.weight": (64, HIDDEN),
        "embeddings.token_type_embeddings.weight": (2, HIDDEN),
        "embeddings.LayerNorm.weight": (HIDDEN,),
        "embeddings.LayerNorm.bias": (HIDDEN,),
    }
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}."
        dense = {
            "attention.self.query": (HIDDEN, HIDDEN),
            "attention.self.key": (HIDDEN, HIDDEN),
            "attention.self.value": (HIDDEN, HIDDEN),
            "attention.output.dense": (HIDDEN, HIDDEN),
            "intermediate.dense": (4 * HIDDEN, HIDDEN),
            "output.dense": (HIDDEN, 4 * HIDDEN),
        }
        for name, shape in dense.items():
            shapes[f"{at}{name}.weight"] = shape
            shapes[f"{at}{name}.bias"] = shape[:1]
        for name in ("attention.output", "output"):
            shapes[f"{at}{name}.LayerNorm.weight"] = (HIDDEN,)
            shapes[f"{at}{name}.LayerNorm.bias"] = (HIDDEN,)
    return {name: random.normal(0, 0.2, shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.fixture(scope="module")
def files():
    return tiny_model()


@pytest.fixture
def hub(files):
    with HubServer({REPO: files}) as server:
        yield server


@pytest.fixture
def simil(hub, tmp_path):
    """Run the command against the hub, with caches of its own."""

    def run(*arguments, **environment):
        settings = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "HF_ENDPOINT": hub.endpoint,
            "NO_PROXY": "127.0.0.1,localhost",
        }
        return subprocess.run(
            [sys.executable, "-m", "simil", *arguments],
            env=settings | environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run


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
    assert done.stderr.startswith(f"simil: {REPO} is not on this machine and simil is offline; ")
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
