"""Checks of the network: whether the Hub and the API answer within a few seconds."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from simil.config import OPENAI_BASE_URL
from simil.consent import host_of, how_to_consent
from simil.errors import SimilError
from simil.models.catalog import DEFAULT
from simil.models.hub.reachability import remembered
from simil.models.resolve import Provider, resolve
from simil.models.status import State, status_of
from simil.tasks.doctor.findings import CheckContext, Finding, Status, not_asked, note, ok, warn
from simil.tasks.doctor.server_checks import server_findings

__all__ = ["api", "certificates", "hub", "proxy"]

_SECONDS = 3.0
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def proxy(context: CheckContext) -> Iterator[Finding]:
    """Report which variables name a proxy; not their values, which may hold a password."""
    spelled = [each for name in _PROXIES for each in (name, name.lower()) if os.environ.get(each)]
    yield ok("proxy", f"set: {', '.join(spelled)}" if spelled else "none set")


def certificates(context: CheckContext) -> Iterator[Finding]:
    """Report which variables name certificates, and whether these files exist."""
    spelled = [name for name in _CERTIFICATES if os.environ.get(name)]
    # Unlike pathlib's, this keeps a ~ that cannot be resolved.
    missing = [name for name in spelled if not os.path.exists(os.path.expanduser(os.environ[name]))]  # noqa: PTH110, PTH111
    if missing:
        yield warn("certificates", f"{', '.join(missing)}: no such file", "correct or unset it")
    else:
        yield ok("certificates", f"set: {', '.join(spelled)}" if spelled else "none set")


def hub(context: CheckContext) -> Iterator[Finding]:
    """Ask the Hub for the default model."""
    if context.hub_offline:
        yield not_asked("hub", context, context.settings.hub_offline)
        return
    from simil.models.hub.download import reach

    ref = resolve(DEFAULT)
    try:
        address = reach(ref.target, _SECONDS)
    except SimilError as exc:
        yield Finding("hub", _hub_severity(context), exc.message, exc.hint)
        return
    cache_dir = context.settings.cache_dir
    if remembered(cache_dir, time.time()):
        yield note(
            "hub", f"{address} answers, but did not a moment ago", "runs try it again within ten minutes"
        )
    else:
        yield ok("hub", f"{address} answers, and has {ref.target}")


def api(context: CheckContext) -> Iterator[Finding]:
    """Ask the API for its models, without the key; `deep` sends the key and a few texts."""
    server = context.settings.openai
    needed = context.endpoint is not None
    if context.offline:
        yield not_asked("API", context, context.settings.offline)
    elif not (server.api_key or needed or server.base_url != OPENAI_BASE_URL):
        yield note("API", "not asked: neither a key nor a base URL is set")
    elif server.url_unconsented is not None:
        yield Finding(
            "API",
            Status.FAIL if needed else Status.WARN,
            f"not asked: you have not trusted {server.url_unconsented}, whose OPENAI_BASE_URL names"
            f" {host_of(server.base_url)}",
            how_to_consent(server.url_unconsented),
        )
    else:
        yield from server_findings(context)


def _hub_severity(context: CheckContext) -> Status:
    """Return how bad it is that the Hub cannot be reached."""
    ref = context.pinned or resolve(DEFAULT)
    if ref.provider is not Provider.HUB or status_of(ref, context.settings).state is State.DOWNLOADED:
        return Status.NOTE
    return Status.FAIL if context.pinned else Status.WARN
