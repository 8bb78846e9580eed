"""What a check is given and what it gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from simil.config import Credentials, Settings, SettingSource
from simil.embedders.openai.endpoint import Endpoint
from simil.errors import ModelError, SimilError
from simil.models.resolve import ModelRef, Provider, resolve

__all__ = ["Check", "CheckContext", "Finding", "Status", "endpoint_of", "fail", "note", "ok", "warn"]


class Status(StrEnum):
    """How a finding is to be taken.

    `fail`: runs end in an error. `warn`: they work, but slower than they could, or with another model.
    `note`: something optional is not there, or was not looked at.
    """

    OK = "ok"
    NOTE = "note"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found, in words, and what to do about it."""

    check: str
    status: Status
    detail: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class CheckContext:
    """What is examined: the settings of a run, and how closely.

    `error` is why the user's own settings cannot be read; `settings` are then the defaults. `sources` are the
    places that settings come from, or why one cannot be read, by the name of the check that tells of them.
    `deep` also looks at what takes seconds, and tells the API the key.
    """

    settings: Settings
    error: SimilError | None
    sources: Mapping[str, SettingSource | SimilError]
    offline: bool
    deep: bool

    @property
    def readable(self) -> list[SettingSource]:
        """The sources that can be read, those first that go before others."""
        return [source for source in self.sources.values() if isinstance(source, SettingSource)]

    @property
    def pinned(self) -> ModelRef | None:
        """The model that is pinned; None where none is, or no such is known."""
        try:
            return resolve(self.settings.model) if self.settings.model is not None else None
        except ModelError:
            return None

    @property
    def endpoint(self) -> Endpoint | None:
        """Where the pinned model is asked, None for one that runs here; `UsageError` for no address."""
        if self.pinned is None or self.pinned.provider is not Provider.OPENAI:
            return None
        return endpoint_of(self.settings.openai)


def endpoint_of(server: Credentials) -> Endpoint:
    """Return where a server's embeddings are asked for; raises `UsageError` for an address that is none."""
    return Endpoint.under(server.base_url.strip(), server.api_key, server.api_version)


@dataclass(frozen=True, slots=True)
class Check:
    """A check: what it is called where it fails itself, and the function that looks."""

    name: str
    look: Callable[[CheckContext], Iterable[Finding]]


def ok(check: str, detail: str) -> Finding:
    """Return the finding that all is well."""
    return Finding(check, Status.OK, detail)


def note(check: str, detail: str, hint: str = "") -> Finding:
    """Return the finding that something optional is missing."""
    return Finding(check, Status.NOTE, detail, hint)


def warn(check: str, detail: str, hint: str = "") -> Finding:
    """Return the finding that runs work, but not as well as they could."""
    return Finding(check, Status.WARN, detail, hint)


def fail(check: str, why: str | SimilError, hint: str = "") -> Finding:
    """Return the finding that runs end in an error."""
    if isinstance(why, SimilError):
        where = f"{why.place}: " if why.place else ""
        return Finding(check, Status.FAIL, f"{where}{why.message}", why.hint or hint)
    return Finding(check, Status.FAIL, why, hint)
