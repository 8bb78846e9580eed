"""Metrics of experiments, compared with scipy and scikit-learn on the same vectors."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from simil.embedders.base import Kind
from simil.errors import Place
from simil.tasks.evaluation.datasets import PairsDataset, RetrievalDataset
from simil.tasks.evaluation.experiments import PairsExperiment, RetrievalExperiment
from simil.texts import Text

EXACT = {"rel": 0, "abs": 1e-9}


def texts(count: int) -> list[Text]:
    return [Text(str(number), f"text {number}", Place("t", number), {}) for number in range(count)]


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def pairs() -> tuple[PairsExperiment, dict[Kind, np.ndarray]]:
    generator = np.random.default_rng(7)
    vectors = unit(generator.normal(size=(60, 5)))
    left, right = generator.integers(0, 60, (2, 300))
    near = np.einsum("ij,ij->i", vectors[left], vectors[right])
    scores = np.round(5 * np.clip(near + generator.normal(0, 0.4, 300), 0, 1), 0)
    dataset = PairsDataset(texts(60), left, right, scores)
    return PairsExperiment(dataset, 3.0, 0), {Kind.SYMMETRIC: vectors}


def test_pairs(pairs: tuple[PairsExperiment, dict[Kind, np.ndarray]]) -> None:
    experiment, vectors = pairs
    cosines, gold = experiment.cosines(vectors).astype(np.float64), experiment.dataset.scores
    found = {name: score.value for name, score in experiment.evaluate(vectors).items()}
    positive = gold >= 3
    assert found["spearman"] == pytest.approx(stats.spearmanr(cosines, gold).statistic, **EXACT)
    assert found["pearson"] == pytest.approx(stats.pearsonr(cosines, gold).statistic, **EXACT)
    assert found["average_precision"] == pytest.approx(
        metrics.average_precision_score(positive, cosines), **EXACT
    )
    guessed = cosines >= found["threshold"]
    for name, score in (
        ("f1", metrics.f1_score),
        ("precision", metrics.precision_score),
        ("recall", metrics.recall_score),
    ):
        assert found[name] == pytest.approx(score(positive, guessed), **EXACT)


def test_graded_pairs_have_correlations_only(pairs: tuple[PairsExperiment, dict[Kind, np.ndarray]]) -> None:
    experiment, vectors = pairs
    assert [*PairsExperiment(experiment.dataset, None, 0).evaluate(vectors)] == ["spearman", "pearson"]


@pytest.mark.parametrize("whole", [False, True])
def test_retrieval(whole: bool) -> None:
    generator = np.random.default_rng(8)
    # Vectors of few whole numbers tie often.
    draw = (
        (lambda size: generator.integers(1, 3, size)) if whole else (lambda size: generator.normal(size=size))
    )
    queries, documents = unit(draw((20, 3))), unit(draw((50, 3)))
    grades = generator.integers(0, 3, (20, 50)) * (generator.random((20, 50)) < 0.1)
    grades[:, 0] = 1
    qrels = [{int(row): float(line[row]) for row in np.flatnonzero(line)} for line in grades]
    experiment = RetrievalExperiment(RetrievalDataset(texts(20), texts(50), qrels), [3, 10], 0)
    found = experiment.evaluate({Kind.QUERY: queries, Kind.DOCUMENT: documents})
    scores = queries @ documents.T
    assert [*found] == ["recall@3", "recall@10", "ndcg@10"]
    assert found["ndcg@10"].value == pytest.approx(metrics.ndcg_score(grades, scores, k=10), **EXACT)
    if not whole:
        first = np.argsort(-scores, axis=1)[:, :3]
        hits = np.take_along_axis(grades > 0, first, axis=1).sum(axis=1) / (grades > 0).sum(axis=1)
        assert found["recall@3"].value == pytest.approx(hits.mean(), **EXACT)


def test_reranked_documents_come_first_and_each_pair_is_scored_once() -> None:
    """With scores of few values, so that many tie, and keep the order of the search."""
    generator = np.random.default_rng(9)
    models = [unit(generator.normal(size=(2, 70, 3))[place].reshape(70, 3)) for place in (0, 1)]
    vectors = [{Kind.QUERY: rows[:20], Kind.DOCUMENT: rows[20:]} for rows in models]
    grades = generator.integers(0, 3, (20, 50)) * (generator.random((20, 50)) < 0.3)
    grades[:, 0] = 1
    qrels = [{int(row): float(line[row]) for row in np.flatnonzero(line)} for line in grades]
    experiment = RetrievalExperiment(RetrievalDataset(texts(20), texts(50), qrels), [3, 10], 0, candidates=6)
    table = generator.integers(0, 4, (20, 50)).astype(np.float32)
    candidates = experiment.candidates_among([experiment.nearest(own) for own in vectors])
    scores = np.array([table[pair] for pair in candidates.pairs])
    cosines = [own[Kind.QUERY] @ own[Kind.DOCUMENT].T for own in vectors]
    orders = [np.argsort(-own, axis=1) for own in cosines]
    proposed = {(query, row) for order in orders for query in range(20) for row in order[query, :6].tolist()}
    assert len(candidates.pairs) == len(proposed) < 2 * 20 * 6
    assert {*candidates.pairs} == proposed
    (asked,) = experiment.texts_of_pairs.values()
    assert [(asked[a].text, asked[b].text) for a, b in experiment.pairs_of(candidates)] == [
        (f"text {query}", f"text {row}") for query, row in candidates.pairs
    ]
    for own, order, first in zip(vectors, orders, candidates.reranked(scores), strict=True):
        expected = [
            [*sorted(line[:6].tolist(), key=lambda row: -table[query, row]), *line[6:].tolist()]
            for query, line in enumerate(order)
        ]
        found = experiment.evaluate(own, first=first)
        ranked = np.take_along_axis(grades, np.array(expected), axis=1)
        falling = np.tile(np.arange(50, 0, -1), (20, 1))
        assert found["ndcg@10"].value == pytest.approx(metrics.ndcg_score(ranked, falling, k=10), **EXACT)
        hits = (ranked[:, :3] > 0).sum(axis=1) / (grades > 0).sum(axis=1)
        assert found["recall@3"].value == pytest.approx(hits.mean(), **EXACT)


def test_the_demo_is_sound() -> None:
    """Every sentence says something, no pair stands twice, and its scores spread over all of 0 to 5."""
    from simil.cli.commands.eval_data import Sources, read_dataset
    from simil.cli.options.groups import InputFlags
    from simil.cli.output.notes import Notes

    notes = Notes()
    pairs = read_dataset(Sources(None, None, None, retrieval=False, demo=True), InputFlags(), None, notes)
    assert isinstance(pairs, PairsDataset)
    places = {tuple(sorted(both)) for both in zip(pairs.left.tolist(), pairs.right.tolist(), strict=True)}
    assert len(places) == len(pairs.scores) >= 60
    assert np.histogram(pairs.scores, range(6))[0].min() >= 10
    queries = read_dataset(Sources(None, None, None, retrieval=True, demo=True), InputFlags(), None, notes)
    assert isinstance(queries, RetrievalDataset)
    assert len(queries.queries) >= 20
    assert len(queries.documents) > len(queries.queries)
    notes.finish(None, warn_of_cut=False)
