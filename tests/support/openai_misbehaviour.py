"""What the faults of `openai_faults` do; it runs in the process of the server."""

from __future__ import annotations

import base64
import copy
import gzip
import json
import socket
import struct
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import quote

import numpy as np
import orjson

from support.openai_faults import NO_HEADERS, Fault
from support.openai_rules import error

__all__ = ["Exchange", "misbehave"]


class Exchange(Protocol):
    """What a fault has in hand: the connection, the request, and the answer that would be right."""

    handler: Any
    body: Any
    headers: Mapping[str, str]
    path: str

    def right(self) -> tuple[int, Any]:
        """Return the right status and document; a right answer is charged for."""

    def finish(self) -> None:
        """Send what is right."""

    def send(
        self, status: int, body: bytes, headers: Mapping[str, str] = NO_HEADERS, *, claimed: int | None = None
    ) -> None:
        """Send an answer; `claimed` is the Content-Length to lie about."""

    def send_json(self, status: int, document: Any, headers: Mapping[str, str] = NO_HEADERS) -> None:
        """Send a document."""

    def is_stopping(self, seconds: float) -> bool:
        """Wait for so long, or until the server stops."""

    def pass_time(self, seconds: float) -> None:
        """Put the clock forward that the client shares."""


def misbehave(fault: Fault, exchange: Exchange) -> None:
    """Answer a request as `fault` says, or not."""
    _KINDS[fault.kind](exchange, **fault.arguments)


def _refuse(exchange: Exchange, status: int, headers: Mapping[str, str], message: str, **said: Any) -> None:
    exchange.send_json(status, error(message, **said), headers)


def _raw(exchange: Exchange, status: int, body: bytes, headers: Mapping[str, str]) -> None:
    exchange.send(status, body, headers)


def _redirect(exchange: Exchange, location: str, status: int) -> None:
    exchange.send(status, b"", {"Location": location})


def _echo_key(exchange: Exchange, status: int, plain: bool) -> None:
    header = exchange.headers.get("authorization", exchange.headers.get("api-key", ""))
    key = header.removeprefix("Bearer ").removeprefix("Basic ")
    forms = [key, quote(key, safe=""), quote(quote(key)), *map(_base64, (key, header, f":{key}"))]
    message = f"what came: {' '.join(forms)}"
    body = message.encode() if plain else json.dumps(error(message)).encode()
    named = {"Location": f"http://{quote(key, safe='')}.test/", "X-Request-Id": key}
    exchange.send(status, body, {"Content-Type": "text/plain" if plain else "application/json", **named})


def _batch_limit(exchange: Exchange, most: int, status: int, message: str) -> None:
    count = len(exchange.body["input"])
    if count <= most:
        exchange.finish()
    else:
        exchange.send_json(status, error(message.format(count=count, most=most), kind="Validation"))


def _refuses_text(exchange: Exchange, fragment: str, status: int, message: str) -> None:
    if any(fragment in text for text in exchange.body["input"]):
        exchange.send_json(status, error(message))
    else:
        exchange.finish()


def _only_float(exchange: Exchange, status: int) -> None:
    if exchange.body.get("encoding_format") != "base64":
        exchange.finish()
    else:
        exchange.send_json(status, error("encoding_format 'base64' is not supported"))


def _no_encoding_format(exchange: Exchange) -> None:
    """Know no field `encoding_format` at all, in the words of FastAPI."""
    if "encoding_format" not in exchange.body:
        exchange.finish()
        return
    detail = [{"loc": ["body", "encoding_format"], "msg": "Extra inputs are not permitted"}]
    exchange.send_json(422, {"detail": detail})


def _reset(exchange: Exchange) -> None:
    body = _right_body(exchange)
    exchange.send(200, body[: len(body) // 2], claimed=len(body))
    _reset_at_once(exchange)


def _reset_at_once(exchange: Exchange) -> None:
    # Lingering for 0 s makes the kernel send RST in place of FIN.
    exchange.handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    exchange.handler.connection.close()
    exchange.handler.close_connection = True


def _cut_off(exchange: Exchange) -> None:
    body = _right_body(exchange)
    exchange.send(200, body[: len(body) // 2], claimed=len(body))


def _hang_up(exchange: Exchange) -> None:
    exchange.handler.close_connection = True


def _hang_up_after(exchange: Exchange) -> None:
    """Do what was asked for, and say nothing of it."""
    exchange.right()
    exchange.handler.close_connection = True


def _as_text(exchange: Exchange) -> None:
    exchange.send(200, _right_body(exchange), {"Content-Type": "text/plain"})


def _truncated_json(exchange: Exchange) -> None:
    exchange.send(200, _right_body(exchange)[:-20])


def _gzip(exchange: Exchange, is_damaged: bool) -> None:
    body = gzip.compress(_right_body(exchange))
    middle = len(body) // 2
    damaged = body[:middle] + bytes(64) + body[middle + 64 :]
    exchange.send(200, damaged if is_damaged else body, {"Content-Encoding": "gzip"})


def _chunked(exchange: Exchange) -> None:
    body = _right_body(exchange)
    handler = exchange.handler
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for start in range(0, len(body), 1000):
        part = body[start : start + 1000]
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
    handler.wfile.write(b"0\r\n\r\n")


def _not_http(exchange: Exchange) -> None:
    exchange.handler.wfile.write(b"220 mail.test ESMTP ready\r\n")
    exchange.handler.close_connection = True


def _never_answer(exchange: Exchange) -> None:
    while not exchange.is_stopping(60):
        pass
    exchange.handler.close_connection = True


def _drip(exchange: Exchange) -> None:
    """Send a byte a second, of the time that the client shares."""
    exchange.send(200, b"", claimed=1 << 30)
    while not exchange.is_stopping(0.0005):
        exchange.pass_time(1.0)
        exchange.handler.wfile.write(b" ")
        exchange.handler.wfile.flush()


def _slow_but_right(exchange: Exchange) -> None:
    body = _right_body(exchange)
    exchange.send(200, b"", claimed=len(body))
    for start in range(0, len(body), 500):
        exchange.handler.wfile.write(body[start : start + 500])
        exchange.handler.wfile.flush()
        time.sleep(0.001)


def _endless(exchange: Exchange) -> None:
    exchange.send(200, b"", claimed=1 << 40)
    while not exchange.is_stopping(0):
        exchange.handler.wfile.write(b" " * 65536)


def _usage(exchange: Exchange, usage: Any) -> None:
    status, document = exchange.right()
    if "usage" in document:
        document = {key: value for key, value in document.items() if key != "usage"}
        if usage is not None:
            document["usage"] = usage
    exchange.send_json(status, document)


def _rows(exchange: Exchange, change: str) -> None:
    status, document = exchange.right()
    if "data" in document:
        document = copy.deepcopy(document)
        changed = _CHANGES[change](document["data"])
        if changed is not None:
            document["data"] = changed
    exchange.send_json(status, document)


def _spoils_text(exchange: Exchange, fragment: str, change: str) -> None:
    status, document = exchange.right()
    if "data" in document:
        document = copy.deepcopy(document)
        named = [*zip(document["data"], exchange.body["input"], strict=True)]
        bad = [row for row, text in named if fragment in text]
        for row in bad:
            row["embedding"] = _SPOILED[change](_values(row))
        if change == "missing":
            document["data"] = [row for row, _ in named if row not in bad]
    # Not by orjson, which writes null for NaN.
    exchange.send(status, json.dumps(document).encode(), {"Content-Type": "application/json"})


def _right_body(exchange: Exchange) -> bytes:
    document = exchange.right()[1]
    return document if isinstance(document, bytes) else orjson.dumps(document)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _values(row: Any) -> Any:
    embedding = row["embedding"]
    if isinstance(embedding, str):
        return np.frombuffer(base64.b64decode(embedding), dtype="<f4").copy()
    return np.array(embedding, np.float32)


def _with(value: float) -> Callable[[list[Any]], None]:
    def change(rows: list[Any]) -> None:
        values = _values(rows[0])
        values[1] = value
        rows[0]["embedding"] = base64.b64encode(values.tobytes()).decode()

    return change


def _shorter(rows: list[Any]) -> None:
    for row in rows:
        row["embedding"] = base64.b64encode(_values(row)[:-2].tobytes()).decode()


def _unnumbered(rows: list[Any]) -> None:
    for row in rows:
        del row["index"]


def _numbered(number: Callable[[list[Any]], int]) -> Callable[[list[Any]], None]:
    return lambda rows: rows[-1].update(index=number(rows))


def _embedded(make: Callable[[Any], Any]) -> Callable[[list[Any]], list[Any]]:
    return lambda rows: [{**row, "embedding": make(_values(row))} for row in rows]


_CHANGES: dict[str, Callable[[list[Any]], list[Any] | None]] = {
    "reversed": lambda rows: rows[::-1],
    "missing": lambda rows: rows[:-1],
    "too_many": lambda rows: [*rows, {**rows[-1], "index": len(rows)}],
    "empty": lambda rows: [],
    "not_objects": lambda rows: [row["embedding"] for row in rows],
    "duplicate_index": _numbered(lambda rows: 0),
    "index_out_of_range": _numbered(len),
    "index_negative": _numbered(lambda rows: -1),
    "index_of_some": lambda rows: _unnumbered(rows[-1:]),
    "no_index": _unnumbered,
    "wrong_dimension": _shorter,
    "mixed_dimensions": lambda rows: _shorter(rows[-1:]),
    "no_embedding": lambda rows: rows[0].pop("embedding") and None,
    "empty_embeddings": _embedded(lambda values: ""),
    "damaged_base64": lambda rows: rows[0].update(embedding="AAAAAAA"),
    "nan": _with(np.nan),
    "infinite": _with(np.inf),
    "float_too_large": _embedded(lambda values: [1e300] * len(values)),
    "floats_as_strings": _embedded(lambda values: ["0.5"] * len(values)),
    "floats": _embedded(lambda values: values.tolist()),
}
_SPOILED: dict[str, Callable[[Any], Any]] = {
    "null": lambda values: None,
    "nulls": lambda values: [None] * len(values),
    "nan": lambda values: [float("nan")] * len(values),
    "infinite": lambda values: [*values[1:].tolist(), float("-inf")],
    "base64 of nan": lambda values: base64.b64encode((values * np.nan).tobytes()).decode(),
    "empty": lambda values: [],
    "shorter": lambda values: values[:-1].tolist(),
    "missing": lambda values: None,
}
_KINDS: dict[str, Callable[..., None]] = {
    "refuse": _refuse,
    "raw": _raw,
    "redirect": _redirect,
    "echo_key": _echo_key,
    "batch_limit": _batch_limit,
    "refuses_text": _refuses_text,
    "spoils_text": _spoils_text,
    "only_float": _only_float,
    "no_encoding_format": _no_encoding_format,
    "reset": _reset,
    "reset_at_once": _reset_at_once,
    "cut_off": _cut_off,
    "hang_up": _hang_up,
    "hang_up_after": _hang_up_after,
    "as_text": _as_text,
    "truncated_json": _truncated_json,
    "gzip": _gzip,
    "chunked": _chunked,
    "not_http": _not_http,
    "never_answer": _never_answer,
    "drip": _drip,
    "slow_but_right": _slow_but_right,
    "endless": _endless,
    "usage": _usage,
    "rows": _rows,
}
