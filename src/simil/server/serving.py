"""Runs an application: the socket that it listens on, uvicorn, and a stop that lets requests finish."""

from __future__ import annotations

import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from simil.errors import UsageError

if TYPE_CHECKING:
    from types import FrameType

    from starlette.applications import Starlette
    from uvicorn import Server

__all__ = ["listen", "serve_until_stopped"]

# How long requests in flight may take once the server is to stop.
_GRACE_S = 10
# How many connections the system holds while the server is busy.
_BACKLOG = 1024
_STOPPING = [signal.SIGINT, signal.SIGTERM]


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens at an address; port 0 is one that is free.

    Raises `UsageError` where that is impossible.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as exc:
        raise UsageError(f"there is no address {host}", hint="check --host") from exc
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as exc:
        listener.close()
        raise UsageError(
            f"cannot listen on {host}:{port}: {exc.strerror or exc}", hint="pass another --port or --host"
        ) from exc
    return listener


def serve_until_stopped(app: Starlette, listener: socket.socket, on_ready: Callable[[], None]) -> int | None:
    """Serve until a signal says to stop, finish what is in flight, and return the signal's number.

    `on_ready` is called once requests are answered, and a signal stops the server as it should.
    """
    import uvicorn

    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_S,
        backlog=_BACKLOG,
    )
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
    server = uvicorn.Server(config)
    with _noted_signals(server) as received:
        on_ready()
        server.run([listener])
    return received[0] if received else None


@contextmanager
def _noted_signals(server: Server) -> Iterator[list[int]]:
    """Let signals stop the server, which passes them on at its end, and note them.

    The command itself would end the process half a second after one, by a thread that the signal wakes.
    """
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)
        server.should_exit = True

    before = {number: signal.signal(number, note) for number in _STOPPING}
    woken = signal.set_wakeup_fd(-1)
    try:
        yield received
    finally:
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        for number, handler in before.items():
            signal.signal(number, handler)
