"""Make a sentence-transformers folder of the shape of BAAI/bge-base-en-v1.5, with random weights.

    python benchmarks/make_bge_shaped.py DIR

A model's speed and memory do not depend on its weights, so this replaces the real model where the Hub is
unreachable: 12 layers of 768, CLS pooling, unit length, 512 tokens, about 440 MB. The vocabulary is that of
the embedded model; both are BERT's. The same seed gives the same weights. The folder must not exist; it
appears complete or not at all. The options make the model smaller, for tests.
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
_MAX_TOKENS = 512
_MODULES = (("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR", help="where to make it")
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--hidden", type=int, default=768)
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--intermediate", type=int, default=3072)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    shape = {
        "num_hidden_layers": arguments.layers,
        "hidden_size": arguments.hidden,
        "num_attention_heads": arguments.heads,
        "intermediate_size": arguments.intermediate,
    }
    print(make(arguments.folder, shape, seed=arguments.seed))


def make(folder: Path, shape: dict[str, int], *, seed: int = 0) -> Path:
    """Write the model folder and return it; `shape` holds arguments of `BertConfig` of transformers."""
    if folder.exists():
        raise SystemExit(f"{folder} is there already; remove it or name another")
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        _write_weights(temporary, shape, seed)
        _write_tokenizer(temporary)
        _write_chain(temporary, shape["hidden_size"])
        temporary.chmod(0o755)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _write_weights(folder: Path, shape: dict[str, int], seed: int) -> None:
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(seed)
    config = BertConfig(**shape, vocab_size=30522, max_position_embeddings=_MAX_TOKENS)
    BertModel(config).save_pretrained(folder)


def _write_tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(_VOCABULARY / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.save(str(folder / "tokenizer.json"))
    shutil.copyfile(_VOCABULARY / "special_tokens_map.json", folder / "special_tokens_map.json")
    settings = json.loads((_VOCABULARY / "tokenizer_config.json").read_text("utf-8"))
    _write_json(folder / "tokenizer_config.json", settings | {"model_max_length": _MAX_TOKENS})


def _write_chain(folder: Path, dimensions: int) -> None:
    """Write the configuration files of sentence-transformers, as in bge-base."""
    modules = [
        {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for index, (path, kind) in enumerate(_MODULES)
    ]
    _write_json(folder / "modules.json", modules)
    _write_json(folder / "sentence_bert_config.json", {"max_seq_length": _MAX_TOKENS, "do_lower_case": True})
    pooling = {
        "word_embedding_dimension": dimensions,
        "pooling_mode_cls_token": True,
        "pooling_mode_mean_tokens": False,
        "pooling_mode_max_tokens": False,
        "pooling_mode_mean_sqrt_len_tokens": False,
    }
    (folder / "1_Pooling").mkdir()
    _write_json(folder / "1_Pooling" / "config.json", pooling)


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
