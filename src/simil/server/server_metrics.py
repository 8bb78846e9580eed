"""What Prometheus reads of a server: requests, texts, batches, and what waits."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simil.server.shared_batches import SharedBatches

__all__ = ["ServerMetrics"]


class ServerMetrics:
    """The figures of one server, in a registry of its own; several threads may note what happens."""

    def __init__(self) -> None:
        """Begin at zero."""
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self._registry = own = CollectorRegistry()
        self._requests = Counter("simil_requests", "Requests answered.", ["route", "status"], registry=own)
        self._seconds = Histogram(
            "simil_request_seconds", "Seconds from a request to its answer.", ["route"], registry=own
        )
        self._texts = Counter("simil_texts", "Texts of requests answered.", registry=own)
        self._tokens = Counter("simil_tokens", "Tokens of these texts.", registry=own)
        self._batch_texts = Histogram(
            "simil_batch_texts",
            "Texts that were computed together.",
            buckets=[1, 2, 4, 8, 16, 32, 64, 128, 256],
            registry=own,
        )
        self._batch_seconds = Counter("simil_batch_seconds", "Seconds that the model computed.", registry=own)
        self._waiting = Gauge("simil_waiting_texts", "Texts that wait for the model.", registry=own)
        self._queues: list[SharedBatches] = []
        self._waiting.set_function(lambda: sum(queue.waiting for queue in self._queues))

    def watch_queue(self, queue: SharedBatches) -> None:
        """Count what waits in `queue`, too."""
        self._queues.append(queue)

    def note_request(self, route: str, status: int, started: float) -> None:
        """Note an answer to a request that came at `started`, by `time.perf_counter`."""
        self._requests.labels(route, status).inc()
        self._seconds.labels(route).observe(time.perf_counter() - started)

    def note_texts(self, texts: int, tokens: int) -> None:
        """Note the texts of a request, and their tokens."""
        self._texts.inc(texts)
        self._tokens.inc(tokens)

    def note_batch(self, texts: int, seconds: float) -> None:
        """Note that so many texts were computed together."""
        self._batch_texts.observe(texts)
        self._batch_seconds.inc(seconds)

    def text(self) -> bytes:
        """Return all figures in Prometheus' text format."""
        from prometheus_client import generate_latest

        figures: bytes = generate_latest(self._registry)
        return figures
