"""The server behind an API: its models, what a few texts bring, and what each failure looks like."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from support.openai_faults import Fault, batch_limit, raw, refuse, rows
from support.openai_server import KEY, OpenAIServer

from doctor.conftest import Examine
from simil.embedders.openai.server_trial import ServerTrial
from simil.tasks.doctor.server_checks import limits, speed, vectors

NAME = "text-embedding-3-small"


@pytest.fixture(scope="module")
def shared() -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        yield server


@pytest.fixture
def server(shared: OpenAIServer) -> Iterator[OpenAIServer]:
    shared.forget()
    yield shared
    shared.always = None
    shared.reconfigure(key=KEY, lists=None, requests_per_minute=None)


def sent(server: OpenAIServer) -> list[int]:
    """Return how many texts each request had."""
    return [len(request.body["input"]) for request in server.requests]


def test_a_server_that_has_the_model_is_described(look: Examine, server: OpenAIServer) -> None:
    report = look(model=f"openai:{NAME}", base_url=server.base_url, OPENAI_API_KEY=KEY)

    assert report.failed == set()
    assert report.told("API") == f"{server.host} answers 200 to the API key in OPENAI_API_KEY | "
    assert report.told("API models") == f"{NAME} is among 3 models | "
    assert report.told("API vectors") == "1,536 dimensions, normalized | "
    assert "for one text" in report.told("API speed")
    assert "texts/s in a request of 64" in report.told("API speed")
    assert report.told("API limits") == "none told | "
    assert sent(server) == [1, 1, 64]
    assert server.violations == []


def test_a_text_is_sent_only_if_deep(examine: Examine, server: OpenAIServer) -> None:
    server.reconfigure(key=None)
    given = {"offline": False, "HF_ENDPOINT": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"}
    report = examine("-m", f"openai:{NAME}", "--base-url", server.base_url, **given)

    assert report.told("API models").startswith(f"{NAME} is among 3 models")
    assert report.status("API vectors") == "note"
    assert "--deep sends some short ones" in report.told("API vectors")
    assert server.count == 0


def test_a_model_that_is_not_there_is_told_with_those_that_are(look: Examine, server: OpenAIServer) -> None:
    report = look(model="openai:text-embedding-3-smal", base_url=server.base_url, OPENAI_API_KEY=KEY)

    assert report.status("API models") == "warn"
    told = "text-embedding-3-smal is not among 3 models: text-embedding-3-small, "
    assert report.told("API models").startswith(told)
    assert report.told("API models").endswith(f"use -m openai:{NAME}")
    assert report.failed == {"API vectors"}
    assert "has no model 'text-embedding-3-smal' at this address (404)" in report.told("API vectors")


def test_without_a_model_the_models_are_listed(look: Examine, server: OpenAIServer) -> None:
    report = look(base_url=server.base_url, OPENAI_API_KEY=KEY)

    assert report.told("API models").startswith(f"3 models: {NAME}, ")
    assert "API vectors" not in report.findings
    assert server.count == 0


def test_a_model_of_this_machine_is_told_from_the_servers(look: Examine) -> None:
    with OpenAIServer(key=None, models={"minilm": 8}) as server:
        report = look(model="minilm", base_url=server.base_url)

    assert report.told("API models") == (
        "1 model: minilm; -m minilm is not the server's | use -m openai:minilm for that"
    )
    assert server.count == 0


def test_a_tag_of_ollama_is_the_model(look: Examine) -> None:
    models = {"nomic-embed-text:latest": 8, "nomic-embed-text": 8}
    with OpenAIServer(key=None, models=models) as server:
        server.reconfigure(lists=(200, b'{"data": [{"id": "nomic-embed-text:latest"}]}'))
        report = look(model="openai:nomic-embed-text", base_url=server.base_url)

    assert report.told("API models") == "nomic-embed-text is among 1 model | "


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((404, b"{}"), "has no list of models here (404)"),
        ((200, b"<html>"), "sent no list of models"),
        ((200, b'{"models": []}'), "sent no list of models"),
        ((200, b"[" * 3000), "sent no list of models"),
    ],
    ids=["404", "a page", "another form", "deep"],
)
def test_a_server_without_a_list_may_have_the_model(
    answer: tuple[int, bytes], told: str, look: Examine, server: OpenAIServer
) -> None:
    server.reconfigure(lists=answer)
    report = look(model=f"openai:{NAME}", base_url=server.base_url, OPENAI_API_KEY=KEY)

    assert report.failed == set()
    assert report.status("API models") == "note"
    assert told in report.told("API models")
    assert report.status("API vectors") == "ok"


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (refuse(401, "no"), "rejected the API key in OPENAI_API_KEY (401)"),
        (refuse(404, "no"), "has no model"),
        (refuse(503, "no"), "failed (503)"),
        (raw(200, b"<html>", "text/html"), "sent an answer that is not JSON"),
        (rows("nan"), "not a finite number"),
        (rows("missing"), "returned 0 vectors for 1 text"),
    ],
    ids=["401", "404", "503", "a page", "NaN", "no vector"],
)
def test_a_text_that_is_not_embedded_is_a_failure(
    fault: Fault, told: str, look: Examine, server: OpenAIServer
) -> None:
    server.always = fault
    report = look(model=f"openai:{NAME}", base_url=server.base_url, OPENAI_API_KEY=KEY)

    assert report.failed == {"API vectors"}
    assert told in report.told("API vectors")
    assert server.count == 1


def test_a_wrong_key_is_not_tried_with_a_text(look: Examine, server: OpenAIServer) -> None:
    report = look(model=f"openai:{NAME}", base_url=server.base_url, OPENAI_API_KEY="sk-another-one-9")

    assert report.failed == {"API"}
    assert server.count == 0
    assert "sk-another" not in report.result.out


def test_a_secret_in_the_address_is_hidden(look: Examine, server: OpenAIServer) -> None:
    address = server.base_url.replace("http://", "http://someone:open-sesame-47@")
    report = look(model=f"openai:{NAME}", base_url=address)

    assert report.failed == {"API"}
    assert "open-sesame" not in report.result.out


def test_refusals_and_headers_tell_the_limits(look: Examine, server: OpenAIServer) -> None:
    server.always = batch_limit(32, 422, "batch size {count} > maximum allowed batch size {most}")
    report = look(model=f"openai:{NAME}", base_url=server.base_url, OPENAI_API_KEY=KEY)

    assert report.told("API limits") == "at most 32 texts a request | "
    assert "in a request of 32" in report.told("API speed")
    assert sent(server) == [1, 1, 64, 32]

    with OpenAIServer(requests_per_minute=3000, tokens_per_minute=1_000_000) as limited:
        report = look(model=f"openai:{NAME}", base_url=limited.base_url, OPENAI_API_KEY=KEY)
    assert report.told("API limits") == "3,000 requests a minute, 1,000,000 tokens a minute | "


TRIAL = ServerTrial(
    dimensions=384,
    shortest=0.99999,
    longest=1.0,
    first_s=0.02,
    text_s=0.02,
    texts=64,
    texts_s=0.5,
    most_texts=None,
    failed="",
    limits={},
)


def test_what_is_measured_is_told_in_round_numbers() -> None:
    assert speed(TRIAL).detail == "20 ms for one text, 128 texts/s in a request of 64"
    assert vectors(TRIAL).detail == "384 dimensions, normalized"
    assert limits(TRIAL).detail == "none told"


def test_a_slow_server_and_a_model_that_is_loaded_first_are_told() -> None:
    slow = speed(replace(TRIAL, text_s=2.5, first_s=9.0, texts=2, texts_s=5.0))
    assert slow.status == "warn"
    assert slow.detail == (
        "2,500 ms for one text (9,000 ms for the first), 0.4 texts/s in a request of 2: slow"
    )
    failed = speed(replace(TRIAL, texts=0, texts_s=0.0, failed="host failed (500)"))
    assert failed.status == "warn"
    assert failed.detail == "20 ms for one text; several texts in a request failed: host failed (500)"


def test_vectors_that_are_not_normalized_are_told() -> None:
    told = vectors(replace(TRIAL, shortest=0.8, longest=3.123)).detail
    assert told == (
        "384 dimensions, not normalized (lengths from 0.8 to 3.12): simil does it, unless --no-normalize"
    )
