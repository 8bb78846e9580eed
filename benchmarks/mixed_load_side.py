"""Mixed requests to `simil serve` from many clients, right and wrong, some of whom hang up; see `workers`."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from workers import serve

__all__ = ["mixed"]

_CLIENTS = 24
_WORDS = ["apple", "river", "stone", "market", "engine", "winter", "letter", "garden", "bridge", "copper"]


def mixed(port: int, model: str, seconds: float, seed: int) -> Mapping[str, Any]:
    """Return how many requests were made, and those that had another status than they ought to, by what."""
    return asyncio.run(_mixed(port, model, seconds, seed))


async def _mixed(port: int, model: str, seconds: float, seed: int) -> Mapping[str, Any]:
    counts: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    until = time.perf_counter() + seconds
    await asyncio.gather(
        *(
            _client(port, model, until, random.Random(seed + number), counts, wrong)
            for number in range(_CLIENTS)
        )
    )
    return {"requests": counts.total(), "by_kind": counts, "wrong": wrong}


async def _client(
    port: int, model: str, until: float, rng: random.Random, counts: Counter[str], wrong: Counter[str]
) -> None:
    while time.perf_counter() < until:
        kind, method, path, body, expected = _request(rng, model)
        counts[kind] += 1
        hangs_up = rng.random() < 0.05
        try:
            status = await _status(port, method, path, body, hangs_up=hangs_up)
        except (OSError, EOFError) as exc:
            status = None if hangs_up else -1
            if not hangs_up:
                wrong[f"{kind}: {exc!r}"] += 1
                continue
        # A server that is asked too much says so, which is not an error.
        if status is not None and status not in (expected, 503):
            wrong[f"{kind}: {status} in place of {expected}"] += 1


def _request(rng: random.Random, model: str) -> tuple[str, str, str, Any, int]:
    """Return what it is, the request, and the status that it ought to have."""
    texts = [_text(rng) for _ in range(rng.choice((1, 1, 1, 4, 32)))]
    embeddings, similarity = "/v1/embeddings", "/similarity"
    encoding = rng.choice(("float", "base64"))
    requests = [
        (
            "embeddings",
            "POST",
            embeddings,
            {"model": model, "input": texts, "encoding_format": encoding},
            200,
        ),
        ("one text", "POST", embeddings, {"input": texts[0], "dimensions": 64}, 200),
        ("similarity", "POST", similarity, {"pairs": [[text, texts[0]] for text in texts]}, 200),
        ("models", "GET", "/v1/models", None, 200),
        ("health", "GET", "/health", None, 200),
        ("metrics", "GET", "/metrics", None, 200),
        ("token ids", "POST", embeddings, {"model": model, "input": [1, 2, 3]}, 400),
        ("another model", "POST", embeddings, {"model": "another", "input": "Apple"}, 404),
        ("not JSON", "POST", embeddings, "{", 400),
        ("no such page", "GET", "/nowhere", None, 404),
        ("wrong method", "GET", embeddings, None, 405),
    ]
    return rng.choices(requests, weights=[40, 15, 15, 5, 5, 5, 3, 3, 3, 3, 3])[0]


def _text(rng: random.Random) -> str:
    return " ".join(rng.choices(_WORDS, k=rng.choice((3, 6, 6, 60)))) + f" {rng.random()}"


async def _status(port: int, method: str, path: str, body: Any, *, hangs_up: bool) -> int | None:
    """Return the status of a request on a connection of its own; None for a client that hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        data = (body if isinstance(body, str) else json.dumps(body)).encode() if body is not None else b""
        head = f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n"
        writer.write(f"{head}content-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n".encode())
        if hangs_up:
            writer.write(data[: len(data) // 2])
            return None
        writer.write(data)
        answer = await reader.read()
        return int(answer.split(b" ", 2)[1])
    except (IndexError, ValueError) as exc:
        raise EOFError from exc
    finally:
        writer.close()


if __name__ == "__main__":
    serve({"mixed": mixed})
