"""`simil eval` in both engines, compared with scipy on sentence-transformers' vectors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scipy import stats
from support.command import simil
from support.reading import opened
from support.tiny_models import bert, sentence_model, transformer_folder

from simil.texts import ReadOptions, read_pairs

DEMO = Path(__file__).parents[2] / "src" / "simil" / "tasks" / "evaluation" / "demo" / "pairs.tsv"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory, minilm_original: Path) -> list[Path]:
    """The original all-MiniLM-L6-v2, and a model with random weights."""
    folder = tmp_path_factory.mktemp("models")
    bare = transformer_folder(folder / "bare", bert(vocab_size=30522), minilm_original)
    return [minilm_original, sentence_model(folder / "random", bare)]


def test_spearman_is_that_of_sentence_transformers(folders: list[Path]) -> None:
    """Both engines in one test, which share the vectors to compare with.

    For each model three processes are started, which in torch take five seconds each: a single model is
    enough to see that eval measures what it is told to.
    """
    from sentence_transformers import SentenceTransformer

    reading = ReadOptions(fields=("sentence1", "sentence2"))
    pairs = [*read_pairs(*opened([DEMO], reading), reading, on_blank=print)]
    judged = [float(str(pair.fields["score"])) for pair in pairs]
    expected = []
    for folder in folders:
        model = SentenceTransformer(str(folder), device="cpu")
        left, right = (
            model.encode([getattr(pair, side) for pair in pairs], normalize_embeddings=True)
            for side in ("left", "right")
        )
        expected.append(100 * stats.spearmanr((left * right).sum(axis=1), judged).statistic)
    for engine, first in (("onnx", 0), ("torch", 1)):
        named = [argument for folder in folders[first:] for argument in ("-m", str(folder))]
        result = simil("eval", str(DEMO), "--engine", engine, *named, "-f", "json", timeout=300)
        assert result.code == 0, result.err
        found = [100 * row["spearman"] for row in json.loads(result.out)["data"]]
        assert found == pytest.approx(expected[first:], abs=0.1), engine
