from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model2vec import StaticModel
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from simil.config import load_settings
from simil.embedders.base import Embedder
from simil.embedders.factory import open_embedder
from simil.models.files.model_source import EMBEDDED

Open = Callable[..., Embedder]

# Words of BERT's vocabulary that the models of these tests know, beside its single letters and digits.
_WORDS = 6000
DIMENSIONS = 64


def _known(token: str, number: int) -> bool:
    return token.isascii() and "unused" not in token and number < _WORDS


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    """The embedded model's tokenizer with a small vocabulary."""
    described = json.loads((EMBEDDED / "tokenizer.json").read_text("utf-8"))
    words = [token for token, number in described["model"]["vocab"].items() if _known(token, number)]
    described["model"]["vocab"] = {token: number for number, token in enumerate(words)}
    for added in described["added_tokens"]:
        added["id"] = words.index(added["content"])
    described |= {"truncation": None, "padding": None, "post_processor": None}
    return Tokenizer.from_str(json.dumps(described))


@pytest.fixture(scope="session")
def table(tokenizer: Tokenizer) -> np.ndarray:
    """The embedded model's own token vectors, weighted as model2vec weights them: frequent words less."""
    weights = load_file(EMBEDDED / "model.safetensors")["embeddings.word_embeddings.weight"]
    rows = json.loads((EMBEDDED / "tokenizer.json").read_text("utf-8"))["model"]["vocab"]
    words = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    vectors = np.array([weights[rows[word]][:DIMENSIONS] for word, _ in words], np.float32)
    rank = np.arange(2, len(words) + 2)
    frequency = (1 / rank) / (1 / rank).sum()
    return (vectors * (1e-3 / (1e-3 + frequency))[:, None]).astype(np.float32)


@pytest.fixture(scope="session")
def by_model2vec(
    tmp_path_factory: pytest.TempPathFactory, tokenizer: Tokenizer, table: np.ndarray
) -> Callable[..., Path]:
    """Make a model as model2vec saves it."""

    def make(**how: Any) -> Path:
        folder = tmp_path_factory.mktemp("model2vec")
        StaticModel(how.pop("vectors", table), tokenizer, **how).save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def by_sentence_transformers(
    tmp_path_factory: pytest.TempPathFactory, tokenizer: Tokenizer, table: np.ndarray
) -> Callable[..., Path]:
    """Make a model as sentence-transformers saves it."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding

    def make(
        *, normalize: bool = True, cut_at: int | None = None, cut_side: str = "right", **how: Any
    ) -> Path:
        folder = tmp_path_factory.mktemp("sentence-transformers")
        own = Tokenizer.from_str(tokenizer.to_str())
        if cut_at:
            own.enable_truncation(cut_at, direction=cut_side)
        modules = [StaticEmbedding(own, embedding_weights=table), *([Normalize()] if normalize else [])]
        SentenceTransformer(modules=modules, device="cpu", **how).save(str(folder), create_model_card=False)
        return folder

    return make


@pytest.fixture(scope="session")
def static_folder(by_model2vec: Callable[..., Path]) -> Path:
    """A model like those called potion."""
    return by_model2vec(normalize=True)


@pytest.fixture
def open_static(tmp_path: Path) -> Open:
    """Open a model folder as the command line does, without the vector cache."""

    def opening(folder: Path, *, engine: str = "auto", overflow: str = "truncate", **how: Any) -> Embedder:
        settings = load_settings(
            model=str(folder),
            engine=engine,
            overflow=overflow,
            cache=False,
            environ={"SIMIL_CACHE_DIR": str(tmp_path / "cache"), "SIMIL_CONFIG": os.devnull},
            directory=tmp_path,
        )
        return open_embedder(settings, **how)

    return opening
