"""Tokens: as tiktoken counts them where it can, else no fewer than there are."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st

from simil.embedders.openai.tokens import ByteCounter, TiktokenCounter, TokenCounter

_TABLE = "9b5ad71b2ce5302211f9c61530b329a4922fc6a4"
TEXTS = st.text(max_size=200) | st.sampled_from(
    [
        "",
        " ",
        "Apple",
        "a" * 3000,
        "word " * 900,
        "漢字かな" * 300,
        "👩‍👩‍👧‍👦" * 90,
        "<|endoftext|>",
        "\n\n\n \t",
        "é" * 999,
    ]
)


@pytest.fixture(params=["exact", "bytes"])
def counter(request: pytest.FixtureRequest, exact: TiktokenCounter) -> TokenCounter:
    return exact if request.param == "exact" else ByteCounter()


def real(text: str) -> int:
    return len(tiktoken.get_encoding("cl100k_base").encode_ordinary(text))


@given(text=TEXTS)
def test_exact_is_exact_and_bytes_are_a_bound(exact: TiktokenCounter, text: str) -> None:
    count = exact.counts([text, text])
    # Of a text far beyond the limit it is enough to know that.
    assert count in ([real(text)] * 2, [count[0]] * 2)
    assert count[0] == real(text) or 50 < count[0] < real(text)
    assert real(text) <= ByteCounter().counts([text])[0]


@given(text=TEXTS, tokens=st.integers(1, 60))
def test_a_beginning_fits(exact: TiktokenCounter, text: str, tokens: int) -> None:
    for counter in (exact, ByteCounter()):
        start = counter.beginning(text, tokens)
        assert text.startswith(start)
        assert real(start) <= tokens
        if real(text) <= tokens and counter.is_exact:
            assert start == text


def test_a_beginning_is_not_shorter_than_it_must_be(exact: TiktokenCounter) -> None:
    assert exact.beginning("word " * 900, 40) == ("word " * 900)[: len("word " * 40) - 1]


@given(text=TEXTS, tokens=st.integers(16, 60))
def test_windows_hold_all_words_and_fit(exact: TiktokenCounter, text: str, tokens: int) -> None:
    for counter in (exact, ByteCounter()):
        windows = list(counter.windows(text, tokens))
        assert "".join("".join(window.text for window in windows).split()) == "".join(text.split())
        assert all(real(window.text) <= tokens for window in windows)
        assert all(window.tokens == counter.counts([window.text])[0] for window in windows)


def test_windows_end_between_words(counter: TokenCounter) -> None:
    windows = [window.text for window in counter.windows("several words and more " * 20, 50)]
    assert len(windows) > 1
    assert all(window[-1].isspace() for window in windows[:-1])


_PROGRAM = """
import socket, sys
def refuse(*_, **__):
    print("socket")
    raise OSError("no network")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
if sys.argv[1] == "absent":
    sys.modules["tiktoken"] = None
from simil.embedders.openai.tokens import token_counter
print(type(token_counter(8192)).__name__, token_counter(8192).counts(["Apple pie"]))
"""


@pytest.mark.parametrize(
    ("state", "found"),
    [
        ("whole", "TiktokenCounter [2]"),
        ("absent", "ByteCounter [9]"),
        ("empty", "ByteCounter [9]"),
        ("damaged", "ByteCounter [9]"),
        ("off", "ByteCounter [9]"),
    ],
)
def test_nothing_is_fetched(state: str, found: str, tables: Path, tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    folder.mkdir()
    if state != "empty":
        shutil.copy(tables / _TABLE, folder)
    if state == "damaged":
        folder.joinpath(_TABLE).write_bytes(b"IQ== 0\n")
    environment = {**os.environ, "TIKTOKEN_CACHE_DIR": "" if state == "off" else str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, state], capture_output=True, text=True, env=environment, check=False
    )
    assert (done.stdout.strip(), done.stderr) == (found, "")
    assert state == "empty" or folder.joinpath(_TABLE).exists()
