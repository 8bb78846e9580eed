"""A small BERT in a folder, written without torch."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import safetensors.numpy

from simil.models.files import model_source as source

__all__ = ["write_bert"]

_HIDDEN, _INNER, _TOKENS, _WORDS = 32, 64, 64, 30_522
_CONFIG = {
    "architectures": ["BertModel"],
    "model_type": "bert",
    "hidden_size": _HIDDEN,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "intermediate_size": _INNER,
    "max_position_embeddings": _TOKENS,
    "vocab_size": _WORDS,
}
_SHAPES = {
    "embeddings.word_embeddings.weight": (_WORDS, _HIDDEN),
    "embeddings.position_embeddings.weight": (_TOKENS, _HIDDEN),
    "embeddings.token_type_embeddings.weight": (2, _HIDDEN),
    **{
        f"encoder.layer.0.{name}.weight": shape
        for name, shape in {
            "attention.self.query": (_HIDDEN, _HIDDEN),
            "attention.self.key": (_HIDDEN, _HIDDEN),
            "attention.self.value": (_HIDDEN, _HIDDEN),
            "attention.output.dense": (_HIDDEN, _HIDDEN),
            "intermediate.dense": (_INNER, _HIDDEN),
            "output.dense": (_HIDDEN, _INNER),
        }.items()
    },
}
_NORMS = ("embeddings.", "encoder.layer.0.attention.output.", "encoder.layer.0.output.")


def write_bert(folder: Path) -> Path:
    """Write a model of one layer with the chain and the tokenizer of the embedded one."""
    ignored = shutil.ignore_patterns("origin.json", "model.safetensors", "LICENSE")
    shutil.copytree(source.EMBEDDED, folder, ignore=ignored)
    (folder / "config.json").write_text(json.dumps(_CONFIG), "utf-8")
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": _TOKENS}), "utf-8")
    chance = np.random.default_rng(1)
    weights = {name: chance.normal(0, 0.3, shape).astype(np.float32) for name, shape in _SHAPES.items()}
    for name, (size, *_) in _SHAPES.items():
        if name.startswith("encoder"):
            weights[name.replace("weight", "bias")] = chance.normal(0, 0.1, size).astype(np.float32)
    for name in _NORMS:
        weights[f"{name}LayerNorm.weight"] = np.ones(_HIDDEN, np.float32)
        weights[f"{name}LayerNorm.bias"] = np.zeros(_HIDDEN, np.float32)
    safetensors.numpy.save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder
