"""Checks that a server is there by requesting its list of models, which costs nothing."""

from __future__ import annotations

from urllib.parse import urlsplit

from simil._version import __version__
from simil.config import Credentials
from simil.deadline import within
from simil.embedders.openai.endpoint import Endpoint
from simil.errors import SimilError, Unreachable, UsageError

__all__ = ["ask_for_models"]


def ask_for_models(api: Credentials, *, show_key: bool, seconds: float) -> tuple[str, int]:
    """Send `GET {base_url}/models`, and return the host as it may be shown and the status of the answer.

    `show_key` sends the key, or a login in the URL, as with texts; redirects are not followed, so it goes
    nowhere else. The server has `seconds` in all to answer. Raises `UsageError` for an invalid base URL,
    `KeyRejected` for one that cannot be a key, and `Unreachable`.
    """
    endpoint = Endpoint.under(api.base_url.strip(), api.api_key, api.api_version, api.key_hint)
    parts = urlsplit(endpoint.url)
    url = parts._replace(path=parts.path.removesuffix("/embeddings") + "/models").geturl()
    headers = {"Accept": "application/json", "User-Agent": f"simil/{__version__}"}
    if show_key:
        headers |= endpoint.authorization(api.api_key)
    try:
        return endpoint.host, within(seconds, lambda: _status(url, headers, seconds))
    except SimilError:
        raise
    except TimeoutError as exc:
        raise Unreachable(
            f"{endpoint.host} did not answer within {seconds:g} s", hint="check the network and any proxy"
        ) from exc
    except Exception as exc:
        # The exception's own text may contain secrets from the URL.
        raise Unreachable(
            f"{endpoint.host} cannot be reached ({type(exc).__name__})",
            hint="check the network, the base URL, certificates and any proxy",
        ) from exc


def _status(url: str, headers: dict[str, str], seconds: float) -> int:
    import httpx

    try:
        client = httpx.Client(headers=headers, timeout=seconds, follow_redirects=False)
    except (ImportError, OSError, ValueError, httpx.InvalidURL) as exc:
        raise UsageError(
            f"the proxy or the certificates cannot be used ({type(exc).__name__})",
            hint="check HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE and SSL_CERT_DIR",
        ) from exc
    try:
        with client, client.stream("GET", url) as answer:
            return int(answer.status_code)
    except httpx.TimeoutException as exc:
        raise TimeoutError from exc
