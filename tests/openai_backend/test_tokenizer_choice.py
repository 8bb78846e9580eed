"""Tokens as the tokenizer that the user names counts them: a file, a model of this machine, an encoding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from simil.embedders.local.token_spans import count_tokens
from simil.embedders.openai.tokenizer_choice import TokenizerCounter, choose_tokenizer
from simil.errors import ModelError, UsageError
from simil.models.resolve import resolve
from simil.models.select import find_local

TEXTS = st.text(max_size=150) | st.sampled_from(
    [
        "",
        " ",
        "a" * 3000,
        "word " * 900,
        "漢字かな" * 300,
        "👩‍👩‍👧‍👦" * 90,
        "[SEP] " * 40,
        "ﷺ" * 50,
        "é" * 999,
    ]
)


@pytest.fixture(scope="module")
def folder() -> Path:
    source = find_local(resolve("minilm"))
    assert source is not None
    return source.folder


@pytest.fixture(scope="module")
def reference(folder: Path) -> Any:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


@pytest.fixture(scope="module")
def counter() -> TokenizerCounter:
    opened = choose_tokenizer("minilm").open(20)
    assert isinstance(opened, TokenizerCounter)
    return opened


@given(text=TEXTS)
def test_counts_are_those_of_the_library(counter: TokenizerCounter, reference: Any, text: str) -> None:
    real = len(reference.encode(text).ids)
    (count,) = counter.counts([text])
    # Of a text far beyond the limit it is enough to know that.
    assert count == real or 20 < count < real


@given(text=TEXTS, tokens=st.integers(4, 30))
def test_a_beginning_is_the_longest_that_fits(
    counter: TokenizerCounter, reference: Any, text: str, tokens: int
) -> None:
    start = counter.beginning(text, tokens)
    assert text.startswith(start)
    assert len(reference.encode(start).ids) <= tokens
    if len(reference.encode(text).ids) <= tokens:
        assert start == text


@given(text=TEXTS, tokens=st.integers(12, 30))
def test_windows_hold_all_words_and_fit(
    counter: TokenizerCounter, reference: Any, text: str, tokens: int
) -> None:
    windows = list(counter.windows(text, tokens))
    assert "".join("".join(window.text for window in windows).split()) == "".join(text.split())
    # A character of many tokens is never cut.
    assert all(len(window.text) == 1 or window.tokens <= tokens for window in windows)


def test_file_and_folder_are_the_models_own(folder: Path, tmp_path: Path) -> None:
    text = "Several words, and more of them."
    copy = tmp_path / "tokenizer.json"
    copy.write_bytes(folder.joinpath("tokenizer.json").read_bytes())
    expected = count_tokens(folder, [text])
    for named in ("minilm", str(folder), str(copy), str(tmp_path)):
        assert choose_tokenizer(named).open(None).counts([text]) == [expected]


def test_an_encoding_of_tiktoken(tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tables))
    counter = choose_tokenizer("cl100k_base").open(None)
    texts = ["Several words", " " * 1_000_001, "<|endoftext|>"]
    real = tiktoken.get_encoding("cl100k_base")
    assert counter.counts(texts)[::2] == [len(real.encode_ordinary(text)) for text in texts[::2]]
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    with pytest.raises(ModelError, match="table of o200k_base is not on this machine"):
        choose_tokenizer("o200k_base").open(None)


@pytest.mark.parametrize("named", ["no-such-model", "some/model", "./nowhere", "openai", "~nobody/x", ""])
def test_what_is_no_tokenizer(named: str) -> None:
    with pytest.raises(UsageError) as raised:
        choose_tokenizer(named)
    assert "--tokenizer" in f"{raised.value.message} {raised.value.hint}"


def test_a_file_that_is_no_tokenizer(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text('{"model": 1}')
    with pytest.raises(ModelError, match=r"t\.json"):
        choose_tokenizer(str(path))
