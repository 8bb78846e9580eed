"""A tokenizer is the one that transformers makes, which is asked only where it would change the file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.small_models import write_bert
from support.tiny_models import edit_json

from simil.models.files.model_source import ModelSource
from simil.models.files.tokenizer import read_tokenizer
from simil.models.graphs.prepared_tokenizer import prepared_tokenizer

TEXTS = ["Hello WORLD, Café naïve [MASK]", "こんにちは 世界 number 42", "an apple pie"]
_ASKS = """
import sys
from pathlib import Path
from simil.models.files.tokenizer import read_tokenizer

read_tokenizer(Path(sys.argv[1]))
print("transformers" in sys.modules)
"""
# As bge-base has it.
USUAL: dict[str, Any] = {
    "added_tokens_decoder": {"0": {"content": "[PAD]", "special": True}},
    "clean_up_tokenization_spaces": True,
    "do_basic_tokenize": True,
    "model_max_length": 512,
    "never_split": None,
    "tokenizer_class": "BertTokenizer",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_bert(tmp_path / "mine")


@pytest.mark.parametrize(
    ("changes", "asks"),
    [
        ({}, False),
        (USUAL, False),
        ({"truncation_side": "left"}, False),
        ({"extra_special_tokens": ["a"]}, True),
    ],
)
def test_transformers_is_imported_only_where_it_changes_the_file(
    changes: dict[str, Any], asks: bool, folder: Path
) -> None:
    edit_json(folder / "tokenizer_config.json", **changes)

    done = subprocess.run(
        [sys.executable, "-c", _ASKS, str(folder)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(asks)]


@pytest.mark.parametrize(
    ("config", "tokenizer"),
    [
        ({}, {}),
        (USUAL, {}),
        ({"do_lower_case": False}, {}),
        ({"strip_accents": False, "tokenize_chinese_chars": False}, {}),
        ({"extra_special_tokens": ["apple"]}, {}),
        ({"tokenizer_class": "RobertaTokenizer"}, {}),
        ({"tokenizer_class": "PreTrainedTokenizerFast"}, {"pre_tokenizer": {"type": "Whitespace"}}),
        ({}, {"pre_tokenizer": {"type": "Whitespace"}}),
        ({}, {"normalizer": None}),
        ({}, {"post_processor": None}),
    ],
    ids=str,
)
def test_tokens_are_those_of_transformers(
    config: dict[str, Any], tokenizer: dict[str, Any], folder: Path
) -> None:
    from tokenizers import Tokenizer
    from transformers import AutoTokenizer

    edit_json(folder / "tokenizer_config.json", **config)
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | tokenizer), "utf-8")
    expected = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)(TEXTS)["input_ids"]

    data = read_tokenizer(folder)
    assert data is not None
    ours = Tokenizer.from_buffer(data)
    ours.no_padding()
    assert [ours.encode(text).ids for text in TEXTS] == expected


def test_a_tokenizer_that_transformers_made_is_kept(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "simil")
    edit_json(folder / "tokenizer_config.json", extra_special_tokens=["a"])
    source, cache = ModelSource("mine", folder), tmp_path / "cache"
    expected = read_tokenizer(folder)

    assert prepared_tokenizer(source, cache) == expected
    (kept,) = (path for path in (cache / "prepared").iterdir() if path.is_dir())
    before = (kept / "tokenizer.json").stat()
    assert prepared_tokenizer(source, cache) == expected
    assert (kept / "tokenizer.json").stat() == before
    assert caplog.text == ""
    # Another state of the model's files has one of its own.
    edit_json(folder / "tokenizer_config.json", truncation_side="left")
    assert prepared_tokenizer(ModelSource("mine", folder), cache) == read_tokenizer(folder) != expected


def test_where_no_tokenizer_can_be_kept_it_is_read_each_time(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "simil")
    (tmp_path / "file").touch()

    assert prepared_tokenizer(ModelSource("mine", folder), tmp_path / "file") == read_tokenizer(folder)
    assert "the tokenizer of mine cannot be kept: " in caplog.text
