"""Findings of checks, and the context that checks get."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from simil.config import Credentials, Settings, SettingSource
from simil.embedders.openai.endpoint import Endpoint
from simil.errors import ModelError, SimilError, UsageError
from simil.models.resolve import ModelRef, Provider, resolve
from simil.models.select import check_consent

__all__ = [
    "Check",
    "CheckContext",
    "Finding",
    "Status",
    "endpoint_of",
    "fail",
    "not_asked",
    "note",
    "ok",
    "warn",
]


class Status(StrEnum):
    """The status of a finding.

    `fail`: runs end in an error. `warn`: they work, but slower than possible or with another model.
    `note`: something optional is missing or was not checked.
    """

    OK = "ok"
    NOTE = "note"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found, in words, and what to do about it."""

    check: str
    status: Status
    detail: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class CheckContext:
    """What to check: the settings of a run, and how thoroughly.

    `error` is why the user's settings cannot be read; `settings` are then the defaults. `sources` are the
    places that settings come from, or why one cannot be read, by the name of the check that reports them.
    `offline` forbids all connections. `deep` also runs checks that take seconds, and sends the key to the
    API.
    """

    settings: Settings
    error: SimilError | None
    sources: Mapping[str, SettingSource | SimilError]
    offline: bool
    deep: bool

    @property
    def hub_offline(self) -> bool:
        """Whether connections to the hub are forbidden."""
        return self.offline or bool(self.settings.hub_offline)

    @property
    def readable(self) -> list[SettingSource]:
        """The sources that can be read, highest precedence first."""
        return [source for source in self.sources.values() if isinstance(source, SettingSource)]

    @property
    def pinned(self) -> ModelRef | None:
        """The pinned model; None if there is none, if it is unknown, or if it needs the user's consent."""
        if self.settings.model is None:
            return None
        try:
            ref = resolve(self.settings.model)
            check_consent(ref, self.settings)
        except (ModelError, UsageError):
            return None
        return ref

    @property
    def endpoint(self) -> Endpoint | None:
        """The endpoint of the pinned model, None if it runs locally; `UsageError` for a bad base URL."""
        if self.pinned is None or self.pinned.provider is not Provider.OPENAI:
            return None
        return endpoint_of(self.settings.openai)


def endpoint_of(server: Credentials) -> Endpoint:
    """Return the endpoint of a server's embeddings; raises `UsageError` for a bad base URL."""
    return Endpoint.under(server.base_url.strip(), server.api_key, server.api_version, server.key_hint)


@dataclass(frozen=True, slots=True)
class Check:
    """A check: its function, and its name if the function itself fails."""

    name: str
    run: Callable[[CheckContext], Iterable[Finding]]


def ok(check: str, detail: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(check, Status.OK, detail)


def note(check: str, detail: str, hint: str = "") -> Finding:
    """Return a finding that something optional is missing."""
    return Finding(check, Status.NOTE, detail, hint)


def not_asked(check: str, context: CheckContext, offline: str) -> Finding:
    """Return a finding that `offline`, a setting's name, forbids to ask."""
    return note(check, f"not asked: offline ({offline})" if context.error is None else "not asked: offline")


def warn(check: str, detail: str, hint: str = "") -> Finding:
    """Return a finding that runs work, but not as well as they could."""
    return Finding(check, Status.WARN, detail, hint)


def fail(check: str, why: str | SimilError, hint: str = "") -> Finding:
    """Return a finding that runs end in an error."""
    if isinstance(why, SimilError):
        where = f"{why.place}: " if why.place else ""
        return Finding(check, Status.FAIL, f"{where}{why.message}", why.hint or hint)
    return Finding(check, Status.FAIL, why, hint)
