"""Splitting long texts: nothing is lost, no window is longer than the model reads, no word is split."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.corpus import LONG, varied_texts
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from simil.embedders.local.windows import split_windows, sufficient_prefix
from simil.models.files import model_source as source

WORDS = st.text(alphabet=st.sampled_from("abcdefgéÅ中한"), min_size=1, max_size=9)
SPACED = st.lists(st.one_of(WORDS, st.sampled_from([",", "!?", "don't", "😀"])), max_size=120).map(" ".join)
ANY = st.text(max_size=300)


@cache
def _tokenizer(kind: str) -> Tokenizer:
    if kind == "wordpiece":
        tokenizer = Tokenizer.from_file(str(source.EMBEDDED / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return tokenizer
    if kind == "bytes":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(vocab_size=600, initial_alphabet=alphabet, show_progress=False)
    else:
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        tokenizer.decoder = decoders.Metaspace()
        trainer = trainers.UnigramTrainer(vocab_size=300, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(varied_texts()[:60], trainer)
    return tokenizer


@pytest.mark.parametrize("kind", ["wordpiece", "bytes", "metaspace"])
@given(text=st.one_of(SPACED, ANY), limit=st.integers(4, 40))
@example(text="한국어문장" * 20, limit=5)
@example(text="e\u0301\u0323" * 30, limit=4)
@example(text="a" * 90, limit=6)
@example(text="a\x1cb" * 30, limit=6)
def test_windows_joined_are_the_text_and_each_fits(kind: str, text: str, limit: int) -> None:
    tokenizer = _tokenizer(kind)
    windows = split_windows(text, tokenizer, limit)

    if windows:
        assert "".join(window.text for window in windows) == text
    else:
        assert tokenizer.encode(text, add_special_tokens=False).ids == []
    for window in windows:
        assert len(tokenizer.encode(window.text, add_special_tokens=False).ids) == window.tokens
        # A character may have more tokens than fit; it is not cut.
        assert window.tokens <= limit or len(window.text.strip()) == 1


@pytest.mark.parametrize("kind", ["wordpiece", "bytes", "metaspace"])
@given(words=st.lists(WORDS, min_size=1, max_size=80))
def test_no_word_is_split(kind: str, words: list[str]) -> None:
    tokenizer = _tokenizer(kind)
    longest = max(len(tokenizer.encode(f" {word}", add_special_tokens=False).ids) for word in words)
    windows = split_windows(" ".join(words), tokenizer, longest + 1)

    # For BERT's tokenizers each Chinese character is a word.
    found = [word for window in windows for word in window.text.replace("中", " 中 ").split()]
    expected = [part for word in words for part in word.replace("中", " 中 ").split()]
    assert found == expected


def test_characters_of_more_tokens_than_fit_are_windows_of_their_own() -> None:
    windows = split_windows("한국 😀", _tokenizer("bytes"), 1)

    assert [window.text for window in windows] == ["한", "국", " ", "😀"]
    assert [window.tokens for window in windows] == [3, 3, 1, 4]


def test_windows_are_as_long_as_they_can_be() -> None:
    tokenizer = _tokenizer("wordpiece")
    windows = split_windows(LONG, tokenizer, 62)
    whole = len(tokenizer.encode(LONG, add_special_tokens=False).ids)

    assert sum(window.tokens for window in windows) == whole
    assert len(windows) <= whole / (62 - 8) + 1


def test_a_text_of_no_tokens_has_no_windows() -> None:
    assert split_windows("\x00\x01", _tokenizer("wordpiece"), 5) == []


@given(text=st.lists(WORDS, max_size=400).map(" ".join), limit=st.integers(1, 20))
def test_a_beginning_is_a_beginning_and_ends_at_white_space(text: str, limit: int) -> None:
    part = sufficient_prefix(text, limit)

    assert text.startswith(part)
    assert part == text or text[len(part)] == " "
    assert len(part) >= min(len(text), limit * 48)


@pytest.mark.parametrize("kind", ["wordpiece", "bytes", "metaspace"])
@given(text=st.one_of(st.lists(WORDS, max_size=300).map(" ".join), ANY), limit=st.integers(3, 8))
@example(text="one " + " " * 2000 + "two three four five", limit=3)
@example(text=("ab\x1c" * 400) + " end", limit=3)
def test_the_beginning_has_the_same_first_tokens_as_the_whole(kind: str, text: str, limit: int) -> None:
    tokenizer = _tokenizer(kind)
    whole = tokenizer.encode(text, add_special_tokens=False).ids
    part = tokenizer.encode(sufficient_prefix(text, limit), add_special_tokens=False).ids

    if len(part) > limit:
        assert part[:limit] == whole[:limit]
