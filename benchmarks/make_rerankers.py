"""Make cross-encoders in the shapes of well-known rerankers, with random weights.

    python benchmarks/make_rerankers.py DIR [bert | xlm-r | modernbert ...]

A model's speed and memory do not depend on its weights, so these replace the real models where the Hub is
unreachable: `bert` has the shape of cross-encoder/ms-marco-MiniLM-L6-v2 (6 layers of 384), `xlm-r` that of
BAAI/bge-reranker-base (12 layers of 768), `modernbert` that of Alibaba-NLP/gte-reranker-modernbert-base (22
layers of 768). All read 512 tokens and have the embedded model's vocabulary, so that they split texts alike;
the first tokens of the others' own vocabularies would be as many rows that no text uses. The same seed gives
the same weights. A folder DIR/NAME must not exist; it appears complete or not at all.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import simil.models

_VOCABULARY = Path(simil.models.__file__).parent / "minilm"
_WORDS, _MAX_TOKENS = 30_522, 512
_SPECIAL = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
# Above what training begins with, so that the scores of two pairs differ as those of a trained model do.
_INITIALIZER_RANGE = 0.05
_IDS = {"pad_token_id": 0, "bos_token_id": 101, "eos_token_id": 102, "cls_token_id": 101, "sep_token_id": 102}
# The kind of transformer, its sizes, and what stands between the two texts.
_SHAPES: dict[str, tuple[str, dict[str, Any], str]] = {
    "bert": (
        "bert",
        {
            "hidden_size": 384,
            "num_hidden_layers": 6,
            "num_attention_heads": 12,
            "intermediate_size": 1536,
            "max_position_embeddings": _MAX_TOKENS,
        },
        "[SEP]",
    ),
    "xlm-r": ("xlm-roberta", {"max_position_embeddings": 514, "type_vocab_size": 1}, "[SEP] [SEP]"),
    "modernbert": ("modernbert", {"classifier_pooling": "mean"}, "[SEP]"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR", help="where to make them")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(_SHAPES)}; all without any")
    parser.add_argument("--layers", type=int, help="fewer layers, for tests")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for name in arguments.names or _SHAPES:
        print(make(arguments.folder / name, name, layers=arguments.layers, seed=arguments.seed))


def make(folder: Path, name: str, *, layers: int | None = None, seed: int = 0) -> Path:
    """Write the cross-encoder of this name and return its folder."""
    if folder.exists():
        raise SystemExit(f"{folder} is there already; remove it or name another")
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    family, sizes, between = _SHAPES[name]
    try:
        _write_weights(
            temporary, family, sizes if layers is None else sizes | {"num_hidden_layers": layers}, seed
        )
        _write_tokenizer(temporary, between, has_segments=family == "bert")
        temporary.chmod(0o755)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _write_weights(folder: Path, family: str, sizes: dict[str, Any], seed: int) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    torch.manual_seed(seed)
    config = AutoConfig.for_model(
        family, **_IDS, **sizes, vocab_size=_WORDS, num_labels=1, initializer_range=_INITIALIZER_RANGE
    )
    AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)


def _write_tokenizer(folder: Path, between: str, *, has_segments: bool) -> None:
    from tokenizers import Tokenizer, processors

    tokenizer = Tokenizer.from_file(str(_VOCABULARY / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    if not has_segments:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]",
            pair=f"[CLS] $A {between} $B [SEP]",
            special_tokens=[("[CLS]", 101), ("[SEP]", 102)],
        )
    tokenizer.save(str(folder / "tokenizer.json"))
    inputs = ["input_ids", "attention_mask", *(["token_type_ids"] if has_segments else [])]
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": _MAX_TOKENS,
        "model_input_names": inputs,
        **_SPECIAL,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
