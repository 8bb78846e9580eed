"""OpenAI's published specification of `POST /v1/embeddings`, as the server of the tests enforces it.

Messages are in the words of the real one; see its API reference, and the errors that its users quote.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "MAX_INPUTS",
    "MAX_TOKENS",
    "MAX_TOKENS_AT_ONCE",
    "MODELS",
    "Refusal",
    "answer",
    "counter",
    "error",
    "tables_of_tokens",
    "vector",
    "vectors",
    "violations",
    "who_asks",
]

MODELS = {
    "text-embedding-3-small": 1536,
    "text-embedding-3-large": 3072,
    "text-embedding-ada-002": 1536,
}
MAX_INPUTS = 2048
MAX_TOKENS = 8192
MAX_TOKENS_AT_ONCE = 300_000
_FIELDS = {"model", "input", "encoding_format", "dimensions", "user"}

Answer = dict[str, Any]
Refusal = tuple[int, Answer]


def vector(text: str, dimensions: int) -> NDArray[np.float32]:
    """Return the only right vector of `text`; see `vectors`."""
    return vectors([text], dimensions)[0]


def vectors(texts: Sequence[str], dimensions: int) -> NDArray[np.float32]:
    """Return the only right vectors of `texts`, float32 [n, dimensions], each of length 1."""
    data = b"".join(hashlib.shake_128(text.encode()).digest(4 * dimensions) for text in texts)
    values = np.frombuffer(data, "<i4").reshape(-1, dimensions).astype(np.float64)
    return (values / np.sqrt((values * values).sum(axis=1, keepdims=True))).astype(np.float32)


def tables_of_tokens() -> Path:
    """Return the folder of tiktoken's cache that the tests' requirements bring."""
    spec = importlib.util.find_spec("llama_index")
    assert spec is not None and spec.submodule_search_locations
    return Path(next(iter(spec.submodule_search_locations)), "core", "_static", "tiktoken_cache")


def counter(*, exact: bool) -> Callable[[Sequence[str]], list[int]]:
    """Return what counts tokens: as OpenAI does, or quickly and never more than there are bytes."""
    if not exact:
        return lambda texts: [len(text) // 4 + 1 for text in texts]
    os.environ["TIKTOKEN_CACHE_DIR"] = str(tables_of_tokens())
    import tiktoken

    encoding = tiktoken.get_encoding("cl100k_base")
    return lambda texts: [
        len(tokens) for tokens in encoding.encode_ordinary_batch(list(texts), num_threads=2)
    ]


def error(
    message: str, *, kind: str = "invalid_request_error", code: str | None = None, param: str | None = None
) -> Answer:
    """Return an error in OpenAI's form."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def who_asks(
    path: str, headers: Mapping[str, str], key: str | None, azure: str | None, *, is_known: bool = False
) -> Iterator[Refusal]:
    """Yield what is wrong with the address, unless it `is_known` to be right, and with the key.

    `azure` is the version of the API that Azure wants in the address, but for its `/openai/v1`, and `key`
    None for a server that wants none; a key with a colon is a user name and password.
    """
    parts = urlsplit(path)
    if azure is not None:
        is_v1 = parts.path == "/openai/v1/embeddings"
        deployment = parts.path.removeprefix("/openai/deployments/").removesuffix("/embeddings")
        if not is_v1 and (not deployment or "/" in deployment):
            yield 404, error("Resource not found", code="404")
        if not is_v1 and parse_qs(parts.query).get("api-version") != [azure]:
            yield 404, error("Resource not found: api-version", code="404")
        if headers.get("api-key") != key or "authorization" in headers:
            yield 401, error("Access denied due to invalid subscription key.", code="401")
        return
    if not is_known and not parts.path.endswith("/v1/embeddings"):
        yield 404, error(f"Invalid URL (POST {path})")
    basic = base64.b64encode((key or "").encode()).decode()
    wanted = f"Basic {basic}" if ":" in (key or "") else f"Bearer {key}"
    if key is not None and headers.get("authorization") != wanted:
        yield 401, error("Incorrect API key provided.", code="invalid_api_key")
    if "api-key" in headers:
        yield 401, error("There is no header api-key.", code="invalid_api_key")


def violations(
    body: Any, headers: Mapping[str, str], models: Mapping[str, int], sizes: Callable[[], Sequence[int]]
) -> Iterator[Refusal]:
    """Yield what is wrong with a request; what follows the first holds only where that was right.

    `sizes` gives the tokens of the inputs.
    """
    if headers.get("content-type") != "application/json" or not isinstance(body, dict):
        yield 400, error("We could not parse the JSON body of your request.")
    if unknown := set(body) - _FIELDS:
        yield 400, error(f"Unrecognized request argument supplied: {', '.join(sorted(unknown))}")
    model = body.get("model")
    if model not in models:
        yield 404, error(f"The model '{model}' does not exist.", code="model_not_found")
    yield from _wrong_input(body.get("input"))
    if body.get("encoding_format", "float") not in {"float", "base64"}:
        yield 400, error("'encoding_format' must be 'float' or 'base64'", param="encoding_format")
    yield from _wrong_dimensions(body.get("dimensions"), str(model), models[str(model)])
    yield from _too_many_tokens(sizes())


def _wrong_input(texts: Any) -> Iterator[Refusal]:
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        yield 400, error("'input' must be a list of strings", param="input")
    if len(texts) > MAX_INPUTS:
        yield (
            400,
            error(
                f"Invalid 'input': array too long. Expected an array with maximum length {MAX_INPUTS}, "
                f"but got an array with length {len(texts)} instead.",
                code="array_above_max_length",
                param="input",
            ),
        )
    if not all(texts):
        yield 400, error("'$.input' is invalid: an input cannot be an empty string", param="input")


def _wrong_dimensions(dimensions: Any, model: str, full: int) -> Iterator[Refusal]:
    if dimensions is None:
        return
    if model == "text-embedding-ada-002":
        yield 400, error("This model does not support specifying dimensions.", param="dimensions")
    if not (type(dimensions) is int and 1 <= dimensions <= full):
        yield 400, error(f"Invalid value for 'dimensions': {dimensions}", param="dimensions")


def _too_many_tokens(sizes: Sequence[int]) -> Iterator[Refusal]:
    too_long = next((size for size in sizes if size > MAX_TOKENS), None)
    if too_long is not None:
        yield (
            400,
            error(
                f"This model's maximum context length is {MAX_TOKENS} tokens, however you requested "
                f"{too_long} tokens ({too_long} in your prompt; 0 for the completion). Please reduce your "
                "prompt; or completion length."
            ),
        )
    if sum(sizes) > MAX_TOKENS_AT_ONCE:
        code = "max_tokens_per_request"
        said = f"Requested {sum(sizes)} tokens, max {MAX_TOKENS_AT_ONCE} tokens per request"
        yield 400, error(said, kind=code, code=code)


def answer(body: Answer, full: int, tokens: int, seed: str = "") -> Answer:
    """Return the right answer to a right request; another `seed` is another model, of the same name."""
    dimensions = body.get("dimensions", full)
    made = vectors([seed + text for text in body["input"]], dimensions)
    is_base64 = body.get("encoding_format") == "base64"
    rows = [base64.b64encode(row.tobytes()).decode() for row in made] if is_base64 else made.tolist()
    data = [
        {"object": "embedding", "index": index, "embedding": embedding}
        for index, embedding in enumerate(rows)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": body["model"], "usage": usage}


def parsed(content: bytes) -> Any:
    """Return the JSON document of a request, None where it is none."""
    try:
        return json.loads(content)
    except ValueError:
        return None
