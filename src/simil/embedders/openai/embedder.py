"""Vectors from OpenAI's API, or from any server that speaks its protocol."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simil._version import __version__
from simil.config import OPENAI_BASE_URL
from simil.embedders.base import Embedder, Kind, Piece
from simil.embedders.openai import protocol
from simil.embedders.openai.endpoint import Endpoint
from simil.embedders.openai.protocol import BadAnswer, Reply
from simil.embedders.openai.refusals import ServerError, quotation, refusal
from simil.errors import ServerFailed, SimilError, Unreachable, UsageError

if TYPE_CHECKING:
    import httpx
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["OpenAIEmbedder", "Timeout"]

_NEXT_ENCODING: dict[str, str | None] = {"base64": "float", "float": None}
_ERROR_LIMIT = 64 * 1024


@dataclass(frozen=True, slots=True)
class Timeout:
    """Seconds to wait: for a connection, for the next bytes, and for a whole answer."""

    connect: float = 5.0
    read: float = 60.0
    total: float = 300.0


_TIMEOUT = Timeout()


class OpenAIEmbedder(Embedder):
    """A model behind `POST {base_url}/embeddings`.

    `request_dimensions` is sent as `dimensions`; `known_dimensions` is what the model is known to
    return without it. `clock` measures the time of a whole answer. Raises `UsageError` for a base URL
    or model name that cannot be one; a missing key is an error only when a request would be sent.
    """

    def __init__(
        self,
        *,
        model: str,
        api_key: str | None,
        base_url: str = OPENAI_BASE_URL,
        request_dimensions: int | None = None,
        known_dimensions: int | None = None,
        transport: httpx.BaseTransport | None = None,
        timeout: Timeout = _TIMEOUT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not model.strip() or not model.isprintable():
            raise UsageError(f"{model!r} is not the name of a model")
        self.stamp = model
        self.dimensions = known_dimensions if request_dimensions is None else request_dimensions
        self._api_key = (api_key or "").strip() or None
        self._endpoint = Endpoint.under(base_url.strip(), self._api_key)
        self._scrub = self._endpoint.scrubber(self._api_key)
        self._request_dimensions = request_dimensions
        self._transport = transport
        self._timeout = timeout
        self._clock = clock
        self._encoding: str | None = "base64"
        self._client: httpx.Client | None = None

    @property
    def address(self) -> str:
        """Where requests go, without what may be secret in it."""
        return self._endpoint.url.partition("?")[0]

    def __repr__(self) -> str:
        return f"OpenAIEmbedder({self.stamp!r} at {self._endpoint.host})"

    def embed_batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the server's vectors of `texts`, float32, shape (len(texts), dimensions), in their order.

        Raises a `ProviderError` that says in one line what failed, without the key.
        """
        import numpy as np

        if not texts:
            return np.empty((0, self.dimensions or 0), dtype=np.float32)
        return self._collected(self.start_batch(Kind.SYMMETRIC, texts), len(texts))[0]

    def start_batch(self, kind: Kind, texts: Sequence[str]) -> Iterator[Piece]:
        """Yield a piece for each request that was answered; what is paid for is kept if a later one fails."""
        import numpy as np

        for stretch in protocol.requests_of(texts):
            vectors = self._ask(texts[stretch])
            yield Piece(np.arange(stretch.start, stretch.stop), vectors, np.zeros(len(vectors), np.bool_))

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _ask(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of one request, asking again while the server refuses the encoding."""
        while True:
            encoding = self._encoding
            body = protocol.request_body(self.stamp, texts, encoding, self._request_dimensions)
            reply = self._post(body, protocol.answer_limit(len(texts)))
            if encoding is None or not protocol.refuses_encoding(reply):
                break
            self._encoding = _NEXT_ENCODING[encoding]
        if not 200 <= reply.status < 300:
            raise refusal(
                reply,
                host=self._endpoint.host,
                model=self.stamp,
                proof=self._endpoint.proof(self._api_key),
                scrub=self._scrub,
            )
        try:
            vectors = protocol.vectors_of(reply, len(texts))
        except BadAnswer as exc:
            raise self._failed(f"{exc}{quotation(ServerError.in_answer(reply), self._scrub)}") from exc
        if self.dimensions is None:
            self.dimensions = vectors.shape[1]
        if vectors.shape[1] != self.dimensions:
            raise self._failed(
                f"returned {vectors.shape[1]} dimensions where {self.dimensions} were expected",
                hint="check the name of the model, and whether it can return other dimensions",
            )
        return vectors

    def _post(self, body: bytes, limit: int) -> Reply:
        """Send one request and return the answer, whatever its status.

        The one place where httpx's errors become those of simil.
        """
        import httpx

        client = self._connected()
        deadline = self._clock() + self._timeout.total
        try:
            with client.stream("POST", self._endpoint.url, content=body) as response:
                content = self._read(response, deadline, limit)
                headers = {name.lower(): value for name, value in response.headers.items()}
                return Reply(response.status_code, headers, content)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as exc:
            raise _broken(exc, self._endpoint.host, self._timeout) from exc

    def _read(self, response: httpx.Response, deadline: float, limit: int) -> bytes:
        """Return the body, bounded in time and size; of an error page that is too large, nothing."""
        chunks = []
        size = 0
        for chunk in response.iter_bytes():
            size += len(chunk)
            if self._clock() > deadline:
                raise Unreachable(
                    f"{self._endpoint.host} had not finished its answer after {self._timeout.total:g} s",
                    hint="try again later",
                )
            if not response.is_success and size > _ERROR_LIMIT:
                return b""
            if size > limit:
                raise self._failed("sent far more than the vectors that were asked for")
            chunks.append(chunk)
        return b"".join(chunks)

    def _connected(self) -> httpx.Client:
        if self._client is None:
            import httpx

            headers = {
                "Accept": "application/json",
                "Accept-Encoding": "identity",  # base64 gains little, and sizes stay what they seem
                "Content-Type": "application/json",
                "User-Agent": f"simil/{__version__}",
            }
            authorization = self._endpoint.authorization(self._api_key)
            if authorization is not None:
                headers["Authorization"] = authorization
            timeout = httpx.Timeout(self._timeout.read, connect=self._timeout.connect)
            try:
                self._client = httpx.Client(
                    headers=headers, timeout=timeout, transport=self._transport, follow_redirects=False
                )
            except (ImportError, OSError, ValueError, httpx.InvalidURL) as exc:
                raise _unusable_environment(exc) from exc
        return self._client

    def _failed(self, what: str, hint: str = "check the base URL and the server") -> ServerFailed:
        return ServerFailed(f"{self._endpoint.host} {what}", hint=hint)


def _broken(exc: Exception, host: str, timeout: Timeout) -> SimilError:
    """Return what an error of httpx means for the user; its own text may hold secrets and is not used."""
    import socket
    import ssl

    import httpx

    network = "check the network, the base URL and any proxy settings"
    cause = _system_error(exc)
    error: SimilError
    match exc:
        case httpx.ConnectTimeout() | httpx.PoolTimeout():
            error = Unreachable(f"no connection to {host} within {timeout.connect:g} s", hint=network)
        case httpx.TimeoutException():
            error = Unreachable(f"{host} did not answer within {timeout.read:g} s", hint="try again later")
        case httpx.ConnectError() if isinstance(cause, ssl.SSLError):
            why = getattr(cause, "verify_message", "") or (cause.reason or "").replace("_", " ").lower()
            error = Unreachable(
                f"no secure connection to {host}: {why}",
                hint="check https or http in the base URL, and the certificates (SSL_CERT_FILE)",
            )
        case httpx.ConnectError() if isinstance(cause, socket.gaierror):
            error = Unreachable(f"no address is known for {host}", hint=network)
        case httpx.ConnectError():
            why = f": {cause.strerror}" if cause is not None and cause.strerror else ""
            error = Unreachable(f"no connection to {host}{why}", hint=network)
        case httpx.ProxyError():
            error = Unreachable(f"the proxy on the way to {host} refused", hint="check the proxy settings")
        case httpx.NetworkError():
            error = Unreachable(f"the connection to {host} broke", hint="try again later")
        case httpx.RemoteProtocolError():
            error = ServerFailed(
                f"{host} broke off its answer, or does not speak HTTP", hint="try again later"
            )
        case httpx.DecodingError():
            error = ServerFailed(f"{host} sent a damaged answer", hint="try again later")
        case httpx.InvalidURL() | httpx.UnsupportedProtocol() | UnicodeError():
            error = UsageError(f"the base URL cannot be used: its host is {host!r}", hint="correct it")
        case _:
            error = Unreachable(f"the request to {host} failed ({type(exc).__name__})", hint=network)
    return error


def _system_error(exc: BaseException | None) -> OSError | None:
    """Return what the operating system or TLS said, deep under an error of httpx."""
    while exc is not None and not isinstance(exc, OSError):
        exc = exc.__cause__ or exc.__context__
    return exc


def _unusable_environment(exc: Exception) -> UsageError:
    if isinstance(exc, OSError):
        return UsageError("the certificates cannot be read", hint="check SSL_CERT_FILE and SSL_CERT_DIR")
    if isinstance(exc, ImportError):
        return UsageError("a SOCKS proxy needs a package more", hint="run: pip install 'httpx[socks]'")
    return UsageError(
        "the proxy settings cannot be used", hint="check HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY"
    )
