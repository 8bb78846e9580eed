"""Processes that tokenize: they give what this process would, whatever happens to them, and end with it."""

from __future__ import annotations

import logging
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.corpus import LONG, varied_texts

from engines.conftest import logged
from simil.embedders.local.text_encoder import EncodedTexts, TextEncoder
from simil.embedders.local.tokenizing_processes import TokenizingProcesses, text_blocks
from simil.errors import ModelError
from simil.models.files import model_source as source
from simil.models.files.tokenizer import open_tokenizer, read_tokenizer

TEXTS = [
    *varied_texts()[::2],
    LONG,
    f"{LONG} " * 40,
    "x" * 30_000,
    "word\x1c" * 9000,
    "",
    "\u200b",
    "🦄",
] * 10


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    data = read_tokenizer(source.EMBEDDED)
    assert data is not None
    return TextEncoder(open_tokenizer(data, "tiny", lower_case=False), 64)


@pytest.fixture(scope="module")
def processes(encoder: TextEncoder) -> Iterator[TokenizingProcesses]:
    opened = TokenizingProcesses(encoder, 2, many_characters=0)
    opened.encode("", ["start"])
    assert len(opened.wait_until_ready()) == 2
    yield opened
    opened.close()


def same(left: EncodedTexts, right: EncodedTexts) -> bool:
    pairs = zip(
        (left.tokens.ids, left.tokens.lengths, left.marks, left.shortened),
        (right.tokens.ids, right.tokens.lengths, right.marks, right.shortened),
        strict=True,
    )
    return all(np.array_equal(one, other) for one, other in pairs)


@pytest.mark.parametrize("prompt", ["", "Représente ceci: "])
def test_the_tokens_are_those_of_this_process(
    prompt: str, encoder: TextEncoder, processes: TokenizingProcesses
) -> None:
    here = encoder.encode(prompt, TEXTS)

    assert same(processes.encode(prompt, TEXTS), here)
    assert len(here.shortened) > 20
    assert {*here.marks.tolist()} == {0, 1, 2}


def test_a_text_that_is_not_unicode_is_the_tokenizers_to_refuse(processes: TokenizingProcesses) -> None:
    with pytest.raises(ModelError, match="the tokenizer of tiny fails"):
        processes.encode("", ["fine", "half of a pair: \ud800"])
    assert len(processes.wait_until_ready()) == 2


def test_a_process_that_dies_costs_nothing(encoder: TextEncoder, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    opened = TokenizingProcesses(encoder, 2, many_characters=0)
    opened.encode("", ["start"])
    first, second = opened.wait_until_ready()
    # Stopped, it takes a batch and does not answer it.
    os.kill(first, signal.SIGSTOP)
    results: list[EncodedTexts] = []
    waiting = Thread(target=lambda: results.append(opened.encode("", TEXTS)))
    waiting.start()
    os.kill(first, signal.SIGKILL)
    waiting.join(60)

    assert same(results[0], encoder.encode("", TEXTS))
    os.kill(second, signal.SIGKILL)
    assert same(opened.encode("", TEXTS), encoder.encode("", TEXTS))
    assert opened.wait_until_ready() == []
    assert {*logged(caplog)} == {"texts are tokenized again: a process that does so ended with -9"}
    opened.close()


def test_without_a_python_to_start_texts_are_tokenized_here(
    encoder: TextEncoder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    opened = TokenizingProcesses(encoder, 1, many_characters=0)

    assert same(opened.encode("", TEXTS), encoder.encode("", TEXTS))
    assert opened.wait_until_ready() == []
    assert logged(caplog) == ["no process to tokenize in can be started: No such file or directory"]
    opened.close()


def test_a_process_that_cannot_import_simil_is_not_used(
    encoder: TextEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    (tmp_path / "tokenizers.py").write_text("raise SystemExit(3)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    opened = TokenizingProcesses(encoder, 1, many_characters=0)

    assert same(opened.encode("", TEXTS), encoder.encode("", TEXTS))
    assert opened.wait_until_ready() == []
    assert len(logged(caplog)) == 1
    assert logged(caplog)[0].startswith("no process to tokenize in can be started: it ended with ")
    opened.close()


def test_a_program_that_embeds_python_is_not_started(
    encoder: TextEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/usr/sbin/some-server")
    opened = TokenizingProcesses(encoder, 1, many_characters=0)
    opened.encode("", ["a text"])
    assert opened.wait_until_ready() == []
    opened.close()


def test_few_texts_start_no_process(encoder: TextEncoder) -> None:
    opened = TokenizingProcesses(encoder, 2, many_characters=10)
    opened.encode("", ["nine char"])
    assert opened.wait_until_ready() == []
    opened.encode("", ["x"])
    assert len(opened.wait_until_ready()) == 2
    opened.close()


# A script as users write them, without a guard around what it does.
SCRIPT = """
from simil.embedders.local.text_encoder import TextEncoder
from simil.embedders.local.tokenizing_processes import TokenizingProcesses
from simil.models.files import model_source
from simil.models.files.tokenizer import open_tokenizer, read_tokenizer

data = read_tokenizer(model_source.EMBEDDED)
encoder = TextEncoder(open_tokenizer(data, "tiny", lower_case=False), 64)
processes = TokenizingProcesses(encoder, 2, many_characters=0)
processes.encode("", ["start"])
print(*processes.wait_until_ready(), flush=True)
input()
"""


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="only Linux tells when a process ends")
@pytest.mark.parametrize("number", [0, signal.SIGKILL, signal.SIGINT])
def test_they_end_with_the_program_that_uses_them(number: int, tmp_path: Path) -> None:
    # A file of the user's, which must not be taken for the library.
    (tmp_path / "tokenizers.py").write_text("raise SystemExit('imported')")
    parent = subprocess.Popen(
        [sys.executable, "-P", "-c", SCRIPT],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    ends = [os.pidfd_open(int(pid)) for pid in parent.stdout.readline().split()]
    if number:
        parent.send_signal(number)
    _, stderr = parent.communicate("" if number else "\n", timeout=60)

    assert len(ends) == 2
    for end in ends:
        assert select.select([end], [], [], 60)[0]
        os.close(end)
    assert ("Traceback" in stderr) == (number == signal.SIGINT)


@given(st.lists(st.text("ab", max_size=30), max_size=50), st.integers(1, 9), st.integers(1, 60))
def test_blocks_of_texts(texts: list[str], most: int, characters: int) -> None:
    blocks = [texts[block] for block in text_blocks(texts, most, characters)]

    assert [text for block in blocks for text in block] == texts
    for block in blocks:
        assert 1 <= len(block) <= most
        assert len(block) == 1 or sum(map(len, block)) <= characters
