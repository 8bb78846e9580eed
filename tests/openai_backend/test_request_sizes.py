"""Requests are as large as a server's speed allows: none is given up because of its size, or of others."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise

import httpx
import numpy as np
import pytest
from support.openai_clock import SharedClock
from support.openai_faults import batch_limit
from support.openai_server import OpenAIServer, vectors

from simil.embedders.openai.client import OpenAIEmbedder
from simil.embedders.openai.request_sizes import RequestSizes
from simil.embedders.openai.transport import Timeout
from simil.errors import Unreachable

Make = Callable[..., OpenAIEmbedder]
# One at a time, so that the shared clock tells exactly how long each takes.
ALONE = {"request_dimensions": 4, "batch_size": None, "concurrency": 1, "random": lambda: 0.0}
PATIENCE = Timeout(connect=60, read=60, total=60)


@contextmanager
def paced(clock: SharedClock, texts_per_second: float) -> Iterator[OpenAIServer]:
    with OpenAIServer(clock=clock.path, texts_per_second=texts_per_second, has_rate_headers=False) as server:
        yield server


def alike(count: int, long: str = "") -> list[str]:
    return [f"text {number:04}{long}" for number in range(count)]


def embedded(embedder: OpenAIEmbedder, texts: list[str]) -> None:
    np.testing.assert_allclose(embedder.embed(texts, normalize=False), vectors(texts, 4), atol=2e-7)


@pytest.mark.parametrize(
    ("speed", "sizes"),
    [
        (16, [32, *[80] * 24, 48]),  # 5 s each
        (4096, [32, 128, 512, 1328]),  # at most four times as large as the one before
        (0.25, [32, 16, 8, *[1] * 72]),  # two answers too late, and the server computes them all the same
    ],
)
def test_requests_follow_the_speed(speed: float, sizes: list[int], clock: SharedClock, make: Make) -> None:
    texts = alike(80 if speed < 1 else 2000)
    began = clock.now()
    with paced(clock, speed) as server:
        embedded(make(base_url=server.base_url, timeout=PATIENCE, **ALONE), texts)
        assert [request.inputs for request in server.log] == sizes
        twice = {text for text, count in server.charges.items() if count > 1}
    assert clock.now() - began >= len(texts) / speed
    assert twice == (set(texts[:32]) if speed < 1 else set())


def test_four_requests_at_a_time_compute_nothing_twice(clock: SharedClock, make: Make) -> None:
    texts = alike(1000)
    began = clock.now()
    with paced(clock, 20) as server:
        embedder = make(base_url=server.base_url, timeout=PATIENCE, **{**ALONE, "concurrency": 4})
        embedded(embedder, texts)
        assert max(server.charges.values()) == 1
    assert clock.now() - began <= 1.15 * len(texts) / 20


def test_long_texts_after_short_ones_are_sent_in_smaller_requests(clock: SharedClock, make: Make) -> None:
    with paced(clock, 256) as server:
        embedded(make(base_url=server.base_url, **ALONE), alike(1024) + alike(512, "x" * 991))
        sizes = [request.inputs for request in server.log]
    # In 5 s, 256 texts of 9 bytes a second are 352 of them and 8 of 1,000 bytes.
    assert sizes[:4] == [32, 128, 512, 352 + 8]
    assert sum(sizes) == 1536


@pytest.mark.parametrize("status", [400, 413, 422, 429])
def test_a_request_that_is_too_large_is_halved(status: int, clock: SharedClock, make: Make) -> None:
    with paced(clock, 4096) as server:
        server.always = batch_limit(100, status, "Request too large")
        embedded(make(base_url=server.base_url, **ALONE), alike(400))
        assert [request.inputs for request in server.log] == [32, 128, 64, 64, 64, 64, 64, 48]
        assert max(server.charges.values()) == 1


def test_requests_of_a_given_size_wait_for_one_another_here(clock: SharedClock, make: Make) -> None:
    sized = {**ALONE, "batch_size": 500, "concurrency": 4}
    with paced(clock, 16) as server:
        embedded(make(base_url=server.base_url, timeout=PATIENCE, **sized), alike(1500))
        log = server.log
    assert [request.inputs for request in log] == [500] * 3
    # Two would take 62 s together, and a third 94 s.
    assert [later.at - earlier.at for earlier, later in pairwise(log)] == [31.25] * 2


def test_a_quick_server_gets_requests_at_once() -> None:
    sizes = RequestSizes(4, PATIENCE)
    first = sizes.send(32, 320, 0.0)
    assert not sizes.has_room(1, 10)  # nothing is known of its speed yet
    sizes.answer(first, 0.25)
    assert sizes.texts(2000) == 128
    assert all(sizes.has_room(128, 1280) and sizes.send(128, 1280, 0.25) for _ in range(4))
    assert sizes.texts(40) == 32  # the last ones are not sent one by one


class Away(httpx.HTTPTransport):
    """Finds nobody at the server's address from one time to another, by the shared clock."""

    def __init__(self, clock: SharedClock, begins: float, ends: float) -> None:
        super().__init__()
        self._clock, self._begins, self._ends = clock, clock.now() + begins, clock.now() + ends
        self._nobody = socket.socket()
        self._nobody.bind(("127.0.0.1", 0))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self._begins <= self._clock.now() < self._ends:
            request.url = request.url.copy_with(port=self._nobody.getsockname()[1])
        return super().handle_request(request)

    def close(self) -> None:
        self._nobody.close()
        super().close()


def test_a_server_that_is_started_again_is_waited_for(clock: SharedClock, make: Make) -> None:
    texts = alike(512)
    with paced(clock, 16) as server:
        away = Away(clock, 10, 40)
        embedded(make(base_url=server.base_url, transport=away, **ALONE), texts)
        assert set(server.charges.values()) == {1}
        # Tries after 0.5, 1, 2, 4 and then each 8 s; the server went away between two answers.
        assert [request.at for request in server.log[1:4]] == [1022.0, 1027.0, 1027.0 + 5 + 31.5]


@pytest.mark.parametrize(
    ("begins", "retries", "tries", "seconds"),
    [(0, 5, 6, 15.5), (1, 0, 1, 2), (1, 5, 1 + 4 + 36, 2 + 7.5 + 36 * 8)],
    ids=["never there", "no retries", "for good"],
)
def test_how_long_a_server_is_waited_for(
    begins: float, retries: int, tries: int, seconds: float, clock: SharedClock, make: Make
) -> None:
    began = clock.now()
    with paced(clock, 16) as server:
        away = Away(clock, begins, 10_000)
        embedder = make(base_url=server.base_url, transport=away, retries=retries, **ALONE)
        with pytest.raises(Unreachable, match="no connection") as caught:
            embedder.embed(alike(200), normalize=False)
    assert ("after" in str(caught.value)) == (tries > 1)
    assert clock.now() - began == seconds
    assert embedder.usage is not None
    assert embedder.usage.retries == tries - 1
