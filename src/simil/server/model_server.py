"""A session's model behind an address, from the opening of the model to the stop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from simil.errors import UsageError
from simil.frozen import Frozen
from simil.server.http_app import HttpApp, RequestLimits
from simil.server.served_embedder import ServedEmbedder, WantedVectors
from simil.server.served_names import ServedNames
from simil.server.serving import listen, serve_until_stopped
from simil.server.shared_batches import BatchLimits, SharedBatches

if TYPE_CHECKING:
    import socket

    from simil.session.session import Session

__all__ = ["ServerOptions", "serve_model"]

_MOST_PORTS = 65_535


class ServerOptions(Frozen):
    """Where and to whom a model is served, and by which `names` beside its own."""

    host: str
    port: int
    api_key: str | None
    names: Sequence[str] = ()
    normalize: bool = True

    def check(self) -> None:
        """Raise `UsageError` for a port that cannot be, and where strangers could use the model."""
        if self.port > _MOST_PORTS:
            raise UsageError(f"there is no port {self.port}", hint=f"pass --port 0 to {_MOST_PORTS}")
        if self.api_key is None and not _is_loopback(self.host):
            raise UsageError(
                f"on {self.host} other machines could use the model",
                hint="set a key in SIMIL_SERVE_API_KEY, or leave out --host",
            )


def serve_model(
    session: Session, options: ServerOptions, on_listening: Callable[[str, ServedNames], None]
) -> int | None:
    """Serve the session's model until a signal says to stop; return the signal's number.

    `on_listening` is called with the URL once requests are answered. Raises `UsageError` where the server
    cannot listen, and as opening the model does.
    """
    options.check()
    listener = listen(options.host, options.port)
    with listener:
        embedder = session.embedder()
        names = ServedNames.of(embedder.stamp, session.settings.model, options.names)
        model = ServedEmbedder(embedder, normalize=options.normalize)
        # What a first request would wait for: the model is opened, and its engine has run.
        model.compute(WantedVectors(), ["Apple"])
        texts = SharedBatches(model, BatchLimits())
        app = HttpApp(names, texts, RequestLimits(), api_key=options.api_key)
        try:
            on_listening(_url(listener), names)
            return serve_until_stopped(app.starlette(), listener)
        finally:
            texts.close()


def _url(listener: socket.socket) -> str:
    host, port, *_ = listener.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _is_loopback(host: str) -> bool:
    from ipaddress import ip_address

    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
