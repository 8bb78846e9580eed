"""`simil models --for` orders models by one published figure, and says which."""

from __future__ import annotations

import dataclasses

import pytest

from simil.models import recommendations
from simil.models.catalog import ModelInfo, benchmarks, catalog
from simil.models.recommendations import PURPOSES, Advice, recommend


def names(advice: Advice) -> list[str]:
    return [found.info.name for found in advice.models]


@pytest.mark.parametrize("purpose", PURPOSES)
def test_three_to_five_models_are_recommended_each_with_its_figure(purpose: str) -> None:
    advice = recommend(purpose)
    assert 3 <= len(advice.models) <= 5
    assert advice.benchmark in benchmarks().values() and advice.benchmark in advice.rule
    benchmark = advice.benchmark.rpartition(", ")[0]
    for found in advice.models:
        assert f"{found.score:g} on {benchmark}" in found.reasons


@pytest.mark.parametrize("purpose", [purpose for purpose in PURPOSES if purpose != "speed"])
def test_they_are_the_best_on_one_benchmark(purpose: str) -> None:
    scores = [found.score for found in recommend(purpose).models]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_they_embed_on_this_machine_and_nothing_supersedes_them(purpose: str) -> None:
    for found in recommend(purpose).models:
        info = found.info
        assert (info.kind, info.own_code, info.superseded_by) == ("embedder", False, "")
        assert info.provider in {"hub", "embedded"}


def test_the_best_on_the_newer_version_is_first_whatever_its_score_on_the_older() -> None:
    every = [info for info in catalog().values() if info.mteb_v2 is not None and not info.own_code]
    assert names(recommend("quality"))[0] == max(every, key=lambda info: info.mteb_v2 or 0).name
    # It has a score on the older version alone.
    assert "gte-modernbert" not in names(recommend("quality"))


def test_static_models_are_the_fastest_then_those_with_the_fewest_parameters_at_work() -> None:
    found = [one.info for one in recommend("speed").models]
    assert [info.active_parameters for info in found] == sorted(info.active_parameters or 0 for info in found)
    assert found[0].pooling == "static"
    assert found[0].mteb_v2 == max(info.mteb_v2 or 0 for info in found if info.pooling == "static")


def test_each_fits_its_purpose() -> None:
    assert all((found.info.languages or 0) > 50 for found in recommend("multilingual").models)
    assert all((found.info.max_tokens or 8192) >= 8192 for found in recommend("long").models)


def test_what_a_model_asks_for_is_one_of_its_reasons() -> None:
    reasons = {found.info.name: found.reasons for found in recommend("quality").models}
    assert "accept its terms first: simil models show embeddinggemma" in reasons["embeddinggemma"]
    fast = {found.info.name: found.reasons for found in recommend("speed").models}
    assert "needs simil-cli[static]" in fast["potion-8m"]
    assert "ships with simil" in fast["minilm"]


@pytest.mark.parametrize(
    "change",
    [
        {"superseded_by": "bge-base"},
        {"own_code": True},
        {"kind": "reranker"},
        {"provider": "openai"},
        {"mteb_v2": None},
    ],
)
def test_a_model_that_cannot_be_recommended_leaves_the_others_in_their_order(
    change: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = names(recommend("quality"))
    best = catalog()[before[0]]
    changed: dict[str, ModelInfo] = {**catalog(), best.name: dataclasses.replace(best, **change)}  # type: ignore[arg-type]
    monkeypatch.setattr(recommendations, "catalog", lambda: changed)
    assert names(recommend("quality"))[:4] == before[1:]
