"""Requests keep the limits, and a culprit is found with few of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simil.embedders.openai.bisection import Bisection
from simil.embedders.openai.packing import AIM_TOKENS, MAX_INPUTS, PackingPlan, TokenRatio, count_fitting
from simil.embedders.openai.tokens import ByteCounter, TokenCounter
from simil.embedders.overflow import Overflow


@given(
    st.lists(st.integers(1, 300_000), min_size=1, max_size=40), st.integers(1, 50), st.integers(1, 400_000)
)
def test_as_many_as_fit_go_into_a_request(sizes: list[int], inputs: int, tokens: int) -> None:
    count = count_fitting(sizes, inputs=inputs, tokens=tokens)
    assert 1 <= count <= min(len(sizes), inputs)
    assert count == 1 or sum(sizes[:count]) <= tokens
    assert count in (len(sizes), inputs) or sum(sizes[: count + 1]) > tokens


@given(st.lists(st.lists(st.integers(1, 9_000), max_size=60), max_size=5))
def test_a_plan_counts_the_requests_that_are_packed(batches: list[list[int]]) -> None:
    plan = PackingPlan(ByteCounter(), limit=8192, overflow=Overflow.WARN, price=0.02)
    requests = tokens = 0
    for lengths in batches:
        plan.add(["x" * length for length in lengths])
        sizes = [min(length, 8192) for length in lengths]
        tokens += sum(sizes)
        start = 0
        while start < len(sizes):
            start += count_fitting(sizes[start:])
            requests += 1
    assert (plan.requests, plan.tokens, plan.is_exact) == (requests, tokens, False)
    assert plan.cost == (tokens * 0.02 / 1e6 if batches else None)


def test_a_plan_fills_requests_by_number() -> None:
    plan = PackingPlan(ByteCounter(), limit=None, overflow=Overflow.WARN, price=None)
    plan.add(["x"] * (2 * MAX_INPUTS + 1))
    assert (plan.requests, plan.cost) == (3, None)
    assert MAX_INPUTS < AIM_TOKENS < 300_000


@pytest.mark.parametrize(
    ("overflow", "tokens"),
    [(Overflow.WARN, 50), (Overflow.TRUNCATE, 50), (Overflow.CHUNK, 1000), (Overflow.ERROR, 0)],
)
def test_a_plan_knows_what_becomes_of_long_texts(
    overflow: Overflow, tokens: int, exact: TokenCounter
) -> None:
    plan = PackingPlan(exact, limit=50, overflow=overflow, price=None)
    plan.add([" word" * 1000])
    # Windows end between words, and each begins anew.
    assert plan.tokens == pytest.approx(tokens, rel=0.03)
    assert plan.requests == (tokens > 0)


def test_a_ratio_goes_by_the_densest_texts() -> None:
    ratio = TokenRatio()
    assert ratio.value == 1
    ratio.learn(1000, 250)
    assert ratio.value == 0.275
    ratio.learn(1000, 200)
    assert ratio.value == 0.275
    ratio.learn(1000, 990)
    assert ratio.value == 1


def requests_of(bisection: Bisection, bad: set[int], most: int) -> int:
    """Play the server that refuses the `bad` places and more than `most` at once; return what it took."""
    count = 0
    while not bisection.is_over:
        count += 1
        if bad & set(bisection.test) or len(bisection.test) > most:
            bisection.refused()
        else:
            bisection.passed()
    return count


@given(st.integers(2, MAX_INPUTS), st.data())
def test_one_culprit_takes_few_requests(count: int, data: st.DataObject) -> None:
    culprit = data.draw(st.integers(0, count - 1))
    bisection = Bisection(range(count))
    tests = requests_of(bisection, {culprit}, count)
    assert bisection.culprit == culprit
    # Refused, tested, and what was beside it sent on: one of them would have been sent anyway.
    assert 1 + tests + bool(bisection.rest) - 1 <= 13


@given(st.integers(2, 300), st.data())
def test_each_refused_part_holds_a_culprit_and_nothing_is_lost(count: int, data: st.DataObject) -> None:
    bad = data.draw(st.sets(st.integers(0, count - 1), min_size=1))
    left = list(range(count))
    found = set()
    while bad & set(left):
        bisection = Bisection(left) if len(left) > 1 else None
        if bisection is None:
            found |= set(left)
            break
        passed: set[int] = set()
        while not bisection.is_over:
            if bad & set(bisection.test):
                bisection.refused()
            else:
                passed |= set(bisection.test)
                bisection.passed()
        assert bisection.culprit in bad
        found.add(bisection.culprit)
        assert passed | {bisection.culprit} | set(bisection.rest) == set(left)
        left = bisection.rest
    assert found == bad


@given(st.integers(2, 400), st.integers(1, 399))
def test_a_limit_on_the_number_is_learned(count: int, most: int) -> None:
    if most >= count:
        return
    bisection = Bisection(range(count), is_size=True)
    requests_of(bisection, set(), most)
    assert bisection.culprit is None
    assert most / 2 <= bisection.most_passed <= most


def test_suspects_are_tested_first() -> None:
    bisection = Bisection([7, 3, 0, 1, 2, 4], first=1)
    assert bisection.test == [7]
    bisection.refused()
    assert (bisection.culprit, bisection.rest) == (7, [3, 0, 1, 2, 4])
