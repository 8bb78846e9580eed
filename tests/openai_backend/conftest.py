"""A server for each test, and embedders that talk to it."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from support.openai_clock import SharedClock, install
from support.openai_server import MAX_INPUTS, OpenAIServer

from simil.embedders.openai import client as embedder_module
from simil.embedders.openai.client import OpenAIEmbedder
from simil.embedders.openai.tokens import TiktokenCounter, token_counter

Make = Callable[..., OpenAIEmbedder]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a proxy of the developer's machine away from requests to loopback."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def clock(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[SharedClock]:
    """The time that embedders and servers of a test go by: it passes at once where somebody waits."""
    for name in ("Clock", "Timeout", "Sender"):
        monkeypatch.setattr(embedder_module, name, getattr(embedder_module, name))
    with SharedClock(tmp_path_factory.mktemp("clock") / "time") as shared:
        install(shared)
        yield shared


@pytest.fixture
def server(clock: SharedClock) -> Iterator[OpenAIServer]:
    with OpenAIServer(clock=clock.path) as running:
        yield running


@pytest.fixture
def make(clock: SharedClock, server: OpenAIServer) -> Iterator[Make]:
    """Return what makes embedders of the server, with other arguments where the test gives them.

    Requests are as large as at OpenAI's own address.
    """
    with ExitStack() as stack:

        def made(**changes: Any) -> OpenAIEmbedder:
            arguments = {
                "model": "text-embedding-3-small",
                "api_key": server.key,
                "base_url": server.base_url,
                "batch_size": MAX_INPUTS,
                **changes,
            }
            return stack.enter_context(closing(OpenAIEmbedder(**arguments)))

        yield made


@pytest.fixture(scope="module")
def tables() -> Path:
    """The folder of tiktoken's cache that the tests' requirements bring."""
    spec = importlib.util.find_spec("llama_index")
    assert spec is not None and spec.submodule_search_locations
    return Path(next(iter(spec.submodule_search_locations)), "core", "_static", "tiktoken_cache")


@pytest.fixture(scope="module")
def exact(tables: Path) -> TiktokenCounter:
    """What counts tokens exactly, for a model that reads 50 of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", str(tables))
        counter = token_counter(50)
    assert isinstance(counter, TiktokenCounter)
    return counter
