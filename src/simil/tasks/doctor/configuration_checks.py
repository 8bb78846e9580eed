"""Checks of settings: where they come from and which are set, never their values."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from simil.config import SettingSource
from simil.embedders.local.engine_choice import check_engine, placed
from simil.embedders.openai.endpoint import Endpoint
from simil.errors import SimilError
from simil.tasks.doctor.findings import CheckContext, Finding, fail, note, ok

__all__ = ["api_key", "config_file", "dotenv", "environment", "settings"]

_HUB = (
    "HF_HOME",
    "HF_HUB_CACHE",
    "HF_ENDPOINT",
    "HF_TOKEN",
    "HF_HUB_OFFLINE",
    "TRANSFORMERS_OFFLINE",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
)
_KEY = "OPENAI_API_KEY"


def settings(context: CheckContext) -> Iterator[Finding]:
    """Report whether the settings are valid and fit each other and this machine, and which they are."""
    if context.error is not None:
        if len(context.readable) < len(context.sources):
            yield note("settings", "using the defaults: not all of yours can be read")
        else:
            yield fail("settings", context.error)
        return
    now = context.settings
    try:
        check_engine(now)
        placed(now)
    except SimilError as exc:
        yield fail("settings", exc)
        return
    offline = ", offline" if now.offline else ", offline for the hub" if now.hub_offline else ""
    cache = "" if now.cache else ", no vector cache"
    yield ok(
        "settings",
        f"engine {now.engine}, device {now.device}, precision {now.precision}, overflow {now.overflow}"
        f"{offline}{cache}",
    )


def environment(context: CheckContext) -> Iterator[Finding]:
    """Report which variables that simil or the Hub's library reads are set."""
    names = SettingSource("", os.environ).set_here + [name for name in _HUB if os.environ.get(name)]
    yield ok("environment", f"set: {', '.join(names)}" if names else "nothing set")


def config_file(context: CheckContext) -> Iterator[Finding]:
    """Report which config file is read, and what it sets."""
    yield _source_finding("config file", context)


def dotenv(context: CheckContext) -> Iterator[Finding]:
    """Report which `.env` is read, and which variables of simil it sets."""
    yield _source_finding(".env", context)


def api_key(context: CheckContext) -> Iterator[Finding]:
    """Report whether there is a key for the API in use, where it is set, and whether it is well-formed."""
    name = "API key"
    endpoint = _endpoint(context)
    if context.error is not None:
        yield note(name, "not checked: the settings cannot be read")
    elif context.settings.openai.api_key:
        if endpoint is not None:
            endpoint.authorization(context.settings.openai.api_key)
        holders = [source.name for source in context.readable if source.get(_KEY) is not None]
        yield ok(name, f"{_KEY} is set, in {', '.join(holders)}")
    elif any(source.get(_KEY) for source in context.readable):
        finding = fail if endpoint is not None and endpoint.wants_key else note
        yield finding(
            name,
            "set, but not used: the base URL is from a .env that has no key",
            f"set {_KEY} in the same .env",
        )
    elif endpoint is not None and endpoint.wants_key:
        yield fail(name, f"{_KEY} is not set, but the model runs behind an API", f"set {_KEY}")
    else:
        yield note(name, f"{_KEY} is not set", "only models behind an API need one")


def _endpoint(context: CheckContext) -> Endpoint | None:
    """Return the endpoint of the pinned model; None if there is none, or if the base URL is bad."""
    try:
        return context.endpoint
    except SimilError:  # The check of the API reports it.
        return None


def _source_finding(check: str, context: CheckContext) -> Finding:
    source = context.sources[check]
    if not isinstance(source, SettingSource):
        return fail(check, source, "correct or remove it")
    if not Path(source.name).is_file():
        return note(check, "none here" if check == ".env" else f"none at {source.name}")
    known = source.set_here
    others = len(source.values) - len(known)
    more = f", and {others} that simil does not read" if others else ""
    return ok(check, f"{Path(source.name).absolute()}: sets {', '.join(known) or 'nothing'}{more}")
