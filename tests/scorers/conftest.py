from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support import tiny_cross_encoders as tiny
from support.corpus import varied_texts

from simil.config import load_settings
from simil.scorers.base import Pair, Scorer
from simil.scorers.scorer_factory import open_scorer

Open = Callable[..., Scorer]
Make = Callable[[str], Path]


@pytest.fixture(scope="session")
def pairs() -> list[Pair]:
    """Pairs that differ in length, script and tidiness, and some that no model here reads in full."""
    texts = [text for text in varied_texts() if text.strip()]
    return [(texts[row], texts[-row - 1]) for row in range(0, len(texts) - 1, 9)]


@pytest.fixture(scope="session")
def transformer(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Return a cross-encoder of a family, as transformers saves it; made once, so it must stay as it is."""

    @cache
    def made(family: str) -> Path:
        return tiny.cross_encoder(tmp_path_factory.mktemp("scorers") / family, family)

    return made


@pytest.fixture
def open_model(tmp_path: Path) -> Iterator[Open]:
    """Open a model as the commands do; prepared graphs and scores go to the test's own cache."""
    with ExitStack() as closing:

        def opening(model: str | Path, engine: str = "onnx", *, cache: bool = False, **given: Any) -> Scorer:
            settings = load_settings(
                model=str(model),
                engine=engine,
                cache=cache,
                threads=1,
                environ={"SIMIL_CACHE_DIR": str(tmp_path / "cache"), "SIMIL_CONFIG": os.devnull},
                directory=tmp_path,
                **given,
            )
            scorer = open_scorer(settings)
            closing.callback(scorer.close)
            return scorer

        yield opening


def predicted(folder: Path, pairs: list[Pair]) -> NDArray[np.float32]:
    """Return the scores by sentence-transformers itself."""
    from sentence_transformers import CrossEncoder

    model = CrossEncoder(str(folder), device="cpu", local_files_only=True)
    scores: NDArray[np.float32] = model.predict(pairs, show_progress_bar=False)
    return scores
