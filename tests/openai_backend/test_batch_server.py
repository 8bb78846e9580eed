"""The tests' own server of files and batches, asked by OpenAI's SDK: it speaks the protocol."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import openai
import pytest
from support.openai_faults import FAULTS, too_many
from support.openai_server import OpenAIServer, vector

_MODEL = "text-embedding-3-small"


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        yield server


@pytest.fixture
def client(server: OpenAIServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.base_url, api_key=server.key, max_retries=0) as client:
        yield client


def _line(name: str, texts: Sequence[str], **body: Any) -> bytes:
    request = {"custom_id": name, "method": "POST", "url": "/v1/embeddings"}
    return json.dumps({**request, "body": {"model": _MODEL, "input": texts, **body}}).encode() + b"\n"


def _begun(client: openai.OpenAI, content: bytes, **metadata: str) -> Any:
    file = client.files.create(file=("texts.jsonl", content), purpose="batch")
    return client.batches.create(
        input_file_id=file.id, endpoint="/v1/embeddings", completion_window="24h", metadata=metadata
    )


def _ended(client: openai.OpenAI, batch: Any) -> Any:
    while batch.status not in ("completed", "failed", "expired", "cancelled"):
        batch = client.batches.retrieve(batch.id)
    return batch


def _rows(client: openai.OpenAI, file: str | None) -> dict[str, Any]:
    assert file is not None
    return {row["custom_id"]: row for row in map(json.loads, client.files.content(file).text.splitlines())}


def test_a_batch_is_computed_and_paid_for_once(client: openai.OpenAI, server: OpenAIServer) -> None:
    content = _line("a", ["one", "two"]) + _line("b", ["three"], dimensions=8) + _line("c", [""])

    batch = _ended(client, _begun(client, content, job="7"))

    assert (batch.status, batch.metadata) == ("completed", {"job": "7"})
    assert (batch.request_counts.completed, batch.request_counts.failed) == (2, 1)
    rows = _rows(client, batch.output_file_id)
    assert rows["a"]["response"]["body"]["data"][1]["embedding"] == vector("two", 1536).tolist()
    assert len(rows["b"]["response"]["body"]["data"][0]["embedding"]) == 8
    (bad,) = _rows(client, batch.error_file_id).values()
    assert (bad["custom_id"], bad["response"]["status_code"]) == ("c", 400)
    assert server.batch_charges == Counter(["one", "two", "three"])
    assert not server.charges


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (_line("a", ["one"]) + _line("a", ["two"]), "duplicate_custom_id"),
        (b"{\n", "invalid_json_line"),
        (_line("a", ["one"]).replace(b"POST", b"GET"), "invalid_method"),
        (_line("a", ["one"]).replace(b"/v1/embeddings", b"/v1/responses"), "invalid_url"),
        (_line("a", ["one"]) + _line("b", ["two"], model="text-embedding-3-large"), "mismatched_model"),
        (b"".join(_line(str(number), ["x"] * 2000) for number in range(26)), "too_many_inputs"),
    ],
)
def test_a_batch_with_a_wrong_line_fails(client: openai.OpenAI, content: bytes, code: str) -> None:
    batch = _ended(client, _begun(client, content))

    assert batch.status == "failed"
    assert [each.code for each in batch.errors.data] == [code]


def test_a_limit_of_tokens_holds_until_a_batch_is_over(client: openai.OpenAI, server: OpenAIServer) -> None:
    server.reconfigure(enqueued_tokens=5)
    first = client.batches.retrieve(_begun(client, _line("a", ["four"] * 2)).id)

    refused = _ended(client, _begun(client, _line("a", ["four"] * 2)))

    assert [each.code for each in refused.errors.data] == ["token_limit_exceeded"]
    assert _ended(client, first).status == "completed"
    assert _ended(client, _begun(client, _line("a", ["four"] * 2))).status == "completed"


def test_what_expires_or_is_cancelled_is_not_paid_for(client: openai.OpenAI, server: OpenAIServer) -> None:
    server.reconfigure(expiring_batch=0)
    lines = _line("a", ["one"]) + _line("b", ["two"])

    expired = _ended(client, _begun(client, lines))
    cancelled = _ended(client, client.batches.cancel(_begun(client, lines).id))
    stopped = client.batches.retrieve(_begun(client, lines).id)
    stopped = _ended(client, client.batches.cancel(stopped.id))

    assert (expired.status, [*_rows(client, expired.output_file_id)]) == ("expired", ["a"])
    assert _rows(client, expired.error_file_id)["b"]["error"]["code"] == "batch_expired"
    assert (cancelled.status, cancelled.output_file_id) == ("cancelled", None)
    assert (stopped.status, [*_rows(client, stopped.output_file_id)]) == ("cancelled", ["a"])
    assert _rows(client, stopped.error_file_id)["b"]["error"]["code"] == "batch_cancelled"
    assert server.batch_charges == Counter(["one"] * 2)
    assert server.batch_refunds == Counter(["two"] * 2)
    with pytest.raises(openai.ConflictError, match="status 'cancelled'"):
        client.batches.cancel(stopped.id)


def test_lists_have_pages(client: openai.OpenAI, server: OpenAIServer) -> None:
    made = [_begun(client, _line("a", ["one"])).id for _ in range(5)]

    assert [each.id for each in client.batches.list(limit=2)] == made[::-1]
    assert len([*client.files.list(purpose="batch", limit=2)]) == 5
    client.files.delete(next(iter(client.files.list())).id)
    assert len([*client.files.list()]) == 4
    with pytest.raises(openai.NotFoundError):
        client.batches.retrieve("batch_9")


def test_pages_may_be_shorter_than_asked_for(client: openai.OpenAI, server: OpenAIServer) -> None:
    server.reconfigure(longest_page=2)
    made = [_begun(client, _line("a", ["one"])).id for _ in range(5)]

    assert [each.id for each in client.batches.list(limit=100)] == made[::-1]


def test_a_file_comes_back_as_it_was_sent(client: openai.OpenAI, server: OpenAIServer) -> None:
    content = bytes(range(256)) + b"\r\n--\r\n\n" + "naïve\u2028\x1c".encode()

    file = client.files.create(file=("texts.jsonl", content), purpose="batch")
    client.files.delete(client.files.create(file=("other.jsonl", b"{}"), purpose="batch").id)
    later = client.files.create(file=("later.jsonl", b"{}\n"), purpose="batch")

    assert client.files.content(file.id).content == content
    assert (file.bytes, file.filename) == (len(content), "texts.jsonl")
    assert client.files.content(later.id).content == b"{}\n"
    assert server.uploads[hashlib.sha256(content).hexdigest()] == 1


def test_an_answer_may_get_lost_after_the_work(client: openai.OpenAI, server: OpenAIServer) -> None:
    server.misbehave_at("POST /v1/batches", too_many(), FAULTS["hang_up_after"])

    with pytest.raises(openai.RateLimitError):
        _begun(client, _line("a", ["one"]))
    assert server.batches == []
    with pytest.raises(openai.APIConnectionError):
        _begun(client, _line("a", ["one"]), job="7")
    (made,) = client.batches.list()
    assert made.metadata == {"job": "7"}


def test_a_step_may_take_several_looks(client: openai.OpenAI, server: OpenAIServer) -> None:
    server.reconfigure(looks_of_batches=2)
    made = _begun(client, _line("a", ["one"])).id

    seen = [client.batches.retrieve(made).status for _ in range(6)]

    assert seen == ["validating", *["in_progress"] * 2, *["finalizing"] * 2, "completed"]


def test_another_purpose_or_key_is_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="jsonl"):
        client.files.create(file=("texts.txt", b"{}"), purpose="batch")
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="another").files.list()
