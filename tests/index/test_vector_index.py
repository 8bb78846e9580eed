"""Candidates come by an index and scores are exact, whatever was appended, deleted or asked for."""

from __future__ import annotations

import os
import shutil
from datetime import timedelta
from pathlib import Path

import lance
import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from simil import similarity
from simil.errors import InputError, UsageError
from simil.index.candidate_index import CandidateIndex
from simil.index.index_building import build, optimize
from simil.index.index_description import describe, describe_dataset
from simil.index.index_plan import IndexKind, default_kind, plan_index
from simil.index.nearest import Nearest, nearest
from simil.index.recall import measure_recall
from simil.vectors.stored_vectors import StoredVectors

DIMENSIONS = 16
ROWS = 2000
# Of which the last is in no index, and a row of a tenth of them has no vector.
FRAGMENTS = (1200, 600, 200)

Vectors = NDArray[np.float32]


def vectors_of(seed: int, count: int) -> Vectors:
    """Vectors around 40 centres, as those of texts on some subjects, of any length."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(0).standard_normal((40, DIMENSIONS), np.float32)
    vectors: Vectors = centres[random.integers(0, 40, count)]
    return vectors + 0.3 * random.standard_normal((count, DIMENSIONS), np.float32)


def table(first: int, vectors: Vectors) -> pa.Table:
    rows = range(first, first + len(vectors))
    given = [None if row % 50 == 49 else vector for row, vector in zip(rows, vectors, strict=True)]
    return pa.table(
        {
            "id": [f"row {row}" for row in rows],
            "text": [f"the text of row {row}" for row in rows],
            "year": [1900 + row % 100 for row in rows],
            "embedding": pa.array(given, pa.list_(pa.float32(), DIMENSIONS)),
        }
    )


def write(path: Path) -> StoredVectors:
    """A dataset whose first fragment begins with copies of one vector."""
    vectors = vectors_of(1, ROWS)
    vectors[:12] = vectors[0]
    for start, count in zip((0, 1200, 1800), FRAGMENTS[:2], strict=False):
        mode = "append" if start else "create"
        lance.write_dataset(table(start, vectors[start : start + count]), path, mode=mode)
    return StoredVectors.open(str(path))


def append(path: Path) -> StoredVectors:
    lance.write_dataset(table(1800, vectors_of(2, FRAGMENTS[2])), path, mode="append")
    return StoredVectors.open(str(path))


def queries() -> Vectors:
    """Vectors near those of the dataset, and the one that is there a dozen times."""
    asked = vectors_of(3, 40)
    asked[0] = vectors_of(1, ROWS)[0]
    return similarity.unit(asked)


def by_index(stored: StoredVectors, k: int = 10, where: str | None = None) -> Nearest:
    return nearest(stored, queries(), k, where=where, index_from=0)


def exactly(stored: StoredVectors, k: int = 10, where: str | None = None) -> Nearest:
    return nearest(stored, queries(), k, where=where, exact=True)


def share(found: Nearest, exact: Nearest) -> float:
    pairs = zip(found.row_ids.tolist(), exact.row_ids.tolist(), strict=True)
    return float(np.mean([len({*one} & {*other}) / len(other) for one, other in pairs]))


def check_scores(stored: StoredVectors, found: Nearest) -> None:
    """Every score is that of the row, to the last bit, and rows are in order."""
    scores = similarity.top_k(
        queries(), similarity.of_length_one(stored.take_vectors(found.row_ids.ravel())), found.row_ids.size
    )
    for number, (ids, given) in enumerate(zip(found.row_ids, found.scores, strict=True)):
        own = dict(zip(scores[1][number].tolist(), scores[0][number].tolist(), strict=True))
        width = len(ids)
        assert [own[number * width + place] for place in range(width)] == given.tolist()
        assert (np.diff(given) <= 0).all()
        assert all(np.diff(ids.astype(np.int64))[np.diff(given) == 0] > 0)


@pytest.fixture(scope="module", params=[*IndexKind])
def path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset with an index of each kind, and rows that came after it."""
    name: Path = tmp_path_factory.mktemp("indexed") / "corpus.lance"
    stored = write(name)
    build(stored, plan_index(request.param, stored.count, DIMENSIONS))
    lance.dataset(str(name)).delete("year = 1950")
    append(name)
    return name


@pytest.fixture(scope="module")
def stored(path: Path) -> StoredVectors:
    return StoredVectors.open(str(path))


def test_candidates_are_scored_exactly(stored: StoredVectors) -> None:
    index = CandidateIndex.of(stored)
    assert index is not None
    assert [fragment.count_rows() for fragment in index.fragments_left] == [200]

    found, exact = by_index(stored), exactly(stored)

    check_scores(stored, found)
    assert share(found, exact) >= 0.95
    # Copies in the order of the dataset, and new rows among the others.
    assert found.row_ids[0].tolist() == exact.row_ids[0].tolist() == [*range(10)]
    assert (found.row_ids >> np.uint64(32)).max() == 2


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ("year < 1910", 10),
        ("year = 1903", 10),
        ("id = 'row 1234'", 1),
        ("id IN ('row 3', 'row 1900')", 2),
        ("year = 1", 0),
    ],
)
def test_only_rows_that_meet_a_condition_are_found(stored: StoredVectors, where: str, count: int) -> None:
    found, exact = by_index(stored, where=where), exactly(stored, where=where)

    assert found.scores.shape == exact.scores.shape == (40, count)
    check_scores(stored, found)
    assert count < 10 or share(found, exact) >= 0.95
    assert count == 10 or found.row_ids.tolist() == exact.row_ids.tolist()


def test_more_results_than_the_index_has_candidates(stored: StoredVectors) -> None:
    found, exact = by_index(stored, 1500), exactly(stored, 1500)

    assert found.scores.shape == exact.scores.shape == (40, 1500)
    assert share(found, exact) >= 0.95


def test_small_datasets_are_read(stored: StoredVectors) -> None:
    asked, exact = nearest(stored, queries(), 10), exactly(stored)

    assert asked.row_ids.tolist() == exact.row_ids.tolist()
    assert asked.scores.tobytes() == exact.scores.tobytes()


def test_an_index_is_described(request: pytest.FixtureRequest, stored: StoredVectors) -> None:
    kind = request.node.callspec.params["path"]
    found = {index.column: index for index in describe(stored)}

    assert {*found} == {"embedding", "id", "text"}
    assert found["embedding"].settings["partitions"] == 1
    assert found["embedding"].settings["metric"] == "cosine"
    assert found["embedding"].kind == kind.upper().replace("-", "_")
    assert all(index.rows_left == 200 for index in found.values())


def test_recall_is_that_of_a_sample(stored: StoredVectors) -> None:
    recall = measure_recall(stored, 5, queries=50)

    assert (recall.k, recall.queries) == (5, 50)
    assert recall.kind == describe(stored)[0].kind
    assert 0.95 <= recall.recall <= 1
    assert recall.recall == measure_recall(stored, 5, queries=50).recall
    assert recall.settings["partitions"] == 1
    assert measure_recall(stored, 5, where="year = 1903 -- or so").queries > 10


def test_an_optimized_dataset_answers_alike(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.lance"
    shutil.copytree(path, copy)
    before = StoredVectors.open(str(copy))
    ids = before.take(exactly(before).row_ids.ravel()).ids

    done = optimize(StoredVectors.open(str(copy)))

    assert done.fragments == (3, 1)
    # Who has the old version open still reads it.
    assert before.take(exactly(before).row_ids.ravel()).ids == ids
    after = StoredVectors.open(str(copy))
    assert {index.rows_left for index in describe(after)} == {0}
    assert after.take(exactly(after).row_ids.ravel()).ids == ids
    check_scores(after, by_index(after))
    assert share(by_index(after), exactly(after)) >= 0.95


def test_old_versions_and_leftovers_are_removed(tmp_path: Path) -> None:
    name = tmp_path / "corpus.lance"
    write(name)
    left = [name / "data" / "killed.lance", name / "_indices" / "killed" / "index.idx"]
    for file in left:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"0" * 100)

    done = optimize(append(name))
    assert done.kept == 200
    assert describe_dataset(StoredVectors.open(str(name))).versions > 1
    assert all(file.exists() for file in left)

    for file in left:
        os.utime(file, (0, 0))
    done = optimize(StoredVectors.open(str(name)))
    assert (done.kept, [file for file in left if file.exists()]) == (0, [])

    done = optimize(StoredVectors.open(str(name)), kept_for=timedelta(0))
    assert done.freed > 0
    assert describe_dataset(StoredVectors.open(str(name))).versions == 1
    assert exactly(StoredVectors.open(str(name))).scores.shape == (40, 10)


def test_a_new_index_takes_the_place_of_the_old(tmp_path: Path) -> None:
    name = tmp_path / "corpus.lance"
    stored = write(name)
    lance.dataset(str(name)).create_index(
        "embedding", "IVF_PQ", name="theirs", metric="cosine", num_partitions=2, num_sub_vectors=4
    )

    for kind in (IndexKind.IVF_RQ, IndexKind.IVF_HNSW_SQ):
        build(StoredVectors.open(str(name)), plan_index(kind, stored.count, DIMENSIONS))
        found = [index for index in describe(StoredVectors.open(str(name))) if index.kind.startswith("IVF_")]
        assert [(index.name, index.kind) for index in found] == [("theirs", kind.in_lance)]


def test_an_index_by_another_distance_is_not_used(tmp_path: Path) -> None:
    write(tmp_path / "corpus.lance")
    dataset = lance.dataset(str(tmp_path / "corpus.lance"))
    dataset.create_index("embedding", "IVF_PQ", metric="L2", num_partitions=2, num_sub_vectors=4)
    stored = StoredVectors.open(str(tmp_path / "corpus.lance"))

    assert CandidateIndex.of(stored) is None
    assert by_index(stored).scores.tobytes() == exactly(stored).scores.tobytes()
    with pytest.raises(InputError, match="has no index on its vectors; run: simil index"):
        measure_recall(stored, 10)


def test_lists_of_any_length_are_refused(tmp_path: Path) -> None:
    vectors = pa.array(vectors_of(1, 300).tolist(), pa.list_(pa.float32()))
    lance.write_dataset(pa.table({"embedding": vectors}), tmp_path / "lists.lance")
    stored = StoredVectors.open(str(tmp_path / "lists.lance"))

    with pytest.raises(InputError, match="lists of any length, which Lance does not index"):
        build(stored, plan_index(IndexKind.IVF_PQ, 300, DIMENSIONS))


@pytest.mark.parametrize(
    ("kind", "rows", "dimensions", "sizes", "settings"),
    [
        (IndexKind.IVF_PQ, 256, 384, (1, 64), {"num_sub_vectors": 48}),
        (IndexKind.IVF_PQ, 10_000, 100, (2, 64), {"num_sub_vectors": 20}),
        (IndexKind.IVF_PQ, 10_000, 13, (2, 64), {"num_sub_vectors": 13}),
        (IndexKind.IVF_RQ, 2_000_000, 384, (488, 64), {"num_bits": 1}),
        (IndexKind.IVF_RQ, 10**9, 1536, (15811, 5), {"num_bits": 1}),
        (IndexKind.IVF_HNSW_SQ, 3_000_000, 768, (2, 64), {}),
    ],
)
def test_sizes_go_with_rows_and_dimensions(
    kind: IndexKind, rows: int, dimensions: int, sizes: tuple[int, int], settings: dict[str, int]
) -> None:
    plan = plan_index(kind, rows, dimensions)
    assert plan is not None
    assert ((plan.partitions, plan.sample_rate), plan.settings) == (sizes, settings)


def test_too_few_rows_and_odd_dimensions() -> None:
    assert plan_index(IndexKind.IVF_RQ, 255, 384) is None
    with pytest.raises(UsageError, match="takes a multiple of 8 dimensions"):
        plan_index(IndexKind.IVF_RQ, 1000, 100)
    assert [default_kind(dimensions) for dimensions in (100, 384)] == [IndexKind.IVF_PQ, IndexKind.IVF_RQ]
