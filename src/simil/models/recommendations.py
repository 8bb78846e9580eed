"""Which of the known models to use for a purpose, by the figures of the catalog; no model is loaded.

Each purpose has one rule. It orders the embedding models that run on this machine by one figure, and leaves
out those without that figure, those that another model supersedes, and those that need code of their own. No
rule compares scores of two benchmarks, or of two versions of one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from simil.models.catalog import ModelInfo, benchmarks, catalog

__all__ = ["PURPOSES", "Advice", "Recommendation", "recommend"]

_MOST = 5
_LONG_TOKENS = 8192


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A model and why it is recommended: its figures in words; `score` is the one on the rule's benchmark."""

    info: ModelInfo
    score: float
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Advice:
    """The best models for a purpose, best first, and the rule in words."""

    purpose: str
    rule: str
    benchmark: str
    models: tuple[Recommendation, ...]


@dataclass(frozen=True, slots=True)
class _Rule:
    """How to choose: only models that are `fit`, by the score `by`; by their speed first if `by_speed`."""

    text: str
    by: str
    facts: tuple[Callable[[ModelInfo], str], ...]
    fit: Callable[[ModelInfo], bool] = lambda _: True
    by_speed: bool = False


def recommend(purpose: str) -> Advice:
    """Return the best models for one of `PURPOSES`, at most five."""
    rule = _RULES[purpose]
    ranked = sorted(filter(_runs_here, _scored(rule)), key=lambda info: _rank(rule, info))
    benchmark = benchmarks()[rule.by]
    found = (Recommendation(info, getattr(info, rule.by), _reasons(rule, info)) for info in ranked[:_MOST])
    return Advice(purpose, rule.text.format(benchmark=benchmark), benchmark, tuple(found))


def _scored(rule: _Rule) -> list[ModelInfo]:
    return [info for info in catalog().values() if getattr(info, rule.by) is not None and rule.fit(info)]


def _runs_here(info: ModelInfo) -> bool:
    return (
        info.kind == "embedder"
        and info.provider in ("hub", "embedded")
        and not info.own_code
        and not info.superseded_by
    )


def _rank(rule: _Rule, info: ModelInfo) -> tuple[float, float]:
    return (info.active_parameters or 0.0) if rule.by_speed else 0.0, -getattr(info, rule.by)


def _reasons(rule: _Rule, info: ModelInfo) -> tuple[str, ...]:
    name = benchmarks()[rule.by].rpartition(", ")[0]
    score = f"{getattr(info, rule.by):g} on {name}"
    facts = [fact(info) for fact in (*rule.facts, _size, _conditions)]
    ordered = [facts[0], score, *facts[1:]] if rule.by_speed else [score, *facts]
    return tuple(filter(None, ordered))


# What a reason may say of a model.


def _speed(info: ModelInfo) -> str:
    if info.pooling == "static":
        return "no neural network"
    active = info.active_parameters
    return "" if active is None else f"{active:,.0f} million active parameters"


def _languages(info: ModelInfo) -> str:
    return "English" if info.languages == 1 else f"{info.languages} languages" if info.languages else ""


def _tokens(info: ModelInfo) -> str:
    return f"reads {info.max_tokens:,} tokens" if info.max_tokens else "reads texts of any length"


def _size(info: ModelInfo) -> str:
    return f"{info.download_mb:,} MB" if info.download_mb else "ships with simil"


def _conditions(info: ModelInfo) -> str:
    if info.gated:
        return f"accept its terms first: simil models show {info.name}"
    return f"needs simil-cli[{info.extra}]" if info.extra else ""


_RULES: Mapping[str, _Rule] = {
    "quality": _Rule("the highest average on {benchmark}", "mteb_v2", (_languages, _speed)),
    "speed": _Rule(
        "the fewest parameters that a text passes through, then the highest average on {benchmark}",
        "mteb_v2",
        (_speed, _languages),
        fit=lambda info: info.active_parameters is not None,
        by_speed=True,
    ),
    "multilingual": _Rule(
        "the highest average on {benchmark}, of those for several languages",
        "mteb_multilingual",
        (_languages,),
        fit=lambda info: (info.languages or 0) > 1,
    ),
    "long": _Rule(
        f"the highest average on {{benchmark}}, of those that read {_LONG_TOKENS:,} tokens and more",
        "long_embed",
        (_tokens,),
        fit=lambda info: info.max_tokens is None or info.max_tokens >= _LONG_TOKENS,
    ),
    "code": _Rule("the highest average on {benchmark}", "mteb_code", (_languages, _speed)),
}
PURPOSES = tuple(_RULES)
