"""Clients of an embeddings server, each sending a short text as soon as the last is answered; see `workers`.

They speak HTTP themselves, since a library's client would take more of the cores than some servers do.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from itertools import count
from statistics import quantiles
from typing import Any

from workers import serve

__all__ = ["load", "vector"]

_WORDS = ["apple", "river", "stone", "market", "engine", "winter", "letter", "garden", "bridge", "copper"]
# Counts over all loads of a process, so that no text is sent twice and no cache can answer.
_numbers = count()


def load(port: int, model: str, clients: int, seconds: float) -> Mapping[str, Any]:
    """Return the requests answered a second, the 95th percentile of their milliseconds, and a vector."""
    return asyncio.run(_load(port, model, clients, seconds))


async def _load(port: int, model: str, clients: int, seconds: float) -> Mapping[str, Any]:
    took: list[float] = []
    began = time.perf_counter()
    await asyncio.gather(*(_client(port, model, began + seconds, took) for _ in range(clients)))
    rate = len(took) / (time.perf_counter() - began)
    return {"rate": rate, "p95": 1e3 * quantiles(took, n=20)[-1]}


async def _client(port: int, model: str, until: float, took: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while (began := time.perf_counter()) < until:
        writer.write(_request(model, _text(next(_numbers))))
        await _answer(reader)
        took.append(time.perf_counter() - began)
    writer.close()


def vector(port: int, model: str, text: str) -> list[float]:
    """Return the vector of one text."""
    return asyncio.run(_vector(port, model, text))


async def _vector(port: int, model: str, text: str) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(_request(model, text, "float"))
    answer = json.loads(await _answer(reader))
    writer.close()
    found: list[float] = answer["data"][0]["embedding"]
    return found


def _text(number: int) -> str:
    """Return a text of six words, another for each number."""
    words = [_WORDS[number // len(_WORDS) ** place % len(_WORDS)] for place in range(5)]
    return f"{' '.join(words)} {number}"


def _request(model: str, text: str, encoding: str = "base64") -> bytes:
    body = json.dumps({"model": model, "input": text, "encoding_format": encoding}).encode()
    head = (
        "POST /v1/embeddings HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if not head.startswith(b"http/1.1 200"):
        raise RuntimeError(head.decode())
    return await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))


if __name__ == "__main__":
    serve({"load": load, "vector": vector})
