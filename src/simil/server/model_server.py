"""A session's model behind an address, from the opening of the model to the stop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from simil.errors import UsageError
from simil.frozen import Frozen
from simil.server.http_app import HttpApp, RequestLimits, ServedPairs, ServedTexts
from simil.server.loopback import is_loopback
from simil.server.served_embedder import ServedEmbedder, WantedVectors
from simil.server.served_names import ServedNames
from simil.server.served_scorer import ServedScorer
from simil.server.server_metrics import ServerMetrics
from simil.server.serving import listen, serve_until_stopped
from simil.server.shared_batches import BatchLimits, BatchModel, SharedBatches

if TYPE_CHECKING:
    import socket

    from simil.session.session import Session

__all__ = ["ServerOptions", "serve_model"]

_MOST_PORTS = 65_535


class ServerOptions(Frozen):
    """Where and to whom a model is served, by which `names` beside its own, and which
    cross-encoder beside it."""

    host: str
    port: int
    api_key: str | None
    names: Sequence[str] = ()
    rerank: str | None = None
    normalize: bool = True

    def check(self) -> None:
        """Raise `UsageError` for a port that cannot be, and where strangers could use the model."""
        if self.port > _MOST_PORTS:
            raise UsageError(f"there is no port {self.port}", hint=f"pass --port 0 to {_MOST_PORTS}")
        if self.api_key is None and not is_loopback(self.host):
            raise UsageError(
                f"on {self.host} other machines could use the model",
                hint="set a key in SIMIL_SERVE_API_KEY, or leave out --host",
            )


def serve_model(
    session: Session, options: ServerOptions, on_listening: Callable[[str, Sequence[str]], None]
) -> int | None:
    """Serve the session's model until a signal says to stop; return the signal's number.

    `on_listening` is called with the URL and the models' stamps once requests are answered. Raises
    `UsageError` where the server cannot listen, and as opening a model does.
    """
    options.check()
    metrics = ServerMetrics()
    with listen(options.host, options.port) as listener, ExitStack() as at_end:

        def queue(model: BatchModel) -> SharedBatches:
            batches = SharedBatches(model, BatchLimits(), on_batch=metrics.note_batch)
            at_end.callback(batches.close)
            metrics.watch_queue(batches)
            return batches

        embedding, reranking = _opened(session, options, queue)
        app = HttpApp(embedding, reranking, RequestLimits(), metrics, api_key=options.api_key)
        stamps = [served.names.stamp for served in (embedding, reranking) if served is not None]
        return serve_until_stopped(app.starlette(), listener, lambda: on_listening(_url(listener), stamps))


def _opened(
    session: Session, options: ServerOptions, queue: Callable[[BatchModel], SharedBatches]
) -> tuple[ServedTexts | None, ServedPairs | None]:
    """Open what is served: vectors, scores of pairs, or both.

    Each model computes once, so that the first request need not wait for its engine.
    """
    named = session.settings.model
    if options.rerank is None and session.is_cross_encoder():
        return None, _pairs(
            session, None, ServedNames.of(session.scorer().stamp, named, options.names), queue
        )
    embedder = session.embedder()
    names = ServedNames.of(embedder.stamp, named, options.names)
    model = ServedEmbedder(embedder, normalize=options.normalize)
    model.compute(WantedVectors(), ["Apple"])
    texts = ServedTexts(names, queue(model), session.dimensions, embedder.metric)
    if options.rerank is None:
        return texts, None
    stamp = session.scorer(options.rerank).stamp
    return texts, _pairs(session, options.rerank, ServedNames.of(stamp, options.rerank, ()), queue)


def _pairs(
    session: Session,
    reranker: str | None,
    names: ServedNames,
    queue: Callable[[BatchModel], SharedBatches],
) -> ServedPairs:
    model = ServedScorer(session.scorer(reranker))
    model.compute(None, [("Apple", "Orange")])
    return ServedPairs(names, queue(model))


def _url(listener: socket.socket) -> str:
    host, port, *_ = listener.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
