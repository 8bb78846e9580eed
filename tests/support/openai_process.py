"""The process of the embeddings servers of the tests: each a port of loopback, all told what to do by a pipe.

`openai_server` starts it and is its face. It ends when the pipe does, so also with whoever started it.
"""

from __future__ import annotations

import ssl
import sys
import threading
import traceback
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from support.openai_book import Book, Config, Recorded
from support.openai_faults import NO_HEADERS
from support.openai_misbehaviour import misbehave
from support.openai_tls import CERTIFICATE, PRIVATE_KEY

__all__ = ["Server"]


class Server:
    """One server at a port of its own."""

    def __init__(self, config: Config) -> None:
        self.book = Book(config)
        self.stopping = threading.Event()
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.owner = self
        if config.is_encrypted:
            self._http.socket = _encrypted(self._http.socket)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._http.server_address[1])

    def connections(self) -> int:
        """Return how many connections were made so far."""
        return self._http.connections

    def close(self) -> None:
        self.stopping.set()
        self._http.shutdown()
        self._thread.join()
        self._http.hang_up()
        self._http.server_close()
        self.book.close()


class _Http(ThreadingHTTPServer):
    daemon_threads = False  # so that closing waits for each of them
    request_queue_size = 64
    owner: Server

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._open: set[Any] = set()
        self.connections = 0

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        self.connections += 1
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End the connections that clients keep open."""
        for connection in list(self._open):
            with suppress(OSError):  # the other side was quicker
                connection.shutdown(2)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that go away, which several faults are for."""
        if not isinstance(sys.exception(), (OSError, ValueError)):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Http

    def do_POST(self) -> None:
        self._answer("POST")

    def do_GET(self) -> None:
        if self.path.endswith("/models"):
            self._list_models()
        else:
            self._answer("GET")

    def do_DELETE(self) -> None:
        self._answer("DELETE")

    def _list_models(self) -> None:
        """Answer who asks for the list of models; the book is about what costs money only."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        status, body = self.server.owner.book.listing(self.path, headers)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _answer(self, method: str) -> None:
        content = self._content()
        if content is None:  # The client was killed while it asked.
            self.close_connection = True
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        owner = self.server.owner
        request, fault = owner.book.begin(method, self.path, headers, content)
        try:
            exchange = _Exchange(self, request, owner, content)
            if fault is None:
                exchange.finish()
            else:
                misbehave(fault, exchange)
            request.is_over = True
        finally:
            owner.book.end()

    def _content(self) -> bytes | None:
        """Return the body of a request; None if its end never came."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            length = int(self.headers.get("Content-Length", 0))
            content = self.rfile.read(length)
            return content if len(content) == length else None
        parts = []
        while size := int(self.rfile.readline() or b"-1", 16):
            part = self.rfile.read(size + 2) if size > 0 else b""
            if size < 0 or len(part) < size + 2:
                return None
            parts.append(part[:-2])
        self.rfile.readline()
        return b"".join(parts)

    def log_message(self, *_: Any) -> None:
        """Keep the terminal for the tests."""


class _Exchange:
    """See `openai_misbehaviour.Exchange`."""

    def __init__(self, handler: _Handler, request: Recorded, owner: Server, content: bytes) -> None:
        self.handler = handler
        self.request, self.owner, self._content = request, owner, content
        self.body, self.headers, self.path = request.body, request.headers, request.path

    def right(self) -> tuple[int, Any]:
        status, document, _ = self._outcome
        return status, document

    def finish(self) -> None:
        status, document, headers = self._outcome
        if isinstance(document, bytes):
            self.send(status, document, {"Content-Type": "application/octet-stream"})
        else:
            self.send_json(status, document, headers)

    def send(
        self, status: int, body: bytes, headers: Mapping[str, str] = NO_HEADERS, *, claimed: int | None = None
    ) -> None:
        self._take_time()
        self.request.status = status
        fields = {"Content-Type": "application/json", **headers}
        self.handler.send_response(status)
        for name, value in fields.items():
            self.handler.send_header(name, value)
        self.handler.send_header("Content-Length", str(len(body) if claimed is None else claimed))
        self.handler.end_headers()
        self.handler.wfile.write(body)
        self.handler.wfile.flush()
        if claimed is not None:
            self.handler.close_connection = True

    def send_json(self, status: int, document: Any, headers: Mapping[str, str] = NO_HEADERS) -> None:
        if self.owner.book.config.echoes and status >= 400 and "error" in document:
            proof = self.headers.get("authorization", self.headers.get("api-key", ""))
            said = f"{document['error']['message']} ({proof} {self.path})"
            document = {"error": {**document["error"], "message": said}}
        self.send(status, orjson.dumps(document), headers)

    def is_stopping(self, seconds: float) -> bool:
        return self.owner.stopping.wait(seconds)

    def pass_time(self, seconds: float) -> None:
        if self.owner.book.clock:
            self.owner.book.clock.advance_to(self.owner.book.clock.now() + seconds)

    @cached_property
    def _outcome(self) -> tuple[int, Any, Mapping[str, str]]:
        return self.owner.book.outcome(self.request, self._content)

    def _take_time(self) -> None:
        config = self.owner.book.config
        if config.delay_s:
            self.owner.stopping.wait(config.delay_s)
        if self.owner.book.clock and config.takes_s:
            self.owner.book.clock.advance_to(self.request.at + config.takes_s)
        self.owner.book.compute(self.request)


def _encrypted(socket: Any) -> Any:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with TemporaryDirectory() as folder:
        path = Path(folder, "both.pem")
        path.write_text(PRIVATE_KEY + CERTIFICATE, "ascii")
        context.load_cert_chain(path)
    # The handshake is the thread's that serves the connection: one that fails holds up nobody else.
    return context.wrap_socket(socket, server_side=True, do_handshake_on_connect=False)


def main() -> None:
    """Do what is asked for over the pipe, one thing after the other."""
    servers: dict[int, Server] = {}
    with Connection(int(sys.argv[1])) as pipe:
        while True:
            try:
                what, port, arguments = pipe.recv()
            except EOFError:
                break
            try:
                result: Any = None
                if what == "open":
                    server = Server(*arguments)
                    servers[server.port] = server
                    result = server.port
                elif what == "close":
                    servers.pop(port).close()
                elif what == "connections":
                    result = servers[port].connections()
                else:
                    result = getattr(servers[port].book, what)(*arguments)
                pipe.send((True, result))
            except Exception:  # noqa: BLE001 (raised again where it was asked for)
                pipe.send((False, traceback.format_exc()))
    for server in servers.values():
        server.close()


if __name__ == "__main__":
    main()
