"""A server for each test, and embedders that talk to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
from openai_server import OpenAIServer

from simil.embedders.openai.embedder import OpenAIEmbedder

Make = Callable[..., OpenAIEmbedder]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a proxy of the developer's machine away from requests to loopback."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as running:
        yield running


@pytest.fixture
def make(server: OpenAIServer) -> Iterator[Make]:
    """Return what makes embedders of the server, with other arguments where the test gives them."""
    with ExitStack() as stack:

        def made(**changes: Any) -> OpenAIEmbedder:
            arguments = {
                "model": "text-embedding-3-small",
                "api_key": server.key,
                "base_url": server.base_url,
                **changes,
            }
            return stack.enter_context(closing(OpenAIEmbedder(**arguments)))

        yield made
