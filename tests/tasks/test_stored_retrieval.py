"""Searching datasets where they are gives what searching the same vectors in memory gives, bit for bit."""

from __future__ import annotations

from pathlib import Path

import lance
import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from simil.errors import InputError, UsageError
from simil.index.nearest import has_useful_index
from simil.session.loader import saved_corpus
from simil.session.stored_corpora import groups_of
from simil.tasks.corpus import Corpus
from simil.tasks.retrieval import SearchResult, search
from simil.tasks.stored_retrieval import search_stored
from simil.vectors.collect import VectorFile
from simil.vectors.stored_vectors import StoredVectors

DIMENSIONS = 24
COUNT = 700


def table(ids: list[str], vectors: list[NDArray[np.float32] | None], years: list[int]) -> pa.Table:
    return pa.table(
        {
            "id": ids,
            "text": [f"the text of {name}" for name in ids],
            "year": years,
            "embedding": pa.array(vectors, pa.list_(pa.float32(), DIMENSIONS)),
        }
    )


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A dataset in fragments, with deleted rows, rows without a vector, copies, and lengths other than 1."""
    random = np.random.default_rng(7)
    vectors = random.standard_normal((COUNT, DIMENSIONS), np.float32)
    vectors[: COUNT // 2] /= np.linalg.norm(vectors[: COUNT // 2], axis=1, keepdims=True)
    vectors[100:112] = vectors[0]  # ties, no more than an exact search keeps in order
    given = [None if row % 50 == 3 else vector for row, vector in enumerate(vectors)]
    name = str(tmp_path_factory.mktemp("stored") / "corpus.lance")
    for start in range(0, COUNT, 200):
        rows = range(start, min(start + 200, COUNT))
        part = table(
            [f"row {row}" for row in rows], given[start : rows.stop], [2000 + row % 30 for row in rows]
        )
        lance.write_dataset(part, name, mode="append" if start else "create")
    lance.dataset(name).delete("year = 2007")
    return name


@pytest.fixture(scope="module")
def stored(path: str) -> StoredVectors:
    return StoredVectors.open(path)


@pytest.fixture(scope="module")
def file(path: str) -> VectorFile:
    """The same rows in memory, read by pyarrow and NumPy."""
    rows = [row for row in lance.dataset(path).to_table().to_pylist() if row["embedding"]]
    return VectorFile(
        "in memory",
        None,
        tuple(row["id"] for row in rows),
        tuple(row["text"] for row in rows),
        tuple({"year": row["year"]} for row in rows),
        np.array([row["embedding"] for row in rows], np.float32),
    )


def queries(count: int = 5, dimensions: int = DIMENSIONS) -> Corpus:
    vectors = np.random.default_rng(3).standard_normal((count, dimensions), np.float32)
    ids = tuple(f"query {row}" for row in range(count))
    return saved_corpus([VectorFile("queries", None, ids, ids, ({},) * count, vectors)])


def near_copies() -> Corpus:
    """A query that is the vector which stands 13 times in the dataset."""
    vector = np.random.default_rng(7).standard_normal((COUNT, DIMENSIONS), np.float32)[:1]
    return saved_corpus([VectorFile("queries", None, ("copy",), ("copy",), ({},), vector)])


Shown = list[tuple[str, list[tuple[str, str, object, bytes]], str, bytes]]


def shown(results: list[SearchResult], corpus: Corpus) -> Shown:
    """All that can be seen of results, with the bits of their scores."""
    return [
        (
            result.query,
            [
                (text.id, text.text, text.fields["year"], score.tobytes())
                for text, score in zip([corpus.texts[row] for row in result.rows], result.scores, strict=True)
            ],
            corpus.texts[result.nearest].id,
            np.float32(result.nearest_score).tobytes(),
        )
        for result in results
    ]


@pytest.mark.parametrize(
    ("top_k", "threshold"),
    [(None, None), (1, None), (45, None), (5000, None), (20, 0.3), (None, 0.4), (None, 2.0), (None, -1.0)],
)
@pytest.mark.parametrize("asked", [queries(), near_copies()], ids=["any", "copies"])
def test_results_are_those_of_the_vectors_in_memory(
    asked: Corpus, top_k: int | None, threshold: float | None, stored: StoredVectors, file: VectorFile
) -> None:
    corpus = saved_corpus([file])
    expected = shown(search(asked, corpus, top_k=top_k, threshold=threshold), corpus)
    found = shown(*search_stored(asked, [stored], top_k=top_k, threshold=threshold))
    exact = shown(*search_stored(asked, [stored], top_k=top_k, threshold=threshold, exact=True))

    assert found == expected == exact


@pytest.mark.parametrize(("top_k", "threshold"), [(7, None), (None, 0.35)])
def test_a_condition_leaves_rows_out_before_they_are_counted(
    top_k: int | None, threshold: float | None, stored: StoredVectors, file: VectorFile
) -> None:
    kept = [row for row, fields in enumerate(file.fields) if fields["year"] > 2024]  # type: ignore[operator]
    batch = file.at(kept)
    corpus = saved_corpus(
        [VectorFile("x", None, tuple(batch.ids), tuple(batch.texts), tuple(batch.fields), batch.vectors)]
    )
    expected = shown(search(queries(), corpus, top_k=top_k, threshold=threshold), corpus)

    assert expected == shown(
        *search_stored(queries(), [stored], top_k=top_k, threshold=threshold, where="year > 2024")
    )
    assert search_stored(queries(), [stored], top_k=top_k, threshold=threshold, where="year > 2999")[0] == []


def test_the_first_dimensions_are_compared_as_in_memory(stored: StoredVectors, file: VectorFile) -> None:
    corpus = saved_corpus([file], 10)
    asked = queries(dimensions=10)

    for limits in ({"top_k": 12}, {"threshold": 0.6}):
        expected = shown(search(asked, corpus, **limits), corpus)  # type: ignore[arg-type]
        assert shown(*search_stored(asked, [stored], **limits)) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(("top_k", "threshold"), [(50, None), (30, 0.2), (None, 0.4), (None, 2.0)])
def test_several_sources_are_one_corpus(
    top_k: int | None, threshold: float | None, stored: StoredVectors, file: VectorFile
) -> None:
    nothing = saved_corpus([])
    corpus = saved_corpus([file])
    three = saved_corpus([file, file, file])
    expected = shown(search(queries(), three, top_k=top_k, threshold=threshold), three)

    for sources in ([stored, corpus, nothing, stored], [corpus, stored, corpus]):
        assert shown(*search_stored(queries(), sources, top_k=top_k, threshold=threshold)) == expected


def test_queries_in_groups_are_those_of_one_group(stored: StoredVectors, file: VectorFile) -> None:
    whole = saved_corpus([file])
    groups = [*groups_of(stored, None)]
    assert [text.id for group in groups for text in group.texts] == [text.id for text in whole.texts]
    assert len(groups) > 1

    for limits in ({"top_k": 3}, {"threshold": 0.9}):
        expected = shown(search(whole, whole, **limits), whole)  # type: ignore[arg-type]
        assert shown(*search_stored(iter(groups), [stored], **limits)) == expected  # type: ignore[arg-type]


def test_texts_that_are_found_can_be_asked_for_in_any_order(stored: StoredVectors, file: VectorFile) -> None:
    (result, *_), corpus = search_stored(queries(4), [stored], threshold=-1)
    texts = [corpus.texts[row] for row in range(len(corpus))]

    assert len(corpus) == 4 * len(file) > 2048
    assert [text.id for text in corpus.texts[5:9]] == [text.id for text in texts[5:9]]
    assert corpus.texts[len(corpus) - 1].id == texts[-1].id
    assert corpus.texts[0].id == corpus.texts[int(result.rows[0])].id == texts[0].id
    assert {text.origin for text in texts} == {(stored.name, None, None)}


def test_nothing_to_search_and_nothing_to_search_for(stored: StoredVectors, tmp_path: Path) -> None:
    name = str(tmp_path / "empty.lance")
    lance.write_dataset(table(["a"], [None], [1]), name)

    assert search_stored(queries(), [StoredVectors.open(name)])[0] == []
    assert search_stored(saved_corpus([]), [stored])[0] == []


def test_a_vector_without_direction_is_named(tmp_path: Path) -> None:
    name = str(tmp_path / "zero.lance")
    ones = np.ones(DIMENSIONS, np.float32)
    lance.write_dataset(table(["none", "a", "b"], [None, ones, 0 * ones], [1, 2, 3]), name)

    for limits in ({"top_k": 1}, {"threshold": 0.5}):
        with pytest.raises(InputError, match="the vector of 'b' is zero and has no direction") as caught:
            search_stored(queries(), [StoredVectors.open(name)], **limits)  # type: ignore[arg-type]
        assert str(caught.value.place) == name


def test_a_vector_that_is_not_finite_is_named_in_any_block(tmp_path: Path) -> None:
    name = str(tmp_path / "infinite.lance")
    vectors = [None, *np.ones((9000, DIMENSIONS), np.float32)]
    vectors[8800] = np.full(DIMENSIONS, np.inf, np.float32)
    lance.write_dataset(table([f"r{row}" for row in range(9001)], vectors, [1] * 9001), name)

    with pytest.raises(InputError, match="the vector of 'r8800' has a value that is not a finite"):
        search_stored(queries(), [StoredVectors.open(name)])


def test_rows_without_ids_are_called_by_their_numbers(stored: StoredVectors, tmp_path: Path) -> None:
    name = str(tmp_path / "no-ids.lance")
    rows = lance.dataset(stored.name).to_table(columns=["text", "embedding"])
    for start in (0, 300):
        lance.write_dataset(rows.slice(start, 300), name, mode="append" if start else "create")
    lance.dataset(name).delete("text = 'the text of row 10'")
    left = lance.dataset(name).to_table().to_pylist()
    found, corpus = search_stored(queries(1), [StoredVectors.open(name)], top_k=40)

    texts = [corpus.texts[row] for row in found[0].rows]
    assert [left[int(text.id) - 1]["text"] for text in texts] == [text.text for text in texts]


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("yer > 2020", r"has no column 'yer', which --where names; it has id, text, year, embedding$"),
        ("`my year` > 2020", r"has no column 'my year', which"),
        (
            "year >",
            r"is not a condition on .*: Expected: an expression, found: EOF; write it in SQL, such as",
        ),
        ("year > 'abc'", r"could not convert to literal of type 'Int64'"),
        ("year", r"does not return a boolean"),
        ("nosuch(year) > 3", r"Invalid function 'nosuch'"),
        ("", r"Expected: an expression"),
        ("year > 2020 LIMIT 5", r"is more than a condition, which ends before 'LIMIT'$"),
        ("year > 2020; DELETE FROM t", r"ends before ';'$"),
        ("year > 2020) OR (year < 3", r"ends before '\)'$"),
    ],
)
def test_what_is_no_condition_is_refused_in_one_line(where: str, said: str, stored: StoredVectors) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        stored.check_where(where)
    assert "\n" not in str(caught.value)
    assert ".rs:" not in str(caught.value)


@pytest.mark.parametrize(
    "where",
    [
        "YEAR > 2020",
        "text = 'a)b'",
        "year > 2020 -- recent",
        "year BETWEEN 3 AND 5 AND text IS NOT NULL",
        "true",
    ],
)
def test_a_condition_is_taken(where: str, stored: StoredVectors) -> None:
    stored.check_where(where)
    total = sum(len(ids) for ids, _ in stored.blocks(where=where))
    assert total == len(
        [*filter(None, lance.dataset(stored.name).to_table(filter=f"({where}\n)")["embedding"].to_pylist())]
    )


def test_a_condition_that_fails_on_a_row_is_not_the_fault_of_the_dataset(stored: StoredVectors) -> None:
    stored.check_where("cast(text as int) > 3")
    with pytest.raises(InputError, match=r"--where 'cast\(text as int\) > 3'.*Cannot cast string"):
        search_stored(queries(), [stored], where="cast(text as int) > 3")


def test_an_index_that_pays_is_told(tmp_path: Path, stored: StoredVectors) -> None:
    name = str(tmp_path / "indexed.lance")
    lance.write_dataset(lance.dataset(stored.name).to_table(filter="embedding IS NOT NULL"), name)
    assert not has_useful_index(StoredVectors.open(name), index_from=1)
    options = {"num_partitions": 1, "num_sub_vectors": 8, "metric": "cosine"}
    lance.dataset(name).create_index("embedding", "IVF_PQ", **options)

    assert has_useful_index(StoredVectors.open(name), index_from=1)
    assert not has_useful_index(StoredVectors.open(name))
