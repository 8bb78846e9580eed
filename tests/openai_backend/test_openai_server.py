"""The server that the client is held against is as strict as the specification, and counts right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Condition
from typing import Any

import httpx
import numpy as np
import pytest
from support.openai_clock import BEGIN_S, SharedClock
from support.openai_limits import MODELS as RATES
from support.openai_limits import Bucket, Log, Window, duration
from support.openai_server import KEY, OpenAIServer, vectors

from simil.embedders.openai.rate_limits import _seconds

SMALL = "text-embedding-3-small"
RIGHT = {"model": SMALL, "input": ["Apple"]}
HEADERS = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}


def post(server: OpenAIServer, body: Any, *, path: str = "", headers: Mapping[str, str] = HEADERS) -> Any:
    address = f"http://{server.host}{path}" if path else f"{server.base_url}/embeddings"
    with httpx.Client(trust_env=False, timeout=60) as client:
        return client.post(address, json=body, headers=headers)


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        ({}, 200, ""),
        ({"input": ["a"] * 2048, "dimensions": 2}, 200, ""),
        ({"input": ["a"] * 2049}, 400, "maximum length 2048, but got an array with length 2049"),
        ({"input": []}, 400, "must be a list of strings"),
        ({"input": "Apple"}, 400, "must be a list of strings"),
        ({"input": ["Apple", ""]}, 400, "cannot be an empty string"),
        ({"input": [" a" * 8192]}, 200, ""),
        (
            {"input": ["Apple", " a" * 8193]},
            400,
            "maximum context length is 8192 tokens, however you requested 8193 tokens",
        ),
        ({"input": [" a" * 6000] * 50}, 200, ""),
        (
            {"input": [" a" * 6000] * 50 + ["a"]},
            400,
            "Requested 300001 tokens, max 300000 tokens per request",
        ),
        ({"dimensions": 1536}, 200, ""),
        ({"dimensions": 1537}, 400, "Invalid value for 'dimensions'"),
        ({"dimensions": 0}, 400, "Invalid value for 'dimensions'"),
        ({"model": "text-embedding-ada-002", "dimensions": 5}, 400, "does not support specifying dimensions"),
        ({"encoding_format": "float"}, 200, ""),
        ({"encoding_format": "hex"}, 400, "'encoding_format' must be"),
        ({"model": "text-embedding-4"}, 404, "does not exist"),
        ({"prompt": "x"}, 400, "Unrecognized request argument supplied: prompt"),
    ],
)
def test_each_limit_holds(change: Mapping[str, Any], status: int, says: str) -> None:
    with OpenAIServer(is_exact=True) as server:
        answer = post(server, {**RIGHT, **change})
    assert (answer.status_code, len(server.violations)) == (status, int(status != 200))
    if status == 200:
        assert server.charges.total() == len(change.get("input", RIGHT["input"]))
    else:
        assert says in answer.json()["error"]["message"]
        assert server.charges.total() == 0
    if "300001" in says:
        assert answer.json()["error"]["code"] == "max_tokens_per_request"


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/v1/embedding", HEADERS, 404),
        ("/v1/embeddings", {**HEADERS, "Authorization": "Bearer another"}, 401),
        ("/v1/embeddings", {"api-key": KEY}, 401),
        ("/v1/embeddings", {**HEADERS, "Content-Type": "text/plain"}, 400),
    ],
)
def test_address_key_and_type_are_looked_at(path: str, headers: Mapping[str, str], status: int) -> None:
    with OpenAIServer() as server:
        assert post(server, RIGHT, path=path, headers=headers).status_code == status
        assert len(server.violations) == 1


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/openai/deployments/small/embeddings?api-version=2024-10-21", {"api-key": KEY}, 200),
        ("/openai/v1/embeddings", {"api-key": KEY}, 200),
        ("/openai/deployments/small/embeddings", {"api-key": KEY}, 404),
        ("/v1/embeddings?api-version=2024-10-21", {"api-key": KEY}, 404),
        ("/openai/v1/embeddings", HEADERS, 401),
        ("/openai/v1/embeddings", {**HEADERS, "api-key": KEY}, 401),
    ],
)
def test_azure_wants_another_header_and_a_version(path: str, headers: Mapping[str, str], status: int) -> None:
    with OpenAIServer(azure="2024-10-21") as server:
        assert post(server, RIGHT, path=path, headers=headers).status_code == status


def test_vectors_follow_from_the_texts() -> None:
    texts = ["Apple", "Orange", "漢字"]
    many = vectors(texts, 1536)
    assert np.array_equal(many, np.concatenate([vectors([text], 1536) for text in texts]))
    assert np.allclose(np.linalg.norm(many, axis=1), 1)
    assert abs(float(many[0] @ many[1])) < 0.1
    few = vectors(texts, 5)
    assert np.allclose(few, many[:, :5] / np.linalg.norm(many[:, :5], axis=1, keepdims=True), atol=1e-6)


def test_the_quick_count_never_exceeds_the_bytes() -> None:
    texts = ["a", "ab", "Apple", "漢", "a" * 1000]
    with OpenAIServer() as server:
        answer = post(server, {**RIGHT, "input": texts})
    assert len(texts) <= answer.json()["usage"]["total_tokens"] <= sum(len(text.encode()) for text in texts)


@pytest.mark.parametrize("rates", RATES)
def test_the_rate_is_limited_and_told(rates: str, clock: SharedClock) -> None:
    limits: dict[str, Any] = {"rates": rates, "requests_per_minute": 100, "tokens_per_minute": 1000}
    with OpenAIServer(clock=clock.path, is_exact=True, **limits) as server:
        first = post(server, {**RIGHT, "input": [" a" * 700]})
        clock.advance_to(BEGIN_S + 6)
        second = post(server, {**RIGHT, "input": [" a" * 700]})
        clock.advance_to(BEGIN_S + 6 + _seconds(second.headers["retry-after-ms"]) / 1000)
        third = post(server, {**RIGHT, "input": [" a" * 700]})
        too_large = post(server, {**RIGHT, "input": [" a" * 1001]})
    told = first.headers
    assert [told[f"x-ratelimit-{what}-tokens"] for what in ("limit", "remaining")] == ["1000", "300"]
    assert told["x-ratelimit-remaining-requests"] == "99"
    assert _seconds(told["x-ratelimit-reset-tokens"]) == (42.0 if rates == "bucket" else 60.0)
    assert (second.status_code, second.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert second.headers["x-ratelimit-remaining-requests"] == ("99" if rates == "bucket" else "98")
    assert third.status_code == 200
    assert too_large.status_code == 429
    assert "Request too large" in too_large.json()["error"]["message"]
    assert [bool(request.violations) for request in server.log] == [False, True, False, True]


@pytest.mark.parametrize("headers", [True, False])
def test_a_limit_on_requests(headers: bool, clock: SharedClock) -> None:
    with OpenAIServer(clock=clock.path, requests_per_minute=2, has_rate_headers=headers) as server:
        answers = [post(server, RIGHT) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert all(("x-ratelimit-limit-requests" in answer.headers) is headers for answer in answers)
    assert answers[2].headers["retry-after"] == "30"


def test_a_quota_is_spent_once() -> None:
    with OpenAIServer(is_exact=True, quota=2) as server:
        statuses = [post(server, RIGHT) for _ in range(3)]
    assert [answer.status_code for answer in statuses] == [200, 200, 429]
    assert statuses[2].json()["error"]["code"] == "insufficient_quota"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0ms"), (0.026, "26ms"), (1, "1s"), (1.5, "1.5s"), (60, "1m0s"), (360, "6m0s"), (3723, "1h2m3s")],
)
def test_durations_are_written_as_openai_does(seconds: float, text: str) -> None:
    assert duration(seconds) == text
    assert _seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize("make", [Bucket, Window, Log])
def test_a_limit_never_grants_more_than_it_may(make: Callable[[float], Bucket | Window | Log]) -> None:
    limit, rng = make(100), np.random.default_rng(1)
    now, granted = 600.0, []
    for _ in range(2000):
        now += rng.exponential(1.0)
        amount = float(rng.integers(1, 40))
        if limit.remaining(now) >= amount:
            limit.take(now, amount)
            granted.append((now, amount))
        else:
            wait = limit.until(now, amount)
            assert wait > 0
            assert limit.remaining(now + wait + 1e-9) >= amount - 1e-6
        assert limit.remaining(now + limit.reset(now) + 1e-9) == pytest.approx(100)
    minutes = (now - 600) / 60
    # A bucket is full at first, and gives what refills; the others give so much a minute and no more.
    assert 0.7 * 100 * minutes < sum(amount for _, amount in granted) <= 100 * (minutes + 1)


def test_the_clock_goes_on_when_somebody_waits_and_only_then(clock: SharedClock) -> None:
    condition = Condition()
    with condition, SharedClock(clock.path) as other:
        clock.wait(condition, 3600)
        assert clock.now() == other.now() == BEGIN_S + 3600
        other.advance_to(BEGIN_S)
        assert clock.now() == BEGIN_S + 3600
    assert clock.date() - 3600 == 1_700_000_000


def test_time_stands_still_while_something_is_under_way(clock: SharedClock) -> None:
    busy = iter([True, True, True, False])
    seen: list[float] = []
    clock.watch(lambda: seen.append(clock.now()) or next(busy))
    condition = Condition()
    with condition:
        clock.wait(condition, 9)
    assert seen == [BEGIN_S] * 4
    assert clock.now() == BEGIN_S + 9
