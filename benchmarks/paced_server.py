"""An embeddings server on loopback that computes one request after the other, so many texts a second.

It goes on computing after a client hung up, as real ones do. Run as a script, it prints its port; a line to
stdin makes it tell in JSON what it was asked, the end of stdin ends it. Times are those of CLOCK_MONOTONIC,
which all processes of a machine share.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__: list[str] = []

_EMBEDDING = [1.0, *[0.0] * 383]


class Server(ThreadingHTTPServer):
    """Takes requests in many threads, and computes in one at a time."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int, speed: float) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.speed = speed
        self.computed: Counter[str] = Counter()
        self.sizes: list[int] = []
        self.first: float | None = None
        self.last = 0.0
        self._free_at = 0.0
        self._lock = threading.Lock()

    def compute(self, texts: list[str]) -> None:
        """Take as long as it takes, after all that came before."""
        with self._lock:
            now = time.monotonic()
            self.first = now if self.first is None else self.first
            self.sizes.append(len(texts))
            self.computed.update(texts)
            done_at = self._free_at = max(now, self._free_at) + len(texts) / self.speed
        time.sleep(max(done_at - time.monotonic(), 0))
        self.last = max(self.last, done_at)

    def tell(self) -> dict[str, Any]:
        """Return what it was asked so far."""
        with self._lock:
            return {
                "first": self.first,
                "last": self.last,
                "sizes": self.sizes,
                "texts": len(self.computed),
                "twice": sum(count - 1 for count in self.computed.values()),
            }

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that hang up."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.compute(asked["input"])
        data = [{"index": index, "embedding": _EMBEDDING} for index in range(len(asked["input"]))]
        body = json.dumps({"data": data, "model": asked["model"]}).encode()
        with suppress(OSError):
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Keep the terminal for the figures."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("speed", type=float, help="texts a second")
    parser.add_argument("--port", type=int, default=0, help="the port to listen on; a free one by default")
    given = parser.parse_args()
    with Server(given.port, given.speed) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(server.server_address[1], flush=True)
        for _ in sys.stdin:
            print(json.dumps(server.tell()), flush=True)


if __name__ == "__main__":
    main()
