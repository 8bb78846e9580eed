"""Whose fault a refusal is, in the words of the servers that there are."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from support.openai_faults import Fault, raw, refuses_text
from support.openai_server import OpenAIServer, vector

from simil.embedders.base import TextRejected
from simil.embedders.openai.client import OpenAIEmbedder
from simil.embedders.openai.endpoint import Endpoint
from simil.embedders.openai.error_replies import refusal
from simil.embedders.openai.protocol import Reply
from simil.embedders.openai.retries import Blame
from simil.embedders.overflow import Overflow
from simil.errors import ProviderError, QuotaSpent, RateLimited, RequestRejected

Make = Callable[..., OpenAIEmbedder]


def blame_of(status: int, message: str, count: int, **more: str) -> Blame | None:
    body = json.dumps({"error": {"message": message, **more}}).encode()
    failed = refusal(
        Reply(status, {"content-type": "application/json"}, body),
        count=count, endpoint=Endpoint.under("http://h", None), model="m", credential="", scrub=str, date=0.0,
    )  # fmt: skip
    assert failed.blame is None or not failed.may_be_retried
    return failed.blame


LENGTHS = [
    (
        "This model's maximum context length is 8192 tokens, however you requested 10000 tokens "
        "(10000 in your prompt; 0 for the completion). Please reduce your prompt; or completion length.",
        8192,
        10000,
    ),
    ("Invalid 'input[0]': maximum input length is 8192 tokens.", 8192, None),
    ("`inputs` must have less than 512 tokens. Given: 600", 512, 600),
    ("bge-m3: maximum context length is 8192 tokens, got 9500 tokens", 8192, 9500),
    ("Error code: 400 - this model's maximum context length is 8192 tokens, you requested 9500", 8192, 9500),
    ("the input length exceeds the context length", None, None),
]


@pytest.mark.parametrize(("message", "limit", "tokens"), LENGTHS)
@pytest.mark.parametrize("count", [1, 32])
def test_a_text_that_is_too_long(message: str, limit: int | None, tokens: int | None, count: int) -> None:
    assert blame_of(400, message, count) == Blame(is_length=True, limit=limit, tokens=tokens)


def test_llama_cpp_says_so_with_500() -> None:
    said = (
        "input (992 tokens) is too large to process. "
        "increase the physical batch size (current batch size: 512)"
    )
    assert blame_of(500, said, 4) == Blame(is_length=True, limit=512, tokens=992)


@pytest.mark.parametrize(
    ("status", "message", "count", "most"),
    [
        (422, "batch size 64 > maximum allowed batch size 32", 64, 32),
        (413, "batch size 64 > maximum allowed batch size 32", 64, 32),
        (400, "'input' array too long. Expected an array with at most 16 items, but got 64", 64, 16),
        (413, "Payload too large", 64, None),
        (413, "Payload too large", 1, None),
        (422, "validation failed", 64, None),
    ],
)
def test_too_much_at_once(status: int, message: str, count: int, most: int | None) -> None:
    assert blame_of(status, message, count) == Blame(is_size=True, most_inputs=most)


@pytest.mark.parametrize(
    ("status", "message", "count"),
    [
        (400, "The input was flagged.", 64),
        (400, "Input 2 of 64 is not allowed", 64),
        (422, "control characters are not allowed", 1),
        (400, "You said: how do I set encoding_format?", 8),
    ],
)
def test_a_text_that_is_not_liked(status: int, message: str, count: int) -> None:
    assert blame_of(status, message, count) == Blame()


@pytest.mark.parametrize(
    ("status", "more"),
    [
        (400, {"param": "dimensions"}),
        (400, {"code": "billing_hard_limit_reached"}),
        (401, {}),
        (404, {}),
        (500, {}),
    ],
)
def test_no_text_is_to_blame(status: int, more: dict[str, str]) -> None:
    assert blame_of(status, "no", 64, **more) is None


def refusing(message: str, status: int = 400, **more: str) -> Fault:
    return raw(status, json.dumps({"error": {"message": message, **more}}).encode(), "application/json")


@pytest.mark.parametrize("overflow", Overflow)
def test_what_cannot_be_shorter_is_refused(overflow: Overflow, server: OpenAIServer, make: Make) -> None:
    server.always = refusing("context length exceeded")
    with pytest.raises(TextRejected, match="longer than"):
        make(overflow=overflow).embed(["€"])
    assert len(server.log) < 10


def test_a_server_that_refuses_everything_from_some_time_on(server: OpenAIServer, make: Make) -> None:
    embedder = make(request_dimensions=4)
    embedder.embed(["fine"])
    server.always = refusing("the deployment is not ready")
    refused: list[TextRejected] = []
    with pytest.raises(RequestRejected, match="not ready"):
        embedder.begin([f"text {number}" for number in range(200)], on_rejected=refused.append)()
    assert len(server.log) < 300


def test_a_spent_quota_by_any_status(server: OpenAIServer, make: Make) -> None:
    server.always = refusing("no more", code="billing_hard_limit_reached")
    with pytest.raises(QuotaSpent, match="used up"):
        make().embed(["a", "b"])
    assert len(server.log) == 1


@pytest.mark.parametrize("reset", ["24h0m0s", "999999999999d"])
def test_a_limit_that_lasts_is_told_and_not_waited_for(reset: str, server: OpenAIServer, make: Make) -> None:
    answer = {"data": [{"index": 0, "embedding": vector("a", 1536).tolist()}]}
    told = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": reset}
    server.always = raw(200, json.dumps(answer).encode(), "application/json", told)
    embedder = make()
    assert embedder.embed(["a"]).shape == (1, 1536)
    with pytest.raises(RateLimited, match="accepts no more requests"):
        embedder.embed(["b"])


def test_two_bad_texts_before_any_good_one(server: OpenAIServer, make: Make) -> None:
    server.always = refuses_text("bad", 400)
    refused: list[TextRejected] = []
    make(request_dimensions=4).begin(["bad 1", "bad 2", "good"], on_rejected=refused.append)()
    assert [exc.index for exc in refused] == [0, 1]


def test_a_closed_embedder_says_so(make: Make) -> None:
    embedder = make()
    embedder.close()
    with pytest.raises(ProviderError, match="closed"):
        embedder.embed(["a"])
