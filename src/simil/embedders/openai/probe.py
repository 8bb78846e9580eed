"""Asks a server for its list of models, which costs nothing."""

from __future__ import annotations

from dataclasses import dataclass

from simil._version import __version__
from simil.config import Credentials
from simil.deadline import within
from simil.embedders.openai.endpoint import Endpoint
from simil.embedders.openai.protocol import BadAnswer, json_of
from simil.errors import SimilError, Unreachable, UsageError

__all__ = ["ModelList", "ask_for_models"]

# The lists of the largest providers have a megabyte.
_MOST_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class ModelList:
    """A server's answer to `GET /models`.

    Attributes:
        host: the server as it may be shown.
        status: the status of the answer.
        names: the models, in the server's order; None if the answer is no list of models.
    """

    host: str
    status: int
    names: tuple[str, ...] | None

    def has(self, name: str) -> bool:
        """Return whether `name` is listed; a server may add a tag, as Ollama does."""
        return bool({name, f"{name}:latest"} & {*(self.names or ())})


def ask_for_models(api: Credentials, *, show_key: bool, seconds: float) -> ModelList:
    """Send `GET {base_url}/models`, and return what the server answers.

    `show_key` sends the key, or a login in the URL, as with texts; redirects are not followed, so it goes
    nowhere else. The server has `seconds` in all to answer. Raises `UsageError` for an invalid base URL,
    `KeyRejected` for one that cannot be a key, and `Unreachable`.
    """
    endpoint = Endpoint.under(api.base_url.strip(), api.api_key, api.api_version, api.key_hint)
    url = endpoint.beside("models")
    headers = {"Accept": "application/json", "User-Agent": f"simil/{__version__}"}
    if show_key:
        headers |= endpoint.authorization(api.api_key)
    try:
        status, body = within(seconds, lambda: _answer(url, headers, seconds))
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
    return ModelList(endpoint.host, status, _names(body) if status == 200 else None)


def _answer(url: str, headers: dict[str, str], seconds: float) -> tuple[int, bytes]:
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
            body = bytearray()
            for part in answer.iter_bytes() if answer.status_code == 200 else ():
                body += part
                if len(body) > _MOST_BYTES:
                    break
            return int(answer.status_code), bytes(body)
    except httpx.TimeoutException as exc:
        raise TimeoutError from exc


def _names(body: bytes) -> tuple[str, ...] | None:
    """Return the names in a list of OpenAI's form; None for anything else."""
    try:
        document = json_of(body)
    except BadAnswer:
        return None
    models = document.get("data") if isinstance(document, dict) else None
    if not isinstance(models, list):
        return None
    names = [model.get("id") for model in models if isinstance(model, dict)]
    return tuple(name for name in names if isinstance(name, str) and name.isprintable())
