"""Cross-encoders with random weights, small enough to be made by the test that needs one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from simil.models.files import model_source as source
from support import tiny_models as tiny
from support.corpus import varied_texts

__all__ = [
    "FAMILIES",
    "byte_level_tokenizer",
    "cross_encoder",
    "generating_cross_encoder",
    "saved_by_cross_encoder",
]

_SIZES = {
    "hidden_size": tiny.HIDDEN,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "initializer_range": 0.3,
}
# Those with BERT's tokenizer, and how transformers calls it; the others have one of bytes.
_BERT_TOKENIZERS = {
    "bert": "BertTokenizer",
    "distilbert": "DistilBertTokenizer",
    "electra": "ElectraTokenizer",
}
FAMILIES = ("bert", "electra", "distilbert", "xlm-roberta", "modernbert", "deberta-v2")
"""The kinds of transformers that `cross_encoder` makes."""


def byte_level_tokenizer(*, limit: int = 128) -> Any:
    """Return a tokenizer as RoBERTa's, which keeps white space and knows every character."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(varied_texts()[:80], trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        pad_token="<pad>",
        eos_token="</s>",
        cls_token="<s>",
        sep_token="</s>",
        unk_token="<unk>",
        model_max_length=limit,
    )


def cross_encoder(folder: Path, family: str = "bert", *, labels: int = 1, **changes: Any) -> Path:
    """Save a transformer with a head of so many `labels`, as transformers saves it; 128 tokens at most."""
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    torch.manual_seed(7)
    config = AutoConfig.for_model(family, **(_settings(family) | {"num_labels": labels} | changes))
    model = AutoModelForSequenceClassification.from_config(config)
    with torch.no_grad():  # They start as zeros, which would hide errors.
        for name, weights in model.named_parameters():
            if name.endswith("bias"):
                weights.normal_(0, 0.1)
    if family in _BERT_TOKENIZERS:
        tiny.transformer_folder(folder, model, source.EMBEDDED)
        tiny.edit_json(
            folder / "tokenizer_config.json",
            tokenizer_class=_BERT_TOKENIZERS[family],
            model_max_length=128,
        )
    else:
        model.save_pretrained(folder)
        byte_level_tokenizer().save_pretrained(folder)
    return folder


def _settings(family: str) -> dict[str, Any]:
    words = {} if family in _BERT_TOKENIZERS else {"vocab_size": 700, "pad_token_id": 1}
    special = {
        "bert": {"max_position_embeddings": 128},
        "electra": {"max_position_embeddings": 128, "embedding_size": 24},
        "distilbert": {
            "max_position_embeddings": 128,
            "dim": 32,
            "n_layers": 2,
            "n_heads": 4,
            "hidden_dim": 64,
        },
        "xlm-roberta": {"max_position_embeddings": 130, "type_vocab_size": 1},
        "modernbert": {
            "global_attn_every_n_layers": 2,
            "local_attention": 16,
            "max_position_embeddings": 128,
        },
        "deberta-v2": {
            "max_position_embeddings": 128,
            "relative_attention": True,
            "position_buckets": 32,
            "pos_att_type": ["p2c", "c2p"],
            "type_vocab_size": 0,
            "position_biased_input": False,
            "share_att_key": True,
            "norm_rel_ebd": "layer_norm",
        },
    }[family]
    return _SIZES | words | special


def saved_by_cross_encoder(folder: Path, transformer: Path, **settings: Any) -> Path:
    """Save a model by sentence-transformers' `CrossEncoder`, in its present layout."""
    from sentence_transformers import CrossEncoder

    model = CrossEncoder(str(transformer), device="cpu", local_files_only=True, **settings)
    model.save_pretrained(str(folder), create_model_card=False)
    return folder


def generating_cross_encoder(folder: Path) -> Path:
    """Save a model that generates text, and whose score is the odds of two of its tokens."""
    import torch
    from sentence_transformers import CrossEncoder
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.cross_encoder.modules import LogitScore
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(8)
    config = Qwen2Config(**_SIZES, vocab_size=700, num_key_value_heads=2, max_position_embeddings=128)
    bare = folder.with_name(f"{folder.name}-bare")
    Qwen2ForCausalLM(config).save_pretrained(bare)
    byte_level_tokenizer().save_pretrained(bare)
    modules = [Transformer(str(bare), transformer_task="text-generation"), LogitScore(5, 6)]
    CrossEncoder(modules=modules, device="cpu").save_pretrained(str(folder), create_model_card=False)
    return folder
