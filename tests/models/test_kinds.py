"""What is no embedding model is refused before anything of it is opened, whatever the cache holds."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from support import tiny_models as tiny

from models.conftest import Open
from simil.config import load_settings
from simil.embedders.factory import open_embedder
from simil.errors import ModelError
from simil.models.files import model_source as source
from simil.models.files.facts import read_info
from simil.models.files.model_kind import ModelKind, label_count, model_kind
from simil.scorers.scorer_factory import open_scorer

Made = Callable[[Path, Path], None]

ADVICE = r"use it as simil compare -m \S+ or simil search --rerank \S+"


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.transformer_folder(tmp_path_factory.mktemp("bare"), tiny.bert(), source.EMBEDDED)


def _embedder(folder: Path, bare: Path) -> None:
    tiny.sentence_model(folder, bare)


def _bare(folder: Path, bare: Path) -> None:
    shutil.copytree(bare, folder)


def _embedder_from_a_classifier(folder: Path, bare: Path) -> None:
    """Its `config.json` still names the classifier that it was trained from."""
    tiny.sentence_model(folder, bare)
    tiny.edit_json(folder / "config.json", architectures=["BertForSequenceClassification"])


def _bare_classifier(folder: Path, bare: Path, labels: int = 1) -> None:
    """A cross-encoder as older ones are published, by transformers."""
    tiny.transformer_folder(folder, tiny.bert(head=True, num_labels=labels), source.EMBEDDED)


def _bare_nli(folder: Path, bare: Path) -> None:
    _bare_classifier(folder, bare, 3)


def _cross_encoder(folder: Path, bare: Path, labels: int = 1) -> None:
    from sentence_transformers import CrossEncoder

    _bare_classifier(folder / "bare", bare, labels)
    CrossEncoder(str(folder / "bare"), device="cpu").save(str(folder), create_model_card=False)
    shutil.rmtree(folder / "bare")


def _nli(folder: Path, bare: Path) -> None:
    _cross_encoder(folder, bare, 3)


def _splade(folder: Path, bare: Path) -> None:
    from sentence_transformers import SparseEncoder
    from sentence_transformers.sparse_encoder.modules import SpladePooling, Transformer

    first = Transformer(str(bare), transformer_task="fill-mask")
    model = SparseEncoder(modules=[first, SpladePooling("max")], device="cpu")
    model.save(str(folder), create_model_card=False)


def _splade_that_names_no_class(folder: Path, bare: Path) -> None:
    _splade(folder, bare)
    tiny.edit_json(folder / "config_sentence_transformers.json", model_type=None)


def _colbert(folder: Path, bare: Path) -> None:
    from sentence_transformers import MultiVectorEncoder

    MultiVectorEncoder(str(bare), device="cpu").save(str(folder), create_model_card=False)


def _stanford_colbert(folder: Path, bare: Path) -> None:
    shutil.copytree(bare, folder)
    tiny.edit_json(folder / "config.json", architectures=["HF_ColBERT"])


def _from_the_future(folder: Path, bare: Path) -> None:
    tiny.sentence_model(folder, bare)
    tiny.edit_json(folder / "config_sentence_transformers.json", model_type="GraphEncoder")


@pytest.mark.parametrize("make", [_embedder, _bare, _embedder_from_a_classifier])
def test_an_embedding_model_is_one(make: Made, bare: Path, tmp_path: Path, open_model: Open) -> None:
    folder = tmp_path / "model"
    make(folder, bare)

    assert model_kind(folder) is ModelKind.EMBEDDER
    assert open_model(folder).embed(["a text"]).shape == (1, tiny.HIDDEN)


@pytest.mark.parametrize(
    ("make", "kind", "said"),
    [
        (
            _bare_classifier,
            ModelKind.CROSS_ENCODER,
            ADVICE,
        ),
        (_cross_encoder, ModelKind.CROSS_ENCODER, ADVICE),
        (_bare_nli, ModelKind.CROSS_ENCODER, "sorts texts into 3 classes"),
        (_nli, ModelKind.CROSS_ENCODER, "sorts texts into 3 classes"),
        (_splade, ModelKind.SPARSE_ENCODER, "simil models lists them"),
        (_splade_that_names_no_class, ModelKind.SPARSE_ENCODER, "simil models lists them"),
        (_colbert, ModelKind.LATE_INTERACTION, "simil models lists them"),
        (_stanford_colbert, ModelKind.LATE_INTERACTION, "simil models lists them"),
        (_from_the_future, ModelKind.OTHER, "simil does not know"),
    ],
)
@pytest.mark.parametrize("engine", ["auto", "torch"])
def test_any_other_model_is_refused(
    make: Made, kind: ModelKind, said: str, engine: str, bare: Path, tmp_path: Path, open_model: Open
) -> None:
    folder = tmp_path / "model"
    make(folder, bare)

    assert model_kind(folder) is kind
    with pytest.raises(ModelError, match=said) as caught:
        open_model(folder, engine)
    assert "\n" not in str(caught.value)
    # What would be refused again is not advised.
    assert ("-m" in str(caught.value)) == (kind is ModelKind.CROSS_ENCODER and label_count(folder) == 1)


def test_it_is_refused_before_the_cache_is_asked(bare: Path, tmp_path: Path, cache: Path) -> None:
    """An earlier release may have kept vectors of it."""
    folder = tmp_path / "model"
    _bare_classifier(folder, bare)

    with pytest.raises(ModelError, match="is a cross-encoder"):
        open_embedder(load_settings(model=str(folder), cache=True))


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (_embedder, "embedder"),
        (_bare_classifier, "reranker"),
        (_cross_encoder, "reranker"),
        (_nli, "other"),
        (_splade, "other"),
    ],
)
def test_the_kind_is_one_of_the_facts_that_files_tell(
    make: Made, kind: str, bare: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    make(folder, bare)
    info = read_info("a model", folder)
    assert (info.kind, info.dimensions is not None) == (kind, kind == "embedder")


@pytest.mark.parametrize("name", ["bge-reranker", "cross-encoder/ms-marco-MiniLM-L6-v2"])
def test_a_known_reranker_is_refused_as_an_embedder_before_it_is_fetched(name: str) -> None:
    with pytest.raises(ModelError, match=f"{name} is a cross-encoder: .*; {ADVICE}"):
        open_embedder(load_settings(model=name, offline=True))


@pytest.mark.parametrize("name", ["bge-base", "intfloat/multilingual-e5-small"])
def test_a_known_embedder_is_refused_as_a_reranker_before_it_is_fetched(name: str) -> None:
    with pytest.raises(ModelError, match=f"{name} is an embedding model, not a cross-encoder"):
        open_scorer(load_settings(model=name, offline=True))
