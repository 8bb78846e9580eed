"""The server's address, how requests are authorized, and the secrets that no message may show."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from simil.config import KEY_HINT
from simil.errors import KeyMissing, KeyRejected, UsageError

__all__ = ["Endpoint", "Scrubber"]


_OPENAI_HOST = "api.openai.com"
_AZURE_HOSTS = (".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com")
_AZURE_VERSION = "api-version"
_RESOURCE = "/embeddings"
_DEPLOYMENT = re.compile(r"/deployments/[^/]+\Z")
_HIDDEN = "***"
# OpenAI's own messages quote a key with its middle starred out; hide its ends, too.
_MASKED_KEY = r"\bsk-[^\s\"'<>]{4,}"
# A path segment of at least this length may be a key.
_SHORTEST_SECRET = 12
# Shorter base64 would match ordinary words.
_SHORTEST_BASE64 = 6
# Nor are so few characters of a secret by chance in a message.
_SHORTEST_PART = 8
# What may be an ordinary word: a longer run of letters is none.
_WORD = re.compile(r"(?<![^\W_])[a-z]{1,15}(?![^\W_])|(?<![^\W_])[A-Z][a-z]{1,14}(?![^\W_])")


class Scrubber:
    """Hides secrets in a text: whole or in parts, percent-encoded (once or repeatedly), or inside base64."""

    def __init__(self, secrets: Iterable[str]) -> None:
        secrets, forms = sorted(set(secrets) - {""}, key=len, reverse=True), []
        for secret in secrets:
            whole = "".join(map(_plain_or_percent, secret))
            # So short a secret is by chance in many words, in which it tells nothing.
            alone = rf"(?<![^\W_]){whole}(?![^\W_])" if len(secret) < _SHORTEST_PART else whole
            forms += [alone, *_in_base64(secret)]
        # The first alternative wins, and a whole key is longer than what only looks like one.
        self._pattern = re.compile("|".join([*forms, _MASKED_KEY]), re.IGNORECASE)
        self._lowered = "\n".join(map(_lowered, secrets))

    def __call__(self, text: str) -> str:
        return self._without_parts(self._pattern.sub(_HIDDEN, text))

    def _without_parts(self, text: str) -> str:
        """Hide what is left of a secret that a server has broken over lines, or cut."""
        lowered, parts = _lowered(text), bytearray(len(text))
        for start in range(len(text) - _SHORTEST_PART + 1):
            if lowered[start : start + _SHORTEST_PART] in self._lowered:
                parts[start : start + _SHORTEST_PART] = b"\1" * _SHORTEST_PART
        for word in _WORD.finditer(text):
            # A word that only begins, ends or goes on as a part of a secret does is a word.
            if not all(parts[slice(*word.span())]):
                parts[slice(*word.span())] = bytes(len(word[0]))
        runs = groupby(zip(text, parts, strict=True), key=itemgetter(1))
        return "".join(_HIDDEN if is_part else "".join(map(itemgetter(0), run)) for is_part, run in runs)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The URL that embeddings are requested from.

    Attributes:
        url: the full URL, without user name and password.
        host: host and port, the only part of the URL that messages show.
        wants_key: whether this is OpenAI itself or Azure, which always require a key.
        is_azure: whether the key is sent in Azure's header.
        key_hint: what to do where a key is missing.
    """

    url: str = field(repr=False)
    host: str
    wants_key: bool
    is_azure: bool
    key_hint: str
    _login: str = field(repr=False)
    _secrets: tuple[str, ...] = field(repr=False)

    @classmethod
    def under(
        cls, base_url: str, api_key: str | None, api_version: str | None = None, key_hint: str = KEY_HINT
    ) -> Endpoint:
        """Return the endpoint under `base_url`; `api_key` is only used to hide it in error messages.

        `api_version` is for an Azure URL that names no version. Raises `UsageError` if the base URL is not
        an http or https URL, or lacks a version that it needs.
        """
        parts = _split(base_url)
        if parts is None:
            shown = "" if "@" in base_url or "?" in base_url else f": {Scrubber([api_key or ''])(base_url)!r}"
            raise UsageError(
                f"the base URL is not an http(s) address{shown}",
                hint="write it like https://api.openai.com/v1 or http://localhost:11434/v1",
            )
        login, _, host = parts.netloc.rpartition("@")
        name = (parts.hostname or "").rstrip(".")
        is_openai = _is_openai(name)
        if is_openai and parts.scheme != "https":
            raise UsageError(f"{host} would receive the key unencrypted", hint="use https:// in the base URL")
        # The address of embeddings itself is what other tools ask for.
        path = parts.path.rstrip("/").removesuffix(_RESOURCE).rstrip("/")
        given = parse_qsl(parts.query)
        has_version = any(name.lower() == _AZURE_VERSION for name, _ in given)
        is_azure = has_version or name.endswith(_AZURE_HOSTS)
        query = parts.query
        if is_azure and not has_version and not path.endswith("/v1"):
            if not api_version:
                raise UsageError(f"{host} requires an api-version", hint="set OPENAI_API_VERSION")
            query = "&".join(filter(None, [query, urlencode({_AZURE_VERSION: api_version})]))
        return cls(
            url=urlunsplit((parts.scheme, host, f"{path}{_RESOURCE}", query, "")),
            host=host,
            wants_key=is_openai or is_azure,
            is_azure=is_azure,
            key_hint=key_hint,
            _login=unquote(login),
            _secrets=(
                *(value for name, value in given if name.lower() != _AZURE_VERSION),
                *(piece for piece in parts.query.split("&") if "=" not in piece),
                *(piece for piece in path.split("/") if len(piece) >= _SHORTEST_SECRET),
            ),
        )

    @property
    def address(self) -> str:
        """The URL as messages may show it: without the query, and with what may be a key in it hidden."""
        parts = urlsplit(self.url)
        return urlunsplit((parts.scheme, self.host, self.scrubber(None)(parts.path), "", ""))

    def beside(self, path: str) -> str:
        """Return the URL of something else below the base URL, as `models`; Azure's is above deployments."""
        parts = urlsplit(self.url)
        base = parts.path.removesuffix(_RESOURCE)
        if self.is_azure:
            base = _DEPLOYMENT.sub("", base)
        return urlunsplit(parts._replace(path=f"{base}/{path}"))

    @property
    def is_openai_or_azure(self) -> bool:
        """Whether this is OpenAI's or Azure's own address, whose models, prices and limits are known.

        A proxy that takes an `api-version` as Azure does may have any model behind it.
        """
        name = (urlsplit(f"//{self.host}").hostname or "").rstrip(".")
        return _is_openai(name) or name.endswith(_AZURE_HOSTS)

    def authorization(self, api_key: str | None) -> dict[str, str]:
        """Return the header that authorizes a request, or none if no key is needed.

        A user name and password in the URL take precedence, as they are meant for this server. Raises
        `KeyMissing` if a key is required, and `KeyRejected` for one that cannot be a key.
        """
        if self._login:
            login = self._login if ":" in self._login else f"{self._login}:"
            return {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}
        if api_key is None:
            if self.wants_key:
                raise KeyMissing(f"{self.host} needs an API key", hint=self.key_hint)
            return {}
        if not (api_key.isascii() and api_key.isprintable() and " " not in api_key):
            raise KeyRejected(
                "the API key contains a space, a line break or a character outside ASCII",
                hint="copy it again",
            )
        return {"api-key": api_key} if self.is_azure else {"Authorization": f"Bearer {api_key}"}

    def credential(self, api_key: str | None) -> str:
        """Return in words what `authorization` sends, or an empty string for nothing."""
        if self._login:
            return "the user name and password of the base URL"
        return "the API key in OPENAI_API_KEY" if api_key else ""

    def scrubber(self, api_key: str | None) -> Scrubber:
        """Return a scrubber of the key and of the secrets in the URL."""
        user, _, password = self._login.partition(":")
        return Scrubber([api_key or "", self._login, user, password, *self._secrets])


def _is_openai(name: str) -> bool:
    return name == _OPENAI_HOST or name.endswith(f".{_OPENAI_HOST}")


def _split(base_url: str) -> SplitResult | None:
    if not base_url.isprintable() or " " in base_url:
        return None
    try:
        parts = urlsplit(base_url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if usable else None


def _lowered(text: str) -> str:
    """Return the text in lower case, of the same length."""
    return "".join(char.lower() if char.isascii() else char for char in text)


def _plain_or_percent(character: str) -> str:
    percent = "".join(f"%(?:25)*{byte:02x}" for byte in character.encode("utf-8", "surrogatepass"))
    plain = r"[ +]" if character == " " else re.escape(character)
    return f"(?:{plain}|{percent})"


def _in_base64(secret: str) -> list[str]:
    """Return patterns for the base64 that `secret` leaves in a longer encoded text.

    The bytes before it shift it by 0, 1 or 2 bytes; the patterns include the characters that it shares
    with its neighbours.
    """
    raw = secret.encode("utf-8", "surrogatepass")
    patterns = []
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + raw).decode()
        whole = encoded[-(-8 * shift // 6) : 8 * (shift + len(raw)) // 6]
        if len(whole) >= _SHORTEST_BASE64:
            either = "".join({"+": "[+-]", "/": "[/_]"}.get(c, c) for c in whole)
            patterns.append(f"[A-Za-z0-9+/_-]{{0,3}}{either}[A-Za-z0-9+/_=-]{{0,4}}")
    return patterns
