"""Reads a model's `tokenizer.json` as transformers does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from simil.errors import ModelDamaged
from simil.models.files.chain import read_bytes, read_object

__all__ = ["meaningless_ids", "open_tokenizer", "read_tokenizer"]

# The last code point is no character, so no vocabulary has it.
_NO_CHARACTER = "\U0010ffff"
# What SentencePiece puts in place of a space, also before the first word.
_SPACE = "▁"
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
    data = read_bytes(path)
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


def meaningless_ids(tokenizer: Any) -> frozenset[int]:
    """Return the ids of the tokens of a text of which a model knows nothing.

    They are that of the unknown token and, where spaces are written as a character, that of this. There are
    none where any text can be spelled, by bytes for example.
    """
    try:
        # Asked, since a Unigram model does not name its unknown token.
        tokens = tokenizer.model.tokenize(_NO_CHARACTER)
    except Exception:  # noqa: BLE001 (the library raises no other where the vocabulary lacks that token)
        return frozenset()
    if len(tokens) != 1:
        return frozenset()
    space = tokenizer.token_to_id(_SPACE)
    return frozenset({tokens[0].id} if space is None else {tokens[0].id, space})


def _is_bert_like(folder: Path, tokenizer_class: object) -> bool:
    if tokenizer_class is None:
        return (read_object(folder / "config.json") or {}).get("model_type") in _BERT_TYPES
    return str(tokenizer_class).removesuffix("Fast").removesuffix("Tokenizer") in _BERT_CLASSES
