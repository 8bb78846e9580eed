from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support import tiny_models as tiny
from support.corpus import LONG, varied_texts

from simil.config import load_settings
from simil.embedders.base import Embedder, Kind
from simil.embedders.factory import open_embedder
from simil.models.files import model_source as source

Open = Callable[..., Embedder]
Agree = Callable[..., None]


@pytest.fixture(scope="session")
def texts() -> list[str]:
    return varied_texts()


@pytest.fixture(scope="session")
def few_texts(texts: list[str]) -> list[str]:
    """Every eighth of the varied texts, and a long text."""
    return [*texts[::8], LONG]


@pytest.fixture(scope="session")
def bert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare BERT encoder with random weights, as transformers saves one."""
    return tiny.transformer_folder(tmp_path_factory.mktemp("bert"), tiny.bert(), source.EMBEDDED)


@pytest.fixture
def open_model(tmp_path: Path) -> Open:
    """Open a model as the command line does; prepared graphs go to the test's own cache or to `cache`."""

    def opening(
        model: str | Path,
        engine: str = "onnx",
        overflow: str = "truncate",
        cache: Path | None = None,
        precision: str = "float32",
        threads: int = 1,
        **how: Any,
    ) -> Embedder:
        cache_dir = cache or tmp_path / "cache"
        settings = load_settings(
            model=str(model),
            engine=engine,
            overflow=overflow,
            precision=precision,
            # Other processes may use the cores, which slows threads that wait for each other most.
            threads=threads,
            cache=False,
            environ={"SIMIL_CACHE_DIR": str(cache_dir), "SIMIL_CONFIG": os.devnull},
            directory=tmp_path,
        )
        return open_embedder(settings, **how)

    return opening


def cosines(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float64]:
    """Row by row, in float64; two zero rows count as alike."""
    a, b = left.astype(np.float64), right.astype(np.float64)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.where(lengths == 0, 1.0, (a * b).sum(axis=1) / np.where(lengths == 0, 1, lengths))


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what simil has logged, without the line that `-v` prints about every model."""
    ours = [record for record in caplog.records if record.name == "simil" and record.module != "model_note"]
    return [record.getMessage() for record in ours]


@pytest.fixture
def engines_agree(open_model: Open, few_texts: list[str]) -> Iterator[Agree]:
    """Compare the two engines' vectors of one model folder in direction and length."""

    def agree(folder: Path, kind: Kind = Kind.SYMMETRIC, *, raw: bool = True) -> None:
        by_engine = [
            open_model(folder, engine, normalize=not raw).embed(few_texts, kind, normalize=not raw)
            for engine in ("onnx", "torch")
        ]
        assert by_engine[0].shape == by_engine[1].shape
        assert cosines(*by_engine).min() >= 0.99999
        # A cosine does not show small errors, such as another formula of an activation.
        lengths = [np.linalg.norm(vectors, axis=1, keepdims=True) for vectors in by_engine]
        np.testing.assert_allclose(by_engine[0] / lengths[1], by_engine[1] / lengths[1], atol=1e-5)
        # Vectors that are all alike would agree in spite of errors.
        assert np.ptp(by_engine[0], axis=0).max() > 0.05

    yield agree
