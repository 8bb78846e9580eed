"""Redaction of reports: secrets in any form, and the path of the home directory."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from simil.config import SettingSource
from simil.embedders.openai.endpoint import Scrubber
from simil.tasks.doctor.findings import CheckContext

__all__ = ["redactor", "redactor_of"]

# Variables with these endings hold secrets, whichever program reads them.
_SECRET = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD)$")
# Anything shorter would occur in ordinary words.
_SHORTEST = 4


def redactor(context: CheckContext) -> Callable[[str], str]:
    """Return a function that hides all secrets in settings and environment, and shows home as `~`."""
    return redactor_of(context.readable)


def redactor_of(sources: Iterable[SettingSource]) -> Callable[[str], str]:
    """Return a function that hides all secrets in `sources`, and shows home as `~`."""
    secrets = {one for source in sources for one in _secrets(source) if len(one) >= _SHORTEST}
    scrub = Scrubber(secrets)
    home = _home()

    def redact(text: str) -> str:
        scrubbed = scrub(text)
        return home.sub("~", scrubbed) if home else scrubbed

    return redact


def _secrets(source: SettingSource) -> Iterator[str]:
    for name, value in source.values.items():
        if _SECRET.search(name.upper()):
            yield value.strip()
        if "://" in value or "@" in value:
            yield from _url_secrets(value)


def _url_secrets(value: str) -> Iterator[str]:
    """Yield the user name, the password and the query values of a URL such as a proxy's."""
    try:
        parts = urlsplit(value if "://" in value else f"//{value}")
        values = [secret for name, secret in parse_qsl(parts.query) if name.lower() != "api-version"]
    except ValueError:
        return
    login = parts.netloc.rpartition("@")[0]
    for one in (login, *login.split(":", 1)):
        yield from (one, unquote(one))
    yield from values


def _home() -> re.Pattern[str] | None:
    try:
        homes = {str(Path.home()), os.path.realpath(Path.home())} - {"/", "."}
    except RuntimeError:  # There is no home directory.
        return None
    either = "|".join(re.escape(home.rstrip("/")) for home in sorted(homes, key=len, reverse=True))
    return re.compile(rf"(?<![\w.-])(?:{either})(?![\w.-])") if either else None
