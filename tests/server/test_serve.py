"""`simil serve`: real requests to a real server."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio
import httpx
import numpy as np
import pytest
from openai import APIStatusError, AuthenticationError, NotFoundError, OpenAI
from support.command import MINILM, simil, started

import simil as library
from server.conftest import address_of
from simil.server.http_app import HttpApp, RequestLimits, ServedTexts
from simil.server.served_names import ServedNames
from simil.server.server_metrics import ServerMetrics

KEY = {"Authorization": "Bearer sesame"}
# So many that a run on this machine takes the engine for many texts, as the server does from the start.
TEXTS = [f"note {number} about apples, oranges and the price of number {number * 7}" for number in range(150)]


@pytest.fixture(scope="module")
def client(url: str) -> OpenAI:
    return OpenAI(base_url=f"{url}/v1", api_key="sesame", max_retries=0)


def post(url: str, path: str, body: Any, headers: Mapping[str, str] = KEY) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.post(f"{url}{path}", content=content, headers=dict(headers), timeout=60)


@pytest.fixture(scope="module")
def open_url() -> Iterator[str]:
    """Return the URL of a server that asks for no key."""
    with started("serve", "-m", "minilm", "--port", "0", "--no-cache") as child:
        yield address_of(child)


def figure(url: str, name: str) -> float:
    """Return a figure of the metrics of a server without a key; 0 for one that is not there."""
    found = re.search(rf"^{re.escape(name)} (\S+)", httpx.get(f"{url}/metrics").text, re.MULTILINE)
    return float(found[1]) if found else 0


def test_the_sdk_gets_the_vectors_of_this_machine(client: OpenAI) -> None:
    with library.open("minilm", cache=False) as model:
        local = model.embed(TEXTS)

    answer = client.embeddings.create(model="minilm", input=TEXTS)
    floats = client.embeddings.create(model=MINILM, input=TEXTS[3], encoding_format="float")
    short = client.embeddings.create(model="ada", input=TEXTS[:2], dimensions=8)

    assert [row.index for row in answer.data] == [*range(len(TEXTS))]
    assert np.array_equal(np.array([row.embedding for row in answer.data], np.float32), local)
    assert np.array_equal(np.array(floats.data[0].embedding, np.float32), local[3])
    assert np.array([row.embedding for row in short.data]).shape == (2, 8)
    assert answer.model == MINILM


def test_the_command_gets_the_same_vectors_through_it(url: str, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("\n".join(TEXTS), "utf-8")

    def embedded(*flags: str, **environ: str) -> Any:
        result = simil("embed", "--no-cache", *flags, "notes.txt", "-o", "v.npy", cwd=tmp_path, env=environ)
        assert result.code == 0, result.err
        return np.load(tmp_path / "v.npy")

    through = embedded("-m", "openai:minilm", "--base-url", f"{url}/v1", OPENAI_API_KEY="sesame")

    assert np.array_equal(through, embedded("-m", "minilm"))


def test_tokens_are_counted_by_the_models_tokenizer(client: OpenAI) -> None:
    from transformers import AutoTokenizer

    from simil.models.files import model_source

    tokenizer = AutoTokenizer.from_pretrained(str(model_source.EMBEDDED))
    expected = sum(map(len, tokenizer(TEXTS[:5])["input_ids"]))

    assert client.embeddings.create(model="minilm", input=TEXTS[:5]).usage.total_tokens == expected


def test_requests_that_arrive_together_get_their_own_answers(url: str) -> None:
    def embedded(text: str) -> bytes:
        answer = post(url, "/v1/embeddings", {"input": text, "encoding_format": "base64"})
        return base64.b64decode(answer.json()["data"][0]["embedding"])

    alone = [embedded(text) for text in TEXTS[:32]]
    with ThreadPoolExecutor(16) as pool:
        together = [*pool.map(embedded, TEXTS[:32])]

    assert together == alone


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"input": [[1, 2]]}, 400, "check_embedding_ctx_length=False"),
        ({"input": [1, 2]}, 400, "check_embedding_ctx_length=False"),
        ({"input": ["a", " "]}, 400, "input[1] is blank"),
        ({"input": []}, 400, "at least one text"),
        ({"model": "minilm"}, 400, "the field input is missing"),
        ({"input": "a", "dimensions": 0}, 400, "dimensions must be"),
        ({"input": "a", "dimensions": 1000}, 400, "has 384 dimensions, 1000 were asked for"),
        ({"input": "a", "encoding_format": "int8"}, 400, "encoding_format must be one of"),
        ({"input": ["a"] * 2049}, 422, "2,048 are allowed"),
        (b"{", 400, "the body is not JSON"),
        (b" " * (33 << 20), 413, "more than 33,554,432 bytes"),
    ],
)
def test_what_cannot_be_answered_is_said(url: str, body: Any, status: int, said: str) -> None:
    answer = post(url, "/v1/embeddings", body)

    assert answer.status_code == status
    assert said in answer.json()["error"]["message"]


def test_the_sdk_understands_refusals(url: str, client: OpenAI) -> None:
    with pytest.raises(NotFoundError) as unknown:
        client.embeddings.create(model="text-embedding-3-small", input="a")
    with pytest.raises(AuthenticationError):
        OpenAI(base_url=f"{url}/v1", api_key="other", max_retries=0).models.list()
    with pytest.raises(APIStatusError, match="not found"):
        client.completions.create(model="minilm", prompt="a")

    assert unknown.value.code == "model_not_found"


def test_models_are_listed(client: OpenAI) -> None:
    names = [model.id for model in client.models.list()]

    assert {MINILM, "minilm", "ada"} <= {*names}
    assert client.models.retrieve("minilm").id == "minilm"


def test_similarity_is_that_of_compare(url: str) -> None:
    pairs = post(url, "/similarity", {"pairs": [["Apple", "Orange"], ["Apple", "Lightning"]]}).json()
    matrix = post(url, "/similarity", {"left": ["Apple"], "right": ["Orange", "Lightning"]}).json()
    expected = [
        float(simil("compare", "-m", "minilm", "Apple", other).out) for other in ("Orange", "Lightning")
    ]

    assert pairs["scores"] == pytest.approx(expected, abs=1e-4)
    assert matrix["scores"][0] == pytest.approx(pairs["scores"], abs=1e-6)


def test_reranking_answers_as_it_is_asked(url: str, reranker: Path) -> None:
    texts = ["an orange", "a flash of lightning", "a river"]
    scores = library.score([("fruit", text) for text in texts], model=str(reranker))
    order = np.argsort(-np.asarray(scores), kind="stable").tolist()

    tei = post(url, "/rerank", {"query": "fruit", "texts": texts}).json()
    cohere = {"query": "fruit", "documents": texts, "top_n": 2, "return_documents": True}
    results = post(url, "/v2/rerank", cohere).json()["results"]

    assert [row["index"] for row in tei] == order
    assert [row["score"] for row in tei] == pytest.approx([scores[place] for place in order], abs=1e-5)
    assert [row["index"] for row in results] == order[:2]
    assert results[0]["document"] == {"text": texts[order[0]]}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"query": " ", "texts": ["a"]}, "query must be a text that is not blank"),
        ({"query": ["a"], "texts": ["a"]}, "query must be a text that is not blank"),
        ({"query": "a", "texts": ["a"], "documents": ["b"]}, "there are documents and texts"),
    ],
)
def test_what_cannot_be_reranked_is_said(url: str, body: Any, said: str) -> None:
    answer = post(url, "/rerank", body)

    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith(said)


def test_health_needs_no_key_and_metrics_count(url: str) -> None:
    post(url, "/v1/embeddings", {"input": "a"})
    figures = httpx.get(f"{url}/metrics", headers=KEY).text

    assert httpx.get(f"{url}/health").json() == {"status": "ok"}
    assert httpx.get(f"{url}/metrics").status_code == 401
    assert re.search(r'simil_requests_total\{route="embeddings",status="200"\} [1-9]', figures)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_lets_requests_finish(number: int, code: int) -> None:
    with started("serve", "-m", "minilm", "--port", "0", "--no-cache") as child:
        url = address_of(child)
        with ThreadPoolExecutor(1) as pool:
            body = {"input": TEXTS * 4}
            answer = pool.submit(post, url, "/v1/embeddings", body, {})
            while not figure(url, "simil_batch_texts_count"):
                pass
            child.signal(number)
            assert len(answer.result().json()["data"]) == len(body["input"])
        assert child.finish().code == code


def test_an_address_that_others_reach_needs_a_key() -> None:
    result = simil("serve", "-m", "minilm", "--host", "0.0.0.0")

    assert result.code == 2
    assert "SIMIL_SERVE_API_KEY" in result.error_line


def test_a_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = simil("serve", "-m", "minilm", "--port", str(port))

    assert result.code == 2
    assert f"cannot listen on 127.0.0.1:{port}" in result.error_line


def test_what_a_client_wanted_that_has_hung_up_is_not_computed() -> None:
    with started("serve", "-m", "minilm", "--port", "0", "--no-cache") as child:
        url = address_of(child)
        body = {"input": [f"{text} {number} " + "and more " * 100 for number in range(10) for text in TEXTS]}
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{url}/v1/embeddings", json=body, timeout=0.5)
        while figure(url, "simil_waiting_texts"):
            pass
        computed = figure(url, "simil_batch_texts_sum")
        gone = 'simil_requests_total{route="embeddings",status="499"}'
        assert figure(url, gone) == 1
        child.process.send_signal(signal.SIGTERM)
        assert child.finish().code == 0

    assert computed < len(body["input"]) / 2


def test_a_second_signal_waits_for_no_request() -> None:
    with started("serve", "-m", "minilm", "--port", "0", "--no-cache") as child:
        url = address_of(child)
        body = {"input": [text + " and more" * 100 for text in TEXTS * 13]}
        with ThreadPoolExecutor(2) as pool:
            for _ in range(2):
                pool.submit(post, url, "/v1/embeddings", body, {})
            while not figure(url, "simil_batch_texts_count"):
                pass
            child.process.send_signal(signal.SIGINT)
            with pytest.raises(httpx.TransportError):  # From now on, it waits.
                while figure(url, "simil_waiting_texts"):
                    pass
            child.process.send_signal(signal.SIGINT)
            assert child.finish().code == 130


@pytest.mark.parametrize("key", ["café", "\udcff", " padded "])
def test_any_key_can_be_the_one(key: str) -> None:
    with started("serve", "-m", "minilm", "--port", "0", env={"SIMIL_SERVE_API_KEY": key}) as child:
        url = address_of(child)
        for given, status in ((os.fsencode(key).strip(), 200), (b"other", 401)):
            answer = httpx.get(f"{url}/v1/models", headers={b"Authorization": b"Bearer " + given})
            assert answer.status_code == status


def test_a_key_of_the_settings_file_is_asked_for(tmp_path: Path) -> None:
    settings = tmp_path / "settings"
    settings.write_text("SIMIL_SERVE_API_KEY=sesame\n", "utf-8")
    with started("serve", "-m", "minilm", "--port", "0", "--env-file", str(settings)) as child:
        url = address_of(child)
        assert httpx.get(f"{url}/v1/models").status_code == 401
        assert httpx.get(f"{url}/v1/models", headers=KEY).status_code == 200


def test_an_empty_key_is_no_key() -> None:
    result = simil("serve", "-m", "minilm", "--api-key", "")

    assert (result.code, result.error_line) == (2, "--api-key is empty; pass a key, or leave it out")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:8000"}, 200),
        ({"Host": "[::1]:8000"}, 200),
        ({"Origin": "http://localhost:3000"}, 200),
        ({"Host": "evil.example:8000"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Host": "[::1"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_pages_of_other_sites_cannot_ask_a_server_without_a_key(
    open_url: str, url: str, headers: Mapping[str, str], status: int
) -> None:
    body = {"input": "Apple"}

    assert post(open_url, "/v1/embeddings", body, headers).status_code == status
    assert post(url, "/v1/embeddings", body, {**KEY, **headers}).status_code == 200


def test_compressed_bodies_are_refused(url: str) -> None:
    answer = post(url, "/v1/embeddings", b"\x1f\x8b", {**KEY, "Content-Encoding": "gzip"})

    assert answer.status_code == 415
    assert "send plain JSON" in answer.json()["error"]["message"]


def test_bodies_that_arrive_together_are_bounded() -> None:
    anyio.run(_check_arriving_bodies)


async def _check_arriving_bodies() -> None:
    names = ServedNames(["minilm"])
    limits = RequestLimits(body_bytes=10, arriving_bytes=15)
    nothing: Any = None
    app = HttpApp(ServedTexts(names, nothing, None, nothing), None, limits, ServerMetrics(), api_key=None)
    first_is_there, second_is_done = anyio.Event(), anyio.Event()

    async def first() -> AsyncIterator[bytes]:
        yield b"not json"
        first_is_there.set()
        await second_is_done.wait()

    transport = httpx.ASGITransport(app.starlette())
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answers: list[httpx.Response] = []

        async def ask() -> None:
            answers.append(await client.post("/v1/embeddings", content=first()))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await first_is_there.wait()
            refused = await client.post("/v1/embeddings", content=b"not json")
            small = await client.post("/v1/embeddings", content=b"no json")
            second_is_done.set()
        later = await client.post("/v1/embeddings", content=b"not json")

    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert [small.status_code, answers[0].status_code, later.status_code] == [400, 400, 400]
