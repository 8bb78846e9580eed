"""The models of the server that the settings name, for the shell's completion: quickly or not at all."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from simil.config import Credentials, Settings
from simil.embedders.openai.endpoint import Endpoint
from simil.errors import SimilError
from simil.private_files import make_private, write_private

__all__ = ["NOTES", "listed_models"]

# The folder of what is remembered, in the cache directory.
NOTES = "server-models"
# Somebody has pressed a key and waits.
_SECONDS = 1.0
_FORGET_AFTER_S = 600.0
# A server that is not there may be started any moment, but each key is not to take a second.
_FORGET_FAILURE_AFTER_S = 20.0
# A name of other characters would mean something to a shell, which is for the user to quote.
_NAME = re.compile(r"[A-Za-z0-9][\w.:/@+-]*", re.ASCII)


def listed_models(settings: Settings) -> Sequence[str]:
    """Return the models that the settings' server lists, remembered for ten minutes.

    Asks only a server that the user has chosen and whose models are not known, and returns nothing where
    there is no answer within a second. Raises nothing.
    """
    server = settings.openai
    try:
        endpoint = Endpoint.under(server.base_url.strip(), server.api_key, server.api_version)
    except SimilError:
        return ()
    if settings.offline or server.url_unconsented is not None or endpoint.is_openai_or_azure:
        return ()
    # The address and the key, which may choose the models, cannot be read from the name.
    account = sha256(f"{server.base_url}\n{server.api_key}".encode("utf-8", "surrogatepass")).hexdigest()
    note, now = settings.cache_dir / NOTES / f"{account[:32]}.json", time.time()
    names = _remembered(note, now)
    if names is None:
        names = _asked(server)
        _remember(note, names, now)
    return names


def _asked(server: Credentials) -> Sequence[str]:
    from simil.embedders.openai.probe import ask_for_models

    try:
        listed = ask_for_models(server, show_key=True, seconds=_SECONDS)
    except SimilError:
        return ()
    return [name for name in listed.names or () if _NAME.fullmatch(name)]


def _remembered(note: Path, now: float) -> Sequence[str] | None:
    """Return the noted names, None if there is no note that counts."""
    try:
        noted = json.loads(note.read_bytes())
        at, names = float(noted["at"]), [name for name in noted["names"] if _NAME.fullmatch(name)]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    return names if 0 <= now - at < (_FORGET_AFTER_S if names else _FORGET_FAILURE_AFTER_S) else None


def _remember(note: Path, names: Sequence[str], now: float) -> None:
    with suppress(OSError):
        make_private(note.parent.parent, note.parent)
        write_private(note, json.dumps({"at": now, "names": [*names]}).encode())
