"""Says how many tokens a transformer has positions for, where it learnt a vector for each of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["fit_limit", "position_limit"]

# By their `model_type`: the first token is at position 0, or the table has the rows before it besides.
_FROM_ZERO = frozenset({
    "albert", "bert", "bert-generation", "big_bird", "biogpt", "convbert", "distilbert", "electra", "ernie",
    "fnet", "gpt2", "gpt_bigcode", "gpt_neo", "layoutlm", "megatron-bert", "mobilebert", "mra",
    "nystromformer", "openai-gpt", "opt", "rembert", "roc_bert", "splinter", "squeezebert", "yoso",
})  # fmt: skip
# As in RoBERTa: the first token is at the position after the padding token's id.
_AFTER_PADDING = frozenset({
    "camembert", "data2vec-text", "ibert", "longformer", "luke", "mpnet", "roberta", "roberta-prelayernorm",
    "xlm-roberta", "xlm-roberta-xl", "xmod",
})  # fmt: skip
_OPTIONAL = frozenset({"deberta", "deberta-v2"})
_PADDING_ID = 1


def fit_limit(network: Any) -> None:
    """Have a model of sentence-transformers cut texts where its positions end, if its own limit is higher."""
    transformer = network.transformers_model
    positions = None if transformer is None else position_limit(transformer.config.to_dict())
    if positions is not None and (network.max_seq_length or positions + 1) > positions:
        network.max_seq_length = positions


def position_limit(config: Mapping[str, Any]) -> int | None:
    """Return how many tokens a transformer with this `config.json` can read.

    None if it has no such table, as with rotary or relative positions, or if that is not known.
    """
    kind = config.get("model_type")
    rows = config.get("max_position_embeddings", config.get("n_positions"))
    if type(rows) is not int or rows < 1:
        return None
    if kind in _FROM_ZERO or (kind in _OPTIONAL and config.get("position_biased_input", True)):
        return rows
    if kind not in _AFTER_PADDING:
        return None
    padding = _PADDING_ID if kind == "mpnet" else config.get("pad_token_id", _PADDING_ID)
    return max(rows - padding - 1, 1) if type(padding) is int else rows
