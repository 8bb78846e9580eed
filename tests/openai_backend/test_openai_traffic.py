"""Whatever texts come, the client keeps to every limit, sends each text once, and keeps their order."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.openai_clock import SharedClock
from support.openai_faults import FAULTS, batch_limit, refuses_text
from support.openai_limits import MODELS as RATES
from support.openai_proofs import mixed
from support.openai_rules import tables_of_tokens
from support.openai_server import OpenAIServer, vectors

from simil.embedders.base import Kind, Piece, TextRejected, VectorForm
from simil.embedders.openai.client import OpenAIEmbedder
from simil.embedders.openai.transport import Timeout
from simil.embedders.overflow import Overflow
from simil.errors import RateLimited, ServerFailed

Make = Callable[..., OpenAIEmbedder]
SHORT = {"request_dimensions": 4, "max_tokens": 8192}


@pytest.fixture(params=["exact", "bytes"])
def counting(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let clients count tokens by tiktoken, or by bytes where its table is not there."""
    folder = tables_of_tokens() if request.param == "exact" else tmp_path
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(folder))
    return str(request.param)


def check(found: Any, texts: list[str]) -> None:
    np.testing.assert_allclose(found, vectors(texts, 4), atol=2e-7)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=30), min_size=1, max_size=40)
)
def test_order_is_kept_and_equal_texts_are_sent_once(
    texts: list[str], server: OpenAIServer, make: Make
) -> None:
    before = server.charges
    check(make(**SHORT).embed(texts, normalize=False), texts)
    assert server.charges - before == Counter(dict.fromkeys(texts, 1))
    assert server.violations == []


@pytest.mark.parametrize("seed", range(3))
def test_requests_keep_to_the_limits(seed: int, counting: str, make: Make) -> None:
    rng = random.Random(seed)
    words = mixed(400, seed)
    # Many short ones, some as long as may be, and what has the most tokens to its bytes.
    texts = (
        [f"{n}" for n in range(rng.choice([10, 5000]))] + words + [f"{n} {'a b ' * 4000}" for n in range(60)]
    )
    texts += [f"{n} {chr(0x10FFFF - n) * 2000}" for n in range(20)]
    rng.shuffle(texts)
    # A busy machine may need longer than the tests' usual timeout; a request sent again is charged again.
    with OpenAIServer(is_exact=True) as exact:
        check(make(base_url=exact.base_url, timeout=Timeout(), **SHORT).embed(texts, normalize=False), texts)
        log = exact.log
    assert exact.violations == []
    assert max(exact.charges.values()) == 1
    assert max(request.inputs for request in log) <= 2048
    assert max(request.tokens for request in log) <= 300_000
    # Aimed at 250,000 tokens each: the tokens need so many requests, or the inputs do.
    if counting == "exact":
        needed = max(sum(request.tokens for request in log) / 250_000, len(texts) / 2048)
        assert len(log) <= needed + 4


@pytest.mark.parametrize("rates", RATES)
@pytest.mark.parametrize(
    "limits",
    [
        {"tokens_per_minute": 40_000},
        {"tokens_per_minute": 40_000, "requests_per_minute": 3},
        {"requests_per_minute": 2, "tokens_per_minute": 1_000_000},
        {"tokens_per_minute": 9_000, "requests_per_minute": 500},
    ],
    ids=["tokens", "both", "requests", "few tokens"],
)
def test_the_rate_is_kept_to_without_a_refusal(
    rates: str, limits: dict[str, float], counting: str, clock: SharedClock, make: Make
) -> None:
    texts = [text for text in mixed(900, 5) if len(text) < 20_000]
    began = clock.now()
    with OpenAIServer(clock=clock.path, is_exact=True, rates=rates, takes_s=0.3, **limits) as limited:
        found = make(base_url=limited.base_url, **SHORT).embed(texts, normalize=False)
        log = limited.log
    check(found, texts)
    first_is_too_large = limits["tokens_per_minute"] < 32_768
    assert limited.violations[int(first_is_too_large) :] == []
    assert max(limited.charges.values()) == 1
    minutes = (clock.now() - began) / 60
    assert sum(request.tokens for request in log if request.is_charged) <= limits["tokens_per_minute"] * (
        minutes + 1
    )


def test_a_server_that_tells_no_rates_is_waited_for(clock: SharedClock, make: Make) -> None:
    texts = [text[:3000] for text in mixed(2000, 6)]
    limits: dict[str, Any] = {"tokens_per_minute": 100_000, "has_rate_headers": False}
    with OpenAIServer(clock=clock.path, is_exact=True, **limits) as silent:
        embedder = make(base_url=silent.base_url, retries=30, **SHORT)
        check(embedder.embed(texts, normalize=False), texts)
    assert all(said.startswith("rate limit") for said in silent.violations)
    assert max(silent.charges.values()) == 1


def test_each_answer_is_kept_before_another_request_takes_its_place(make: Make) -> None:
    texts = [f"text {n}" for n in range(40)]
    kept: list[int] = []
    with OpenAIServer() as server:
        server.always = batch_limit(2, 413, "batch size {count} > maximum allowed batch size {most}")
        embedder = make(base_url=server.base_url, concurrency=3, **SHORT)

        def keep(piece: Piece) -> None:
            kept.extend(piece.rows.tolist())
            # At most the other two may be under way; what they ask was sent before this was kept.
            assert server.charges.total() - len(kept) <= 2 * 2

        pieces = list(embedder.start(texts, Kind.SYMMETRIC, VectorForm(normalize=False), keep))
    assert sorted(kept) == list(range(40))
    assert all(isinstance(piece, Piece) for piece in pieces)


def test_what_was_answered_is_given_before_an_error_is_raised(make: Make, server: OpenAIServer) -> None:
    server.misbehave(None, FAULTS["rows_empty"])
    texts = [f"text {n}" for n in range(3000)]
    got: list[int] = []
    with pytest.raises(ServerFailed, match="returned 0 vectors for "):
        for piece in make(concurrency=1, **SHORT).start(texts, Kind.SYMMETRIC, VectorForm()):
            assert isinstance(piece, Piece)
            got.extend(piece.rows.tolist())
    assert len(got) == server.log[0].inputs > 0


def test_two_bad_texts_in_different_requests_cost_two_texts(counting: str, make: Make) -> None:
    texts = [f"text {n}" for n in range(6000)]
    texts[100] = texts[5500] = "bad"
    texts[3000] = "bad too"
    refused: list[int] = []
    with OpenAIServer() as server:
        server.always = refuses_text("bad", 400)
        embedder = make(base_url=server.base_url, **SHORT)
        found = embedder.begin(texts, normalize=False, on_rejected=lambda exc: refused.append(exc.index))()
    assert sorted(refused) == [100, 3000, 5500]
    good = [n for n in range(6000) if n not in refused]
    check(found[good], [texts[n] for n in good])
    assert np.isnan(found[refused]).all()
    assert max(server.charges.values()) == 1


@pytest.mark.parametrize("place", [0, 1, 777, 1023, 1024, 2046, 2047])
@pytest.mark.parametrize(("status", "most"), [(400, 13), (413, 22), (422, 22)])
def test_one_bad_text_among_2048_costs_few_requests(
    status: int, most: int, place: int, server: OpenAIServer, make: Make
) -> None:
    texts = [f"text {n}" for n in range(2048)]
    texts[place] = "bad"
    server.always = refuses_text("bad", status)
    refused: list[TextRejected] = []
    embedder = make(**SHORT)
    embedder.embed(["one that is right"])
    embedder.begin(texts, on_rejected=refused.append)()
    assert [exc.index for exc in refused] == [place]
    # What may just have been too much at once is told from a bad text by sending the other half too.
    assert len(server.log) - 2 <= most
    assert max(server.charges.values()) == 1


@pytest.mark.parametrize("overflow", Overflow)
def test_long_texts_are_cut_or_refused_without_a_violation(
    overflow: Overflow, counting: str, make: Make
) -> None:
    long = ["word " * 9000, "漢字" * 9000, "a" * 100_000]
    texts = ["short", *long]
    refused: list[int] = []
    with OpenAIServer(is_exact=True) as exact:
        embedder = make(base_url=exact.base_url, overflow=overflow, **SHORT)
        found = embedder.begin(texts, normalize=False, on_rejected=lambda exc: refused.append(exc.index))()
    check(found[:1], texts[:1])
    if overflow is Overflow.ERROR:
        # Repeated, a letter has few tokens: 100,000 of them are 12,500.
        assert sorted(refused) == [1, 2, 3]
    else:
        assert refused == []
        assert np.isfinite(found).all()
    if counting == "exact":
        assert exact.violations == []
    assert embedder.truncated == (3 if overflow in (Overflow.WARN, Overflow.TRUNCATE) else 0)


def test_the_limit_on_inputs_is_learned_for_the_run(make: Make, server: OpenAIServer) -> None:
    server.always = batch_limit(32, 422, "batch size {count} > maximum allowed batch size {most}")
    embedder = make(**SHORT)
    for first in (0, 1000):
        texts = [f"text {n}" for n in range(first, first + 1000)]
        check(embedder.embed(texts, normalize=False), texts)
    statuses = Counter(request.status for request in server.log)
    assert statuses == {422: 1, 200: 2 * 32}


def test_tries_end_after_five_minutes(make: Make, server: OpenAIServer, clock: SharedClock) -> None:
    server.always = FAULTS["status_429"]
    began = clock.now()
    with pytest.raises(RateLimited):
        make(retries=1000, **SHORT).embed_batch(["a"])
    assert 280 <= clock.now() - began <= 300


def test_what_it_used_is_counted(make: Make, server: OpenAIServer) -> None:
    server.misbehave(FAULTS["status_500"])
    embedder = make(price=0.02, **SHORT)
    embedder.embed_batch(["Apple", "Orange"])
    usage = embedder.usage
    assert (usage.requests, usage.retries, usage.tokens) == (2, 1, server.log[1].tokens)
    assert usage.cost == pytest.approx(usage.tokens * 0.02 / 1e6)
    assert 0.375 <= usage.seconds <= 0.5
