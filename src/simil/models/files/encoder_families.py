"""Turns the `config.json` of a transformer into its layout, by the families of architectures that are known.

Names of tensors, and what a missing setting stands for, are those of transformers; each family names the
class that it follows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from simil.models.files.chain import UnknownChain
from simil.models.files.encoder_layout import Heads, Linear, Norm, PackedLayer, PackedShape, Table
from simil.models.files.encoder_settings import (
    Config,
    activation,
    expect,
    flag,
    padding_id,
    positive,
    rotary_base,
    size,
)

__all__ = ["encoder_layout"]

_GLOBAL, _LOCAL = "full_attention", "sliding_attention"


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
    expect(config, position_embedding_type="absolute", is_decoder=False)
    hidden, heads = size(config, "hidden_size"), size(config, "num_attention_heads")
    inner = size(config, "intermediate_size")
    layers = tuple(
        _post_norm_layer(
            f"encoder.layer.{number}.",
            hidden,
            inner,
            qkv=("attention.self.query", "attention.self.key", "attention.self.value"),
            output=("attention.output.dense", "attention.output.LayerNorm"),
            mlp=("intermediate.dense", "output.dense", "output.LayerNorm"),
        )
        for number in range(size(config, "num_hidden_layers"))
    )
    return PackedShape(
        family=family,
        hidden=hidden,
        heads=_equal_heads(hidden, heads),
        words=Table("embeddings.word_embeddings", size(config, "vocab_size"), hidden),
        positions=Table("embeddings.position_embeddings", size(config, "max_position_embeddings"), hidden),
        padding_id=padding_id(config) if family in _COUNT_FROM_PADDING else None,
        segments=Table("embeddings.token_type_embeddings", size(config, "type_vocab_size", 2), hidden),
        embedding_norm=Norm("embeddings.LayerNorm", hidden, bias=True),
        layers=layers,
        epsilon=positive(config, "layer_norm_eps", 1e-12),
        activation=activation(config, "hidden_act", "gelu"),
        prefix=f"{_PREFIXES.get(family, family)}.",
    )


def _distilbert(config: Config) -> PackedShape:
    """Return the layout of a `DistilBertModel`, which has no segments."""
    hidden, inner = size(config, "dim"), size(config, "hidden_dim")
    heads, count = size(config, "n_heads"), size(config, "n_layers")
    # By the names that other families have, they can be set as well.
    expect(config, hidden_size=hidden, num_attention_heads=heads, num_hidden_layers=count)
    layers = tuple(
        _post_norm_layer(
            f"transformer.layer.{number}.",
            hidden,
            inner,
            qkv=("attention.q_lin", "attention.k_lin", "attention.v_lin"),
            output=("attention.out_lin", "sa_layer_norm"),
            mlp=("ffn.lin1", "ffn.lin2", "output_layer_norm"),
        )
        for number in range(count)
    )
    return PackedShape(
        family="distilbert",
        hidden=hidden,
        heads=_equal_heads(hidden, heads),
        words=Table("embeddings.word_embeddings", size(config, "vocab_size"), hidden),
        positions=Table("embeddings.position_embeddings", size(config, "max_position_embeddings"), hidden),
        embedding_norm=Norm("embeddings.LayerNorm", hidden, bias=True),
        layers=layers,
        epsilon=1e-12,
        activation=activation(config, "activation", "gelu"),
        prefix="distilbert.",
    )


def _nomic_bert(config: Config) -> PackedShape:
    """Return the layout of a `NomicBertModel`: BERT with rotary positions and a gated MLP.

    Its weights are saved by other names than the class has, those of the original.
    """
    hidden, inner = size(config, "hidden_size"), size(config, "intermediate_size")
    heads = _equal_heads(hidden, size(config, "num_attention_heads"))
    expect(config, head_dim=heads.size)
    theta = rotary_base(config, 1000.0, heads)

    def layer(at: str) -> PackedLayer:
        return PackedLayer(
            qkv=_bare(f"{at}attn.Wqkv", rows=3 * hidden, columns=hidden),
            output=_bare(f"{at}attn.out_proj", rows=hidden, columns=hidden),
            attention_norm=Norm(f"{at}norm1", hidden, bias=True),
            up=_bare(f"{at}mlp.fc12", f"{at}mlp.fc11", rows=inner, columns=hidden),
            down=_bare(f"{at}mlp.fc2", rows=hidden, columns=inner),
            mlp_norm=Norm(f"{at}norm2", hidden, bias=True),
            theta=theta,
        )

    return PackedShape(
        family="nomic_bert",
        hidden=hidden,
        heads=heads,
        words=Table("embeddings.word_embeddings", size(config, "vocab_size"), hidden),
        segments=Table("embeddings.token_type_embeddings", size(config, "type_vocab_size", 2), hidden),
        embedding_norm=Norm("emb_ln", hidden, bias=True),
        layers=tuple(
            layer(f"encoder.layers.{number}.") for number in range(size(config, "num_hidden_layers"))
        ),
        epsilon=positive(config, "layer_norm_eps", 1e-12),
        activation=activation(config, "hidden_act", "silu"),
        gated=True,
        prefix="nomic_bert.",
    )


def _modernbert(config: Config) -> PackedShape:
    """Return the layout of a `ModernBertModel`: most layers see a window, the first has no norm before."""
    hidden, inner = size(config, "hidden_size"), size(config, "intermediate_size")
    heads = _equal_heads(hidden, size(config, "num_attention_heads"))
    expect(config, head_dim=heads.size)
    has_bias, mlp_bias = flag(config, "attention_bias"), flag(config, "mlp_bias")
    norm_bias = flag(config, "norm_bias")
    thetas = _modernbert_thetas(config, heads)
    reach = size(config, "local_attention", 128) // 2
    expect(config, sliding_window=reach)

    def layer(number: int, kind: str) -> PackedLayer:
        at = f"layers.{number}."
        return PackedLayer(
            qkv=Linear((f"{at}attn.Wqkv",), (3 * hidden,), hidden, has_bias),
            output=Linear((f"{at}attn.Wo",), (hidden,), hidden, has_bias),
            attention_norm=Norm(f"{at}attn_norm", hidden, norm_bias) if number else None,
            up=Linear((f"{at}mlp.Wi",), (2 * inner,), hidden, mlp_bias),
            down=Linear((f"{at}mlp.Wo",), (hidden,), inner, mlp_bias),
            mlp_norm=Norm(f"{at}mlp_norm", hidden, norm_bias),
            window=reach if kind == _LOCAL else None,
            theta=thetas[kind],
        )

    return PackedShape(
        family="modernbert",
        hidden=hidden,
        heads=heads,
        words=Table("embeddings.tok_embeddings", size(config, "vocab_size"), hidden),
        embedding_norm=Norm("embeddings.norm", hidden, norm_bias),
        layers=tuple(layer(number, kind) for number, kind in enumerate(_modernbert_kinds(config))),
        final_norm=Norm("final_norm", hidden, norm_bias),
        epsilon=positive(config, "norm_eps", 1e-5),
        activation=activation(config, "hidden_activation", "gelu"),
        pre_norm=True,
        gated=True,
        prefix="model.",
    )


def _modernbert_kinds(config: Config) -> Sequence[str]:
    count = size(config, "num_hidden_layers")
    kinds = config.get("layer_types")
    if kinds is None:
        every = size(config, "global_attn_every_n_layers", 3)
        return [_LOCAL if number % every else _GLOBAL for number in range(count)]
    if len(kinds) != count or not {*kinds} <= {_LOCAL, _GLOBAL}:
        raise UnknownChain(f"its layer_types are {kinds}")
    return [str(kind) for kind in kinds]


def _modernbert_thetas(config: Config, heads: Heads) -> dict[str, float]:
    """Return the base of the rotary positions for each kind of layer; there are two ways to write them."""
    expect(config, rope_scaling={})
    nested = config.get("rope_parameters") or {}
    if not {*nested} <= {_LOCAL, _GLOBAL}:
        raise UnknownChain(f"its rope_parameters are for {', '.join(sorted(nested))}")
    defaults = {
        _GLOBAL: positive(config, "global_rope_theta", 160_000.0),
        _LOCAL: positive(config, "local_rope_theta", 10_000.0),
    }
    return {
        kind: rotary_base({"rope_parameters": nested.get(kind)}, default, heads)
        for kind, default in defaults.items()
    }


def _qwen3(config: Config) -> PackedShape:
    """Return the layout of a `Qwen3Model`, a decoder."""
    expect(config, is_causal=True, use_bidirectional_attention=False, use_sliding_window=False)
    hidden, inner = size(config, "hidden_size"), size(config, "intermediate_size")
    count = size(config, "num_hidden_layers")
    expect(config, layer_types=[_GLOBAL] * count)
    queries = size(config, "num_attention_heads")
    keys = queries
    if config.get("num_key_value_heads", 32) is not None:
        keys = size(config, "num_key_value_heads", 32)
    heads = Heads(queries, keys, size(config, "head_dim", 128))
    if queries % keys:
        raise UnknownChain(f"its {queries} heads cannot share {keys} keys")
    theta, has_bias = rotary_base(config, 10_000.0, heads), flag(config, "attention_bias")
    rows = (queries * heads.size, keys * heads.size, keys * heads.size)

    def layer(at: str) -> PackedLayer:
        names = tuple(f"{at}self_attn.{part}_proj" for part in "qkv")
        return PackedLayer(
            qkv=Linear(names, rows, hidden, has_bias),
            output=Linear((f"{at}self_attn.o_proj",), (hidden,), rows[0], has_bias),
            attention_norm=Norm(f"{at}input_layernorm", hidden, bias=False),
            up=_bare(f"{at}mlp.gate_proj", f"{at}mlp.up_proj", rows=inner, columns=hidden),
            down=_bare(f"{at}mlp.down_proj", rows=hidden, columns=inner),
            mlp_norm=Norm(f"{at}post_attention_layernorm", hidden, bias=False),
            query_norm=Norm(f"{at}self_attn.q_norm", heads.size, bias=False),
            key_norm=Norm(f"{at}self_attn.k_norm", heads.size, bias=False),
            theta=theta,
        )

    return PackedShape(
        family="qwen3",
        hidden=hidden,
        heads=heads,
        words=Table("embed_tokens", size(config, "vocab_size"), hidden),
        layers=tuple(layer(f"layers.{number}.") for number in range(count)),
        final_norm=Norm("norm", hidden, bias=False),
        epsilon=positive(config, "rms_norm_eps", 1e-6),
        activation=activation(config, "hidden_act", "silu"),
        pre_norm=True,
        rms=True,
        gated=True,
        causal=True,
        prefix="model.",
    )


def _bare(*names: str, rows: int, columns: int) -> Linear:
    return Linear(names, (rows,) * len(names), columns, bias=False)


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


# Models of these types are BERT encoders whose positions are counted from the padding token's id.
_COUNT_FROM_PADDING = ("camembert", "roberta", "xlm-roberta")
_PREFIXES = {"camembert": "roberta", "xlm-roberta": "roberta"}
_FAMILIES: dict[str, Callable[[Config], PackedShape]] = {
    "bert": _bert,
    **dict.fromkeys(_COUNT_FROM_PADDING, _bert),
    "distilbert": _distilbert,
    "modernbert": _modernbert,
    "nomic_bert": _nomic_bert,
    "qwen3": _qwen3,
}
# Why others are left to the other engines, where it is known.
_RELATIVE = ("mpnet", "deberta", "deberta-v2", "t5", "mt5", "umt5")
_REASONS = dict.fromkeys(_RELATIVE, "its attention depends on relative positions")
