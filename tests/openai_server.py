"""An embeddings server on loopback that is as strict as OpenAI's specification and misbehaves when told to.

::

    with OpenAIServer() as server:
        server.misbehave(FAULTS["rows_missing"])     # the next request only
        ...                                          # talk to server.base_url with server.key
    server.requests                                  # what was asked: path, headers, body
"""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from numpy.typing import NDArray
from openai_faults import FAULTS, Answer, Exchange, Fault, Recorded, error, floats_of

__all__ = ["FAULTS", "KEY", "MAX_INPUTS", "MODELS", "OpenAIServer", "vector"]

KEY = "sk-planted/key+of=tests-0123456789abcdef"
MODELS = {
    "text-embedding-3-small": 1536,
    "text-embedding-3-large": 3072,
    "text-embedding-ada-002": 1536,
}
MAX_INPUTS = 2048


def vector(text: str, dimensions: int, full: int | None = None) -> NDArray[np.float32]:
    """Return the vector of `text`, of length 1: the first `dimensions` of `full` random numbers."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
    values = np.random.default_rng(seed).standard_normal(full or dimensions)[:dimensions]
    return (values / np.linalg.norm(values)).astype(np.float32)


@dataclass
class OpenAIServer:
    """The server; `key` None is one that wants no key, `models` gives each model's dimensions."""

    key: str | None = KEY
    models: Mapping[str, int] = field(default_factory=lambda: MODELS)
    requests: list[Recorded] = field(default_factory=list)
    script: deque[Fault | None] = field(default_factory=deque)
    always: Fault | None = None

    def __enter__(self) -> OpenAIServer:
        self._lock = threading.Lock()
        self.stopping = threading.Event()
        self._http = _Server(("127.0.0.1", 0), _Handler)
        self._http.owner = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._http.shutdown()
        self._thread.join()
        self._http.hang_up()
        self._http.server_close()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._http.server_address[1]}"

    @property
    def connections(self) -> int:
        """Return how many connections were made so far."""
        return self._http.connections

    @property
    def base_url(self) -> str:
        return f"http://{self.host}/v1"

    def misbehave(self, *faults: Fault | None) -> None:
        """Let the next requests go wrong, one for each of `faults`; None is a request that goes right."""
        self.script.extend(faults)

    def next_fault(self, request: Recorded) -> Fault | None:
        with self._lock:
            self.requests.append(request)
            return self.script.popleft() if self.script else self.always

    def check(self, request: Recorded) -> tuple[int, Answer]:
        """Return the status and document that the specification wants for `request`."""
        for status, complaint in self._complaints(request):
            return status, complaint
        return 200, self._answer(request.body)

    def _complaints(self, request: Recorded) -> Iterator[tuple[int, Answer]]:
        """Yield what is wrong with `request`; what follows the first holds only where that was right."""
        body = request.body
        if not request.path.partition("?")[0].endswith("/v1/embeddings"):
            yield 404, error(f"Invalid URL (POST {request.path})")
        if self.key is not None and request.headers.get("authorization") != f"Bearer {self.key}":
            yield 401, error("Incorrect API key provided.", code="invalid_api_key")
        if request.headers.get("content-type") != "application/json" or not isinstance(body, dict):
            yield 400, error("We could not parse the JSON body of your request.")
        if unknown := set(body) - {"model", "input", "encoding_format", "dimensions", "user"}:
            yield 400, error(f"Unrecognized request argument supplied: {', '.join(sorted(unknown))}")
        if body.get("model") not in self.models:
            model = body.get("model")
            yield 404, error(f"The model '{model}' does not exist.", code="model_not_found")
        yield from ((400, error(problem)) for problem in self._problems(body, self.models[body["model"]]))

    def _problems(self, body: Answer, full: int) -> Iterator[str]:
        texts: Any = body.get("input")
        if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
            yield "'input' must be a list of strings"
        if len(texts) > MAX_INPUTS:
            yield f"'input' array too long. Expected at most {MAX_INPUTS}, but got {len(texts)}"
        if not all(texts):
            yield "'$.input' is invalid: an input cannot be an empty string"
        if body.get("encoding_format", "float") not in {"float", "base64"}:
            yield "'encoding_format' must be 'float' or 'base64'"
        dimensions = body.get("dimensions")
        if dimensions is not None and not body["model"].startswith("text-embedding-3"):
            yield "This model does not support specifying dimensions."
        if dimensions is not None and not (type(dimensions) is int and 1 <= dimensions <= full):
            yield f"Invalid value for 'dimensions': {dimensions}"

    def _answer(self, body: Answer) -> Answer:
        full = self.models[body["model"]]
        rows = []
        for index, text in enumerate(body["input"]):
            values = vector(text, body.get("dimensions", full), full)
            encoded: Any = base64.b64encode(values.astype("<f4").tobytes()).decode()
            if body.get("encoding_format", "float") == "float":
                encoded = floats_of(encoded)
            rows.append({"object": "embedding", "index": index, "embedding": encoded})
        tokens = sum(len(text) // 4 + 1 for text in body["input"])
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return {"object": "list", "data": rows, "model": body["model"], "usage": usage}


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that closing waits for each of them
    owner: OpenAIServer

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._open: set[socket.socket] = set()
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
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:  # the other side was quicker
                continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that go away, which several faults are for."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            body = json.loads(content)
        except ValueError:
            body = None
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Recorded(self.path, headers, body)
        owner = self.server.owner
        fault = owner.next_fault(request)
        status, document = owner.check(request)
        exchange = Exchange(self, request, document, owner.stopping)
        if fault is not None:
            answer = fault(exchange)
            if answer is None:
                return
            document = answer
        exchange.send_json(status, document)

    def log_message(self, *_: Any) -> None:
        """Keep the terminal for the tests."""
