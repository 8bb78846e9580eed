"""A forward proxy on loopback: one address stands for every host, or it refuses."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from support.openai_server import KEY, OpenAIServer

__all__ = ["Proxy", "at_azure"]


@contextmanager
def at_azure(server: OpenAIServer) -> Iterator[dict[str, str]]:
    """Yield the variables by which a server like Azure's is reached at an address of Azure's, by a proxy."""
    with Proxy(server.host) as proxy:
        yield {
            "OPENAI_BASE_URL": "http://tests.openai.azure.com/openai/v1",
            "OPENAI_API_KEY": KEY,
            "HTTP_PROXY": f"http://{proxy.host}",
        }


class Proxy:
    """A proxy that leads everybody to `target`, a host and port; with `status` it refuses in these terms."""

    def __init__(self, target: str, *, status: int | None = None) -> None:
        self.target, self.status = target, status
        self.asked: list[str] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._http.daemon_threads = True
        self._http.owner = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    @property
    def host(self) -> str:
        """Its own host and port."""
        return f"127.0.0.1:{self._http.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def do_POST(self) -> None:
        """Pass on a request that names its whole address."""
        proxy: Proxy = self.server.owner
        proxy.asked.append(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if proxy.status is not None:
            self._refuse(proxy.status)
            return
        parts = urlsplit(self.path)
        headers = {
            name: value for name, value in self.headers.items() if not name.lower().startswith("proxy")
        }
        onward = HTTPConnection(proxy.target)
        try:
            onward.request(
                "POST", f"{parts.path}?{parts.query}" if parts.query else parts.path, body, headers
            )
            answer = onward.getresponse()
            content = answer.read()
        finally:
            onward.close()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers.get("Content-Type", "application/json"))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_CONNECT(self) -> None:
        """Open a tunnel for what is encrypted."""
        proxy: Proxy = self.server.owner
        proxy.asked.append(self.path)
        if proxy.status is not None:
            self._refuse(proxy.status)
            return
        host, _, port = proxy.target.partition(":")
        with socket.create_connection((host, int(port))) as onward:
            self.send_response(200)
            self.end_headers()
            _join(self.connection, onward)
        self.close_connection = True

    def _refuse(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Keep the terminal for the tests."""


def _join(one: socket.socket, other: socket.socket) -> None:
    """Pass on what comes from either side, until one of them ends."""
    onward = {one: other, other: one}
    with suppress(OSError):
        while True:
            for ready in select.select([one, other], [], [])[0]:
                data = ready.recv(65536)
                if not data:
                    return
                onward[ready].sendall(data)
