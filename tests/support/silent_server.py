"""A server that takes connections and never finishes an answer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def silent_endpoint(drip: bytes = b"", pause: float = 0.1) -> Iterator[str]:
    """Give the address of a server that takes every connection and never finishes an answer.

    With `drip` it sends that again and again, `pause` seconds apart, so that no single read times out.
    """
    closing, held = threading.Event(), []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)

        def serve() -> None:
            while not closing.wait(pause if held and drip else 0):
                with suppress(OSError):
                    connection, _ = listener.accept()
                    held.append(connection)
                for connection in held:
                    with suppress(OSError):
                        connection.sendall(drip)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            closing.set()
            thread.join()
            for connection in held:
                connection.close()
