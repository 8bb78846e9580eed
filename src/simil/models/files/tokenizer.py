"""Reads a model's `tokenizer.json` as transformers does."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from simil.deadline import within
from simil.errors import ModelDamaged, ModelError, Place
from simil.foreign import ForeignCode
from simil.models.files.chain import UnknownChain, read_bytes, read_object, understood
from simil.models.torch_libraries import require_transformers

__all__ = [
    "BoundedTokenizer",
    "bare_tokenizer",
    "expect_first_segment",
    "give_padding",
    "meaningless_ids",
    "open_tokenizer",
    "read_tokenizer",
    "stored_tokenizer",
    "write_tokenizer",
]

_T = TypeVar("_T")

# How long a tokenizer with patterns may take: so many seconds, and more for long texts. The slowest known one
# tokenizes twenty times as many characters in a second.
_PATIENCE_S = 10.0
_CHARACTERS_PER_S = 50_000
# The last code point is no character, so no vocabulary has it.
_NO_CHARACTER = "\U0010ffff"
# What SentencePiece puts in place of a space, also before the first word.
_SPACE = "▁"
_BERT_CLASSES = {"bert": "Bert", "distilbert": "DistilBert"}
# Also has a BERT normalizer, but other special tokens.
_MPNET = {"mpnet": "MPNet"}
_BERT_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_SPECIAL = {"special": True, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
_WORDPIECE = {
    "type": "WordPiece",
    "unk_token": "[UNK]",
    "continuing_subword_prefix": "##",
    "max_input_chars_per_word": 100,
}
# Settings that have transformers add tokens to texts or to the vocabulary.
_MORE_TOKENS = ("add_bos_token", "add_eos_token", "additional_special_tokens", "extra_special_tokens")
_TRUNCATION = {"max_length": 512, "strategy": "LongestFirst", "stride": 0}
# The length is set by whoever opens the tokenizer.
_ANY_LENGTH = 512


def read_tokenizer(folder: Path) -> bytes | None:
    """Return the tokenizer of the model in `folder` as transformers makes it; None if it makes another kind.

    The result is a `tokenizer.json`, whose truncation says which end of a long text is cut. transformers
    takes some of it from other files, and its classes replace parts of the file by their own. It is not
    imported for BERT's tokenizers, which only need a few settings from elsewhere. Raises `ModelDamaged` for
    files that cannot be read, `ExtraMissing` if transformers is needed and not installed.
    """
    path = folder / "tokenizer.json"
    tokenizer = read_object(path)
    if tokenizer is None:
        return None
    config = read_object(folder / "tokenizer_config.json") or {}
    if not _is_plain_bert(folder, tokenizer, config):
        return _read_by_transformers(folder)
    settings = _bert_settings(tokenizer, config)
    return (
        read_bytes(path) if tokenizer | settings == tokenizer else json.dumps(tokenizer | settings).encode()
    )


def stored_tokenizer(folder: Path) -> bytes | None:
    """Return a tokenizer that splits words as `read_tokenizer` does, without transformers; None without one.

    It may add other special tokens. Raises `ModelDamaged` for files that cannot be read.
    """
    path = folder / "tokenizer.json"
    tokenizer = read_object(path)
    if tokenizer is None:
        return None
    config = read_object(folder / "tokenizer_config.json") or {}
    normalizer = tokenizer.get("normalizer")
    is_bert = isinstance(normalizer, dict) and normalizer.get("type") == "BertNormalizer"
    if not is_bert or not _is_bert_like(folder, config):
        return read_bytes(path)
    return json.dumps(tokenizer | _bert_settings(tokenizer, config)).encode()


def write_tokenizer(tokenizer: Any) -> bytes:
    """Return the `tokenizer.json` of a tokenizer of transformers, as `read_tokenizer` does."""
    bare = bare_tokenizer(tokenizer)
    return str(bare.to_str()).encode()


def give_padding(tokenizer: Any) -> None:
    """Have a tokenizer of transformers pad texts though it has no token for that; it is masked anyway."""
    if getattr(tokenizer, "pad_token", "") is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.convert_ids_to_tokens(0)


def bare_tokenizer(tokenizer: Any) -> Any:
    """Return a `tokenizers.Tokenizer` like the one in `tokenizer`, whose truncation it takes over.

    None for a tokenizer of another library.
    """
    with ForeignCode("the tokenizers library cannot be loaded"):
        from tokenizers import Tokenizer

    # A static model has a bare one, a transformer one inside that of transformers.
    bare = getattr(tokenizer, "backend_tokenizer", tokenizer)
    if not isinstance(bare, Tokenizer):
        return None
    copied = Tokenizer.from_str(bare.to_str())
    side = getattr(tokenizer, "truncation_side", None)
    if side is not None:
        copied.enable_truncation(_ANY_LENGTH, direction=side)
    return copied


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


def expect_first_segment(tokenizer: Any) -> None:
    """Raise `UnknownChain` if a text is not in the first segment, the only one that our own engines know.

    For a model that has vectors of segments; others take no notice of them.
    """
    tokenizer.no_padding()
    if any(tokenizer.encode("a").type_ids):
        raise UnknownChain("its tokenizer does not put texts into the first segment")


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


def _read_by_transformers(folder: Path) -> bytes | None:
    from simil.models.files.quiet import quiet_import, quiet_transformers

    require_transformers(f"the tokenizer in {folder}")
    with quiet_import(), ForeignCode("transformers cannot be loaded"):
        from transformers import AutoTokenizer

    with (
        quiet_transformers(folder),
        ForeignCode("cannot be read", place=Place(str(folder / "tokenizer.json")), error=ModelDamaged),
    ):
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    return write_tokenizer(tokenizer) if hasattr(tokenizer, "backend_tokenizer") else None


def _bert_settings(tokenizer: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of a `tokenizer.json` that transformers' class for BERT takes from elsewhere."""
    normalizer = tokenizer["normalizer"] | {
        "lowercase": config.get("do_lower_case", True),
        "handle_chinese_chars": config.get("tokenize_chinese_chars", True),
        "strip_accents": config.get("strip_accents"),
    }
    if "truncation_side" not in config:
        return {"normalizer": normalizer}
    side = str(config["truncation_side"]).capitalize()
    truncation = _TRUNCATION | (tokenizer.get("truncation") or {}) | {"direction": side}
    return {"normalizer": normalizer, "truncation": truncation}


def _is_plain_bert(folder: Path, tokenizer: dict[str, Any], config: dict[str, Any]) -> bool:
    """Say whether transformers' class for BERT keeps all of this file but `_bert_settings`."""
    with understood(folder / "tokenizer.json"):
        added = {token["content"]: token for token in tokenizer.get("added_tokens") or ()}
        given = {**config, **(read_object(folder / "special_tokens_map.json") or {})}
        named = {_content(value) for key, value in given.items() if key.endswith("_token") and value}
        named |= {_content(value) for value in (config.get("added_tokens_decoder") or {}).values()}
        model = {key: value for key, value in (tokenizer.get("model") or {}).items() if key != "vocab"}
        return (
            _is_bert_like(folder, config, besides={})
            and {"type": "WordPiece"} | model == _WORDPIECE
            and {"type": "BertNormalizer", "clean_text": True}.items()
            <= (tokenizer.get("normalizer") or {}).items()
            and tokenizer.get("pre_tokenizer") == {"type": "BertPreTokenizer"}
            and _frames_texts(tokenizer.get("post_processor"))
            and named <= added.keys() == set(_BERT_TOKENS)
            and all(token.items() >= _SPECIAL.items() for token in added.values())
            and not any(given.get(key) for key in _MORE_TOKENS)
            and not (folder / "added_tokens.json").exists()
        )


def _frames_texts(processor: Mapping[str, Any] | None) -> bool:
    """Say whether a text gets [CLS] before it and [SEP] after it, as transformers' class for BERT has it."""
    if processor is None:
        return False
    if processor["type"] == "BertProcessing":
        return bool((processor["cls"][0], processor["sep"][0]) == ("[CLS]", "[SEP]"))
    parts = [next(iter(part.values()))["id"] for part in processor.get("single") or ()]
    return parts == ["[CLS]", "A", "[SEP]"]


def _content(token: object) -> object:
    return token.get("content") if isinstance(token, dict) else token


def _is_bert_like(folder: Path, config: Mapping[str, Any], besides: Mapping[str, str] = _MPNET) -> bool:
    known = _BERT_CLASSES | dict(besides)
    name = config.get("tokenizer_class")
    if name is None:
        return (read_object(folder / "config.json") or {}).get("model_type") in known
    return str(name).removesuffix("Fast").removesuffix("Tokenizer") in known.values()
