"""The OpenAI backend under heavy use, with the strict server of the tests.

This is not a race: rate limits use a shared clock, which advances when a client waits.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import HERE, Bench, Suite, say
from measure import MeasurementFailed
from report import Check, Row, Value

__all__ = ["SUITES"]

_INPUTS, _TOKENS_A_MINUTE = 100_000, 1_000_000
_KILLED_INPUTS, _KILLS = 20_000, 30
_AMONG, _LINES = 5_000, (1, 2_049, 3_333, 5_000)
_MOST_EXTRA = 13
_COUNTING = {True: "by tiktoken", False: "by bytes"}
_RATES = {"bucket": "a bucket that refills", "window": "windows of a minute", "log": "the last minute"}


def openai(bench: Bench) -> list[Row]:
    """The three proofs; each fails as a whole if one of its runs fails."""
    proofs = _proofs()
    try:
        return [*_throughput(bench, proofs), _kills(bench, proofs), *_one_bad(bench, proofs)]
    except RuntimeError as exc:
        raise MeasurementFailed(str(exc)) from exc


def _proofs() -> Any:
    """Import the proofs, whose short forms the tests run."""
    folder = str(HERE.parent / "tests")
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module("support.openai_proofs")


def _throughput(bench: Bench, proofs: Any) -> Iterator[Row]:
    texts = proofs.mixed(_INPUTS)
    for rates, kept_by in _RATES.items():
        for exact, counted in _COUNTING.items():
            say(f"openai: {_INPUTS:,} inputs, {rates}, tokens {counted}")
            here = _folder(bench, f"{rates} {exact}")
            limit = {"tokens_per_minute": _TOKENS_A_MINUTE}
            done = proofs.throughput(here, texts, rates=rates, exact=exact, **limit)
            name = f"limit kept by {kept_by}, tokens counted {counted}"
            yield Value(
                f"share of {_TOKENS_A_MINUTE:,} tokens a minute that is used: {name}",
                "%",
                [100 * done.share],
                at_least=90,
                note=f"{done.tokens:,} tokens, {done.minutes:.2f} min of the shared clock",
            )
            yield Check(
                f"{_INPUTS:,} inputs: {name}",
                [done.seconds],
                holds=not done.violations and done.is_right and not done.charged_twice,
                bar="no violation, no 429, order right, nothing paid twice",
                note=f"{done.requests} requests, {len(done.violations)} violations",
            )


def _kills(bench: Bench, proofs: Any) -> Row:
    say(f"openai: {_KILLS} kills")
    texts = [text[:120] for text in proofs.mixed(_KILLED_INPUTS)]
    done = proofs.kills(_folder(bench, "kills"), texts, count=_KILLS)
    return Check(
        f"kill -9 at {done.kills} random moments of {_KILLED_INPUTS:,} inputs, then to the end",
        [done.seconds],
        holds=done.charged_twice <= done.under_way and done.is_same and done.is_right,
        bar="paid twice <= under way at the kills, result identical",
        note=f"{done.charged_twice:,} inputs paid twice, {done.under_way:,} under way",
    )


def _one_bad(bench: Bench, proofs: Any) -> Iterator[Row]:
    texts = [text[:300] for text in proofs.mixed(_AMONG - 1)]
    for why, what in (("long", "9,000 tokens long"), ("refused", "refused for what only the server knows")):
        for exact, counted in _COUNTING.items():
            say(f"openai: one bad text, {why}, tokens {counted}")
            all_done = [
                proofs.one_bad(
                    _folder(bench, f"{why} {exact} {line}"), texts, why=why, exact=exact, line=line
                )
                for line in _LINES
            ]
            yield Check(
                f"one text of {_AMONG:,} is {what}, --on-error skip, tokens counted {counted}",
                [done.run.seconds for done in all_done],
                holds=all(
                    done.run.code == 6 and done.is_right and done.is_named and done.extra <= _MOST_EXTRA
                    for done in all_done
                ),
                bar=f"{_AMONG - 1:,} vectors, exit 6, line named, <= {_MOST_EXTRA} requests more",
                note=f"at lines {_shown(_LINES)}: {_shown([done.extra for done in all_done])} requests more",
            )


def _folder(bench: Bench, name: str) -> Path:
    folder = bench.folder / "openai" / name
    folder.mkdir(parents=True)
    return folder


def _shown(numbers: Any) -> str:
    return ", ".join(f"{number:,}" for number in numbers)


SUITES = {
    "openai": Suite(
        "OpenAI's API",
        "`simil embed -m openai` against a server on loopback that enforces the published limits. The share "
        "is of what the whole minutes from the first request on grant; the minute of the last is left out. "
        "Under way at a kill are the inputs of the last 4 requests, which is the concurrency.",
        openai,
    )
}
