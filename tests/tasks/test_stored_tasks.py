"""Tasks on datasets that are larger than memory give what they give in memory, bit for bit."""

from __future__ import annotations

import re
from pathlib import Path

import lance
import numpy as np
import pyarrow as pa
import pytest

from simil.cli.output.candidate_notes import report_comparison
from simil.errors import InputError, UsageError
from simil.formats.detection import typed
from simil.formats.sources import Source
from simil.index.index_building import build
from simil.index.index_plan import IndexKind, plan_index
from simil.session.loader import saved_corpus
from simil.tasks.clustering import Clustering, cluster
from simil.tasks.corpus import Corpus
from simil.tasks.deduplication import Duplicates, near_duplicates
from simil.tasks.exact_passes import check_passes
from simil.tasks.matching import Matches, match, match_one_to_one
from simil.tasks.outlier_detection import OutlierMethod, Outliers, outliers
from simil.tasks.stored_clusters import stored_clusters
from simil.tasks.stored_corpus import LoadedCorpus, StoredCorpus
from simil.tasks.stored_duplicates import stored_duplicates
from simil.tasks.stored_matches import stored_matches, stored_one_to_one
from simil.tasks.stored_outliers import stored_outliers
from simil.usable_memory import LIMIT
from simil.vectors.stored_vectors import StoredVectors
from simil.vectors.vector_files import read_vectors

ROWS, DIMENSIONS = 1500, 16  # more than the 1,024 of the smallest block


class AskedRowByRow(StoredCorpus):
    """A dataset that answers for every row as an index would that finds all."""

    has_index = True

    def nearest(self, queries, k, *, exact=False):  # type: ignore[no-untyped-def]
        return super().nearest(queries, k, exact=True)


@pytest.fixture(autouse=True)
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIMIT, "1MB")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Groups of near vectors and copies, in fragments, with lengths other than 1, deleted and empty rows."""
    random = np.random.default_rng(3)
    centres = random.normal(size=(150, DIMENSIONS))
    spread = random.choice([0, 0.1, 0.2, 0.4], (ROWS, 1))
    vectors = centres[random.integers(0, 150, ROWS)] + random.normal(size=(ROWS, DIMENSIONS)) * spread
    vectors[::3] /= np.linalg.norm(vectors[::3], axis=1, keepdims=True)
    table = pa.table(
        {
            "id": [f"row {row}" for row in range(ROWS)],
            "text": [f"kind{row % 9} word{row % 40}" for row in range(ROWS)],
            "number": range(ROWS),
            "embedding": pa.array(
                [None if row % 50 == 3 else vector for row, vector in enumerate(vectors.astype(np.float32))],
                pa.list_(pa.float32(), DIMENSIONS),
            ),
        }
    )
    name = str(tmp_path_factory.mktemp("stored") / "corpus.lance")
    lance.write_dataset(table, name, max_rows_per_file=400)
    lance.dataset(name).delete("number % 60 = 7")
    return name


@pytest.fixture(scope="module")
def loaded(path: str) -> Corpus:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(LIMIT, raising=False)
        return saved_corpus([read_vectors(typed(Source(path), None))])


@pytest.fixture(scope="module")
def queries(loaded: Corpus) -> Corpus:
    """Some of the rows with some noise, as texts."""
    random = np.random.default_rng(4)
    vectors = loaded.vectors[:200] + random.normal(size=(200, DIMENSIONS)).astype(np.float32) * 0.05
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Corpus(loaded.texts[:200], vectors, None)


@pytest.fixture
def stored(path: str) -> StoredCorpus:
    return StoredCorpus(StoredVectors.open(path))


def check_duplicates(found: Duplicates, expected: Duplicates) -> None:
    assert (found.representatives == expected.representatives).all()
    assert (found.scores == expected.scores).all()
    assert (found.in_reference == expected.in_reference).all()
    rows = np.arange(len(expected.texts))
    assert [*found.representatives_of(rows)] == [*expected.representatives_of(rows)]


def check_outliers(found: Outliers, expected: Outliers) -> None:
    assert (found.scores == expected.scores).all()
    assert (found.nearest == expected.nearest).all()
    assert (found.similarities == expected.similarities).all()
    assert found.k == expected.k


def check_matches(found: Matches, expected: Matches) -> None:
    assert (found.left == expected.left).all()
    assert (found.right == expected.right).all()
    assert (found.scores == expected.scores).all()
    assert found.nearest_miss == expected.nearest_miss


def check_clusters(found: Clustering, expected: Clustering) -> None:
    assert (found.labels == expected.labels).all()
    np.testing.assert_array_equal(found.scores, expected.scores)
    assert (found.centroids == expected.centroids).all()
    assert [*map(str, found.clusters)] == [*map(str, expected.clusters)]
    assert found.silhouette == expected.silhouette


def test_texts_are_those_of_the_file(stored: StoredCorpus, loaded: Corpus) -> None:
    assert [*stored.texts] == [*loaded.texts]
    assert stored.texts[1100] == loaded.texts[1100]
    assert stored.texts[-3:] == loaded.texts[-3:]
    assert [text.id for text in stored.texts][3] == "row 4"


@pytest.mark.parametrize("kind", [StoredCorpus, AskedRowByRow])
@pytest.mark.parametrize("threshold", [1, 0.99, 0.9, 0.5])
def test_dedupe(kind: type[StoredCorpus], threshold: float, path: str, loaded: Corpus) -> None:
    found, crowded = stored_duplicates(kind(StoredVectors.open(path)), threshold)
    check_duplicates(found, near_duplicates(loaded, threshold))
    assert not crowded


@pytest.mark.parametrize("kind", [StoredCorpus, AskedRowByRow])
def test_dedupe_against_texts_in_memory(
    kind: type[StoredCorpus], path: str, loaded: Corpus, queries: Corpus
) -> None:
    found, _ = stored_duplicates(kind(StoredVectors.open(path)), 0.95, queries)
    check_duplicates(found, near_duplicates(loaded, 0.95, queries))


def test_dedupe_of_texts_against_a_dataset(stored: StoredCorpus, loaded: Corpus, queries: Corpus) -> None:
    check_duplicates(near_duplicates(queries, 0.95, stored), near_duplicates(queries, 0.95, loaded))


def test_a_row_with_more_copies_than_candidates(tmp_path: Path) -> None:
    """Copies are found for certain, and hide no near row that is no copy."""
    random = np.random.default_rng(5)
    one, others = random.normal(size=(1, 8)), random.normal(size=(300, 8))
    vectors = np.concatenate([others[:100], np.repeat(one, 700, axis=0), one + 0.01, others[100:]])
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    table = pa.table({"vector": pa.array([*vectors], pa.list_(pa.float32(), 8))})
    name = str(tmp_path / "copies.lance")
    lance.write_dataset(table, name)
    found, crowded = stored_duplicates(AskedRowByRow(StoredVectors.open(name)), 0.99)
    texts = saved_corpus([StoredVectors.open(name).take(range(1001))])
    check_duplicates(found, near_duplicates(texts, 0.99))
    assert found.representatives[100:801].tolist() == [100] * 701
    assert not crowded


@pytest.mark.parametrize("k", [1, 7])
def test_outliers(k: int, stored: StoredCorpus, loaded: Corpus, queries: Corpus) -> None:
    check_outliers(stored_outliers(stored, k=k), outliers(loaded, k=k))
    given = LoadedCorpus(queries)
    check_outliers(stored_outliers(given, stored, k=k), outliers(queries, loaded, k=k))
    check_outliers(stored_outliers(stored, given, k=k), outliers(loaded, queries, k=k))


@pytest.mark.parametrize("method", [OutlierMethod.LOF, OutlierMethod.FOREST])
def test_outliers_by_methods_that_need_all_vectors_are_refused(
    method: OutlierMethod, stored: StoredCorpus
) -> None:
    with pytest.raises(UsageError, match=f"{method} needs all vectors in memory"):
        stored_outliers(stored, method=method)


@pytest.mark.parametrize(("k", "threshold"), [(1, None), (3, 0.9), (1, 1.5)])
def test_match(
    k: int, threshold: float | None, stored: StoredCorpus, loaded: Corpus, queries: Corpus
) -> None:
    given = LoadedCorpus(queries)
    check_matches(
        stored_matches(given, stored, k=k, threshold=threshold),
        match(queries, loaded, k=k, threshold=threshold),
    )
    check_matches(
        stored_matches(stored, given, k=k, threshold=threshold),
        match(loaded, queries, k=k, threshold=threshold),
    )


def test_unknown_texts_match_only_their_equals(stored: StoredCorpus, loaded: Corpus, queries: Corpus) -> None:
    unknown = np.arange(200) % 5 == 0
    given = queries.replaced(unknown=unknown)
    found = stored_matches(LoadedCorpus(given), stored, k=3, threshold=0.9)
    check_matches(found, match(given, loaded, k=3, threshold=0.9))


@pytest.mark.parametrize("threshold", [None, 0.95, 1.5])
def test_match_one_to_one(
    threshold: float | None,
    stored: StoredCorpus,
    loaded: Corpus,
    queries: Corpus,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(LIMIT, "4MB")
    given = LoadedCorpus(queries)
    found, cut = stored_one_to_one(given, stored, threshold=threshold)
    check_matches(found, match_one_to_one(queries, loaded, threshold=threshold))
    assert cut is None
    found, cut = stored_one_to_one(stored, given, threshold=threshold)
    check_matches(found, match_one_to_one(loaded, queries, threshold=threshold))
    assert cut is None


def test_match_one_to_one_says_how_many_candidates_there_were(stored: StoredCorpus, queries: Corpus) -> None:
    found, cut = stored_one_to_one(LoadedCorpus(queries), stored)
    assert cut == 50
    assert len(found) <= 200
    assert len({*found.right.tolist()}) == len(found)


def test_match_one_to_one_without_memory_for_candidates(
    stored: StoredCorpus, queries: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LIMIT, "100kB")
    with pytest.raises(UsageError, match=r"one to one takes 640 kB .* and 100 kB can be used"):
        stored_one_to_one(LoadedCorpus(queries), stored)


@pytest.mark.parametrize("kind", [StoredCorpus, AskedRowByRow])
@pytest.mark.parametrize(("threshold", "min_size"), [(0.97, 3), (0.9, 2), (1.0, None)])
def test_communities(
    kind: type[StoredCorpus], threshold: float, min_size: int | None, path: str, loaded: Corpus
) -> None:
    corpus = kind(StoredVectors.open(path))
    found, crowded = stored_clusters(corpus, threshold=threshold, min_size=min_size)
    check_clusters(found, cluster(loaded, threshold=threshold, min_size=min_size))
    assert not crowded


def test_more_pairs_than_memory_takes_are_refused(stored: StoredCorpus) -> None:
    with pytest.raises(UsageError, match=r"more than 10,000 pairs of texts score at least 0, .* 1.0 MB"):
        stored_clusters(stored, threshold=0.0)


def test_clusters_by_k_means_are_those_that_are_there(tmp_path: Path) -> None:
    """Whatever the sample, every row of well separated groups is with those of its group."""
    random = np.random.default_rng(6)
    groups = random.integers(0, 5, 3000)
    vectors = np.eye(5, 24)[groups] + random.normal(size=(3000, 24)) * 0.05
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    lists = pa.array([*vectors], pa.list_(pa.float32(), 24))
    table = pa.table({"text": [f"kind{group}" for group in groups], "vector": lists})
    name = str(tmp_path / "groups.lance")
    lance.write_dataset(table, name)
    corpus = StoredCorpus(StoredVectors.open(name))
    found, _ = stored_clusters(corpus, clusters=5)
    expected = cluster(saved_corpus([corpus.stored.take(corpus.row_ids)]), clusters=5)
    check_clusters(found, expected)
    assert [one.words for one in found.clusters] == [[f"kind{groups[one.medoid]}"] for one in found.clusters]
    with pytest.raises(UsageError, match=r"a sample of 1,\d+ texts .* cannot make 3000 clusters"):
        stored_clusters(corpus, clusters=3000)


def test_hdbscan_is_refused_with_the_numbers(stored: StoredCorpus) -> None:
    with pytest.raises(UsageError, match=r"needs all 1,\d+ vectors in memory, which take .* 1.0 MB can"):
        stored_clusters(stored)


def test_an_index_gives_candidates_with_exact_scores(
    tmp_path: Path, path: str, loaded: Corpus, caplog: pytest.LogCaptureFixture
) -> None:
    name = str(tmp_path / "indexed.lance")
    lance.write_dataset(lance.dataset(path).to_table(filter="embedding IS NOT NULL"), name)
    build(StoredVectors.open(name), plan_index(IndexKind.IVF_PQ, len(loaded), DIMENSIONS))
    corpus = StoredCorpus(StoredVectors.open(name), index_from=0)
    report_comparison(corpus)
    assert re.search(r"by candidates of its index, which finds \d+\.\d % of the 10 nearest", caplog.text)
    expected = near_duplicates(loaded, 0.95)
    found, _ = stored_duplicates(corpus, 0.95)
    same = found.representatives == expected.representatives
    assert same.mean() > 0.95
    assert (found.scores == expected.scores)[same].all()
    assert (stored_outliers(corpus, k=3).scores >= outliers(loaded, k=3).scores - 1e-7).all()


def test_a_vector_without_direction_names_the_dataset(tmp_path: Path) -> None:
    name = str(tmp_path / "zero.lance")
    vectors = pa.array([None, [1.0, 0.0], [0.0, 0.0]], pa.list_(pa.float32(), 2))
    lance.write_dataset(pa.table({"vector": vectors}), name)
    with pytest.raises(InputError, match="the vector of row 3 is zero") as caught:
        stored_duplicates(StoredCorpus(StoredVectors.open(name)), 0.9)
    assert caught.value.place is not None and caught.value.place.source == name


class Many(LoadedCorpus):
    """Says to have so many texts."""

    def __init__(self, count: int) -> None:
        super().__init__(Corpus([], np.empty((0, 384), np.float32), None))
        self._count = count

    def __len__(self) -> int:
        return self._count


def test_a_comparison_that_takes_hours_is_refused() -> None:
    check_passes(1000, Many(2_000_000), 384)
    with pytest.raises(UsageError, match=r"comparing 20,000,000 texts with 20,000,000, .* hours") as caught:
        check_passes(20_000_000, Many(20_000_000), 384)
    assert "simil index" in str(caught.value.hint)
