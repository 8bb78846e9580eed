"""A real server on loopback, in a process of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command import Child, started
from support.tiny_cross_encoders import cross_encoder


@pytest.fixture(scope="module")
def reranker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny cross-encoder."""
    return cross_encoder(tmp_path_factory.mktemp("cross-encoder"))


@pytest.fixture(scope="module")
def url(reranker: Path) -> Iterator[str]:
    """Return the URL of a server of minilm and a cross-encoder, which asks for the key `sesame`."""
    arguments = ("-m", "minilm", "--rerank", str(reranker), "--port", "0", "--name", "ada", "--no-cache")
    with started("serve", *arguments, env={"SIMIL_SERVE_API_KEY": "sesame"}) as child:
        yield address_of(child)


def address_of(child: Child) -> str:
    """Return the URL that a server says it listens at."""
    assert child.process.stderr is not None
    line = child.process.stderr.readline().decode()
    found = re.search(r"served at (\S+)/v1;", line)
    assert found, line
    return found[1]
