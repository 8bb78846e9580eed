"""Checks of the server behind an API: whether it answers, which models it has, and how it embeds."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import TYPE_CHECKING

from simil.errors import SimilError
from simil.tasks.doctor.findings import CheckContext, Finding, Status, endpoint_of, fail, note, ok, warn

if TYPE_CHECKING:
    from simil.embedders.openai.probe import ModelList
    from simil.embedders.openai.server_trial import ServerTrial

__all__ = ["server_findings"]

_SECONDS = 3.0
# A server may have to load the model first.
_TRIAL_SECONDS = 60.0
# A text that takes longer makes 1,000 lines take longer than half an hour.
_SLOW_S = 2.0
_SHOWN = 5
_PREFIX = "openai:"


def server_findings(context: CheckContext) -> Iterator[Finding]:
    """Yield what the server of the settings answers; with `deep`, also to a few texts."""
    from simil.embedders.openai.probe import ask_for_models

    server = context.settings.openai
    bad = Status.WARN if context.endpoint is None else Status.FAIL
    try:
        credential = endpoint_of(server).credential(server.api_key) if context.deep else ""
        listed = ask_for_models(server, show_key=bool(credential), seconds=_SECONDS)
    except SimilError as exc:
        yield Finding("API", bad, exc.message, exc.hint)
        return
    answer = _answer(listed, credential, bad)
    yield answer
    if answer.status is not Status.OK:
        return
    yield from _models(context, listed)
    if context.endpoint is not None:
        yield from _trial(context)


def _answer(listed: ModelList, credential: str, bad: Status) -> Finding:
    host, status = listed.host, listed.status
    if status >= 500 or status == 429:
        return Finding("API", bad, f"{host} answers {status}", "try again later")
    if not credential:
        return ok("API", f"{host} answers ({status} without a key)")
    if status in (401, 403):
        return Finding("API", bad, f"{host} does not accept {credential} ({status})", "correct it")
    return ok("API", f"{host} answers {status} to {credential}")


def _models(context: CheckContext, listed: ModelList) -> Iterator[Finding]:
    """Report which models the server lists, and whether the pinned one is among them."""
    name, wanted = "API models", _wanted(context)
    if listed.names is None:
        yield from _unlisted(name, listed)
        return
    count = f"{len(listed.names):,} model{'s' * (len(listed.names) != 1)}"
    if wanted is None:
        yield _without_one(name, context.settings.model, listed, f"{count}{_named(listed.names)}")
    elif listed.has(wanted):
        yield ok(name, f"{wanted} is among {count}")
    else:
        similar = get_close_matches(wanted, listed.names, _SHOWN, 0.4)
        hint = f"use -m {_PREFIX}{similar[0]}" if similar else "add it to the server, or name another"
        yield warn(name, f"{wanted} is not among {count}{_named(similar or listed.names)}", hint)


def _without_one(name: str, other: str | None, listed: ModelList, told: str) -> Finding:
    """Return the finding for a run that does not ask the server for vectors, but for its list."""
    if other is not None and listed.has(other):
        return note(name, f"{told}; -m {other} is not the server's", f"use -m {_PREFIX}{other} for that")
    return ok(name, told)


def _unlisted(name: str, listed: ModelList) -> Iterator[Finding]:
    if listed.status == 200:
        yield note(name, f"{listed.host} sent no list of models", "see whether the base URL is right")
    elif listed.status not in (401, 403):
        why = f"{listed.host} has no list of models here ({listed.status})"
        yield note(name, why, "the base URL often ends in /v1")


def _wanted(context: CheckContext) -> str | None:
    """Return the server's name for the pinned model; None if it is not the server's."""
    return context.pinned.target if context.pinned and context.endpoint else None


def _named(names: tuple[str, ...] | list[str]) -> str:
    more = ", …" if len(names) > _SHOWN else ""
    return f": {', '.join(names[:_SHOWN])}{more}" if names else ""


def _trial(context: CheckContext) -> Iterator[Finding]:
    """Report what the pinned model makes of a few texts."""
    if not context.deep:
        yield note("API vectors", "no text was sent", "--deep sends some short ones, which may cost")
        return
    from simil.embedders.openai.server_trial import try_server

    settings = context.settings
    try:
        seconds = settings.timeout or _TRIAL_SECONDS
        trial = try_server(settings.openai, _wanted(context) or "", seconds=seconds)
    except SimilError as exc:
        yield fail("API vectors", exc)
        return
    yield vectors(trial)
    yield speed(trial)
    yield limits(trial)


def vectors(trial: ServerTrial) -> Finding:
    """Report what the vectors are like."""
    if trial.is_normalized:
        return ok("API vectors", f"{trial.dimensions:,} dimensions, normalized")
    norms = f"lengths from {trial.shortest:.3g} to {trial.longest:.3g}"
    return ok(
        "API vectors",
        f"{trial.dimensions:,} dimensions, not normalized ({norms}): simil does it, unless --no-normalize",
    )


def speed(trial: ServerTrial) -> Finding:
    """Report how long one text takes, and several."""
    parts = [f"{_milliseconds(trial.text_s)} for one text"]
    if trial.first_s > 2 * trial.text_s + 0.1:
        parts[0] += f" ({_milliseconds(trial.first_s)} for the first)"
    if trial.texts:
        parts.append(f"{_rounded(trial.texts / trial.texts_s)} texts/s in a request of {trial.texts}")
    told = ", ".join(parts)
    if trial.failed:
        return warn("API speed", f"{told}; several texts in a request failed: {trial.failed}")
    if trial.text_s > _SLOW_S:
        return warn("API speed", f"{told}: slow", "see whether the server uses the processor that it should")
    return ok("API speed", told)


def limits(trial: ServerTrial) -> Finding:
    """Report what the server has told of its limits."""
    rates = [f"{int(value):,} {unit} a minute" for unit, value in trial.limits.items()]
    most = [f"at most {trial.most_texts:,} texts a request"] if trial.most_texts else []
    told = ", ".join(rates + most)
    return ok("API limits", told) if told else ok("API limits", "none told")


def _rounded(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:,.0f} ms"
