"""Right vectors in the right places, from strict servers and from lax ones."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import httpx
import numpy as np
import pytest
from support.openai_faults import FAULTS, refuse
from support.openai_server import MAX_INPUTS, OpenAIServer, vectors

from simil._version import __version__
from simil.embedders.base import TextRejected
from simil.embedders.openai.client import OpenAIEmbedder
from simil.errors import ProviderError, RequestRejected

Make = Callable[..., OpenAIEmbedder]

TEXTS = ["Apple", "Orange", "Blitz und Donner: ⚡"]
SMALL = 1536


def expected(texts: list[str], dimensions: int = SMALL) -> np.ndarray:
    return vectors(texts, dimensions)


def test_vectors_are_the_servers_bit_for_bit(server: OpenAIServer, make: Make) -> None:
    embedder = make()
    found = embedder.embed_batch(TEXTS)
    assert found.dtype == np.float32
    assert np.array_equal(found, expected(TEXTS))
    assert embedder.dimensions == SMALL
    assert embedder.stamp == "text-embedding-3-small"


def test_request_says_what_the_specification_wants(server: OpenAIServer, make: Make) -> None:
    make().embed_batch(TEXTS)
    (request,) = server.requests
    assert request.path == "/v1/embeddings"
    assert request.body == {"model": "text-embedding-3-small", "input": TEXTS, "encoding_format": "base64"}
    assert request.headers["authorization"] == f"Bearer {server.key}"
    assert request.headers["user-agent"] == f"simil/{__version__}"


def test_dimensions_are_sent_and_checked(server: OpenAIServer, make: Make) -> None:
    embedder = make(request_dimensions=256, known_dimensions=SMALL)
    assert embedder.dimensions == 256
    assert np.array_equal(embedder.embed_batch(TEXTS), expected(TEXTS, 256))
    assert server.requests[0].body["dimensions"] == 256


def test_dimensions_that_the_model_cannot_give_are_refused(make: Make) -> None:
    with pytest.raises(RequestRejected, match="does not support specifying dimensions"):
        make(model="text-embedding-ada-002", request_dimensions=256).embed_batch(TEXTS)


def test_known_dimensions_hold_before_the_first_request(make: Make) -> None:
    embedder = make(known_dimensions=SMALL)
    assert embedder.dimensions == SMALL
    assert embedder.embed_batch(TEXTS).shape == (3, SMALL)


def test_no_texts_need_no_request(server: OpenAIServer, make: Make) -> None:
    assert make(known_dimensions=SMALL).embed_batch([]).shape == (0, SMALL)
    assert server.requests == []


def test_one_connection_serves_the_run(server: OpenAIServer, make: Make) -> None:
    embedder = make()
    for text in TEXTS:
        embedder.embed_batch([text])
    assert server.connections == 1


@pytest.mark.parametrize("fault", ["rows_out_of_order", "no_index", "base64_ignored"])
def test_lax_answers_are_put_right(fault: str, server: OpenAIServer, make: Make) -> None:
    server.misbehave(FAULTS[fault])
    assert np.array_equal(make().embed_batch(TEXTS), expected(TEXTS))
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("fault", "asked"),
    [("base64_refused", ["base64", "float"]), ("encoding_format_refused", ["base64", "float", None])],
)
def test_a_refused_encoding_is_remembered(
    fault: str, asked: list[str | None], server: OpenAIServer, make: Make
) -> None:
    server.always = FAULTS[fault]
    embedder = make()
    for _ in range(2):
        assert np.array_equal(embedder.embed_batch(TEXTS), expected(TEXTS))
    assert [request.body.get("encoding_format") for request in server.requests] == [*asked, asked[-1]]


def test_a_server_that_always_blames_the_encoding_is_given_up_on(server: OpenAIServer, make: Make) -> None:
    server.always = refuse(400, "encoding_format is the problem")
    with pytest.raises(RequestRejected, match="encoding_format is the problem"):
        make().embed_batch(TEXTS[:1])
    assert [request.body.get("encoding_format") for request in server.requests] == ["base64", "float", None]


def test_many_texts_are_split_by_number(server: OpenAIServer, make: Make) -> None:
    texts = [f"text {number}" for number in range(MAX_INPUTS + 3)]
    found = make(request_dimensions=4).embed_batch(texts)
    assert [len(request.body["input"]) for request in server.requests] == [MAX_INPUTS, 3]
    assert np.array_equal(found, expected(texts, 4))


def test_half_a_surrogate_pair_is_named_before_anything_is_sent(server: OpenAIServer, make: Make) -> None:
    with pytest.raises(TextRejected) as caught:
        make().embed_batch(["fine", "\ud800"])
    assert caught.value.index == 1
    assert server.requests == []


def test_dimensions_may_not_change_within_a_run(server: OpenAIServer, make: Make) -> None:
    embedder = make()
    embedder.embed_batch(TEXTS)
    server.misbehave(FAULTS["wrong_dimension"])
    with pytest.raises(ProviderError, match="returned 1534 dimensions where 1536 were expected"):
        embedder.embed_batch(TEXTS)


def test_the_run_goes_on_after_an_error(server: OpenAIServer, make: Make) -> None:
    server.misbehave(FAULTS["reset"])
    embedder = make(retries=0)
    with pytest.raises(ProviderError):
        embedder.embed_batch(TEXTS)
    assert np.array_equal(embedder.embed_batch(TEXTS), expected(TEXTS))


def test_a_server_without_keys_is_sent_none(make: Make) -> None:
    with OpenAIServer(key=None, models={"nomic": 8}) as keyless:
        found = make(base_url=keyless.base_url + "/", api_key=None, model="nomic").embed_batch(TEXTS)
    assert np.array_equal(found, expected(TEXTS, 8))
    assert "authorization" not in keyless.requests[0].headers


def test_the_transport_can_be_handed_over(make: Make) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url == "https://api.openai.com/v1/embeddings"
        return httpx.Response(200, json={"data": [{"index": 0, "embedding": [1, 0.5]}]})

    embedder = OpenAIEmbedder(model="m", api_key="sk-x", transport=httpx.MockTransport(answer))
    assert embedder.embed_batch(["a"]).tolist() == [[1.0, 0.5]]
    embedder.close()


def test_nothing_heavy_is_imported_before_the_first_request() -> None:
    code = (
        "import sys; from simil.embedders.openai.client import OpenAIEmbedder; "
        "OpenAIEmbedder(model='m', api_key='k'); "
        "print(*sorted({'httpx', 'numpy', 'orjson', 'ssl'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
