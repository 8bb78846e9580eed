"""What is only of this machine: addresses that no other one reaches, and who may ask there without a key."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from simil.server.api_errors import ApiError

__all__ = ["check_local", "is_loopback"]


def is_loopback(host: str) -> bool:
    """Return whether a name or an address is this machine's own, which no other one reaches."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def check_local(host: str, origin: str | None) -> None:
    """Raise `ApiError` for a request that a page of another site makes a browser send.

    Such a page is told by its `origin`, or, where its name was made to lead to this machine, by the name
    that it asks for as `host`. Other programs than browsers send no origin.
    """
    if host and not _is_of_loopback(f"//{host}"):
        raise ApiError(403, f"without a key, this server has no name {host[:80]!r}: {_ADVICE}")
    if origin is not None and not _is_of_loopback(origin):
        raise ApiError(403, f"without a key, pages of {origin[:80]!r} may not send requests: {_ADVICE}")


_ADVICE = "ask for localhost or 127.0.0.1, or start it with --api-key"


def _is_of_loopback(url: str) -> bool:
    try:
        return is_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return False
