"""An embeddings server on loopback, in a process of its own, that is as strict as OpenAI's specification.

It misbehaves when told to::

    with OpenAIServer() as server:
        server.misbehave(FAULTS["rows_missing"])     # the next request only
        ...                                          # talk to server.base_url with server.key
        server.requests                              # what was asked: path, headers, body
"""

from __future__ import annotations

import atexit
import os
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from support.openai_book import Config, Recorded
from support.openai_faults import FAULTS, Fault
from support.openai_rules import MAX_INPUTS, MODELS, vector, vectors

__all__ = ["FAULTS", "KEY", "MAX_INPUTS", "MODELS", "OpenAIServer", "Recorded", "vector", "vectors"]

_TOLD = ("requests", "log", "count", "charges", "batch_charges", "batch_refunds", "uploads", "batches")
KEY = "sk-planted/key+of=tests-0123456789abcdef"


@dataclass
class OpenAIServer(Config):
    """The server; `key` None is one that wants no key, `models` gives each model's dimensions.

    A `key` with a colon is a user name and password; `azure` is the api-version of a server like Azure's.
    `is_exact` counts tokens as OpenAI does, else quickly. `rates` is how the limits per minute are kept: by
    a "bucket" that refills all the time (OpenAI's way), a "window" of each minute, or a "log" of the last
    one; by the time of the `clock` file, where there is one (`openai_clock.SharedClock`). Each answer takes
    `takes_s` of that time, and `delay_s` of real time; with `texts_per_second` it computes one request after
    the other, and goes on when the client is gone. `quota` are the tokens that are paid for, and `lists`
    the status and body of the list of models, None for a right one. With
    `echoes` each error message repeats what the client sent to identify itself. The vector of a text is that
    of `seed` and the text; a model `answers_as` another name than it was asked by.

    A batch goes on by a step each time that it is asked for. Of its lines a share of `failing_lines` fails,
    and those with `refused_in_batches` in a text; `expiring_batch` is the number of one that expires half
    done, and `enqueued_tokens` how many may wait in all batches. With `looks_of_batches` a step takes that
    many looks; lists have pages of at most `longest_page` rows. Without `has_batches` the addresses of
    batches are unknown.
    """

    key: str | None = KEY
    models: Mapping[str, int] = field(default_factory=lambda: MODELS)

    def __enter__(self) -> OpenAIServer:
        config = Config(**{name: getattr(self, name) for name in Config.__dataclass_fields__})
        self._left: dict[str, Any] = {}  # what is there to tell after its end
        self._port: int = _process().ask("open", 0, config)
        return self

    def __exit__(self, *_: object) -> None:
        self._left = {what: self._ask("tell", what) for what in _TOLD}
        self._left["connections"] = self._ask("connections")
        self._ask("close")

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._port}"

    @property
    def base_url(self) -> str:
        return f"{'https' if self.is_encrypted else 'http'}://{self.host}/v1"

    @property
    def connections(self) -> int:
        """How many connections were made so far."""
        return int(self._left["connections"] if self._left else self._ask("connections"))

    @property
    def requests(self) -> list[Recorded]:
        """The requests so far."""
        return list(self._told("requests"))

    @property
    def log(self) -> list[Recorded]:
        """The requests so far, without their bodies, which may be large."""
        return list(self._told("log"))

    @property
    def count(self) -> int:
        """How many requests there were so far."""
        return int(self._told("count"))

    @property
    def charges(self) -> Counter[str]:
        """How often each text was paid for."""
        return Counter(self._told("charges"))

    @property
    def batch_charges(self) -> Counter[str]:
        """How often each text was paid for in a batch, at half the price, and not refunded."""
        return Counter(self._told("batch_charges"))

    @property
    def batch_refunds(self) -> Counter[str]:
        """How often each text of a batch was refunded, as it got no answer."""
        return Counter(self._told("batch_refunds"))

    @property
    def uploads(self) -> Counter[str]:
        """How often each content was uploaded, by its SHA-256."""
        return Counter(self._told("uploads"))

    @property
    def batches(self) -> list[dict[str, Any]]:
        """The batches so far, as a look at each would give them."""
        return list(self._told("batches"))

    @property
    def violations(self) -> list[str]:
        """What the requests so far did wrong."""
        return [each for request in self.log for each in request.violations]

    @property
    def always(self) -> None:
        """What goes wrong with each request for which nothing else was said; to be set only."""
        raise AttributeError("is only told, not asked")

    @always.setter
    def always(self, fault: Fault | None) -> None:
        self._ask("keep_misbehaving", fault)

    def misbehave(self, *faults: Fault | None) -> None:
        """Let the next requests go wrong, one for each of `faults`; None is a request that goes right."""
        self._ask("misbehave", list(faults))

    def misbehave_at(self, what: str, *faults: Fault | None) -> None:
        """Let the next requests of a kind go wrong, `what` is the method and path: "POST /v1/batches"."""
        self._ask("misbehave_at", what, list(faults))

    def reconfigure(self, **changes: Any) -> None:
        """Change what the server is like, but for its address and limits."""
        self._ask("reconfigure", changes)

    def forget(self) -> None:
        """Forget the requests so far."""
        self._ask("forget")

    def settle(self) -> None:
        """Wait until no request is under way."""
        self._ask("settle")

    def _told(self, what: str) -> Any:
        return self._left[what] if self._left else self._ask("tell", what)

    def _ask(self, what: str, *arguments: Any) -> Any:
        return _process().ask(what, self._port, *arguments)


class _Process:
    """The process of all servers, and the pipe to it."""

    def __init__(self) -> None:
        here, there = socket.socketpair()
        with there:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "support.openai_process", str(there.fileno())],
                cwd=Path(__file__).parents[1],
                pass_fds=[there.fileno()],
                env={name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")},
            )
        self._pipe = Connection(here.detach())
        self._lock = threading.Lock()
        atexit.register(self.close)

    def ask(self, what: str, port: int, *arguments: Any) -> Any:
        with self._lock:
            self._pipe.send((what, port, arguments))
            is_right, result = self._pipe.recv()
        if not is_right:
            raise RuntimeError(f"the server of the tests failed:\n{result}")
        return result

    def close(self) -> None:
        self._pipe.close()
        self._process.wait()


_starting = threading.Lock()


def _process() -> _Process:
    with _starting:
        return _started()


@cache
def _started() -> _Process:
    return _Process()
