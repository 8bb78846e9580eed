"""Under each way in which servers count, the client spends what is granted and never more."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.openai_limits import MODELS, Rates

from simil.embedders.openai.rate_limits import RateLimits, Reservation

TPM, RPM = 1_000_000, 300


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("size", [(250_000, 250_000), (900, 250_000), (2_000, 9_000)])
@pytest.mark.parametrize("seed", range(4))
def test_all_is_spent_and_no_more(model: str, size: tuple[int, int], seed: int) -> None:
    dice = random.Random(seed)
    rates = Rates(model, RPM, TPM)
    limits = RateLimits()
    now, sent, refused = 0.0, 0.0, 0
    under_way: list[tuple[float, float, Reservation, dict[str, str]]] = []
    while now < 600:
        # Answers come in any order; the headers are those of when the request was counted.
        done = [each for each in under_way if each[0] <= now]
        under_way = [each for each in under_way if each[0] > now]
        for _, _, reservation, headers in done:
            limits.learn(reservation, headers, now)
        want = dice.randint(*size)
        room = limits.room(now)
        free = len(under_way) < (4 if limits.is_informed else 1)
        amount = min(want, room)
        if free and amount >= 1:
            reservation = limits.reserve(amount)
            refused += rates.take(now, int(amount)) is not None
            sent += amount
            headers = rates.headers(now)
            under_way.append((now + dice.uniform(0.05, 4), amount, reservation, headers))
            continue
        waits = [each[0] - now for each in under_way]
        wait = limits.wait(now)
        if free and wait is not None:
            waits.append(wait)
        now += max(min(waits), 1e-6)
    assert refused == 0
    # What ends first, tokens or requests, is nearly used up; four at a time cannot use up all small ones.
    granted = min(10 * TPM, 10 * RPM * sum(size) / 2)
    possible = 600 / 2.1 * 4 * sum(size) / 2
    assert sent >= 0.8 * min(granted, possible)


def test_nothing_is_known_without_headers() -> None:
    limits = RateLimits()
    assert limits.room(0.0) == math.inf
    limits.learn(limits.reserve(100), {"date": "today"}, 1.0)
    assert (limits.room(1.0), limits.is_informed) == (math.inf, True)


def told(remaining: str, reset: str | None, limit: str = "1000") -> dict[str, str]:
    named = {"limit": limit, "remaining": remaining} | ({} if reset is None else {"reset": reset})
    return {f"x-ratelimit-{name}-tokens": value for name, value in named.items()}


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [
        ("1s", 1),
        ("6m0s", 360),
        ("1h2m3s", 3723),
        ("26ms", 0.026),
        ("1.5s", 1.5),
        ("12", 12),
        ("1d", 86400),
        (None, 60),
        ("", 60),
        ("soon", 60),
        ("1.2.3s", 60),
        ("-5s", 60),
        ("nan", 60),
        ("infs", 60),
    ],
)
def test_resets_are_read_as_durations(reset: str | None, seconds: float) -> None:
    limits = RateLimits()
    limits.learn(limits.reserve(1000), told("0", reset), 0.0)
    assert limits.room(0.0) == 0
    assert limits.wait(0.0) == pytest.approx(seconds, abs=0.03)
    assert limits.room(seconds + 0.03) == 1000


@pytest.mark.parametrize("remaining", ["nan", "inf", "-3", "many", ""])
def test_headers_that_make_no_sense_limit_nothing(remaining: str) -> None:
    limits = RateLimits()
    limits.learn(limits.reserve(10), told(remaining, "1s", limit="-1"), 0.0)
    assert limits.room(0.0) == math.inf


def test_what_is_under_way_is_not_spent_twice() -> None:
    limits = RateLimits()
    limits.learn(limits.reserve(100), told("900", "6s"), 0.0)
    first = limits.reserve(500)
    assert limits.room(1.0) == 400
    second = limits.reserve(400)
    assert limits.room(1.0) == 0
    # The second was counted first, and its answer comes last.
    limits.learn(first, told("0", "60s"), 2.0)
    limits.learn(second, told("500", "30s"), 3.0)
    assert limits.room(3.0) == 0


def test_a_pause_holds_all() -> None:
    limits = RateLimits()
    limits.pause(12.0)
    assert (limits.room(3.0), limits.wait(3.0), limits.room(12.0)) == (0, 9.0, math.inf)


@given(st.lists(st.tuples(st.integers(1, 500), st.integers(0, 1000), st.integers(1, 90)), max_size=20))
def test_some_time_there_is_always_room(steps: list[tuple[int, int, int]]) -> None:
    limits = RateLimits()
    now = 0.0
    for tokens, remaining, reset in steps:
        limits.learn(limits.reserve(tokens), told(str(remaining), f"{reset}s"), now)
        for _ in range(3):
            if limits.room(now) > 0:
                break
            wait = limits.wait(now)
            assert wait is not None and wait <= 91
            now += wait
        assert limits.room(now) > 0
