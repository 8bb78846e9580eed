"""The graph that is written from the files of a BERT model, in every layout of these files."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from support import tiny_models as tiny

from engines.conftest import Agree, logged
from simil.models.files import model_source as source
from simil.models.files.chain import UnknownChain
from simil.models.graphs.bert import bert_graph


def _made(folder: Path, model: Any, *, dtype: str = "float32") -> Path:
    transformer = tiny.transformer_folder(folder / "bare", model, source.EMBEDDED, dtype=dtype)
    return tiny.sentence_model(folder / "model", transformer)


@pytest.fixture
def written(caplog: pytest.LogCaptureFixture) -> Any:
    """Assert that torch was not used; the log would say so."""
    caplog.set_level(logging.INFO, "simil")
    yield
    assert logged(caplog) == []


@pytest.mark.usefixtures("written")
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_at_rest(dtype: str, tmp_path: Path, engines_agree: Agree) -> None:
    folder = _made(tmp_path, tiny.bert())
    transformer = tiny.transformer_folder(tmp_path / "half", tiny.bert(), source.EMBEDDED, dtype=dtype)
    (transformer / "model.safetensors").replace(folder / "model.safetensors")
    tiny.edit_json(folder / "config.json", dtype=dtype)

    engines_agree(folder)


@pytest.mark.usefixtures("written")
@pytest.mark.parametrize("activation", ["gelu", "gelu_new", "gelu_pytorch_tanh"])
def test_activation(activation: str, tmp_path: Path, engines_agree: Agree) -> None:
    engines_agree(_made(tmp_path, tiny.bert(hidden_act=activation)))


@pytest.mark.usefixtures("written")
def test_other_sizes(tmp_path: Path, engines_agree: Agree) -> None:
    model = tiny.bert(type_vocab_size=1, layer_norm_eps=1e-5)

    engines_agree(_made(tmp_path, model))


@pytest.mark.usefixtures("written")
def test_names_with_the_prefix_of_a_model_with_a_head(tmp_path: Path, engines_agree: Agree) -> None:
    folder = _made(tmp_path, tiny.bert())
    transformer = tiny.transformer_folder(tmp_path / "head", tiny.bert(head=True), source.EMBEDDED)
    (transformer / "model.safetensors").replace(folder / "model.safetensors")

    assert b'"bert.embeddings' in (folder / "model.safetensors").read_bytes()[:20_000]
    engines_agree(folder)


@pytest.mark.usefixtures("written")
def test_the_settings_as_sentence_transformers_2_wrote_them(
    tmp_path: Path, bert_folder: Path, engines_agree: Agree
) -> None:
    folder = tiny.sentence_model(tmp_path / "model", bert_folder, modes=("cls", "max"))
    tiny.to_old_layout(folder)

    assert "sentence_transformers.models.Pooling" in (folder / "modules.json").read_text("utf-8")
    engines_agree(folder)


@pytest.mark.usefixtures("written")
def test_the_settings_as_sentence_transformers_writes_them_now(
    tmp_path: Path, bert_folder: Path, engines_agree: Agree
) -> None:
    folder = tiny.sentence_model(tmp_path / "model", bert_folder)

    assert "modality_config" in json.loads((folder / "sentence_bert_config.json").read_text("utf-8"))
    engines_agree(folder)


def test_a_transformer_in_a_folder_of_its_own(
    tmp_path: Path, bert_folder: Path, engines_agree: Agree
) -> None:
    folder = tiny.sentence_model(tmp_path / "model", bert_folder)
    modules = json.loads((folder / "modules.json").read_text("utf-8"))
    own = folder / "0_Transformer"
    own.mkdir()
    for path in [path for path in folder.iterdir() if path.is_file()]:
        if path.name not in ("modules.json", "config_sentence_transformers.json"):
            path.replace(own / path.name)
    modules[0]["path"] = own.name
    (folder / "modules.json").write_text(json.dumps(modules), "utf-8")

    engines_agree(folder)


@pytest.mark.usefixtures("written")
def test_a_bare_transformer_is_pooled_by_the_mean(bert_folder: Path, engines_agree: Agree) -> None:
    assert not (bert_folder / "modules.json").exists()
    engines_agree(bert_folder)


def test_names_of_old_checkpoints_are_left_to_torch(
    tmp_path: Path, engines_agree: Agree, caplog: pytest.LogCaptureFixture
) -> None:
    from safetensors.torch import load_file, save_file

    folder = _made(tmp_path, tiny.bert())
    path = folder / "model.safetensors"
    old = {
        name.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta"): weight
        for name, weight in load_file(path).items()
    }
    save_file(old, path, metadata={"format": "pt"})
    caplog.set_level(logging.INFO, "simil")

    engines_agree(folder)
    assert {record.levelname for record in caplog.records} == {"INFO"}
    assert logged(caplog) == ["model: its weights lack embeddings.LayerNorm.weight"]


def test_weights_under_two_names_are_left_to_torch(
    tmp_path: Path, engines_agree: Agree, caplog: pytest.LogCaptureFixture
) -> None:
    from safetensors.torch import load_file, save_file

    folder = _made(tmp_path, tiny.bert())
    weights = load_file(path := folder / "model.safetensors")
    below_a_head = {f"bert.{name}": weight * 1.5 for name, weight in weights.items()}
    save_file(weights | below_a_head, path, metadata={"format": "pt"})
    caplog.set_level(logging.INFO, "simil")

    engines_agree(folder)
    assert logged(caplog)[0].startswith("model: its weights have both embeddings.word_embeddings.weight")


def test_settings_of_single_layers_are_left_to_torch(tmp_path: Path) -> None:
    folder = _made(tmp_path, tiny.bert())
    tiny.edit_json(folder / "config.json", per_layer_config={"1": {"hidden_act": "relu"}})

    with pytest.raises(UnknownChain, match="sets per_layer_config"):
        bert_graph(folder)
