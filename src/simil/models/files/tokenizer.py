"""Reads a model's `tokenizer.json` as transformers does."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from simil.deadline import within
from simil.errors import ModelDamaged, ModelError
from simil.foreign import ForeignCode
from simil.models.files.chain import read_bytes, read_object

__all__ = ["BoundedTokenizer", "meaningless_ids", "open_tokenizer", "read_tokenizer"]

_T = TypeVar("_T")

# How long a tokenizer with patterns may take: so many seconds, and more for long texts. The slowest known one
# tokenizes twenty times as many characters in a second.
_PATIENCE_S = 10.0
_CHARACTERS_PER_S = 50_000
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
    with ForeignCode("the tokenizers library cannot be loaded"):
        from tokenizers import Tokenizer
        from tokenizers.normalizers import Lowercase
        from tokenizers.normalizers import Sequence as InOrder

    with ForeignCode(f"the tokenizer.json of {stamp} cannot be read", error=ModelDamaged):
        tokenizer = Tokenizer.from_buffer(data)
    if lower_case:
        parts = [Lowercase()] if tokenizer.normalizer is None else [Lowercase(), tokenizer.normalizer]
        tokenizer.normalizer = InOrder(parts)
    return BoundedTokenizer(tokenizer, stamp)


class BoundedTokenizer:
    """A `tokenizers.Tokenizer` whose calls raise errors of ours, and end.

    A regular expression of a model can take longer than anyone waits. The library has no limit for that, and
    a call that goes on cannot be stopped: it is abandoned, and the model is refused.
    """

    def __init__(self, tokenizer: Any, stamp: str) -> None:
        """Take a tokenizer of the model called `stamp`."""
        self.bare = tokenizer
        self._stamp = stamp
        parts = (part for part in (tokenizer.normalizer, tokenizer.pre_tokenizer) if part is not None)
        self._has_patterns = any(b'"Regex"' in part.__getstate__() for part in parts)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.bare, name)

    def encode(self, text: str, **options: Any) -> Any:
        """Return the encoding of a text; raises `ModelError` if the tokenizer fails or does not end."""
        return self._bounded(partial(self.bare.encode, text, **options), len(text))

    def encode_batch_fast(self, texts: Sequence[str], **options: Any) -> Any:
        """Return the encodings of texts, without offsets; errors as in `encode`."""
        return self._bounded(partial(self.bare.encode_batch_fast, texts, **options), sum(map(len, texts)))

    def encode_pairs_fast(self, pairs: Sequence[tuple[str, str]]) -> Any:
        """Return the encodings of pairs of texts, without offsets; errors as in `encode`."""
        characters = sum(len(first) + len(second) for first, second in pairs)
        return self._bounded(partial(self.bare.encode_batch_fast, pairs), characters)

    def _bounded(self, call: Callable[[], _T], characters: int) -> _T:
        def checked() -> _T:
            with ForeignCode(f"the tokenizer of {self._stamp} fails"):
                return call()

        if not self._has_patterns:
            return checked()
        try:
            return within(_PATIENCE_S + characters / _CHARACTERS_PER_S, checked)
        except TimeoutError as exc:
            raise ModelError(
                f"the tokenizer of {self._stamp} does not end: a pattern in tokenizer.json takes too long",
                hint="choose another model",
            ) from exc


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
