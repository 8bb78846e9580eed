"""Turns the `config.json` of a transformer into its layout, by the families of architectures that are known.

Names of tensors, and what a missing setting stands for, are those of transformers; each family names the
class that it follows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from simil.models.files.chain import UnknownChain
from simil.models.files.encoder_layout import Heads, Linear, Norm, PackedLayer, PackedShape, Table

__all__ = ["encoder_layout"]

Config = Mapping[str, Any]

_ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
}


def encoder_layout(config: Config) -> PackedShape:
    """Return the layout of the transformer that `config` describes; its `prefix` is that below a head.

    Raises `UnknownChain` with the reason if it is of no known family, or sets what is not known.
    """
    family = config.get("model_type")
    known = _FAMILIES.get(str(family))
    if known is None:
        raise UnknownChain(_REASONS.get(str(family), f"its transformer is of type {family}"))
    return known(config)


def _bert(config: Config) -> PackedShape:
    """Return the layout of a `BertModel`, and of the RoBERTa kind, which only count positions otherwise."""
    family = str(config["model_type"])
    _expect(config, position_embedding_type="absolute", is_decoder=False)
    hidden, heads = _size(config, "hidden_size"), _size(config, "num_attention_heads")
    inner = _size(config, "intermediate_size")
    layers = tuple(
        _post_norm_layer(
            f"encoder.layer.{number}.",
            hidden,
            inner,
            qkv=("attention.self.query", "attention.self.key", "attention.self.value"),
            output=("attention.output.dense", "attention.output.LayerNorm"),
            mlp=("intermediate.dense", "output.dense", "output.LayerNorm"),
        )
        for number in range(_size(config, "num_hidden_layers"))
    )
    return PackedShape(
        family=family,
        hidden=hidden,
        heads=_equal_heads(hidden, heads),
        words=Table("embeddings.word_embeddings", _size(config, "vocab_size"), hidden),
        positions=Table("embeddings.position_embeddings", _size(config, "max_position_embeddings"), hidden),
        padding_id=_padding_id(config) if family in _COUNT_FROM_PADDING else None,
        segments=Table("embeddings.token_type_embeddings", _size(config, "type_vocab_size"), hidden),
        embedding_norm=Norm("embeddings.LayerNorm", hidden, bias=True),
        layers=layers,
        epsilon=_positive(config, "layer_norm_eps", 1e-12),
        activation=_activation(config, "hidden_act", "gelu"),
        prefix=f"{_PREFIXES.get(family, family)}.",
    )


def _post_norm_layer(
    at: str,
    hidden: int,
    inner: int,
    *,
    qkv: tuple[str, str, str],
    output: tuple[str, str],
    mlp: tuple[str, str, str],
) -> PackedLayer:
    """Return a layer of BERT, by the names of its layers and norms below `at`."""
    up, down, norm = (at + name for name in mlp)
    return PackedLayer(
        qkv=Linear(tuple(at + name for name in qkv), (hidden,) * 3, hidden, bias=True),
        output=Linear((at + output[0],), (hidden,), hidden, bias=True),
        attention_norm=Norm(at + output[1], hidden, bias=True),
        up=Linear((up,), (inner,), hidden, bias=True),
        down=Linear((down,), (hidden,), inner, bias=True),
        mlp_norm=Norm(norm, hidden, bias=True),
    )


def _equal_heads(hidden: int, heads: int) -> Heads:
    if hidden % heads:
        raise UnknownChain(f"its hidden size of {hidden} is no multiple of its {heads} heads")
    return Heads(heads, heads, hidden // heads)


def _size(config: Config, name: str, default: int | None = None) -> int:
    value = config.get(name, default)
    if type(value) is not int or value < 1:
        raise UnknownChain(f"its {name} is {value!r}")
    return value


def _positive(config: Config, name: str, default: float) -> float:
    value = config.get(name, default)
    if type(value) not in (int, float) or not 0 < value < float("inf"):
        raise UnknownChain(f"its {name} is {value!r}")
    return float(value)


def _padding_id(config: Config) -> int:
    value = config.get("pad_token_id", 1)
    if type(value) is not int or value < 0:
        raise UnknownChain(f"its pad_token_id is {value!r}")
    return value


def _activation(config: Config, name: str, default: str) -> str:
    value = config.get(name, default)
    if value not in _ACTIVATIONS:
        raise UnknownChain(f"its activation is {value}")
    return _ACTIVATIONS[value]


def _expect(config: Config, **expected: Any) -> None:
    """Raise `UnknownChain` for a setting that is given and is not as `expected`; None stands for none."""
    for name, value in expected.items():
        given = config.get(name)
        if given is not None and given != value:
            raise UnknownChain(f"its transformer sets {name} to {given}")


# Models of these types are BERT encoders whose positions are counted from the padding token's id.
_COUNT_FROM_PADDING = ("camembert", "roberta", "xlm-roberta")
_PREFIXES = {"camembert": "roberta", "xlm-roberta": "roberta"}
_FAMILIES: dict[str, Callable[[Config], PackedShape]] = {
    "bert": _bert,
    **dict.fromkeys(_COUNT_FROM_PADDING, _bert),
}
# Why others are left to the other engines, where it is known.
_RELATIVE = ("mpnet", "deberta", "deberta-v2", "t5", "mt5", "umt5")
_REASONS = dict.fromkeys(_RELATIVE, "its attention depends on relative positions")
