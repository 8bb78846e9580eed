"""Sentence-embedding models with random weights, small enough to be made by the test that needs one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["HIDDEN", "bert", "edit_json", "sentence_model", "to_old_layout", "transformer_folder"]

HIDDEN = 32
_TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
_OLD_POOLING = {
    "cls": "pooling_mode_cls_token",
    "mean": "pooling_mode_mean_tokens",
    "max": "pooling_mode_max_tokens",
    "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
    "lasttoken": "pooling_mode_lasttoken",
}


def bert(*, head: bool = False, **changes: Any) -> Any:
    """Return a BERT encoder with random weights; `head` puts a classifier on top, as checkpoints have."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertModel

    torch.manual_seed(1)
    config = BertConfig(
        hidden_size=HIDDEN,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=128,
        initializer_range=0.3,
        **changes,
    )
    return BertForSequenceClassification(config) if head else BertModel(config)


def transformer_folder(folder: Path, model: Any, tokenizer_from: Path, *, dtype: str = "float32") -> Path:
    """Save a bare transformer with the embedded model's tokenizer; weights at rest in `dtype`."""
    import torch

    model.to(getattr(torch, dtype)).save_pretrained(folder)
    for name in _TOKENIZER:
        shutil.copy(tokenizer_from / name, folder / name)
    return folder


def sentence_model(
    folder: Path,
    transformer: Path,
    *,
    modes: Sequence[str] = ("mean",),
    include_prompt: bool = True,
    dense: Sequence[Any] = (),
    normalize: bool = True,
    max_tokens: int = 64,
    prompts: Mapping[str, str] | None = None,
    default_prompt: str | None = None,
) -> Path:
    """Save a model by sentence-transformers itself, in its present layout."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    torch.manual_seed(2)
    first = Transformer(str(transformer), max_seq_length=max_tokens)
    pooling = Pooling(HIDDEN, modes[0] if len(modes) == 1 else tuple(modes), include_prompt=include_prompt)
    modules = [first, pooling, *dense, *([Normalize()] if normalize else [])]
    model = SentenceTransformer(
        modules=modules,
        device="cpu",
        prompts=dict(prompts or {}) or None,
        default_prompt_name=default_prompt,
    )
    model.save(str(folder), create_model_card=False)
    return folder


def edit_json(path: Path, **changes: Any) -> None:
    """Set keys of a JSON file; None takes one away."""
    value = json.loads(path.read_text("utf-8")) | changes
    path.write_text(json.dumps({key: item for key, item in value.items() if item is not None}), "utf-8")


def to_old_layout(folder: Path) -> None:
    """Rewrite the settings the way sentence-transformers 2 wrote them."""
    modules = json.loads((folder / "modules.json").read_text("utf-8"))
    for module in modules:
        module["type"] = "sentence_transformers.models." + module["type"].rpartition(".")[2]
        if module["type"].endswith("Pooling"):
            path = folder / module["path"] / "config.json"
            new = json.loads(path.read_text("utf-8"))
            modes = [new["pooling_mode"]] if isinstance(new["pooling_mode"], str) else new["pooling_mode"]
            old = {key: mode in modes for mode, key in _OLD_POOLING.items()}
            path.write_text(json.dumps({"word_embedding_dimension": HIDDEN} | old), "utf-8")
        if module["type"].endswith("Normalize"):
            shutil.rmtree(folder / module["path"], ignore_errors=True)
    (folder / "modules.json").write_text(json.dumps(modules), "utf-8")
    config = {"max_seq_length": 64, "do_lower_case": False}
    (folder / "sentence_bert_config.json").write_text(json.dumps(config), "utf-8")
    (folder / "config_sentence_transformers.json").unlink()
