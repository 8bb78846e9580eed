"""An OpenAI-compatible API from the command line; the server is on loopback and as strict as the real one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command import simil
from support.openai_server import FAULTS, KEY, OpenAIServer, vector


@pytest.fixture
def server(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OpenAIServer]:
    # Another test's server may have had this port: what it answered is not to be found again.
    monkeypatch.setenv("SIMIL_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
    with OpenAIServer() as running:
        monkeypatch.setenv("OPENAI_BASE_URL", running.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("SIMIL_MODEL", "openai")
        yield running


def test_compare(server: OpenAIServer) -> None:
    result = simil("compare", "Apple", "Orange")
    expected = float(vector("Apple", 1536) @ vector("Orange", 1536))
    assert (result.code, result.err) == (0, "")
    assert float(result.out) == pytest.approx(expected, abs=2e-6)
    assert len(server.requests) == 1
    assert server.requests[0].body["model"] == "text-embedding-3-small"


def test_embed_of_another_model_with_fewer_dimensions(server: OpenAIServer) -> None:
    arguments = ["-m", "openai:text-embedding-3-large", "--dimensions", "5", "-f", "jsonl"]
    result = simil("embed", *arguments, stdin=b"Apple\n\nOrange\n")
    assert result.code == 0
    assert result.error_line == "1 blank text skipped (first: stdin:2)"
    items = [json.loads(line) for line in result.out.splitlines()]
    assert [(item["id"], item["text"], item["model"]) for item in items] == [
        ("1", "Apple", "text-embedding-3-large"),
        ("3", "Orange", "text-embedding-3-large"),
    ]
    for item in items:
        assert item["embedding"] == pytest.approx(vector(item["text"], 5).tolist(), abs=1e-6)
    assert server.requests[0].body["dimensions"] == 5


def test_size_and_time_of_requests_may_be_set(server: OpenAIServer) -> None:
    lines = "".join(f"line {number}\n" for number in range(10)).encode()
    assert simil("embed", "--batch-size", "4", "-f", "jsonl", stdin=lines).code == 0
    assert sorted(request.inputs for request in server.log) == [2, 4, 4]
    server.misbehave(FAULTS["never_answer"])
    late = simil("embed", "--timeout", "0.2", "--retries", "0", stdin=b"another line\n")
    assert late.code == 5
    assert "0.2 s" in late.error_line


def test_base_url_of_a_flag_goes_before_that_of_the_environment(server: OpenAIServer) -> None:
    address = server.base_url
    result = simil(
        "compare", "a", "b", "--base-url", address, env={"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}
    )
    assert (result.code, result.err) == (0, "")


def test_base_url_of_a_strange_folder_does_not_get_the_key(server: OpenAIServer, tmp_path: Path) -> None:
    tmp_path.joinpath(".env").write_text(f"OPENAI_BASE_URL={server.base_url}\n", "ascii")
    assert simil("embed", "-t", "a", cwd=tmp_path, env={"OPENAI_BASE_URL": ""}).code == 2
    assert server.connections == 0
    result = simil("embed", "-t", "a", "--env-file", ".env", cwd=tmp_path, env={"OPENAI_BASE_URL": ""})
    assert (result.code, result.out) == (5, "")
    assert all("authorization" not in request.headers for request in server.requests)
    assert KEY not in result.err


def test_failure_in_the_middle_leaves_the_old_file(server: OpenAIServer, tmp_path: Path) -> None:
    tmp_path.joinpath("v.json").write_text("old", "ascii")
    server.misbehave(None, FAULTS["status_401"])
    texts = b"".join(b"text %d\n" % number for number in range(4000))
    assert simil("embed", "-o", "v.json", "--dimensions", "2", stdin=texts, cwd=tmp_path).code == 5
    assert [path.name for path in tmp_path.iterdir()] == ["v.json"]
    assert tmp_path.joinpath("v.json").read_text("ascii") == "old"


def test_what_was_paid_for_is_not_asked_again_and_needs_no_key(server: OpenAIServer) -> None:
    first = simil("compare", "Apple", "Orange")
    trusted, known = "--trust-cache", {"OPENAI_API_KEY": ""}
    second = simil("compare", "Apple", "Orange", "Apple", "-f", "jsonl", trusted, env=known)
    third = simil("compare", "Apple", "Pear", trusted)

    assert [result.code for result in (first, second, third)] == [0, 0, 0]
    assert [request.body["input"] for request in server.requests] == [["Apple", "Orange"], ["Pear"]]


def test_what_was_answered_before_a_failure_is_kept(server: OpenAIServer) -> None:
    texts = [f"text {number}" for number in range(9000)]
    stdin = "\n".join(texts).encode()
    arguments = ["embed", "-f", "jsonl", "--dimensions", "2", "--concurrency", "1"]
    server.misbehave(None, None, FAULTS["status_401"])
    assert simil(*arguments, stdin=stdin).code == 5
    kept = [text for request in server.requests[:2] for text in request.body["input"]]
    server.forget()
    result = simil(*arguments, "--trust-cache", stdin=stdin)

    assert result.code == 0
    asked = [text for request in server.requests for text in request.body["input"]]
    assert len(kept) > 30
    assert asked == texts[len(kept) :]
    assert set(server.charges.values()) == {1}
    assert [json.loads(line)["text"] for line in result.out.splitlines()] == texts
