"""Sends a request to the server and returns its reply, over httpx."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import closing
from dataclasses import dataclass
from threading import Lock, Thread
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from simil._version import __version__
from simil.embedders.openai.clock import Clock
from simil.embedders.openai.endpoint import Endpoint
from simil.embedders.openai.protocol import Reply
from simil.embedders.openai.retries import RequestFailed
from simil.errors import ServerFailed, SimilError, Unreachable, UsageError

if TYPE_CHECKING:
    import httpx

__all__ = ["Timeout", "Transport", "broken_request"]

_ERROR_LIMIT = 64 * 1024
_REDIRECTS = frozenset({307, 308})
_MOST_REDIRECTS = 5
# How often to look at the clock while an answer is under way.
_LOOK_S = 0.2


@dataclass(frozen=True, slots=True)
class Timeout:
    """Seconds to wait for a connection, for the next bytes, and for a complete answer."""

    connect: float = 5.0
    read: float = 60.0
    total: float = 300.0

    @classmethod
    def of(cls, seconds: float) -> Timeout:
        """Return the limits for a whole answer in so many seconds."""
        return cls(min(cls().connect, seconds), seconds, seconds)


class Transport:
    """Connections to one server, which several threads may share."""

    def __init__(
        self,
        endpoint: Endpoint,
        api_key: str | None,
        *,
        connections: int,
        timeout: Timeout,
        clock: Clock,
        httpx_transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Nothing is connected before the first request."""
        self._endpoint = endpoint
        self._api_key = api_key
        self._connections = connections
        self._timeout = timeout
        self._clock = clock
        self._httpx_transport = httpx_transport
        self._client: httpx.Client | None = None
        self._lock = Lock()

    def post(self, body: bytes, limit: int) -> Reply:
        """Send one request and return the reply, of at most `limit` bytes, whatever its status.

        Raises `RequestFailed` if there is no reply, and a `SimilError` if no request can be sent.
        """
        import httpx

        client = self._connected()
        try:
            return self._in_time(lambda: self._followed(client, body, limit))
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as exc:
            raise broken_request(exc, self._endpoint.host, self._timeout) from exc

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _in_time(self, call: Callable[[], Reply]) -> Reply:
        """Return what `call` returns; httpx bounds each read, but neither headers nor a body that drip."""
        answer: Future[Reply] = Future()

        def run() -> None:
            try:
                answer.set_result(call())
            except BaseException as exc:  # noqa: BLE001 (raised again in the waiting thread)
                answer.set_exception(exc)

        Thread(target=run, name="request", daemon=True).start()
        deadline = self._clock.now() + self._timeout.total
        while not wait([answer], _LOOK_S).done and self._clock.now() <= deadline:
            pass
        if not answer.done():
            raise self._late()
        return answer.result()

    def _late(self) -> RequestFailed:
        """Return the failure of an answer that takes too long."""
        late = f"{self._endpoint.host} had not finished its answer after {self._timeout.total:g} s"
        return RequestFailed(Unreachable(late, hint="try again later"), may_be_retried=True, is_late=True)

    def _followed(self, client: httpx.Client, body: bytes, limit: int) -> Reply:
        """Return the reply at the end of redirects on the same server."""
        url = self._endpoint.url
        for _ in range(_MOST_REDIRECTS):
            reply = self._exchange(client, url, body, limit)
            onward = _same_server(url, reply)
            if onward is None:
                break
            url = onward
        return reply

    def _exchange(self, client: httpx.Client, url: str, body: bytes, limit: int) -> Reply:
        import httpx

        deadline = self._clock.now() + self._timeout.total
        request = client.build_request("POST", url, content=body)
        try:
            response = client.send(request, stream=True)
        except httpx.InvalidURL as exc:  # of a redirect, which httpx looks at even if it is not followed
            raise httpx.RemoteProtocolError(str(exc), request=request) from exc
        with closing(response):
            content = self._read(response, deadline, limit)
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Reply(response.status_code, headers, content)

    def _read(self, response: httpx.Response, deadline: float, limit: int) -> bytes:
        """Return the body, with bounds on time and size; the beginning of an error page that is too large."""
        host = self._endpoint.host
        chunks: list[bytes] = []
        size = 0
        for chunk in response.iter_bytes():
            size += len(chunk)
            if self._clock.now() > deadline:
                raise self._late()
            if not response.is_success and size > _ERROR_LIMIT:
                # What is wrong stands first; some servers repeat all texts behind it.
                return b"".join([*chunks, chunk])[:_ERROR_LIMIT]
            if size > limit:
                raise ServerFailed(
                    f"{host} sent far more than the requested vectors",
                    hint="check the base URL and the server",
                )
            chunks.append(chunk)
        return b"".join(chunks)

    def _connected(self) -> httpx.Client:
        with self._lock:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _connect(self) -> httpx.Client:
        import httpx

        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",  # base64 compresses poorly, and this keeps sizes honest
            "Content-Type": "application/json",
            "User-Agent": f"simil/{__version__}",
            **self._endpoint.authorization(self._api_key),
        }
        try:
            return httpx.Client(
                headers=headers,
                timeout=httpx.Timeout(self._timeout.read, connect=self._timeout.connect),
                limits=httpx.Limits(max_connections=self._connections),
                transport=self._httpx_transport,
                follow_redirects=False,
            )
        except (ImportError, OSError, ValueError, httpx.InvalidURL) as exc:
            raise _unusable_environment(exc) from exc


def _same_server(url: str, reply: Reply) -> str | None:
    """Return the URL that `reply` redirects to if it is on the same server; the key goes nowhere else."""
    if reply.status not in _REDIRECTS:
        return None
    try:
        onward = urljoin(url, reply.headers.get("location", ""))
        here, there = urlsplit(url), urlsplit(onward)
        same = (here.scheme, here.hostname, here.port) == (there.scheme, there.hostname, there.port)
    except ValueError:
        return None
    return onward if same and not there.username and onward != url else None


def broken_request(exc: Exception, host: str, timeout: Timeout) -> RequestFailed:
    """Return what an httpx error means to the user; its own text may contain secrets and is not used."""
    import socket
    import ssl

    import httpx

    network = "check the network, the base URL and any proxy settings"
    cause = _system_error(exc)
    lasting = False
    error: SimilError
    match exc:
        case httpx.ConnectTimeout() | httpx.PoolTimeout():
            error = Unreachable(f"no connection to {host} within {timeout.connect:g} s", hint=network)
        case httpx.TimeoutException():
            error = Unreachable(f"{host} did not answer within {timeout.read:g} s", hint="try again later")
        case httpx.ConnectError() if isinstance(cause, ssl.SSLError):
            lasting = True
            why = getattr(cause, "verify_message", "") or (cause.reason or "").replace("_", " ").lower()
            error = Unreachable(
                f"no secure connection to {host}: {why}",
                hint="check https or http in the base URL, and the certificates (SSL_CERT_FILE)",
            )
        case httpx.ConnectError() if isinstance(cause, socket.gaierror):
            # EAI_AGAIN is what a machine without a network gets.
            lasting = cause.errno != socket.EAI_AGAIN
            error = Unreachable(f"the host name {host} cannot be resolved", hint=network)
        case httpx.ConnectError():
            why = f": {cause.strerror}" if cause is not None and cause.strerror else ""
            error = Unreachable(f"no connection to {host}{why}", hint=network)
        case httpx.ProxyError():
            error = Unreachable(f"the proxy refused to connect to {host}", hint="check the proxy settings")
        case httpx.NetworkError():
            error = Unreachable(f"the connection to {host} was lost", hint="try again later")
        case httpx.RemoteProtocolError():
            error = ServerFailed(
                f"{host} broke off its answer, or does not speak HTTP", hint="try again later"
            )
        case httpx.DecodingError():
            error = ServerFailed(f"{host} sent a damaged answer", hint="try again later")
        case httpx.InvalidURL() | httpx.UnsupportedProtocol() | UnicodeError():
            lasting = True
            error = UsageError(f"the base URL cannot be used: its host is {host!r}", hint="correct it")
        case _:
            error = Unreachable(f"the request to {host} failed ({type(exc).__name__})", hint=network)
    is_unconnected = isinstance(exc, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    return RequestFailed(
        error,
        may_be_retried=not lasting,
        is_late=isinstance(exc, httpx.TimeoutException) and not is_unconnected,
        is_down=is_unconnected,
    )


def _system_error(exc: BaseException | None) -> OSError | None:
    """Return the error of the operating system or of TLS that an httpx error wraps."""
    while exc is not None and not isinstance(exc, OSError):
        exc = exc.__cause__ or exc.__context__
    return exc


def _unusable_environment(exc: Exception) -> UsageError:
    if isinstance(exc, OSError):
        return UsageError("the certificates cannot be read", hint="check SSL_CERT_FILE and SSL_CERT_DIR")
    if isinstance(exc, ImportError):
        return UsageError("a SOCKS proxy needs another package", hint="run: pip install 'httpx[socks]'")
    return UsageError(
        "the proxy settings cannot be used", hint="check HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY"
    )
