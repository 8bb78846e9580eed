"""Reads a model's `tokenizer.json` as transformers does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from simil.errors import ModelDamaged, Place
from simil.models.files.chain import read_object

__all__ = ["open_tokenizer", "read_tokenizer"]

_BERT_CLASSES = ("Bert", "DistilBert", "MPNet")
_BERT_TYPES = ("bert", "distilbert", "mpnet")


def read_tokenizer(folder: Path) -> bytes | None:
    """Return the `tokenizer.json` of the model in `folder`, None if it has none.

    For BERT's tokenizers, the handling of case and accents comes from `tokenizer_config.json`, whatever
    `tokenizer.json` says, as in transformers. Raises `ModelDamaged` for a file that is not JSON.
    """
    path = folder / "tokenizer.json"
    tokenizer = read_object(path)
    if tokenizer is None:
        return None
    config = read_object(folder / "tokenizer_config.json") or {}
    normalizer = tokenizer.get("normalizer")
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise ModelDamaged(f"cannot be read: {exc}", place=Place(str(path))) from exc
    if not isinstance(normalizer, dict) or normalizer.get("type") != "BertNormalizer":
        return data
    if not _is_bert_like(folder, config.get("tokenizer_class")):
        return data
    wanted = {
        "lowercase": config.get("do_lower_case", True),
        "handle_chinese_chars": config.get("tokenize_chinese_chars", True),
        "strip_accents": config.get("strip_accents"),
    }
    if normalizer | wanted == normalizer:
        return data
    return json.dumps(tokenizer | {"normalizer": normalizer | wanted}).encode()


def open_tokenizer(data: bytes, stamp: str, *, lower_case: bool) -> Any:
    """Return the `tokenizers.Tokenizer` that `data` describes, for the model called `stamp`.

    `lower_case` converts texts to lower case before anything else. Raises `ModelDamaged` if `data` is not a
    tokenizer.
    """
    from tokenizers import Tokenizer
    from tokenizers.normalizers import Lowercase
    from tokenizers.normalizers import Sequence as InOrder

    try:
        tokenizer = Tokenizer.from_buffer(data)
    except Exception as exc:
        # The tokenizers library raises a bare `Exception`.
        raise ModelDamaged(f"the tokenizer.json of {stamp} cannot be read: {exc}") from exc
    if lower_case:
        parts = [Lowercase()] if tokenizer.normalizer is None else [Lowercase(), tokenizer.normalizer]
        tokenizer.normalizer = InOrder(parts)
    return tokenizer


def _is_bert_like(folder: Path, tokenizer_class: object) -> bool:
    if tokenizer_class is None:
        return (read_object(folder / "config.json") or {}).get("model_type") in _BERT_TYPES
    return str(tokenizer_class).removesuffix("Fast").removesuffix("Tokenizer") in _BERT_CLASSES
