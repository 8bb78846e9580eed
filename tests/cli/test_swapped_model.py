"""Another model behind the same address and name: cached vectors never meet its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.command import simil
from support.openai_server import FAULTS, KEY, OpenAIServer, vector

NAME, WIDTH = "some-model", 8
DROPPED = "its cached vectors are dropped, and vectors saved in files must be made again"
# Longer than what is known to fit into any model.
LONG = "pear " * 100


@pytest.fixture
def server(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OpenAIServer]:
    monkeypatch.setenv("SIMIL_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
    with OpenAIServer(models={NAME: WIDTH}) as running:
        monkeypatch.setenv("OPENAI_BASE_URL", running.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("SIMIL_MODEL", f"openai:{NAME}")
        yield running


def score(a: str, b: str, seed: str = "") -> float:
    return float(vector(seed + a, WIDTH) @ vector(seed + b, WIDTH))


def test_same_model_is_asked_for_one_text_and_keeps_what_is_cached(server: OpenAIServer) -> None:
    simil("compare", "apple", "quince")
    server.forget()
    result = simil("compare", "quince", "apple", "-v")
    assert float(result.out) == pytest.approx(score("apple", "quince"), abs=1e-6)
    assert [request.body["input"] for request in server.requests] == [["apple"]]
    assert f"{NAME} at {server.base_url} gives a cached text the same vector as before" in result.err
    assert "1 request" in result.err


def test_swapped_model_is_noticed_before_any_score(server: OpenAIServer) -> None:
    simil("compare", "apple", "quince")
    simil("compare", "fig", "plum")
    server.reconfigure(seed="another ")
    # What is cached, what is half cached, and what is cached but did not take part in the check.
    for texts in (("apple", "quince"), ("apple", "medlar"), ("fig", "plum")):
        result = simil("compare", *texts)
        assert float(result.out) == pytest.approx(score(*texts, "another "), abs=1e-6)
        said = f"simil: {NAME} at {server.base_url} is not the same model as before: {DROPPED}\n"
        assert result.err == (said if texts == ("apple", "quince") else "")


def test_another_width_and_long_texts(server: OpenAIServer) -> None:
    for overflow in ("truncate", "chunk"):
        simil("compare", LONG, LONG + "!", "--overflow", overflow)
        server.reconfigure(seed=overflow)
        result = simil("compare", LONG, LONG + "!", "--overflow", overflow)
        assert "is not the same model as before" in result.error_line
        assert float(result.out) == pytest.approx(score(LONG, LONG + "!", overflow), abs=1e-6)
    server.reconfigure(models={NAME: 5})
    assert (
        "is not the same model as before"
        in simil("compare", LONG, LONG + "!", "--overflow", "chunk").error_line
    )


def test_shortened_vectors_of_the_same_model_stay(server: OpenAIServer) -> None:
    simil("compare", "apple", "quince", "--dimensions", "4")
    assert simil("compare", "apple", "quince", "--dimensions", "4").err == ""
    assert server.charges == {"apple": 2, "quince": 1}


def test_other_name_in_the_answer_is_another_model(server: OpenAIServer) -> None:
    simil("compare", "apple", "quince")
    server.reconfigure(answers_as="some-model-v2")
    assert "is not the same model as before" in simil("compare", "apple", "quince").error_line
    assert simil("compare", "apple", "quince").err == ""
    server.reconfigure(answers_as=None)
    assert "is not the same model as before" in simil("compare", "apple", "quince").error_line


def test_another_address_and_another_name_keep_theirs(server: OpenAIServer) -> None:
    with OpenAIServer(models={NAME: WIDTH, "other": WIDTH}) as other:
        simil("compare", "apple", "quince", "--base-url", other.base_url)
        simil("compare", "apple", "quince", "--base-url", other.base_url, "-m", "openai:other")
        simil("compare", "apple", "quince")
        server.reconfigure(seed="another ")
        simil("compare", "apple", "quince")
        other.forget()
        for model in (NAME, "other"):
            simil("compare", "apple", "quince", "--base-url", other.base_url, "-m", f"openai:{model}")
        assert sum(request.inputs for request in other.log) == 2


def test_cache_may_be_trusted(server: OpenAIServer) -> None:
    simil("compare", "apple", "quince")
    server.reconfigure(seed="another ")
    result = simil("compare", "apple", "quince", "--trust-cache")
    assert (result.err, server.count) == ("", 1)
    assert float(result.out) == pytest.approx(score("apple", "quince"), abs=1e-6)


@pytest.mark.parametrize("fault", ["status_500", "status_401", "reset"])
def test_server_that_cannot_be_asked_stops_no_run(server: OpenAIServer, fault: str) -> None:
    simil("compare", "apple", "quince")
    server.always = FAULTS[fault]
    result = simil("compare", "apple", "quince")
    assert result.code == 0
    assert float(result.out) == pytest.approx(score("apple", "quince"), abs=1e-6)
    assert result.error_line.startswith(
        f"cannot check that cached vectors are still those of {NAME} at {server.base_url}: "
    )
    assert server.count == 2


def test_what_a_run_has_just_added_is_not_what_is_checked(server: OpenAIServer) -> None:
    simil("compare", "an old text", "another old text")
    server.reconfigure(seed="another ")
    # More than is read ahead, so that a text of the first batch comes back in a later one.
    lines = [*(f"new {number}" for number in range(2100)), "new 0", "an old text"]
    result = simil("embed", "-f", "jsonl", "--concurrency", "1", stdin="\n".join(lines).encode())
    assert "is not the same model as before" in result.err
    # Once before, once to check, and once for the new vector.
    assert server.charges["an old text"] == 3
