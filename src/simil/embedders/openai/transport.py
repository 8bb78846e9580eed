"""How a request gets to a server and its answer back: the one place that knows httpx."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from simil._version import __version__
from simil.embedders.openai.clock import Clock
from simil.embedders.openai.endpoint import Endpoint
from simil.embedders.openai.protocol import Reply
from simil.embedders.openai.retries import Failed
from simil.errors import ServerFailed, SimilError, Unreachable, UsageError

if TYPE_CHECKING:
    import httpx

__all__ = ["Timeout", "Wire"]

_ERROR_LIMIT = 64 * 1024
_REDIRECTS = frozenset({307, 308})
_MOST_REDIRECTS = 5


@dataclass(frozen=True, slots=True)
class Timeout:
    """Seconds to wait: for a connection, for the next bytes, and for a whole answer."""

    connect: float = 5.0
    read: float = 60.0
    total: float = 300.0


class Wire:
    """Connections to one server, for several threads at once."""

    def __init__(
        self,
        endpoint: Endpoint,
        api_key: str | None,
        *,
        connections: int,
        timeout: Timeout,
        clock: Clock,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Connect to nothing before the first request."""
        self._endpoint = endpoint
        self._api_key = api_key
        self._connections = connections
        self._timeout = timeout
        self._clock = clock
        self._transport = transport
        self._client: httpx.Client | None = None
        self._lock = Lock()

    def post(self, body: bytes, limit: int) -> Reply:
        """Send one request and return the answer, whatever its status; of at most `limit` bytes.

        Raises `Failed` for none, and a `SimilError` where none can be sent.
        """
        import httpx

        client = self._connected()
        try:
            url = self._endpoint.url
            for _ in range(_MOST_REDIRECTS):
                reply = self._exchange(client, url, body, limit)
                onward = _same_server(url, reply)
                if onward is None:
                    break
                url = onward
            return reply
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as exc:
            raise _broken(exc, self._endpoint.host, self._timeout) from exc

    def close(self) -> None:
        """Let the connections go."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _exchange(self, client: httpx.Client, url: str, body: bytes, limit: int) -> Reply:
        deadline = self._clock.now() + self._timeout.total
        with client.stream("POST", url, content=body) as response:
            content = self._read(response, deadline, limit)
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Reply(response.status_code, headers, content)

    def _read(self, response: httpx.Response, deadline: float, limit: int) -> bytes:
        """Return the body, bounded in time and size; of an error page that is too large, nothing."""
        host = self._endpoint.host
        chunks = []
        size = 0
        for chunk in response.iter_bytes():
            size += len(chunk)
            if self._clock.now() > deadline:
                late = Unreachable(
                    f"{host} had not finished its answer after {self._timeout.total:g} s",
                    hint="try again later",
                )
                raise Failed(late)  # All the time of a request is gone.
            if not response.is_success and size > _ERROR_LIMIT:
                return b""
            if size > limit:
                raise ServerFailed(
                    f"{host} sent far more than the vectors that were asked for",
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
            "Accept-Encoding": "identity",  # base64 gains little, and sizes stay what they seem
            "Content-Type": "application/json",
            "User-Agent": f"simil/{__version__}",
            **self._endpoint.authorization(self._api_key),
        }
        try:
            return httpx.Client(
                headers=headers,
                timeout=httpx.Timeout(self._timeout.read, connect=self._timeout.connect),
                limits=httpx.Limits(max_connections=self._connections),
                transport=self._transport,
                follow_redirects=False,
            )
        except (ImportError, OSError, ValueError, httpx.InvalidURL) as exc:
            raise _unusable_environment(exc) from exc


def _same_server(url: str, reply: Reply) -> str | None:
    """Return the address on the same server that `reply` sends us on to; the key goes nowhere else."""
    if reply.status not in _REDIRECTS:
        return None
    try:
        onward = urljoin(url, reply.headers.get("location", ""))
        here, there = urlsplit(url), urlsplit(onward)
        same = (here.scheme, here.hostname, here.port) == (there.scheme, there.hostname, there.port)
    except ValueError:
        return None
    return onward if same and not there.username and onward != url else None


def _broken(exc: Exception, host: str, timeout: Timeout) -> Failed:
    """Return what an error of httpx means for the user; its own text may hold secrets and is not used."""
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
            # Without a network the answer is another one: try again.
            lasting = cause.errno != socket.EAI_AGAIN
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
            lasting = True
            error = UsageError(f"the base URL cannot be used: its host is {host!r}", hint="correct it")
        case _:
            error = Unreachable(f"the request to {host} failed ({type(exc).__name__})", hint=network)
    return Failed(error, may_be_retried=not lasting)


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
