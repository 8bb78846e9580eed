"""Programs that speak to OpenAI's embeddings API speak to `simil serve`: with their own, official clients."""

from __future__ import annotations

import asyncio
import base64
import importlib.util
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import openai
import pytest
from numpy.typing import NDArray
from support.command import simil as run_simil
from support.command import started

from simil.embedders.base import Kind

TEXTS = ["Apple", "a small dog runs", "Ein kurzer Satz auf Deutsch.", "数据库 🙂", " ".join(["word"] * 100)]
KEY = "key-of-the-tests"


@pytest.fixture(scope="module")
def served(shared_cache: Path) -> Iterator[str]:
    """The base URL of a `simil serve` that demands `KEY`, and has no vectors of other engines in a cache."""
    env = {"SIMIL_CACHE_DIR": str(shared_cache), "SIMIL_SERVE_API_KEY": KEY, "SIMIL_CONFIG": os.devnull}
    with started("serve", "-m", "minilm", "--no-cache", "--port", "0", env=env) as child:
        assert child.process.stderr is not None
        said = child.process.stderr.readline().decode()
        assert "http://127.0.0.1:" in said, said
        yield next(word.rstrip(";") for word in said.split() if word.startswith("http://"))


@pytest.fixture(scope="module")
def client(served: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=served, api_key=KEY, max_retries=0) as made:
        yield made


@pytest.fixture(scope="module")
def local() -> NDArray[np.float32]:
    """The vectors that this process computes."""
    return _local(TEXTS)


def test_vectors_are_the_local_ones_bit_for_bit(client: openai.OpenAI, local: NDArray[np.float32]) -> None:
    # The SDK asks for base64 by itself, unless a format is given.
    by_itself = client.embeddings.create(model="minilm", input=TEXTS)
    encoded = client.embeddings.create(model="minilm", input=TEXTS, encoding_format="base64")
    decimal = client.embeddings.create(model="minilm", input=TEXTS, encoding_format="float")

    raw = [base64.b64decode(str(each.embedding)) for each in encoded.data]
    assert raw == [row.tobytes() for row in local]
    for answer in (by_itself, decimal):
        assert [each.index for each in answer.data] == [0, 1, 2, 3, 4]
        assert np.array_equal(np.array([each.embedding for each in answer.data], np.float32), local)
    assert decimal.usage.prompt_tokens == decimal.usage.total_tokens > len(TEXTS)
    assert decimal.model.startswith("all-MiniLM-L6-v2@")


def test_one_text_and_fewer_dimensions(client: openai.OpenAI) -> None:
    whole = client.embeddings.create(model="minilm", input="Apple").data[0].embedding
    (short,) = client.embeddings.create(model="minilm", input="Apple", dimensions=64).data
    assert len(whole) == 384
    wanted = np.array(whole[:64]) / np.linalg.norm(whole[:64])
    assert short.embedding == pytest.approx(wanted, abs=1e-6)


def test_the_asynchronous_client_gets_each_request_its_own_vectors(
    served: str, local: NDArray[np.float32]
) -> None:
    async def ask() -> list[list[float]]:
        async with openai.AsyncOpenAI(base_url=served, api_key=KEY, max_retries=0) as client:
            asked = (client.embeddings.create(model="minilm", input=text) for text in TEXTS)
            return [answer.data[0].embedding for answer in await asyncio.gather(*asked)]

    assert np.array_equal(np.array(asyncio.run(ask()), np.float32), local)


def test_sixteen_threads_get_their_own_vectors(client: openai.OpenAI) -> None:
    texts = [[f"thread {thread} asks for text {number}" for number in range(4)] for thread in range(16)]

    def ask(mine: list[str]) -> list[list[float]]:
        return [each.embedding for each in client.embeddings.create(model="minilm", input=mine).data]

    with ThreadPoolExecutor(16) as pool:
        answers = np.array([*pool.map(ask, texts)], np.float32)
    local = _local([text for mine in texts for text in mine])
    assert np.array_equal(answers.reshape(local.shape), local)


def test_errors_are_those_that_the_sdk_knows(client: openai.OpenAI) -> None:
    def create(*, model: str = "minilm", given: object = "Apple", **more: object) -> None:
        client.embeddings.create(model=model, input=given, **more)  # type: ignore[arg-type]

    with pytest.raises(openai.NotFoundError, match=r"'large' is not served here.*minilm") as unknown:
        create(model="large")
    assert (unknown.value.code, unknown.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.AuthenticationError, match="API key") as wrong_key:
        client.with_options(api_key="wrong").embeddings.create(model="minilm", input="Apple")
    assert wrong_key.value.code == "invalid_api_key"
    for ids in ([1, 2, 3], [[1, 2], [3]]):
        with pytest.raises(openai.BadRequestError, match=r"token ids.*check_embedding_ctx_length=False"):
            create(given=ids)
    for given in ("", [], ["Apple", " "]):
        with pytest.raises(openai.BadRequestError) as blank:
            create(given=given)
        assert blank.value.param == "input"
    for dimensions in (0, -1, 385, 1 << 70):
        with pytest.raises(openai.BadRequestError, match="dimensions"):
            create(dimensions=dimensions)


def test_langchain(served: str, local: NDArray[np.float32]) -> None:
    from langchain_openai import OpenAIEmbeddings
    from pydantic import SecretStr

    embeddings = OpenAIEmbeddings(
        model="minilm", base_url=served, api_key=SecretStr(KEY), check_embedding_ctx_length=False
    )
    assert np.array_equal(np.array(embeddings.embed_documents(TEXTS), np.float32), local)
    assert np.array_equal(np.array(embeddings.embed_query(TEXTS[0]), np.float32), local[0])


def test_langchain_that_sends_token_ids_learns_what_to_set(
    served: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from langchain_openai import OpenAIEmbeddings
    from pydantic import SecretStr

    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(_token_tables()))
    embeddings = OpenAIEmbeddings(model="minilm", base_url=served, api_key=SecretStr(KEY), max_retries=0)
    with pytest.raises(openai.BadRequestError, match=r"token ids.*check_embedding_ctx_length=False"):
        embeddings.embed_documents(["Apple"])


def test_llm(served: str, local: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch) -> None:
    from llm.default_plugins.openai_models import OpenAIEmbeddingModel

    monkeypatch.setenv("OPENAI_BASE_URL", served)
    model = OpenAIEmbeddingModel("openai/minilm", "minilm")
    model.key = KEY
    assert np.array_equal(np.array([*model.embed_multi(TEXTS)], np.float32), local)


def test_simil_itself_gets_the_local_vectors_bit_for_bit(
    served: str, local: NDArray[np.float32], tmp_path: Path
) -> None:
    lines, vectors = tmp_path / "lines.txt", tmp_path / "vectors.npy"
    lines.write_text("".join(f"{text}\n" for text in TEXTS), "utf-8")
    command = ("embed", "-q", "-m", "openai:minilm", "--base-url", served, "--no-cache", "-o", str(vectors))
    done = run_simil(*command, str(lines), env={"OPENAI_API_KEY": KEY})
    assert (done.code, done.err) == (0, "")
    assert np.array_equal(np.load(vectors), local)


def _token_tables() -> Path:
    """The folder of tiktoken's cache that the tests' requirements bring."""
    spec = importlib.util.find_spec("llama_index")
    assert spec is not None and spec.submodule_search_locations
    return Path(next(iter(spec.submodule_search_locations)), "core", "_static", "tiktoken_cache")


def _local(texts: list[str]) -> NDArray[np.float32]:
    """Compute vectors here by the engine for many texts; none come from the server's cache."""
    from simil.config import load_settings
    from simil.session.session import Session

    settings = load_settings(model="minilm", cache=False).replaced(expects_many=True)
    embedder = Session(settings).embedder()
    return np.asarray(embedder.begin(texts, Kind.SYMMETRIC, normalize=True)(), np.float32)
