"""What a server of embeddings does wrong, by name; each of `FAULTS` answers one request.

`SLOW` ones are for a client whose clock the server can put forward.
"""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from email.utils import formatdate
from typing import Any
from urllib.parse import quote

from torture.raw_server import RESET, Fault, RawServer, Request, Step, http, right

__all__ = ["FAULTS", "SLOW"]

FAULTS: dict[str, Fault] = {}
SLOW: dict[str, Fault] = {}


def _body(request: Request) -> bytes:
    return json.dumps(request.document()).encode()


def _sends(name: str, answer: Callable[[Request, RawServer], bytes]) -> None:
    FAULTS[name] = lambda request, server: [answer(request, server)]


def _changes(name: str, change: Callable[[list[dict[str, Any]], Request], Any]) -> None:
    """Add a fault that changes the items, or gives others in their place."""

    def answer(request: Request, server: RawServer) -> bytes:
        document = request.document()
        rows = document["data"]
        made = change(rows, request)
        document["data"] = rows if made is None else made
        return http(200, json.dumps(document).encode())

    _sends(name, answer)


def _sets(name: str, value: Any, key: str = "embedding", at: int | None = None) -> None:
    """Add a fault that gives one item, or all, another value."""

    def change(rows: list[dict[str, Any]], request: Request) -> None:
        for row in rows if at is None else [rows[min(at, len(rows) - 1)]]:
            row[key] = value(row[key]) if callable(value) else value

    _changes(name, change)


def _numbers(embedding: Any) -> list[Any]:
    import numpy as np

    if isinstance(embedding, str):
        numbers: list[Any] = np.frombuffer(base64.b64decode(embedding), "<f4").tolist()
        return numbers
    return list(embedding)


def _with(*others: Any) -> Callable[[Any], list[Any]]:
    return lambda embedding: [*others, *_numbers(embedding)[len(others) :]]


# --- items and numbers ---

_changes("one row missing", lambda rows, request: rows[:-1])
_changes("the first row missing", lambda rows, request: rows[1:])
_changes("no rows", lambda rows, request: [])
_changes("one row twice", lambda rows, request: [*rows, rows[-1]])
_changes("a row too many", lambda rows, request: [*rows, {**rows[-1], "index": len(rows)}])
_changes("rows backwards, numbered", lambda rows, request: rows[::-1])
_changes("rows are null", lambda rows, request: [None] * len(rows))
_changes("rows are lists", lambda rows, request: [row["embedding"] for row in rows])
_changes("data is a string", lambda rows, request: "x")
_changes("data is null", lambda rows, request: None if rows is None else {"0": rows})
_changes("rows one per batch of one", lambda rows, request: [[row] for row in rows])
for _value in (-1, 10**6, 2**63, 10**30, 0, "0", "x", 1.5, None, True, [0], {}):
    _sets(f"index {_value!r} in the last row", _value, "index", -1)
_sets("all indexes 0", 0, "index")
_sets("indexes as strings", str, "index")
_sets("indexes from 1", lambda index: index + 1, "index")
for _value in (
    None,
    [],
    "",
    "x",
    "AAA",
    "AAAAA===",
    "!!!!",
    {},
    {"float": [1]},
    [[0.5] * 16],
    [[0.5] * 16] * 3,
    0,
    True,
    ["0.5"] * 16,
    [None] * 16,
    [True] * 16,
    [0.5] * 15,
    [0.5] * 4096,
    "AACAfw==" * 16,
):
    _sets(f"one embedding {json.dumps(_value)[:40]}", _value, at=1)
    if _value not in ([[0.5] * 16], [0.5] * 15, [0.5] * 4096):
        _sets(f"all embeddings {json.dumps(_value)[:40]}", _value)
for _value in (float("nan"), float("inf"), -float("inf"), 1e308, 3.5e38, 10**400, None, "1", [1], {}):
    _sets(f"a number {str(_value)[:20]}", _with(_value), at=1)
_sets("a number of 400 digits beside NaN", _with(float("nan"), 10**400), at=1)
_sends(
    "1e999 as text",
    lambda r, s: http(200, _body(r).replace(b'"embedding": "', b'"embedding": [1e999], "x": "')),
)
_sends("9,000 digits", lambda r, s: http(200, b'{"data":[{"index":0,"embedding":[' + b"7" * 9000 + b"]}]}"))

# --- documents ---

for _name, _document in {
    "empty": b"",
    "spaces": b"   ",
    "null": b"null",
    "a number": b"5",
    "a list": b"[]",
    "an empty object": b"{}",
    "deep lists": b"[" * 100_000,
    "deep objects": b'{"a":' * 50_000,
    "NUL bytes": bytes(2000),
    "not UTF-8": b"\xff\xfe{}",
    "UTF-16": '{"data":[]}'.encode("utf-16"),
    "a BOM": b"\xef\xbb\xbf{}",
    "an error with 200": b'{"error":{"message":"no"}}',
    "an error that is a number": b'{"error":5}',
    "an error that is a list": b'{"error":[["x"],{"message":5}]}',
    "a nested error": b'{"error":{"error":{"error":{"message":{"message":"deep"}}}}}',
    "an error that is true": b'{"error":true}',
    "two documents": b'{"data":[]}{"data":[]}',
    "data twice": b'{"data":[],"data":5}',
    "surrogates": b'{"error":"\\ud800"}',
}.items():
    for _status in (200, 400, 500):
        FAULTS[f"{_name} with {_status}"] = lambda r, s, status=_status, body=_document: [http(status, body)]  # type: ignore[misc]
_sends("a web page", lambda r, s: http(200, b"<html>" + b"x" * 5000, kind="text/html"))
_sends("a web page of 8 MB with 502", lambda r, s: http(502, b"<html>" + b"x" * (8 << 20), kind="text/html"))
_sends(
    "an error of 3 MB", lambda r, s: http(400, json.dumps({"error": {"message": "y" * (3 << 20)}}).encode())
)
_sends(
    "the model is another", lambda r, s: http(200, json.dumps({**r.document(), "model": "x" * 9000}).encode())
)
_sends(
    "the model is a list",
    lambda r, s: http(200, json.dumps({**r.document(), "model": [], "usage": 5}).encode()),
)
_sends(
    "usage is absurd",
    lambda r, s: http(200, json.dumps({**r.document(), "usage": {"total_tokens": -(10**30)}}).encode()),
)
_sends(
    "controls in a message",
    lambda r, s: http(400, json.dumps({"error": {"message": "\x1b[2J\x07\u202e\r\nsimil: ok"}}).encode()),
)
_sends("an answer without end", lambda r, s: http(200, b" " * (4 << 20), length=10**12))


def _echo(status: int, kind: str = "application/json") -> Callable[[Request, RawServer], bytes]:
    def answer(request: Request, server: RawServer) -> bytes:
        key = request.key
        forms = [
            key,
            quote(key, safe=""),
            base64.b64encode(key.encode()).decode(),
            key.upper(),
            key[:20] + " " + key[20:],
        ]
        message = " | ".join(forms)
        body = (
            message
            if kind == "text/plain"
            else json.dumps({"error": {"message": message, "code": key, "type": key}})
        )
        return http(status, body.encode(), f"x-request-id: {key}\r\n", kind=kind)

    return answer


for _status in (200, 302, 400, 401, 403, 404, 413, 418, 422, 429, 500, 503):
    _sends(f"echoes the key with {_status}", _echo(_status))
    _sends(f"echoes the key as text with {_status}", _echo(_status, "text/plain"))
_sends(
    "echoes the key as the model",
    lambda r, s: http(200, json.dumps({**r.document(), "model": r.key}).encode()),
)
_sends(
    "echoes the key in the status", lambda r, s: f"HTTP/1.1 400 {r.key}\r\nContent-Length: 0\r\n\r\n".encode()
)
_sends("echoes the key in no HTTP", lambda r, s: f"{r.key}\r\n\r\n".encode())

# --- HTTP ---

_sends("cut JSON", lambda r, s: http(200, _body(r)[:-30]))
_sends("cut JSON of a longer length", lambda r, s: http(200, _body(r)[:-30], length=len(_body(r))))
_sends("a length too short", lambda r, s: http(200, _body(r), length=len(_body(r)) - 40))
_sends("a length too long", lambda r, s: http(200, _body(r), length=len(_body(r)) + 40))
_sends("a negative length", lambda r, s: http(200, _body(r), length=-5))
_sends("a length of 10^30", lambda r, s: http(200, _body(r), length=10**30))
_sends("two lengths", lambda r, s: http(200, _body(r), "Content-Length: 3\r\n"))
_sends("HTTP 0.9", lambda r, s: _body(r))
_sends("HTTP 9.9", lambda r, s: http(200, _body(r)).replace(b"HTTP/1.1", b"HTTP/9.9"))
_sends("no status", lambda r, s: b"HTTP/1.1\r\n\r\n" + _body(r))
_sends("status 99999", lambda r, s: http(99999, _body(r)))
_sends("status x", lambda r, s: http("x", _body(r)))
_sends("TLS garbage", lambda r, s: b"\x15\x03\x03\x00\x02\x02\x28" * 100)
_sends("random bytes", lambda r, s: bytes(range(256)) * 40)
_sends("headers of 1 MB", lambda r, s: http(200, _body(r), f"X-Big: {'x' * (1 << 20)}\r\n"))
_sends("100,000 headers", lambda r, s: http(200, _body(r), "X: y\r\n" * 100_000))
_sends("a header with controls", lambda r, s: http(429, b"{}", "X-Bad: \x1b[31m\x00\r\n"))
_sends("a header folded", lambda r, s: http(200, _body(r), "X-Folded: a\r\n b\r\n"))
_sends("100 before all", lambda r, s: b"HTTP/1.1 100 Continue\r\n\r\n" * 20 + http(200, _body(r)))
_sends("101", lambda r, s: b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n" + _body(r))
_sends("204", lambda r, s: b"HTTP/1.1 204 No Content\r\n\r\n")
_sends("206", lambda r, s: http(206, _body(r)[:100]))
_sends("304", lambda r, s: b"HTTP/1.1 304 Not Modified\r\n\r\n")
_sends(
    "chunks of garbage",
    lambda r, s: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
)
_sends(
    "chunks without end", lambda r, s: b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n'
)
_sends(
    "a chunk of 10^18",
    lambda r, s: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n{}",
)
for _name, _packed in {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": lambda body: body,
    "zstd": lambda body: body,
    "rot13": lambda body: body,
    "gzip, gzip": lambda body: gzip.compress(gzip.compress(body)),
}.items():
    _sends(
        f"encoded as {_name}",
        lambda r, s, name=_name, packed=_packed: http(200, packed(_body(r)), f"Content-Encoding: {name}\r\n"),  # type: ignore[misc]
    )
_sends("damaged gzip", lambda r, s: http(200, b"\x1f\x8b\x08damaged", "Content-Encoding: gzip\r\n"))
_BOMB = gzip.compress(bytes(1 << 26))
_sends("a gzip bomb", lambda r, s: http(200, _BOMB, "Content-Encoding: gzip\r\n"))
_sends("a gzip bomb as error", lambda r, s: http(500, _BOMB, "Content-Encoding: gzip\r\n"))
FAULTS["reset at once"] = lambda request, server: [RESET]
FAULTS["closed at once"] = lambda request, server: []
for _part in (1, 20, 60, 200, 400):
    FAULTS[f"reset after {_part} bytes"] = lambda r, s, part=_part: [http(200, _body(r))[:part], RESET]  # type: ignore[misc]
    FAULTS[f"closed after {_part} bytes"] = lambda r, s, part=_part: [http(200, _body(r))[:part]]  # type: ignore[misc]
for _status in (301, 302, 303, 307, 308):
    _sends(
        f"{_status} to another host",
        lambda r, s, status=_status: http(status, b"", f"Location: http://{s.elsewhere}/v1/embeddings\r\n"),
    )  # type: ignore[misc]
    _sends(f"{_status} to itself", lambda r, s, status=_status: http(status, b"", f"Location: {r.path}\r\n"))  # type: ignore[misc]
for _place in (
    "//{}/v1",
    "http://u:p@{}/",
    "http:///x",
    "https://{}/",
    "\\\\{}\\v1",
    "http://[::1",
    "",
    "ftp://{}/",
    "http://127.0.0.1:99999999/",
    "/a" * 40_000,
    "http://{}@{}/",
    "javascript:x",
    "?x=1",
):
    _sends(
        f"redirects to {_place[:30]!r}",
        lambda r, s, place=_place: http(307, b"", f"Location: {place.replace('{}', s.elsewhere)}\r\n"),  # type: ignore[misc]
    )
_turn = iter(range(10**9))
_sends("redirects on and on", lambda r, s: http(307, b"", f"Location: /v1/embeddings?{next(_turn)}\r\n"))
for _status in (
    400,
    401,
    402,
    403,
    404,
    405,
    408,
    409,
    410,
    413,
    418,
    422,
    425,
    429,
    451,
    500,
    501,
    502,
    503,
    504,
    520,
    599,
):
    _sends(f"status {_status}", lambda r, s, status=_status: http(status, b'{"error":{"message":"no"}}'))  # type: ignore[misc]
_sends("quota", lambda r, s: http(429, b'{"error":{"message":"quota","code":"insufficient_quota"}}'))
_sends(
    "batch too large",
    lambda r, s: http(413, b'{"error":{"message":"batch size 9 > maximum allowed batch size 0"}}'),
)
_sends(
    "length of nothing",
    lambda r, s: http(
        400, b'{"error":{"message":"maximum context length is 0 tokens, however you requested 5 tokens"}}'
    ),
)

# --- waiting ---

for _wait in (
    "1000000000000",
    "-5",
    "x",
    "1e9",
    "NaN",
    "Thu, 01 Jan 1970 00:00:00 GMT",
    formatdate(4e9, usegmt=True),
    "9" * 400,
    "0",
    "",
    "120.5",
    "0x10",
    "Fri, 99 Foo 99999 99:99:99 GMT",
    "\xb2",
):
    _sends(
        f"Retry-After {_wait[:30]!r}", lambda r, s, wait=_wait: http(429, b"{}", f"Retry-After: {wait}\r\n")
    )  # type: ignore[misc]
    _sends(
        f"retry-after-ms {_wait[:30]!r}",
        lambda r, s, wait=_wait: http(503, b"{}", f"retry-after-ms: {wait}\r\n"),
    )  # type: ignore[misc]
for _limit in ("0", "-1", "x", "99999999999999999999", "1.5", ""):
    _sends(
        f"rate limits of {_limit!r}",
        lambda r, s, limit=_limit: http(  # type: ignore[misc]
            200,
            _body(r),
            "".join(
                f"x-ratelimit-{what}-{unit}: {limit}\r\n"
                for what in ("limit", "remaining", "reset")
                for unit in ("requests", "tokens")
            ),
        ),
    )


def _slow(name: str, steps: Callable[[Request, RawServer], Iterator[Step]]) -> None:
    SLOW[name] = steps


def _drip(request: Request, server: RawServer) -> Iterator[Step]:
    whole = http(200, _body(request))
    for at in range(len(whole)):
        server.pass_time(20)
        yield whole[at : at + 1]
        yield 0.02


def _spaces(request: Request, server: RawServer) -> Iterator[Step]:
    yield http(200, b"", length=10**9)
    while True:
        server.pass_time(20)
        yield b" "
        yield 0.02


def _headers(request: Request, server: RawServer) -> Iterator[Step]:
    yield b"HTTP/1.1 200 OK\r\n"
    while True:
        server.pass_time(20)
        yield b"X: y\r\n"
        yield 0.01


def _silent(at: int | None) -> Callable[[Request, RawServer], Iterator[Step]]:
    def steps(request: Request, server: RawServer) -> Iterator[Step]:
        yield http(200, _body(request))[:at]
        yield 25.0

    return steps


_slow("drips", _drip)
_slow("spaces without end", _spaces)
_slow("headers without end", _headers)
for _at in (0, 10, 100, -10):
    _slow(f"silent after {_at} bytes", _silent(_at))
for _wait in ("5", "119", "121", formatdate(1_700_000_060, usegmt=True)):
    SLOW[f"asks to wait {_wait!r}"] = lambda r, s, wait=_wait: [http(429, b"{}", f"Retry-After: {wait}\r\n")]  # type: ignore[misc]
SLOW["is right after all"] = right
