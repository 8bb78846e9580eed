"""A server of embeddings on loopback that sends whatever bytes a fault wants, and notes what it was asked.

The right vector of a text follows from the text, so a wrong one is recognized with certainty.
"""

from __future__ import annotations

import base64
import json
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import numpy as np
from support.openai_rules import vector

__all__ = ["DIMENSIONS", "RESET", "Fault", "RawServer", "Request", "counted_listener", "http", "right"]

DIMENSIONS = 16
# In place of bytes: the connection is reset.
RESET = None
# How long a silent server stays silent, if its client stays.
_LONGEST_S = 30.0


@dataclass(frozen=True, slots=True)
class Request:
    """A request: its texts, how vectors are wanted, and the key that came with it."""

    texts: list[str]
    is_base64: bool
    key: str
    path: str

    def rows(self) -> list[dict[str, Any]]:
        """Return the right items."""
        rows = []
        for index, text in enumerate(self.texts):
            numbers = vector(text, DIMENSIONS)
            packed = base64.b64encode(numbers.tobytes()).decode()
            embedding: object = packed if self.is_base64 else numbers.tolist()
            rows.append({"object": "embedding", "index": index, "embedding": embedding})
        return rows

    def document(self) -> dict[str, Any]:
        """Return the right answer."""
        usage = {"prompt_tokens": len(self.texts), "total_tokens": len(self.texts)}
        return {"object": "list", "data": self.rows(), "model": "words", "usage": usage}


# Bytes to send, seconds to wait before going on, or `RESET`.
Step = bytes | float | None
Fault = Callable[[Request, "RawServer"], Iterable[Step]]


def http(
    status: int | str,
    body: bytes,
    headers: str = "",
    *,
    length: int | None = None,
    kind: str = "application/json",
) -> bytes:
    """Return an answer of HTTP/1.1; `length` is a Content-Length to lie about."""
    size = len(body) if length is None else length
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\n{headers}"
    return f"{head}Connection: close\r\n\r\n".encode("latin-1") + body


def right(request: Request, server: RawServer) -> Iterator[Step]:
    """Answer what is right."""
    server.delivered.update(request.texts)
    yield http(200, json.dumps(request.document()).encode())


@dataclass(eq=False)
class RawServer:
    """The server: `fault` answers the first `times` requests, all others are answered right.

    Attributes:
        asked: how often each text was sent to it.
        delivered: how often each was answered with its vector.
        elsewhere: the address of another server, for redirects.
        pass_time: puts the clock forward that the client goes by.
    """

    fault: Fault = right
    times: int = 0
    elsewhere: str = ""
    pass_time: Callable[[float], None] = lambda seconds: None
    asked: Counter[str] = field(default_factory=Counter)
    delivered: Counter[str] = field(default_factory=Counter)
    requests: int = 0

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self._spawn(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(2)

    @property
    def host(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def _spawn(self, work: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._spawn(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(_LONGEST_S)
            request = _read(connection)
            if request is None:
                # No HTTP: somebody who wants TLS gets what a server without it says.
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                return
            self.requests += 1
            self.asked.update(request.texts)
            fault = self.fault if self.requests <= self.times else right
            for step in fault(request, self):
                if step is RESET:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                if isinstance(step, bytes):
                    connection.sendall(step)
                elif self._closing.wait(step):
                    return


def _read(connection: socket.socket) -> Request | None:
    head, body = b"", b""
    while b"\r\n\r\n" not in head:
        part = connection.recv(65536)
        head += part
        if not part or not head[:1].isalpha():
            return None
    head, _, body = head.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        part = connection.recv(65536)
        if not part:
            return None
        body += part
    try:
        document = json.loads(body)
        texts = document["input"]
    except (ValueError, KeyError):
        return Request([], False, "", first)
    key = headers.get("authorization", "").removeprefix("Bearer ")
    return Request(texts, document.get("encoding_format") == "base64", key, first.split()[1])


@contextmanager
def counted_listener() -> Iterator[tuple[str, list[float]]]:
    """Give the address of a server to which nobody should connect, and when somebody did."""
    seen: list[float] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    seen.append(time.time())
                    connection.close()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}", seen
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
    thread.join(2)


def unit(text: str) -> np.ndarray:
    """Return the right vector of a text in float64."""
    return vector(text, DIMENSIONS).astype(np.float64)
