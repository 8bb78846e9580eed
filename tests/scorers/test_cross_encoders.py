"""Scores are those of sentence-transformers' `CrossEncoder`, and do not depend on the other pairs."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from support import tiny_cross_encoders as tiny
from support.tiny_models import edit_json

from scorers.conftest import Make, Open, predicted
from simil.errors import ModelDamaged, ModelError
from simil.scorers.base import Pair
from simil.scorers.graph_scorer import GraphScorer
from simil.scorers.torch_scorer import TorchScorer

_TORCH = "torch.nn.modules."


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_engines_agree_with_cross_encoder(
    family: str,
    transformer: Make,
    open_model: Open,
    pairs: list[Pair],
    caplog: pytest.LogCaptureFixture,
) -> None:
    expected = predicted(transformer(family), pairs)
    with caplog.at_level(logging.INFO, "simil"):
        scorers = [open_model(transformer(family), engine) for engine in ("auto", "torch")]

    assert [type(scorer) for scorer in scorers] == [GraphScorer, TorchScorer]
    name, _, revision = scorers[0].stamp.partition("@")
    for engine in ("onnx", "torch"):
        assert f"{name}: {engine}, float32, revision {revision}, no prompts" in caplog.text
    for scorer in scorers:
        scores = scorer.score(pairs)
        assert scores.dtype == np.float32
        np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-5)
    # Scores that are all alike would agree in spite of errors.
    assert np.ptp(expected) > 0.1


@pytest.mark.parametrize("family", ["bert", "xlm-roberta", "modernbert"])
def test_a_score_is_the_same_bits_alone_and_in_any_batch(
    family: str, transformer: Make, open_model: Open, pairs: list[Pair]
) -> None:
    together = open_model(transformer(family)).score(pairs)
    alone = open_model(transformer(family))

    assert [alone.score([pair])[0] for pair in pairs] == together.tolist()
    assert open_model(transformer(family)).score(pairs[::-1]).tolist() == together[::-1].tolist()
    assert open_model(transformer(family)).score(pairs[:2]).tolist() == together[:2].tolist()


def test_the_order_within_a_pair_matters(transformer: Make, open_model: Open) -> None:
    there, back = open_model(transformer("bert")).score([("an apple", "a pear"), ("a pear", "an apple")])

    assert abs(there - back) > 1e-3


@pytest.mark.parametrize(
    ("settings", "activation"),
    [
        ({}, "Sigmoid"),
        ({"sentence_transformers": {"activation_fn": f"{_TORCH}linear.Identity"}}, "Identity"),
        ({"sbert_ce_default_activation_function": f"{_TORCH}activation.Tanh"}, "Tanh"),
        ({"sentence_transformers": {"activation_fn": f"{_TORCH}activation.ReLU"}}, "ReLU"),
        ({"sentence_transformers": {"activation_fn": f"{_TORCH}activation.Softplus"}}, "Softplus"),
        ({"sentence_transformers": {"activation_fn": "torch.nn.Identity"}}, "Identity"),
        # Code of the model's own is not run.
        ({"sentence_transformers": {"activation_fn": "modeling.Custom"}}, "Sigmoid"),
    ],
)
def test_the_activation_is_that_of_the_files(
    settings: dict[str, object], activation: str, tmp_path: Path, open_model: Open, pairs: list[Pair]
) -> None:
    from sentence_transformers import CrossEncoder

    folder = tiny.cross_encoder(tmp_path / "model")
    edit_json(folder / "config.json", **settings)
    assert type(CrossEncoder(str(folder), device="cpu").activation_fn).__name__ == activation

    scores = open_model(folder, "auto").score(pairs[:8])

    np.testing.assert_allclose(scores, predicted(folder, pairs[:8]), rtol=0, atol=1e-5)


def test_settings_saved_by_cross_encoder_are_used(
    transformer: Make, tmp_path: Path, open_model: Open, pairs: list[Pair]
) -> None:
    import torch

    folder = tiny.saved_by_cross_encoder(
        tmp_path / "model",
        transformer("bert"),
        activation_fn=torch.nn.Tanh(),
        prompts={"task": "how alike are these? "},
        default_prompt_name="task",
        max_length=48,
    )

    scorer = open_model(folder)
    scores = scorer.score(pairs)

    assert isinstance(scorer, GraphScorer)
    np.testing.assert_allclose(scores, predicted(folder, pairs), rtol=0, atol=1e-5)
    assert scores.min() < 0
    assert np.abs(scores - open_model(transformer("bert")).score(pairs)).max() > 0.1


def test_a_tokenizer_may_keep_the_segments_to_itself(
    tmp_path: Path, open_model: Open, pairs: list[Pair]
) -> None:
    folder = tiny.cross_encoder(tmp_path / "model")
    told = open_model(folder).score(pairs[:8])
    edit_json(folder / "tokenizer_config.json", model_input_names=["input_ids", "attention_mask"])

    scores = open_model(folder).score(pairs[:8])

    np.testing.assert_allclose(scores, predicted(folder, pairs[:8]), rtol=0, atol=1e-5)
    assert np.abs(scores - told).max() > 1e-3


def test_a_function_of_torch_that_is_no_layer_is_not_called(tmp_path: Path, open_model: Open) -> None:
    folder = tiny.cross_encoder(tmp_path / "model")
    edit_json(folder / "config.json", sentence_transformers={"activation_fn": "torch.utils.collect_env.main"})

    for engine in ("auto", "torch"):
        with pytest.raises(ModelError, match=r"torch\.utils\.collect_env\.main, is not a layer of torch"):
            open_model(folder, engine)


def test_a_model_with_a_module_after_the_transformer_runs_in_sentence_transformers(
    tmp_path: Path, open_model: Open, pairs: list[Pair], caplog: pytest.LogCaptureFixture
) -> None:
    folder = tiny.generating_cross_encoder(tmp_path / "model")
    expected = predicted(folder, pairs[:8])

    with caplog.at_level(logging.INFO, "simil"):
        scorer = open_model(folder, "auto")

    assert isinstance(scorer, TorchScorer)
    np.testing.assert_allclose(scorer.score(pairs[:8]), expected, rtol=0, atol=1e-5)
    assert "its modules are Transformer, LogitScore" in caplog.text
    with pytest.raises(ModelError, match="the onnx engine cannot run"):
        open_model(folder, "onnx")


@pytest.mark.parametrize("engine", ["auto", "torch"])
@pytest.mark.parametrize("family", ["bert", "distilbert"])
def test_a_head_without_weights_is_not_made_up(
    family: str, engine: str, tmp_path: Path, open_model: Open
) -> None:
    import safetensors.numpy

    folder = tiny.cross_encoder(tmp_path / "model", family)
    weights = safetensors.numpy.load_file(folder / "model.safetensors")
    del weights["classifier.weight"]
    safetensors.numpy.save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(ModelDamaged, match=r"model.*: its weights lack classifier\.weight"):
        open_model(folder, engine)
