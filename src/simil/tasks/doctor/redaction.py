"""What a report is not to show: secrets in any form, and where the user's home is."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from simil.config import SettingSource
from simil.embedders.openai.endpoint import Scrubber
from simil.tasks.doctor.findings import CheckContext

__all__ = ["redactor"]

# Variables whose names end so hold secrets, whoever reads them.
_SECRET = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD)$")
# Less than this would be found in ordinary words.
_SHORTEST = 4


def redactor(context: CheckContext) -> Callable[[str], str]:
    """Return a function that hides every secret that can be found in settings and environment.

    The home directory becomes `~`.
    """
    secrets = {one for source in context.readable for one in _secrets(source) if len(one) >= _SHORTEST}
    scrub = Scrubber(secrets)
    home = _home()

    def hide(text: str) -> str:
        scrubbed = scrub(text)
        return home.sub("~", scrubbed) if home else scrubbed

    return hide


def _secrets(source: SettingSource) -> Iterator[str]:
    for name, value in source.values.items():
        if _SECRET.search(name.upper()):
            yield value.strip()
        if "://" in value or "@" in value:
            yield from _in_address(value)


def _in_address(value: str) -> Iterator[str]:
    """Yield user name and password of an address, as a proxy's may have, and what follows its `?`."""
    try:
        parts = urlsplit(value if "://" in value else f"//{value}")
        told = [secret for name, secret in parse_qsl(parts.query) if name.lower() != "api-version"]
    except ValueError:
        return
    login = parts.netloc.rpartition("@")[0]
    for one in (login, *login.split(":", 1)):
        yield from (one, unquote(one))
    yield from told


def _home() -> re.Pattern[str] | None:
    try:
        homes = {str(Path.home()), os.path.realpath(Path.home())} - {"/", "."}
    except RuntimeError:  # There is none.
        return None
    either = "|".join(re.escape(home.rstrip("/")) for home in sorted(homes, key=len, reverse=True))
    return re.compile(rf"(?<![\w.-])(?:{either})(?![\w.-])") if either else None
