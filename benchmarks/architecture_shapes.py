"""Model folders in the architectures that embedding models have, tiny and with random weights.

What stands around the transformer is as in the known model that a folder stands for: tokenizer, pooling,
dense layers, prompts, layout of the files. Nothing is downloaded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from small_tokenizers import write_tokenizer

__all__ = ["ARCHITECTURES", "Architecture", "build"]

_WIDTH, _LAYERS, _HEADS, _INNER = 32, 2, 4, 64
_MAX_TOKENS = 160
# Standard deviations: every layer counts, and norms and biases are not those of an untrained model.
_WEIGHT, _SHIFT = 0.2, 0.1
_POOLING_KEYS = {
    "cls": "pooling_mode_cls_token",
    "mean": "pooling_mode_mean_tokens",
    "max": "pooling_mode_max_tokens",
    "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
    "lasttoken": "pooling_mode_lasttoken",
}
_IDENTITY, _TANH = "torch.nn.modules.linear.Identity", "torch.nn.modules.activation.Tanh"
_OWN_CODE = {
    "AutoConfig": "Alibaba-NLP/new-impl--configuration.NewConfig",
    "AutoModel": "Alibaba-NLP/new-impl--modeling.NewModel",
}
_E5_PROMPTS = {"query": "query: ", "passage": "passage: "}
_NOMIC_PROMPTS = {"query": "search_query: ", "document": "search_document: "}
_GEMMA_PROMPTS = {
    "query": "task: search result | query: ",
    "document": "title: none | text: ",
    "STS": "task: sentence similarity | query: ",
}
_QWEN_PROMPTS = {
    "query": "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:",
    "document": "",
}


@dataclass(frozen=True, slots=True)
class Dense:
    """A dense layer after pooling."""

    width: int
    activation: str = _IDENTITY
    bias: bool = False


@dataclass(frozen=True, slots=True)
class Architecture:
    """A model folder: `config` names the class of transformers' configuration, `stands_for` a known model.

    `sizes` are its arguments besides the usual sizes; None leaves one of these out. `layout` is "plain",
    "sharded", "pytorch" (no safetensors), "saved" (by sentence-transformers), "bare" (no modules) or
    "prefixed" (weights are named as below a head). `refused` says that it cannot run.
    """

    name: str
    stands_for: str
    config: str
    tokenizer: str
    pooling: tuple[str, ...] = ("mean",)
    sizes: Mapping[str, Any] = field(default_factory=dict)
    dense: tuple[Dense, ...] = ()
    normalize: bool = True
    prompts: Mapping[str, str] = field(default_factory=dict)
    default_prompt: str | None = None
    include_prompt: bool = True
    max_tokens: int | None = _MAX_TOKENS
    model: str = "AutoModel"
    dtype: str = "float32"
    layout: str = "plain"
    refused: bool = False
    tokenizer_settings: Mapping[str, Any] = field(default_factory=dict)


def build(folder: Path, architecture: Architecture) -> Path:
    """Write the model folder of `architecture` and return it; the same seed gives the same weights."""
    folder.mkdir(parents=True)
    if architecture.config == "StaticEmbedding":
        return _static(folder, architecture)
    if architecture.config == "model2vec":
        return _model2vec(folder, architecture)
    limit = architecture.max_tokens or _MAX_TOKENS
    tokens = write_tokenizer(folder, architecture.tokenizer, limit, **architecture.tokenizer_settings)
    width = _write_transformer(folder, architecture, tokens)
    if architecture.layout != "bare":
        _write_chain(folder, architecture, width)
    if architecture.layout == "saved":
        _save_again(folder)
    return folder


def _write_transformer(folder: Path, architecture: Architecture, tokens: Mapping[str, int]) -> int:
    """Write configuration and weights; return the width of a token's vector.

    `tokens` holds settings that the tokenizer gives: the size of the vocabulary and ids of special tokens.
    """
    import torch
    import transformers

    usual = {
        **tokens,
        "hidden_size": _WIDTH,
        "num_hidden_layers": _LAYERS,
        "num_attention_heads": _HEADS,
        "intermediate_size": _INNER,
        "max_position_embeddings": _MAX_TOKENS,
    }
    sizes = {key: value for key, value in (usual | {**architecture.sizes}).items() if value is not None}
    torch.manual_seed(0)
    config = getattr(transformers, architecture.config)(**sizes)
    kind = getattr(transformers, architecture.model)
    model = kind.from_config(config) if architecture.model == "AutoModel" else kind(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, _WEIGHT)
            else:
                parameter.add_(torch.randn_like(parameter) * _SHIFT)
    model.to(getattr(torch, architecture.dtype))
    _write_weights(folder, model, architecture.layout)
    if architecture.refused:
        _edit(folder / "config.json", model_type="new", auto_map=_OWN_CODE)
    return int(getattr(config, "hidden_size", None) or config.d_model)


def _write_weights(folder: Path, model: Any, layout: str) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    if layout == "sharded":
        model.save_pretrained(folder, max_shard_size="30KB")
        return
    model.save_pretrained(folder)
    path = folder / "model.safetensors"
    if layout == "pytorch":
        torch.save(load_file(path), folder / "pytorch_model.bin")
        path.unlink()
    elif layout == "prefixed":
        prefixed = {f"{model.base_model_prefix}.{name}": weight for name, weight in load_file(path).items()}
        save_file(prefixed, path, metadata={"format": "pt"})


def _write_chain(folder: Path, architecture: Architecture, width: int) -> None:
    """Write what sentence-transformers reads, in the layout that most models on the Hub have."""
    modules = [("", "Transformer"), ("1_Pooling", "Pooling")]
    limit = {"max_seq_length": architecture.max_tokens} if architecture.max_tokens else {}
    _write(folder / "sentence_bert_config.json", limit | {"do_lower_case": False})
    pooling: dict[str, Any] = {key: mode in architecture.pooling for mode, key in _POOLING_KEYS.items()}
    pooling |= {"word_embedding_dimension": width, "include_prompt": architecture.include_prompt}
    _write(folder / "1_Pooling" / "config.json", pooling)
    width *= len(architecture.pooling)
    for layer in architecture.dense:
        modules.append((f"{len(modules)}_Dense", "Dense"))
        _write_dense(folder / modules[-1][0], width, layer)
        width = layer.width
    if architecture.normalize:
        modules.append((f"{len(modules)}_Normalize", "Normalize"))
    listed = [
        {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for index, (path, kind) in enumerate(modules)
    ]
    _write(folder / "modules.json", listed)
    if architecture.prompts:
        settings = {"prompts": {**architecture.prompts}, "default_prompt_name": architecture.default_prompt}
        _write(folder / "config_sentence_transformers.json", settings)


def _write_dense(folder: Path, width: int, layer: Dense) -> None:
    import torch
    from safetensors.torch import save_file

    config = {
        "in_features": width,
        "out_features": layer.width,
        "bias": layer.bias,
        "activation_function": layer.activation,
    }
    _write(folder / "config.json", config)
    tensors = {"linear.weight": torch.randn(layer.width, width) * _WEIGHT}
    if layer.bias:
        tensors["linear.bias"] = torch.randn(layer.width) * _SHIFT
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def _save_again(folder: Path) -> None:
    """Have sentence-transformers write the folder, in its present layout."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    model.save(str(folder), create_model_card=False)


def _static(folder: Path, architecture: Architecture) -> Path:
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer

    write_tokenizer(folder, architecture.tokenizer, _MAX_TOKENS)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").unlink()
    torch.manual_seed(0)
    module = StaticEmbedding(tokenizer, embedding_dim=_WIDTH)
    SentenceTransformer(modules=[module], device="cpu").save(str(folder), create_model_card=False)
    return folder


def _model2vec(folder: Path, architecture: Architecture) -> Path:
    import torch
    from safetensors.torch import save_file

    size = write_tokenizer(folder, architecture.tokenizer, _MAX_TOKENS)["vocab_size"]
    (folder / "tokenizer_config.json").unlink()
    torch.manual_seed(0)
    save_file({"embeddings": torch.randn(size, _WIDTH)}, folder / "model.safetensors")
    config = {
        "model_type": "model2vec",
        "architectures": ["StaticModel"],
        "normalize": True,
        "seq_length": 1000000,
    }
    _write(folder / "config.json", config | {"hidden_dim": _WIDTH})
    modules = [("", "StaticEmbedding"), ("1_Normalize", "Normalize")]
    listed = [
        {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for index, (path, kind) in enumerate(modules)
    ]
    _write(folder / "modules.json", listed)
    return folder


def _write(path: Path, value: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value, indent=2) + "\n", "utf-8")


def _edit(path: Path, **changes: Any) -> None:
    _write(path, json.loads(path.read_text("utf-8")) | changes)


def _gqa(**sizes: Any) -> dict[str, Any]:
    """Return the sizes of a decoder whose queries share keys and values."""
    return {"num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 512} | sizes


_ROBERTA_POSITIONS = {"max_position_embeddings": _MAX_TOKENS + 2, "type_vocab_size": 1}
_GEMMA3 = _gqa(
    layer_types=["sliding_attention", "full_attention"], sliding_window=16, query_pre_attn_scalar=8
)
_T5 = {
    "hidden_size": None, "num_hidden_layers": None, "num_attention_heads": None, "intermediate_size": None,
    "max_position_embeddings": None, "d_model": _WIDTH, "d_kv": 8, "d_ff": _INNER, "num_layers": _LAYERS,
    "num_heads": _HEADS,
}  # fmt: skip
_GATED_T5 = _T5 | {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
_DISTILBERT = {
    "hidden_size": None, "num_hidden_layers": None, "num_attention_heads": None, "intermediate_size": None,
    "dim": _WIDTH, "n_layers": _LAYERS, "n_heads": _HEADS, "hidden_dim": _INNER,
}  # fmt: skip
_FUNNEL = {
    "hidden_size": None, "num_hidden_layers": None, "num_attention_heads": None, "intermediate_size": None,
    "max_position_embeddings": None, "d_model": _WIDTH, "n_head": _HEADS, "d_head": 8, "d_inner": _INNER,
    "block_sizes": [1, 1], "num_decoder_layers": 1,
}  # fmt: skip
_XLNET = {
    "hidden_size": None, "num_hidden_layers": None, "num_attention_heads": None, "intermediate_size": None,
    "max_position_embeddings": None, "d_model": _WIDTH, "n_layer": _LAYERS, "n_head": _HEADS,
    "d_inner": _INNER,
}  # fmt: skip
_XLM = {
    "hidden_size": None, "num_hidden_layers": None, "num_attention_heads": None, "intermediate_size": None,
    "emb_dim": _WIDTH, "n_layers": _LAYERS, "n_heads": _HEADS,
}  # fmt: skip
_GPT2 = {
    "hidden_size": None, "num_hidden_layers": None, "num_attention_heads": None, "intermediate_size": None,
    "max_position_embeddings": None, "n_embd": _WIDTH, "n_layer": _LAYERS, "n_head": _HEADS,
    "n_positions": 256,
}  # fmt: skip
_GPT_NEO = {
    "num_hidden_layers": None, "num_attention_heads": None, "num_layers": _LAYERS, "num_heads": _HEADS,
    "attention_types": [[["global", "local"], 1]], "window_size": 16, "max_position_embeddings": 256,
}  # fmt: skip
_BLOOM = {
    "num_hidden_layers": None, "num_attention_heads": None, "intermediate_size": None,
    "max_position_embeddings": None, "n_layer": _LAYERS, "n_head": _HEADS,
}  # fmt: skip
_DEBERTA = {
    "relative_attention": True, "pos_att_type": ["c2p", "p2c"], "position_biased_input": False,
    "max_relative_positions": -1,
}  # fmt: skip

ARCHITECTURES: tuple[Architecture, ...] = (
    Architecture("bert-cls", "bge-base-en-v1.5", "BertConfig", "bert", ("cls",)),
    Architecture("bert-mean", "all-MiniLM-L6-v2", "BertConfig", "bert", layout="saved"),
    Architecture("bert-max", "bert-base-nli-max-tokens", "BertConfig", "bert", ("max",), normalize=False),
    Architecture(
        "bert-sqrt",
        "poolings of sentence-transformers",
        "BertConfig",
        "bert",
        ("mean_sqrt_len_tokens",),
        normalize=False,
    ),
    Architecture(
        "bert-weighted", "poolings of sentence-transformers", "BertConfig", "bert", ("weightedmean",)
    ),
    Architecture("bert-last", "poolings of sentence-transformers", "BertConfig", "bert", ("lasttoken",)),
    Architecture(
        "bert-two", "cls and mean side by side", "BertConfig", "bert", ("cls", "mean"), normalize=False
    ),
    Architecture(
        "bert-dense", "LaBSE", "BertConfig", "bert", ("cls",), dense=(Dense(_WIDTH, _TANH, bias=True),)
    ),
    Architecture("bert-prefixed", "weights below a head", "BertConfig", "bert", layout="prefixed"),
    Architecture(
        "bert-float16",
        "mxbai-embed-large-v1",
        "BertConfig",
        "bert",
        ("cls",),
        dtype="float16",
        prompts={"query": "Represent this sentence for searching relevant passages: "},
    ),
    Architecture(
        "bert-pytorch", "weights in pytorch_model.bin alone", "BertConfig", "bert", layout="pytorch"
    ),
    Architecture("bert-sharded", "weights in several files", "BertConfig", "bert", layout="sharded"),
    Architecture("bert-bare", "a transformer without modules", "BertConfig", "bert", layout="bare"),
    Architecture(
        "bert-unigram", "paraphrase-multilingual-MiniLM-L12-v2", "BertConfig", "xlm-roberta", normalize=False
    ),
    Architecture("roberta", "all-distilroberta-v1", "RobertaConfig", "roberta", sizes=_ROBERTA_POSITIONS),
    Architecture(
        "xlm-roberta",
        "multilingual-e5-base",
        "XLMRobertaConfig",
        "xlm-roberta",
        sizes=_ROBERTA_POSITIONS,
        prompts=_E5_PROMPTS,
    ),
    Architecture(
        "xlm-roberta-cls",
        "bge-m3",
        "XLMRobertaConfig",
        "xlm-roberta",
        ("cls",),
        sizes=_ROBERTA_POSITIONS,
        layout="pytorch",
    ),
    Architecture(
        "camembert",
        "sentence-camembert-base",
        "CamembertConfig",
        "camembert",
        sizes=_ROBERTA_POSITIONS,
        normalize=False,
    ),
    Architecture(
        "distilbert",
        "msmarco-distilbert-base-v4",
        "DistilBertConfig",
        "distilbert",
        sizes=_DISTILBERT,
        normalize=False,
    ),
    Architecture(
        "distilbert-dense",
        "distiluse-base-multilingual-cased-v2",
        "DistilBertConfig",
        "distilbert",
        sizes=_DISTILBERT,
        dense=(Dense(24, _TANH, bias=True),),
        normalize=False,
    ),
    Architecture(
        "mpnet",
        "all-mpnet-base-v2",
        "MPNetConfig",
        "mpnet",
        sizes={"max_position_embeddings": _MAX_TOKENS + 2},
    ),
    Architecture(
        "albert",
        "paraphrase-albert-small-v2",
        "AlbertConfig",
        "albert",
        sizes={"embedding_size": 16},
        normalize=False,
    ),
    Architecture("electra", "ELECTRA encoders", "ElectraConfig", "bert", sizes={"embedding_size": 16}),
    Architecture("deberta-v1", "DeBERTa encoders", "DebertaConfig", "deberta", sizes=_DEBERTA),
    Architecture(
        "deberta-v3",
        "DeBERTa-v3 encoders",
        "DebertaV2Config",
        "deberta-v2",
        sizes=_DEBERTA | {"position_buckets": 32, "norm_rel_ebd": "layer_norm", "share_att_key": True},
    ),
    Architecture(
        "ernie",
        "text2vec-base-chinese-paraphrase",
        "ErnieConfig",
        "bert",
        sizes={"use_task_id": True},
        normalize=False,
    ),
    Architecture("roformer", "RoFormer encoders", "RoFormerConfig", "bert", sizes={"embedding_size": 16}),
    Architecture("convbert", "ConvBERT encoders", "ConvBertConfig", "bert", sizes={"embedding_size": 16}),
    Architecture(
        "mobilebert",
        "MobileBERT encoders",
        "MobileBertConfig",
        "bert",
        sizes={"embedding_size": 16, "intra_bottleneck_size": 16, "true_hidden_size": 16},
    ),
    Architecture(
        "squeezebert", "SqueezeBERT encoders", "SqueezeBertConfig", "bert", sizes={"embedding_size": _WIDTH}
    ),
    Architecture("data2vec", "Data2Vec encoders", "Data2VecTextConfig", "roberta", sizes=_ROBERTA_POSITIONS),
    Architecture(
        "nystromformer",
        "Nyströmformer encoders",
        "NystromformerConfig",
        "albert",
        sizes={"num_landmarks": 16, "segment_means_seq_len": 16, "conv_kernel_size": 9},
    ),
    Architecture(
        "rembert",
        "RemBERT encoders",
        "RemBertConfig",
        "rembert",
        sizes={"input_embedding_size": 16, "output_embedding_size": 16},
    ),
    Architecture("megatron", "Megatron BERT encoders", "MegatronBertConfig", "bert"),
    Architecture("funnel", "Funnel encoders", "FunnelConfig", "funnel", sizes=_FUNNEL, model="FunnelModel"),
    Architecture("fnet", "FNet encoders", "FNetConfig", "fnet", sizes={"num_attention_heads": None}),
    Architecture(
        "longformer",
        "Longformer encoders",
        "LongformerConfig",
        "roberta",
        sizes={"attention_window": 16, "max_position_embeddings": _MAX_TOKENS + 2},
    ),
    Architecture(
        "bigbird",
        "BigBird encoders",
        "BigBirdConfig",
        "bigbird",
        sizes={"block_size": 16, "num_random_blocks": 1},
    ),
    Architecture(
        "bigbird-full",
        "BigBird, full attention",
        "BigBirdConfig",
        "bigbird",
        sizes={"attention_type": "original_full"},
    ),
    Architecture("xlm", "XLM encoders", "XLMConfig", "xlm-roberta", sizes=_XLM),
    Architecture("xlnet", "XLNet encoders", "XLNetConfig", "xlnet", sizes=_XLNET),
    Architecture(
        "modernbert",
        "modernbert-embed-base",
        "ModernBertConfig",
        "modernbert",
        sizes={"local_attention": 32, "global_attn_every_n_layers": 2, "max_position_embeddings": 512},
        prompts=_NOMIC_PROMPTS,
    ),
    Architecture(
        "modernbert-cls",
        "gte-modernbert-base, granite-embedding-english-r2",
        "ModernBertConfig",
        "modernbert",
        ("cls",),
        sizes={"local_attention": 32, "global_attn_every_n_layers": 2, "max_position_embeddings": 512},
    ),
    Architecture(
        "nomic-bert",
        "nomic-embed-text-v1.5",
        "NomicBertConfig",
        "bert",
        sizes={"max_position_embeddings": 512},
        prompts=_NOMIC_PROMPTS,
    ),
    Architecture(
        "gte",
        "gte-multilingual-base, native",
        "GteConfig",
        "xlm-roberta",
        ("cls",),
        sizes={"max_position_embeddings": 512},
    ),
    Architecture(
        "gte-own-code",
        "gte-multilingual-base, with its own code",
        "GteConfig",
        "xlm-roberta",
        ("cls",),
        refused=True,
    ),
    Architecture(
        "jina-v3",
        "jina-embeddings-v3, native",
        "JinaEmbeddingsV3Config",
        "xlm-roberta",
        sizes={"max_position_embeddings": 512},
    ),
    Architecture(
        "eurobert",
        "EuroBERT encoders",
        "EuroBertConfig",
        "llama3",
        sizes={"num_key_value_heads": 2, "max_position_embeddings": 512},
    ),
    Architecture(
        "t5", "sentence-t5-base", "T5Config", "t5", sizes=_T5, model="T5EncoderModel", dense=(Dense(_WIDTH),)
    ),
    Architecture(
        "t5-gated",
        "gtr-t5, instructor-large",
        "T5Config",
        "t5",
        sizes=_GATED_T5,
        model="T5EncoderModel",
        dense=(Dense(24),),
        include_prompt=False,
        prompts={"query": "Represent the question: ", "document": "Represent the document: "},
    ),
    Architecture("mt5", "mT5 encoders", "MT5Config", "t5", sizes=_GATED_T5, model="MT5EncoderModel"),
    Architecture("umt5", "UMT5 encoders", "UMT5Config", "t5", sizes=_GATED_T5, model="UMT5EncoderModel"),
    Architecture(
        "qwen2",
        "gte-Qwen2-1.5B-instruct",
        "Qwen2Config",
        "qwen",
        ("lasttoken",),
        sizes=_gqa(),
        prompts={"query": "Instruct: find\nQuery: "},
    ),
    Architecture(
        "qwen3",
        "Qwen3-Embedding-0.6B, harrier-oss-v1-0.6b",
        "Qwen3Config",
        "qwen",
        ("lasttoken",),
        sizes=_gqa(),
        prompts=_QWEN_PROMPTS,
        dtype="bfloat16",
    ),
    Architecture(
        "mistral",
        "e5-mistral-7b-instruct",
        "MistralConfig",
        "mistral",
        ("lasttoken",),
        sizes=_gqa(sliding_window=24),
    ),
    Architecture(
        "llama",
        "Llama embedders",
        "LlamaConfig",
        "llama3",
        ("lasttoken",),
        sizes=_gqa(
            rope_parameters={
                "rope_type": "llama3",
                "rope_theta": 500000.0,
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 64,
            }
        ),
    ),
    Architecture("gemma", "Gemma embedders", "GemmaConfig", "gemma", sizes=_gqa()),
    Architecture(
        "gemma2",
        "bge-multilingual-gemma2",
        "Gemma2Config",
        "gemma",
        ("lasttoken",),
        sizes=_gqa(sliding_window=16, query_pre_attn_scalar=8),
    ),
    Architecture("gemma3", "harrier-oss-v1-270m", "Gemma3TextConfig", "gemma", ("lasttoken",), sizes=_GEMMA3),
    Architecture(
        "gemma3-bidirectional",
        "embeddinggemma-300m",
        "Gemma3TextConfig",
        "gemma",
        sizes=_GEMMA3 | {"use_bidirectional_attention": True},
        dense=(Dense(48), Dense(_WIDTH)),
        prompts=_GEMMA_PROMPTS,
    ),
    Architecture("phi", "Phi embedders", "PhiConfig", "gpt2", ("lasttoken",)),
    Architecture("gpt-neox", "Pythia embedders", "GPTNeoXConfig", "gpt2", ("weightedmean",)),
    Architecture(
        "gpt2", "GPT-2 embedders", "GPT2Config", "gpt2", ("weightedmean",), sizes=_GPT2, normalize=False
    ),
    Architecture(
        "gpt-neo",
        "SGPT-125M-weightedmean-nli-bitfit",
        "GPTNeoConfig",
        "gpt2",
        ("weightedmean",),
        sizes=_GPT_NEO,
        normalize=False,
    ),
    Architecture(
        "opt",
        "OPT embedders",
        "OPTConfig",
        "opt",
        ("lasttoken",),
        sizes={"intermediate_size": None, "ffn_dim": _INNER, "word_embed_proj_dim": _WIDTH},
    ),
    Architecture(
        "bloom",
        "sgpt-bloom-7b1-msmarco",
        "BloomConfig",
        "bloom",
        ("weightedmean",),
        sizes=_BLOOM,
        normalize=False,
    ),
    Architecture("static", "static-retrieval-mrl-en-v1", "StaticEmbedding", "bert"),
    Architecture("model2vec", "potion-base-8M", "model2vec", "bert"),
)
