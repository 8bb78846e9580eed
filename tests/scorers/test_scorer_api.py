"""Cross-encoders in Python, and in the commands that list, prepare and examine models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import tiny_cross_encoders as tiny
from support.command import simil as run

import simil
from scorers.conftest import Make, predicted
from simil.errors import InputError, ModelError

_PAIRS = [("what is red?", "an apple"), ("what is red?", "the sea"), ("what is red?", "an apple")]


@pytest.fixture
def model(transformer: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[simil.Model]:
    monkeypatch.setenv("SIMIL_CACHE_DIR", str(tmp_path / "cache"))
    with simil.open(str(transformer("bert")), overflow="error") as opened:
        yield opened


def test_pairs_are_scored(model: simil.Model, transformer: Make) -> None:
    scores = model.score(_PAIRS)

    np.testing.assert_allclose(scores, predicted(transformer("bert"), _PAIRS), rtol=0, atol=1e-5)
    assert simil.score(_PAIRS, model=str(transformer("bert"))).tolist() == scores.tolist()
    assert model.name.startswith("bert@")
    assert model.score([]).shape == (0,)


def test_what_cannot_be_scored_is_an_error(model: simil.Model) -> None:
    with pytest.raises(InputError, match="text 1 of pair 1 is blank"):
        model.score([("a", "b"), ("c", " ")])
    with pytest.raises(InputError, match="pair 1: the two texts are longer than the 128 tokens"):
        model.score([("a", "b"), ("an apple " * 200, "d")])
    with pytest.raises(ModelError, match="minilm is an embedding model, not a cross-encoder"):
        simil.score([("a", "b")], model="minilm")


@pytest.mark.parametrize(
    "pairs",
    [
        ["ab"],
        "ab",
        ("a", "b"),
        {"ab": "b"},
        [("a",)],
        [("a", "b", "c")],
        [1],
        [None],
        [("a", 1)],
        [(b"a", "b")],
    ],
    ids=repr,
)
def test_what_is_no_pair_of_strings_is_refused(model: simil.Model, pairs: Any) -> None:
    with pytest.raises(TypeError, match=r"^pairs\[0\](\[\d\])? is not a (pair of )?string"):
        model.score(pairs)


def test_pairs_may_be_lists_arrays_and_come_one_by_one(model: simil.Model) -> None:
    scores = model.score(_PAIRS).tolist()

    assert model.score([[*pair] for pair in _PAIRS]).tolist() == scores  # type: ignore[misc]
    assert model.score(np.array(_PAIRS)).tolist() == scores  # type: ignore[arg-type]
    assert model.score(pair for pair in _PAIRS).tolist() == scores  # type: ignore[arg-type]


def test_half_a_surrogate_pair_is_no_text(model: simil.Model) -> None:
    with pytest.raises(InputError, match="text 0 of pair 1 has half a surrogate pair"):
        model.score([("a", "b"), ("\ud83d", "b")])
    with pytest.raises(InputError, match="text 1 has half a surrogate pair"):
        simil.embed(["a", "\udcff"], model="minilm")


def test_the_commands_for_models_know_a_cross_encoder(transformer: Make, tmp_path: Path) -> None:
    folder, env = str(transformer("bert")), {"SIMIL_CACHE_DIR": str(tmp_path)}

    assert "folder\n" in run("models", "show", folder, env=env).out
    prepared = run("models", "prepare", folder, env=env)
    shown = run("models", "show", folder, env=env).out
    examined = run("doctor", "--offline", env=env | {"SIMIL_MODEL": folder}).out

    assert (prepared.code, Path(prepared.out.strip()).parent) == (0, tmp_path / "prepared")
    assert "local, folder, prepared" in shown
    assert "reranker: it scores pairs of texts, and has no vectors" in shown
    assert f"{folder}: pinned by the environment; folder, prepared" in examined


def test_a_model_that_only_sentence_transformers_runs_is_not_prepared(tmp_path: Path) -> None:
    folder = tiny.generating_cross_encoder(tmp_path / "model")

    refused = run("models", "prepare", str(folder), env={"SIMIL_CACHE_DIR": str(tmp_path / "cache")})

    assert refused.code == 4
    assert "is not prepared: its modules are Transformer, LogitScore; it runs as it is" in refused.error_line


def test_doctor_refuses_what_a_run_would_refuse(tmp_path: Path) -> None:
    folder = str(tiny.cross_encoder(tmp_path / "model", labels=3))
    env = {"SIMIL_CACHE_DIR": str(tmp_path / "cache"), "SIMIL_MODEL": folder}

    assert "gives 3 scores, not one" in run("doctor", "--offline", env=env).out
    assert run("models", "prepare", folder, env=env).code == 4
