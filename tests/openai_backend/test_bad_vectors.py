"""Answers in which only some vectors are right: these are kept, and each other text is refused by name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from support.openai_faults import FAULTS, refuse, refuses_text, rows, spoils_text
from support.openai_server import OpenAIServer, vectors

from simil.embedders.openai.client import OpenAIEmbedder
from simil.embedders.openai.protocol import Answer, BadAnswer, Reply, answer_of
from simil.embedders.overflow import Overflow
from simil.errors import ServerFailed

Make = Callable[..., OpenAIEmbedder]
Found = tuple[NDArray[np.float32], list[int]]

TEXTS = ["one", "two", "five bad", "six", "two"]
WIDTH = 1536


def embedded(embedder: OpenAIEmbedder, texts: list[str]) -> Found:
    refused: list[int] = []
    found = embedder.begin(texts, normalize=False, on_rejected=lambda exc: refused.append(exc.index))()
    return found, refused


def assert_right(found: Found, texts: list[str], bad: list[int]) -> None:
    good = [row for row in range(len(texts)) if row not in bad]
    assert found[1] == bad
    assert np.array_equal(found[0][good], vectors(texts, WIDTH)[good])
    assert np.isnan(found[0][bad]).all()


def test_an_integer_beyond_float64_spoils_one_text() -> None:
    body = b'{"data":[{"embedding":[NaN,1' + b"0" * 400 + b']},{"embedding":[1,2]},{"embedding":[3,4]}]}'
    found = answer_of(Reply(200, {}, body), 3, None)
    assert found.faults == {0: "returned a value that is not a finite number"}
    assert found.vectors[1:].tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    "change", ["null", "nulls", "nan", "infinite", "base64 of nan", "empty", "shorter", "missing"]
)
def test_the_right_ones_are_kept(change: str, server: OpenAIServer, make: Make) -> None:
    server.always = spoils_text("bad", change)
    assert_right(embedded(make(), TEXTS), TEXTS, [2])
    assert len(server.requests) == 1


def test_a_text_that_was_refused_is_not_sent_again(server: OpenAIServer, make: Make) -> None:
    server.always = spoils_text("bad", "null")
    embedder = make()
    for _ in range(2):
        assert_right(embedded(embedder, TEXTS), TEXTS, [2])
    assert [request.body["input"] for request in server.requests][1] == ["one", "two", "six"]


def test_a_bad_text_alone_is_to_blame_if_others_passed(server: OpenAIServer, make: Make) -> None:
    server.always = spoils_text("bad", "null")
    embedder = make()
    embedded(embedder, ["fine"])
    assert embedded(embedder, ["very bad"])[1] == [0]
    assert embedded(embedder, ["bad", "worse, bad"])[1] == [0, 1]
    assert len(server.requests) == 3


def test_a_server_that_gives_no_vector_to_anybody_is_at_fault(server: OpenAIServer, make: Make) -> None:
    server.always = spoils_text("", "null")
    for texts in (["one"], TEXTS):
        with pytest.raises(ServerFailed, match="not a list of numbers; check the base URL"):
            embedded(make(), texts)
    assert len(server.requests) == 2


def test_a_server_that_gives_none_from_some_time_on(server: OpenAIServer, make: Make) -> None:
    embedder = make()
    embedded(embedder, ["fine"])
    server.always = spoils_text("", "null")
    with pytest.raises(ServerFailed, match="not a list of numbers"):
        embedded(embedder, [f"text {number}" for number in range(200)])
    assert len(server.requests) == 2


def test_beside_a_text_that_is_refused_outright(server: OpenAIServer, make: Make) -> None:
    """The search for the one meets an answer that is bad for the other, and goes on."""
    server.misbehave(refuses_text("worst", 400))
    server.always = spoils_text("bad", "null")
    texts = ["a", "bad", "worst", "b", "bad too", "c"]
    assert_right(embedded(make(), texts), texts, [1, 4])
    server.misbehave(refuses_text("worst", 400))
    texts = ["bad", "bad too", "worst", "b"]
    assert embedded(make(), texts)[1] == [0, 1]


def test_a_long_text_fails_with_any_of_its_windows(server: OpenAIServer, make: Make) -> None:
    server.always = spoils_text("bad", "null")
    embedder = make(max_tokens=8, overflow=Overflow.CHUNK)
    _, refused = embedded(
        embedder, ["fine", "some words and then a bad one, and others after it", "fine too"]
    )
    assert refused == [1]


def test_ollama_fails_as_a_whole_where_one_vector_is_nan(server: OpenAIServer, make: Make) -> None:
    said = "failed to encode response: json: unsupported value: NaN"
    server.always = refuses_text("bad", 500, said)
    assert_right(embedded(make(), TEXTS), TEXTS, [2])
    server.always = refuse(500, "out of memory")
    with pytest.raises(ServerFailed):
        embedded(make(retries=0), TEXTS)


@pytest.mark.parametrize("change", ["missing", "empty", "duplicate_index", "index_out_of_range"])
def test_where_it_is_unclear_whose_a_vector_is_nothing_is_taken(
    change: str, server: OpenAIServer, make: Make
) -> None:
    server.always = rows(change)
    with pytest.raises(ServerFailed):
        embedded(make(), TEXTS)
    assert f"rows_{change}" in FAULTS or change in FAULTS


def answer(*rows: str, count: int, dimensions: int | None = None) -> Answer:
    body = f'{{"data":[{",".join(rows)}]}}'.encode()
    return answer_of(Reply(200, {"content-type": "application/json"}, body), count, dimensions)


def row(index: int | None, embedding: str) -> str:
    return f'{{"index":{"null" if index is None else index},"embedding":{embedding}}}'


def test_rows_with_numbers_tell_which_is_missing() -> None:
    found = answer(row(3, "[3]"), row(0, "[0]"), row(1, "[1]"), count=4)
    assert found.faults == {2: "returned no vector"}
    assert found.vectors[[0, 1, 3]].tolist() == [[0], [1], [3]]


@pytest.mark.parametrize(
    "numbers", [[0, 1, 2], [1, 2, 3], [None, None, None], []], ids=["no gap", "from 1", "none", "empty"]
)
def test_rows_that_do_not_tell_which_is_missing_are_refused(numbers: list[int | None]) -> None:
    with pytest.raises(BadAnswer, match=f"returned {len(numbers)} vectors for 4 texts"):
        answer(*(row(number, "[1]") for number in numbers), count=4)


def test_the_length_that_most_vectors_have_is_right_until_it_is_known() -> None:
    rows = [row(0, "[1,2]"), row(1, "[1,2,3]"), row(2, "[1,2]")]
    assert answer(*rows, count=3).faults == {1: "returned 3 dimensions where 2 were expected"}
    found = answer(*rows, count=3, dimensions=3)
    assert found.faults == dict.fromkeys((0, 2), "returned 2 dimensions where 3 were expected")
    with pytest.raises(BadAnswer, match="returned vectors of both 2 and 3 dimensions"):
        answer(*rows[:2], count=2)
    with pytest.raises(BadAnswer, match="returned 2 dimensions where 4 were expected"):
        answer(*rows, count=3, dimensions=4)


def test_null_in_place_of_a_row_is_that_of_its_text() -> None:
    found = answer('{"embedding":[1]}', "null", '{"embedding":[NaN]}', '{"embedding":[2]}', count=4)
    assert found.faults.keys() == {1, 2}
    assert found.vectors[[0, 3]].tolist() == [[1], [2]]
