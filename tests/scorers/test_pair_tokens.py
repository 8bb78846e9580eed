"""Pairs that are longer than the model reads are cut as transformers cuts them, counted, or rejected."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support import tiny_cross_encoders as tiny
from support.tiny_models import edit_json

from scorers.conftest import Make, Open, predicted
from simil.embedders.pieces import TextRejected
from simil.models.files.tokenizer import open_tokenizer, read_tokenizer
from simil.scorers.base import Pair
from simil.scorers.pair_tokens import PairTokenizer

_SHORT, _MIDDLE, _LONG = "an apple", "ripe red fruit " * 12, "the harbour in winter " * 60
_ENDLESS = "whispered between mountains " * 400
_PAIRS = [
    (first, second) for first in (_SHORT, _MIDDLE, _LONG) for second in (_SHORT, _MIDDLE, _LONG, _ENDLESS)
]


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("limit", [20, 31, 32])
def test_pairs_are_cut_as_transformers_cuts_them(limit: int, side: str, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    folder = tiny.cross_encoder(tmp_path / "model")
    edit_json(folder / "tokenizer_config.json", truncation_side=side)
    reference = AutoTokenizer.from_pretrained(str(folder))
    data = read_tokenizer(folder)
    assert data is not None
    tokenizer = PairTokenizer(open_tokenizer(data, "m", lower_case=False), limit, "")

    encodings = tokenizer.encode(_PAIRS)

    pairs = [list(pair) for pair in _PAIRS]
    expected = reference(pairs, truncation="longest_first", max_length=limit)
    assert [encoding.ids for encoding in encodings] == expected["input_ids"]
    assert [encoding.type_ids for encoding in encodings] == expected["token_type_ids"]
    whole = reference(pairs, verbose=False)["input_ids"]
    assert [bool(encoding.overflowing) for encoding in encodings] == [len(ids) > limit for ids in whole]


@pytest.mark.parametrize("engine", ["onnx", "torch"])
@pytest.mark.parametrize("family", ["bert", "xlm-roberta"])
def test_cut_pairs_are_counted(family: str, engine: str, transformer: Make, open_model: Open) -> None:
    scorer = open_model(transformer(family), engine)
    pairs = [(_SHORT, _SHORT), (_SHORT, _LONG), (_LONG, _SHORT), (_SHORT, _LONG)]

    scores = scorer.score(pairs)

    np.testing.assert_allclose(scores, predicted(transformer(family), pairs), rtol=0, atol=1e-5)
    assert scorer.truncated == 3


@pytest.mark.parametrize("limit", [1, 3, 4])
def test_a_limit_that_special_tokens_fill_cuts_what_transformers_cuts(
    limit: int, tmp_path: Path, open_model: Open
) -> None:
    folder = tiny.cross_encoder(tmp_path / "model")
    edit_json(folder / "tokenizer_config.json", model_max_length=limit)
    pairs = [(_SHORT, _SHORT), (_SHORT, _MIDDLE), (_MIDDLE, _SHORT)]

    scores = open_model(folder).score(pairs)

    np.testing.assert_allclose(scores, predicted(folder, pairs), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("family", "positions"), [("bert", 130), ("electra", 130), ("xlm-roberta", 132)])
def test_a_model_may_have_no_positions_for_padding(
    family: str, positions: int, tmp_path: Path, open_model: Open
) -> None:
    folder = tiny.cross_encoder(tmp_path / "model", family, max_position_embeddings=positions)
    edit_json(folder / "tokenizer_config.json", model_max_length=130)
    pairs = [(_LONG, _LONG), (_SHORT, _LONG)]

    scores = open_model(folder).score(pairs)

    np.testing.assert_allclose(scores, predicted(folder, pairs), rtol=0, atol=1e-5)


@pytest.mark.parametrize("engine", ["onnx", "torch"])
@pytest.mark.parametrize("cache", [False, True])
def test_pairs_that_are_too_long_can_be_rejected(
    cache: bool, engine: str, transformer: Make, open_model: Open
) -> None:
    scorer = open_model(transformer("bert"), engine, overflow="error", cache=cache)
    pairs: list[Pair] = [(_SHORT, _LONG), (_SHORT, _SHORT), (_SHORT, _LONG), (_LONG, _SHORT)]
    rejected: list[TextRejected] = []

    scores = scorer.score(pairs, on_rejected=rejected.append)

    assert np.isnan(scores).tolist() == [True, False, True, True]
    assert sorted(exc.index for exc in rejected) == [0, 2, 3]
    assert str(rejected[0]).startswith("the two texts are longer than the 128 tokens that ")
    with pytest.raises(TextRejected) as caught:
        scorer.score([(_SHORT, _SHORT), (_LONG, _SHORT)])
    assert caught.value.index == 1
    with pytest.raises(TextRejected):
        scorer.score([(_LONG, _SHORT)])
    assert scorer.truncated == 0


def test_texts_of_which_nothing_is_left_are_rejected(tmp_path: Path, open_model: Open) -> None:
    """A tokenizer may drop all characters, and add no token of its own."""
    folder = tiny.cross_encoder(tmp_path / "model", "xlm-roberta")
    tokenizer = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    tokenizer["post_processor"] = None
    tokenizer["normalizer"] = {"type": "Replace", "pattern": {"String": "?"}, "content": ""}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), "utf-8")
    rejected: list[TextRejected] = []

    scores = open_model(folder).score([("??", "?"), ("?", "apple")], on_rejected=rejected.append)

    assert np.isnan(scores).tolist() == [True, False]
    assert "the two texts contain nothing that model@" in str(rejected[0])
