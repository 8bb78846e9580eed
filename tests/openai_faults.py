"""Ways for the embeddings server of the tests to misbehave.

A fault is a function that is given the request and either answers it, however badly, or returns the
answer to send. `FAULTS` holds one of each kind by name; `refuse`, `redirect`, `raw`, `changed` and
`echo_key` make more.
"""

from __future__ import annotations

import base64
import copy
import json
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import quote

import numpy as np

Answer = dict[str, Any]
NO_HEADERS: Mapping[str, str] = {}


@dataclass(frozen=True)
class Recorded:
    """One request as it arrived; header names are in lower case."""

    path: str
    headers: Mapping[str, str]
    body: Any


@dataclass
class Exchange:
    """What a fault has in hand: the connection, the request, and the answer that would be right."""

    handler: BaseHTTPRequestHandler
    request: Recorded
    answer: Answer
    stopping: threading.Event

    def send(
        self, status: int, body: bytes, headers: Mapping[str, str] = NO_HEADERS, *, claimed: int | None = None
    ) -> None:
        """Send an answer; `claimed` is the Content-Length to lie about."""
        fields = {"Content-Type": "application/json", **headers}
        self.handler.send_response(status)
        for name, value in fields.items():
            self.handler.send_header(name, value)
        self.handler.send_header("Content-Length", str(len(body) if claimed is None else claimed))
        self.handler.end_headers()
        self.handler.wfile.write(body)
        self.handler.wfile.flush()
        if claimed is not None:
            self.handler.close_connection = True

    def send_json(self, status: int, document: Any, headers: Mapping[str, str] = NO_HEADERS) -> None:
        self.send(status, json.dumps(document).encode(), headers)


Fault = Callable[[Exchange], Answer | None]


def error(message: str, *, kind: str = "invalid_request_error", code: str | None = None) -> Answer:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def refuse(
    status: int,
    message: str = "told to refuse",
    *,
    kind: str = "invalid_request_error",
    code: str | None = None,
    headers: Mapping[str, str] = NO_HEADERS,
) -> Fault:
    """Return a fault that answers with `status` and an error in OpenAI's form."""

    def fault(exchange: Exchange) -> None:
        exchange.send_json(status, error(message, kind=kind, code=code), headers)

    return fault


def redirect(location: str, status: int = 307) -> Fault:
    """Return a fault that sends the client to another address."""

    def fault(exchange: Exchange) -> None:
        exchange.send(status, b"", {"Location": location})

    return fault


def echo_key(status: int, *, plain: bool = False) -> Fault:
    """Return a fault whose message repeats the key in every form: raw, percent-encoded, in base64."""

    def fault(exchange: Exchange) -> None:
        header = exchange.request.headers.get("authorization", "")
        key = header.removeprefix("Bearer ")
        forms = [key, quote(key, safe=""), quote(quote(key)), *map(_base64, (key, header, f":{key}"))]
        message = f"what came: {' '.join(forms)}"
        body = message.encode() if plain else json.dumps(error(message)).encode()
        kind = "text/plain" if plain else "application/json"
        exchange.send(status, body, {"Content-Type": kind, "Location": f"http://{quote(key, safe='')}.test/"})

    return fault


def raw(status: int, body: bytes, content_type: str) -> Fault:
    """Return a fault that answers with exactly these bytes."""

    def fault(exchange: Exchange) -> None:
        exchange.send(status, body, {"Content-Type": content_type})

    return fault


def changed(change: Callable[[list[Any]], Any]) -> Fault:
    """Return a fault that changes the list of rows in an otherwise right answer."""

    def fault(exchange: Exchange) -> Answer:
        answer = copy.deepcopy(exchange.answer)
        if "data" not in answer:  # the request was refused on its own account
            return answer
        rows = change(answer["data"])
        if rows is not None:
            answer["data"] = rows
        return answer

    return fault


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _reset(exchange: Exchange) -> None:
    body = json.dumps(exchange.answer).encode()
    exchange.send(200, body[: len(body) // 2], claimed=len(body))
    # Lingering for 0 s makes the kernel send RST in place of FIN.
    exchange.handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    exchange.handler.connection.close()


def _cut_off(exchange: Exchange) -> None:
    body = json.dumps(exchange.answer).encode()
    exchange.send(200, body[: len(body) // 2], claimed=len(body))


def _hang_up(exchange: Exchange) -> None:
    exchange.handler.close_connection = True


def _as_text(exchange: Exchange) -> None:
    exchange.send(200, json.dumps(exchange.answer).encode(), {"Content-Type": "text/plain"})


def _truncated_json(exchange: Exchange) -> None:
    exchange.send(200, json.dumps(exchange.answer).encode()[:-20])


def _not_http(exchange: Exchange) -> None:
    exchange.handler.wfile.write(b"220 mail.test ESMTP ready\r\n")
    exchange.handler.close_connection = True


def _never_answer(exchange: Exchange) -> None:
    exchange.stopping.wait()
    exchange.handler.close_connection = True


def _drip(exchange: Exchange) -> None:
    exchange.send(200, b"", claimed=1 << 30)
    while not exchange.stopping.wait(0.005):
        exchange.handler.wfile.write(b" ")
        exchange.handler.wfile.flush()


def _endless(exchange: Exchange) -> None:
    exchange.send(200, b"", claimed=1 << 40)
    while not exchange.stopping.is_set():
        exchange.handler.wfile.write(b" " * 65536)


def _with_nan(rows: list[Any]) -> None:
    values = np.frombuffer(base64.b64decode(rows[0]["embedding"]), dtype="<f4").copy()
    values[1] = np.nan
    rows[0]["embedding"] = base64.b64encode(values.tobytes()).decode()


def _shorter(rows: list[Any]) -> None:
    for row in rows:
        row["embedding"] = base64.b64encode(base64.b64decode(row["embedding"])[:-8]).decode()


def _unnumbered(rows: list[Any]) -> None:
    for row in rows:
        del row["index"]


def _as_floats(rows: list[Any]) -> None:
    for row in rows:
        row["embedding"] = floats_of(row["embedding"])


def floats_of(encoded: str) -> list[float]:
    values: list[float] = np.frombuffer(base64.b64decode(encoded), dtype="<f4").tolist()
    return values


def _base64_refused(exchange: Exchange) -> Answer | None:
    """Take only floats, as a server that does not know base64."""
    if exchange.request.body.get("encoding_format") != "base64":
        return exchange.answer
    exchange.send_json(400, error("encoding_format 'base64' is not supported"))
    return None


def _encoding_format_refused(exchange: Exchange) -> Answer | None:
    """Know no field `encoding_format` at all, in the words of FastAPI."""
    if "encoding_format" not in exchange.request.body:
        return exchange.answer
    detail = [{"loc": ["body", "encoding_format"], "msg": "Extra inputs are not permitted"}]
    exchange.send_json(422, {"detail": detail})
    return None


_PAGE = b"<!DOCTYPE html><html><body><h1>It works</h1></body></html>"

FAULTS: dict[str, Fault] = {
    "reset": _reset,
    "cut_off": _cut_off,
    "hang_up": _hang_up,
    "not_http": _not_http,
    "truncated_json": _truncated_json,
    "wrong_content_type": _as_text,
    "html_page": raw(200, _PAGE, "text/html; charset=utf-8"),
    "html_error_page": raw(502, _PAGE, "text/html; charset=utf-8"),
    "empty_body": raw(200, b"", "application/json"),
    "json_of_another_kind": raw(200, b'{"models": []}', "application/json"),
    "error_with_200": raw(200, b'{"error": {"message": "the model is asleep"}}', "application/json"),
    "never_answer": _never_answer,
    "drip": _drip,
    "endless": _endless,
    "rows_out_of_order": changed(lambda rows: rows[::-1]),
    "rows_missing": changed(lambda rows: rows[:-1]),
    "rows_empty": changed(lambda rows: []),
    "rows_not_objects": changed(lambda rows: [row["embedding"] for row in rows]),
    "duplicate_index": changed(lambda rows: rows[-1].update(index=0)),
    "index_out_of_range": changed(lambda rows: rows[-1].update(index=len(rows))),
    "index_of_some": changed(lambda rows: _unnumbered(rows[-1:])),
    "no_index": changed(_unnumbered),
    "wrong_dimension": changed(_shorter),
    "mixed_dimensions": changed(lambda rows: _shorter(rows[-1:])),
    "no_embedding": changed(lambda rows: rows[0].pop("embedding") and None),
    "empty_embeddings": changed(lambda rows: [{**row, "embedding": ""} for row in rows]),
    "damaged_base64": changed(lambda rows: rows[0].update(embedding="AAAAAAA")),
    "nan": changed(_with_nan),
    "float_too_large": changed(lambda rows: [{**row, "embedding": [1e300] * 1536} for row in rows]),
    "floats_as_strings": changed(lambda rows: [{**row, "embedding": ["0.5"] * 1536} for row in rows]),
    "base64_ignored": changed(_as_floats),
    "base64_refused": _base64_refused,
    "encoding_format_refused": _encoding_format_refused,
    "status_400": refuse(400, "this input is not to my liking"),
    "status_401": refuse(401, "Incorrect API key provided: sk-pl***cdef.", code="invalid_api_key"),
    "status_403": refuse(403, "Country, region, or territory not supported"),
    "status_404": refuse(404, "The model does not exist", code="model_not_found"),
    "status_408": refuse(408, "too slow"),
    "status_413": refuse(413, "batch size 2 > maximum allowed batch size 1"),
    "status_422": refuse(422, "the input cannot be processed"),
    "status_429": refuse(429, "Rate limit reached", kind="requests", code="rate_limit_exceeded"),
    "quota": refuse(429, "You exceeded your quota", kind="insufficient_quota", code="insufficient_quota"),
    "status_500": refuse(500, "The server had an error", kind="server_error"),
    "status_502": refuse(502, "Bad gateway", kind="server_error"),
    "status_503": refuse(503, "Overloaded", kind="server_error"),
    "redirect": redirect("http://elsewhere.test/v1/embeddings"),
    **{f"echo_key_{status}": echo_key(status) for status in (200, 307, 400, 401, 403, 404, 429, 500)},
    "echo_key_in_plain_text": echo_key(500, plain=True),
}
