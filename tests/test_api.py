"""The Python API gives what the commands give, on lists and arrays."""

from __future__ import annotations

import doctest
from collections.abc import Iterator
from pathlib import Path

import lance
import numpy as np
import pyarrow as pa
import pytest

import simil
from simil import api
from simil.embedders.base import Kind
from simil.errors import InputError, ModelMismatch, UsageError
from simil.formats.arrow_schemas import name_model
from simil.session.session import Session
from simil.tasks.classification import UNKNOWN
from simil.tasks.conversion import vector_batch
from simil.texts import ReadOptions

FRUIT = ["an apple", "a ripe pear", "a basket of plums", "an orange"]
TOOLS = ["a hammer", "a cordless drill", "a box of screws", "a wrench"]


@pytest.fixture(scope="module")
def model() -> Iterator[simil.Model]:
    with simil.open("minilm", cache=False) as opened:
        yield opened


@pytest.mark.parametrize("module", [simil, api], ids=lambda module: module.__name__)
def test_examples_in_docstrings(module: object) -> None:
    found = doctest.testmod(module, optionflags=doctest.ELLIPSIS)  # type: ignore[arg-type]

    assert found.attempted
    assert not found.failed


def test_two_texts_give_a_number(model: simil.Model) -> None:
    assert model.compare("Apple", "Orange") == pytest.approx(0.372580, abs=1e-5)
    assert model.compare("Apple", "Orange") == simil.compare("Apple", "Orange", model="minilm")
    assert model.compare("Apple", "Apple", metric="manhattan") == 0


def test_several_texts_are_compared_each_with_each(model: simil.Model) -> None:
    found = model.compare(FRUIT)

    assert list(found.names) == FRUIT
    rows = np.stack([row for _, row in found.rows()])
    vectors = model.embed(FRUIT)
    assert rows == pytest.approx(vectors @ vectors.T, abs=1e-6)
    assert model.compare(vectors).score == pytest.approx(found.score, abs=1e-6)


def test_vectors_are_in_order_and_of_length_one(model: simil.Model) -> None:
    vectors = model.embed(FRUIT)

    assert vectors.dtype == np.float32
    assert vectors.shape == (4, 384)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(4), abs=1e-6)
    assert model.embed([]).shape == (0, 384)
    assert (model.embed(FRUIT[::-1])[::-1] == vectors).all()


def test_fewer_dimensions() -> None:
    with simil.open("minilm", dimensions=64) as short:
        assert short.embed(FRUIT).shape == (4, 64)
        assert short.search("fruit", simil.embed(FRUIT, model="minilm")).rows.shape == (4,)


def test_settings_are_those_of_the_options(tmp_path: Path) -> None:
    tmp_path.joinpath("settings").write_text("SIMIL_MODEL=minilm\n", "utf-8")

    assert simil.open(env_file=str(tmp_path / "settings")).name.startswith("all-MiniLM-L6-v2@")
    with pytest.raises(UsageError, match="engine cannot be 'steam'"):
        simil.open("minilm", engine="steam")
    with pytest.raises(UsageError, match="no such file"):
        simil.open(env_file=tmp_path / "nothing")


def test_one_query_gives_one_result_and_several_a_list(model: simil.Model) -> None:
    texts = TOOLS + FRUIT
    one = model.search("fruit", texts, top_k=4)
    several = model.search(["fruit", "tools"], texts, top_k=4)

    assert set(one.rows.tolist()) == {4, 5, 6, 7}
    assert [set(result.rows.tolist()) for result in several] == [{4, 5, 6, 7}, {0, 1, 2, 3}]
    assert several[0].scores == pytest.approx(one.scores)
    assert len(model.search("fruit", texts, threshold=0.99).rows) == 0


def test_vectors_are_taken_for_texts_everywhere(model: simil.Model) -> None:
    vectors = model.embed(TOOLS + FRUIT)

    assert set(model.search("fruit", vectors, top_k=4).rows.tolist()) == {4, 5, 6, 7}
    assert model.cluster(vectors, clusters=2).labels.tolist() in ([1] * 4 + [2] * 4, [2] * 4 + [1] * 4)
    assert model.dedupe(np.concatenate([vectors, vectors])).kept.tolist() == [True] * 8 + [False] * 8
    assert model.match(vectors, TOOLS + FRUIT).right.tolist() == list(range(8))
    assert model.outliers(vectors).nearest.shape == (8,)


def test_labels_and_their_descriptions(model: simil.Model) -> None:
    found = model.classify(["a peach"], ["fruit", "tools"])
    described = model.classify(["a saw"], {"f": "things that grow on trees", "t": "tools"})

    assert [best.label for best in found.best()] == ["fruit"]
    assert [best.label for best in described.best()] == ["t"]
    assert [best.label for best in model.classify(["a saw"], ["fruit"], threshold=0.9).best()] == [UNKNOWN]


def test_labels_of_examples(model: simil.Model) -> None:
    labels = ["fruit"] * 4 + ["tools"] * 4
    found = model.classify(["a peach", "a saw"], labels, examples=FRUIT + TOOLS, method="centroid")

    assert [best.label for best in found.best()] == ["fruit", "tools"]
    with pytest.raises(ValueError, match="there are 8 examples and 7 labels"):
        model.classify(["a peach"], labels[1:], examples=FRUIT + TOOLS)


def test_outliers_and_their_reference(model: simil.Model) -> None:
    alone = model.outliers([*FRUIT, "the stock exchange"])
    beside = model.outliers(["a fig", "the stock exchange"], reference=FRUIT, k=1)

    assert int(alone.scores.argmax()) == 4
    assert int(beside.scores.argmax()) == 1


def test_duplicates_within_and_against(model: simil.Model) -> None:
    assert model.dedupe([*FRUIT, "an apple"]).kept.tolist() == [True, True, True, True, False]
    assert model.dedupe(["an apple", "a lamp"], against=FRUIT).kept.tolist() == [False, True]


def test_matches_one_to_one(model: simil.Model) -> None:
    found = model.match(["an apple", "apples"], ["one apple", "a pear"], one_to_one=True)

    assert found.left.tolist() == [0, 1]
    assert sorted(found.right.tolist()) == [0, 1]


@pytest.fixture(scope="module")
def dataset(model: simil.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("datasets") / "things.lance"
    things = TOOLS + FRUIT
    vectors = [*model.embed(things)]
    table = pa.table({"text": things, "fruit": [thing in FRUIT for thing in things]})
    column = pa.array(vectors, pa.list_(pa.float32(), 384))
    named = table.append_column("embedding", column).replace_schema_metadata(name_model(model.name, 384))
    lance.write_dataset(named, path)
    return path


@pytest.mark.parametrize("limits", [{"top_k": 3}, {"threshold": 0.3}, {"threshold": 0.9, "top_k": 2}])
def test_a_dataset_is_searched_where_it_is(
    limits: dict[str, float], dataset: Path, model: simil.Model
) -> None:
    asked = ["plum", "screwdriver"]
    expected = model.search(asked, model.embed(TOOLS + FRUIT), **limits)  # type: ignore[call-overload]
    for place in (dataset, str(dataset)):
        found = model.search(asked, place, **limits)  # type: ignore[call-overload]
        assert [result.rows.tolist() for result in found] == [result.rows.tolist() for result in expected]
        assert [result.scores.tolist() for result in found] == [result.scores.tolist() for result in expected]
        assert [result.nearest for result in found] == [result.nearest for result in expected]


def test_rows_of_a_dataset_are_those_that_lance_takes(dataset: Path, model: simil.Model) -> None:
    found = model.search("plum", dataset, top_k=9, where="fruit", exact=True)

    assert {*lance.dataset(dataset).take(found.rows)["text"].to_pylist()} == {*FRUIT}
    with simil.open(cache=False) as unpinned:
        assert unpinned.search("plum", dataset, top_k=1).rows.tolist() == found.rows[:1].tolist()
        assert unpinned.name == model.name


def test_what_a_dataset_cannot_answer_is_an_error(dataset: Path, tmp_path: Path, model: simil.Model) -> None:
    other = tmp_path / "other.lance"
    table = lance.dataset(dataset).to_table()
    lance.write_dataset(table.replace_schema_metadata(name_model("another@1", 384)), other)

    with pytest.raises(ModelMismatch, match=r"two models cannot be compared: .* and another@1"):
        model.search("plum", other)
    assert model.search("plum", dataset).rows.shape == (8,)  # What was refused is forgotten.
    with pytest.raises(UsageError, match="has no column 'colour', which --where names; it has text, fruit"):
        model.search("plum", dataset, where="colour = 'red'")
    with pytest.raises(InputError, match=r"no row meets .* nothing to search in"):
        model.search("plum", dataset, where="text = 'a pear tree'")
    with pytest.raises(ValueError, match="where is a condition"):
        model.search("plum", FRUIT, where="fruit")
    with simil.open("minilm", offline=True) as offline, pytest.raises(UsageError, match="offline"):
        offline.search("plum", "s3://bucket/things.lance")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda model: model.embed("Apple"), TypeError, "texts is one string; pass a list"),
        (lambda model: model.embed(["a", 1]), TypeError, r"texts\[1\] is not a string, but int"),
        (lambda model: model.embed(["a", " "]), InputError, "text 1 is blank"),
        (lambda model: model.compare("a"), TypeError, "a text is compared with another"),
        (lambda model: model.compare(["a"]), UsageError, "only one text"),
        (lambda model: model.compare("a", "b", metric="angle"), ValueError, "angle"),
        (lambda model: model.embed(["a"], kind="song"), ValueError, "song"),
        (lambda model: model.search("a", []), InputError, "nothing to search in"),
        (lambda model: model.search("a", ["a"], top_k=0), ValueError, "top_k is 0"),
        (lambda model: model.search("a", ["a"], top_k=-1, by="words"), ValueError, "top_k is -1"),
        (lambda model: model.search("a", ["a"], language="english"), ValueError, "language is for words"),
        (lambda model: model.search("a", ["a"], by="words", exact=True), ValueError, "exact is for vectors"),
        (lambda model: model.search("a", np.zeros((2, 384))), InputError, "no direction"),
        (lambda model: model.search("a", np.ones(384)), ValueError, r"shape \(384,\)"),
        (lambda model: model.search("a", np.full((2, 384), np.nan)), ValueError, "not finite"),
        (lambda model: model.search("a", np.ones((2, 3))), ModelMismatch, "384 dimensions"),
        (lambda model: model.cluster(FRUIT, clusters=9), UsageError, "9 clusters"),
        (lambda model: model.outliers(FRUIT, method="guess"), ValueError, "guess"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_an_error(
    model: simil.Model, call: object, error: type[Exception], message: str
) -> None:
    assert callable(call)
    with pytest.raises(error, match=message):
        call(model)


def test_a_session_reads_saved_vectors_before_texts(tmp_path: Path) -> None:
    from simil.config import load_settings
    from simil.vectors import VectorFormat
    from simil.vectors.vector_files import open_writer

    tmp_path.joinpath("texts.txt").write_text("an apple\n\na pear\n", "utf-8")
    blanks: list[object] = []
    with Session(load_settings(model="minilm"), on_blank=blanks.append) as session:
        corpus = session.corpus(session.open([str(tmp_path / "texts.txt")], ReadOptions()), Kind.DOCUMENT)
        assert [text.id for text in corpus.texts] == ["1", "3"]
        assert len(blanks) == 1
        assert not session.used_saved_only
        stamp = session.stamp
    assert stamp is not None
    with (
        (tmp_path / "v.jsonl").open("wb") as stream,
        open_writer(VectorFormat.JSONL, stream, model=stamp) as writer,
    ):
        writer.write(vector_batch(corpus.texts, corpus.vectors, stamp))
    with Session(load_settings()) as session:
        # No setting names a model: the saved vectors do, whichever side they are on.
        texts, vectors = (
            session.open([str(tmp_path / name)], ReadOptions()) for name in ("texts.txt", "v.jsonl")
        )
        left, right = session.corpora(texts, vectors)
        assert left.model == right.model == stamp
        assert (left.vectors * right.vectors).sum(axis=1) == pytest.approx(np.ones(2), abs=1e-5)
