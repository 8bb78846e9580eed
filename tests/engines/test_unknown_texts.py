"""Texts of which the model knows nothing: found alike by every engine, in any form that a tokenizer has."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import tiny_models as tiny
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors

from engines.conftest import Open
from simil.embedders.base import Embedder, Kind
from simil.embedders.local.token_arrays import TokenArrays
from simil.embedders.local.unknown_texts import UnknownTexts
from simil.embedders.pieces import Mark

KNOWN = ["hello", "hello 🦄", "🦄!", "สวัสดี 2024", "café"]
UNKNOWN = ["🦄", "🐴🐳 🦄", "สวัสดีครับ", "ACGT" * 40, "[UNK]"]
MIXED = ["hello", "🦄", "hello 🦄", "ACGT" * 40, "🦄", "2024"]


def unknown_rows(embedder: Embedder, texts: list[str], kind: Kind = Kind.SYMMETRIC) -> list[int]:
    rows: list[int] = []
    embedder.begin(texts, kind, on_unknown=rows.append)()
    return rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, bert_folder: Path) -> Path:
    prompts = {"query": "find this: "}
    return tiny.sentence_model(tmp_path_factory.mktemp("model") / "tiny", bert_folder, prompts=prompts)


@pytest.mark.parametrize("engine", ["onnx", "openvino", "torch"])
@pytest.mark.parametrize("kind", [Kind.SYMMETRIC, Kind.QUERY])
def test_every_engine_finds_the_same(engine: str, kind: Kind, open_model: Open, folder: Path) -> None:
    embedder = open_model(folder, engine)
    assert unknown_rows(embedder, MIXED, kind) == [1, 3, 4]
    assert unknown_rows(embedder, KNOWN, kind) == []
    assert unknown_rows(embedder, UNKNOWN, kind) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("overflow", ["truncate", "chunk"])
def test_a_long_text_is_judged_by_what_is_read_of_it(overflow: str, open_model: Open, folder: Path) -> None:
    embedder = open_model(folder, overflow=overflow)
    long = ["🦄 " * 500, "🦄 " * 500 + "hello", "hello " + "🦄 " * 500, "hello"]
    assert unknown_rows(embedder, long) == ([0, 1] if overflow == "truncate" else [0])
    assert embedder.truncated == (3 if overflow == "truncate" else 0)


def test_a_text_without_tokens_is_unknown_too(open_model: Open, folder: Path) -> None:
    # The tokenizer drops these characters, and only the special tokens are left.
    for kind in (Kind.SYMMETRIC, Kind.QUERY):
        assert unknown_rows(open_model(folder), ["\u200b", "hello\u200b", "\u2060\u200d"], kind) == [0, 2]


def tokenizer_of(model: models.Model) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return tokenizer


def unigram(*, by_bytes: bool = False) -> Tokenizer:
    pieces = [("<unk>", 0.0), ("<s>", 0.0), ("▁", -2.0), ("▁hello", -1.0), ("o", -3.0)]
    pieces += [(f"<0x{byte:02X}>", -9.0) for byte in range(256)] if by_bytes else []
    tokenizer = Tokenizer(models.Unigram(pieces, 0, byte_fallback=by_bytes))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.add_special_tokens([AddedToken("<s>", special=True)])
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A", None, [("<s>", 1)])
    return tokenizer


def byte_level() -> Tokenizer:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({symbol: number for number, symbol in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    return tokenizer


def marks(tokenizer: Tokenizer, texts: list[str], prompt: str = "") -> list[int]:
    ids = [tokenizer.encode(prompt + text).ids for text in texts]
    return UnknownTexts(tokenizer).marks(prompt, TokenArrays.of(ids)).tolist()


@pytest.mark.parametrize(
    "tokenizer",
    [
        tokenizer_of(models.WordLevel({"hello": 0, "?": 1}, unk_token="?")),
        tokenizer_of(models.BPE({"hello": 0, "<unk>": 1, "o": 2}, [], unk_token="<unk>", ignore_merges=True)),
        unigram(),
    ],
    ids=["word level", "bpe", "unigram"],
)
@pytest.mark.parametrize("prompt", ["", "hello "])
def test_each_kind_of_vocabulary(tokenizer: Tokenizer, prompt: str) -> None:
    texts = ["hello", "🦄", "🦄 hello", "🐴🐳 漢字", "hello hello"]
    assert marks(tokenizer, texts, prompt) == [0, Mark.UNKNOWN, 0, Mark.UNKNOWN, 0]


@pytest.mark.parametrize(
    "tokenizer",
    [byte_level(), unigram(by_bytes=True), tokenizer_of(models.WordLevel({"hello": 0}, unk_token="?"))],
    ids=["byte level", "byte fallback", "no unknown token"],
)
def test_nothing_is_unknown_to_a_vocabulary_that_spells_all(tokenizer: Tokenizer) -> None:
    assert marks(tokenizer, ["hello"]) == [0]
    if tokenizer.model.__class__ is not models.WordLevel:
        assert marks(tokenizer, ["🦄", "漢字"]) == [0, 0]
