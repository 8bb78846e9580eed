"""What scores no pairs, or not as the settings say, is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support import tiny_cross_encoders as tiny
from support import tiny_models
from support.tiny_models import edit_json

from scorers.conftest import Make, Open
from simil.errors import ModelDamaged, ModelError, SimilError, UsageError
from simil.models.files import model_source as source


def _nli(folder: Path) -> None:
    tiny.cross_encoder(folder, labels=3)
    labels = {"0": "contradiction", "1": "entailment", "2": "neutral"}
    edit_json(folder / "config.json", id2label=labels, label2id={name: int(i) for i, name in labels.items()})


def _two_labels(folder: Path) -> None:
    """transformers does not write how many labels there are if there are two."""
    tiny.cross_encoder(folder, labels=2)


def _many_labels(folder: Path) -> None:
    tiny.cross_encoder(folder, labels=7)


def _embedder(folder: Path) -> None:
    bare = folder.with_name("bare")
    tiny_models.transformer_folder(bare, tiny_models.bert(), source.EMBEDDED)
    tiny_models.sentence_model(folder, bare)


def _sparse(folder: Path) -> None:
    tiny.cross_encoder(folder)
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"model_type": "SparseEncoder"}))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_nli, "gives 3 scores (contradiction, entailment, neutral), not one: it classifies pairs of texts"),
        (_two_labels, "gives 2 scores, not one"),
        (_many_labels, "gives 7 scores, not one"),
        (_embedder, "is an embedding model, not a cross-encoder"),
        (_sparse, "is a sparse encoder, not a cross-encoder"),
    ],
)
@pytest.mark.parametrize("engine", ["auto", "torch"])
def test_a_model_that_gives_no_score_is_refused(
    make: object, said: str, engine: str, tmp_path: Path, open_model: Open
) -> None:
    assert callable(make)
    make(tmp_path / "model")

    with pytest.raises(ModelError) as caught:
        open_model(tmp_path / "model", engine, cache=True)
    assert said in str(caught.value)
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("minilm", "is an embedding model, not a cross-encoder"),
        ("openai", "openai:text-embedding-3-small embeds texts and scores no pairs"),
    ],
)
def test_a_model_by_name_that_embeds_is_refused(name: str, said: str, open_model: Open) -> None:
    with pytest.raises(ModelError, match=said):
        open_model(name)


@pytest.mark.parametrize(
    ("settings", "said", "error"),
    [
        ({"overflow": "chunk"}, "cannot read two texts in windows", UsageError),
        ({"precision": "int8"}, "int8 is not supported for a cross-encoder", UsageError),
        ({"engine": "openvino"}, "the openvino engine does not run cross-encoders", ModelError),
        ({"engine": "onnx", "device": "cuda"}, "the onnx engine does not run on cuda", ModelError),
    ],
)
def test_settings_that_no_engine_fits_are_refused(
    settings: dict[str, str], said: str, error: type[SimilError], transformer: Make, open_model: Open
) -> None:
    with pytest.raises(error, match=said):
        open_model(transformer("bert"), **({"engine": "auto"} | settings))


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("config.json", {"id2label": 5}),
        ("config.json", {"id2label": ["a"]}),
        ("config_sentence_transformers.json", {"activation_fn": ["x"]}),
        ("config_sentence_transformers.json", {"prompts": [1]}),
        ("sentence_bert_config.json", {"max_seq_length": -3}),
    ],
)
def test_settings_of_the_wrong_type_are_damage(
    file: str, changes: dict[str, object], transformer: Make, tmp_path: Path, open_model: Open
) -> None:
    folder = tiny.saved_by_cross_encoder(tmp_path / "model", transformer("bert"))
    edit_json(folder / file, **changes)

    with pytest.raises(ModelDamaged):
        open_model(folder)


def test_offline_no_model_that_embeds_is_offered_in_place_of_a_reranker(open_model: Open) -> None:
    with pytest.raises(ModelError) as caught:
        open_model("ms-marco-minilm", offline=True)

    assert str(caught.value).endswith("and simil is offline (--offline); run once without --offline")
