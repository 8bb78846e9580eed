"""A model small enough to be served, fetched and run in a test, and the command against its hub."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from simil.models.files import model_source as source
from support.fork_server import python_m_simil
from support.hub_server import HubServer
from support.process_defaults import INITIAL_ENVIRONMENT

REPO = "org/tiny"
HIDDEN, LAYERS = 32, 2


def tiny_model() -> dict[str, bytes]:
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


def weights() -> dict[str, np.ndarray]:
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


def command(hub: HubServer, home: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return what runs `simil` against the hub, with caches of its own under `home`."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        settings = INITIAL_ENVIRONMENT | {
            "HOME": str(home),
            "HF_ENDPOINT": hub.endpoint,
            "NO_PROXY": "127.0.0.1,localhost",
        }
        return subprocess.run(
            [*python_m_simil(), *arguments],
            env=settings | environment,
            cwd=home,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run
