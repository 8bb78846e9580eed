"""Ways for the embeddings server of the tests to misbehave, as data: the server is another process.

`FAULTS` holds one of each kind by name; the functions make more. What each does is in
`openai_misbehaviour`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "FAULTS",
    "Fault",
    "batch_limit",
    "echo_key",
    "only_float",
    "raw",
    "redirect",
    "refuse",
    "refuses_text",
    "rows",
    "too_many",
]

NO_HEADERS: Mapping[str, str] = {}


@dataclass(frozen=True)
class Fault:
    """One request going wrong: `kind` is the name of a function of `openai_misbehaviour`."""

    kind: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


def refuse(
    status: int,
    message: str = "told to refuse",
    *,
    kind: str = "invalid_request_error",
    code: str | None = None,
    param: str | None = None,
    headers: Mapping[str, str] = NO_HEADERS,
) -> Fault:
    """Return a fault that answers with `status` and an error in OpenAI's form."""
    given = {"message": message, "kind": kind, "code": code, "param": param}
    return Fault("refuse", {"status": status, "headers": dict(headers), **given})


def too_many(**headers: str) -> Fault:
    """Return a 429 with these headers, their names written with `_`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return refuse(429, "Rate limit reached", kind="requests", code="rate_limit_exceeded", headers=named)


def redirect(location: str, status: int = 307) -> Fault:
    """Return a fault that sends the client to another address."""
    return Fault("redirect", {"location": location, "status": status})


def echo_key(status: int, *, plain: bool = False) -> Fault:
    """Return a fault whose message repeats the key in every form: raw, percent-encoded, in base64."""
    return Fault("echo_key", {"status": status, "plain": plain})


def raw(status: int, body: bytes, content_type: str, headers: Mapping[str, str] = NO_HEADERS) -> Fault:
    """Return a fault that answers with exactly these bytes."""
    return Fault(
        "raw", {"status": status, "body": body, "headers": {"Content-Type": content_type, **headers}}
    )


def rows(change: str) -> Fault:
    """Return a fault that changes the list of rows in an otherwise right answer."""
    return Fault("rows", {"change": change})


def batch_limit(most: int, status: int, message: str) -> Fault:
    """Return a fault for requests of more than `most` texts; `{count}` and `{most}` are filled in."""
    return Fault("batch_limit", {"most": most, "status": status, "message": message})


def refuses_text(fragment: str, status: int, message: str = "this input is not to my liking") -> Fault:
    """Return a fault that is none for requests without `fragment` in one of their texts."""
    return Fault("refuses_text", {"fragment": fragment, "status": status, "message": message})


def spoils_text(fragment: str, change: str) -> Fault:
    """Return a fault that spoils the vectors of texts with `fragment` in an otherwise right answer."""
    return Fault("spoils_text", {"fragment": fragment, "change": change})


def only_float(status: int) -> Fault:
    """Return a fault that refuses base64, as a server that does not know it."""
    return Fault("only_float", {"status": status})


_PAGE = b"<!DOCTYPE html><html><body><h1>It works</h1></body></html>"
_JSON = "application/json"

FAULTS: dict[str, Fault] = {
    "reset": Fault("reset"),
    "reset_at_once": Fault("reset_at_once"),
    "cut_off": Fault("cut_off"),
    "hang_up": Fault("hang_up"),
    "hang_up_after": Fault("hang_up_after"),
    "not_http": Fault("not_http"),
    "truncated_json": Fault("truncated_json"),
    "wrong_content_type": Fault("as_text"),
    "html_page": raw(200, _PAGE, "text/html; charset=utf-8"),
    "html_error_page": raw(502, _PAGE, "text/html; charset=utf-8"),
    "empty_body": raw(200, b"", _JSON),
    "json_of_another_kind": raw(200, b'{"models": []}', _JSON),
    "error_with_200": raw(200, b'{"error": {"message": "the model is asleep"}}', _JSON),
    "never_answer": Fault("never_answer"),
    "drip": Fault("drip"),
    "slow_but_right": Fault("slow_but_right"),
    "chunked": Fault("chunked"),
    "gzip": Fault("gzip", {"is_damaged": False}),
    "damaged_gzip": Fault("gzip", {"is_damaged": True}),
    "endless": Fault("endless"),
    "rows_out_of_order": rows("reversed"),
    "rows_missing": rows("missing"),
    "rows_too_many": rows("too_many"),
    "rows_empty": rows("empty"),
    "rows_not_objects": rows("not_objects"),
    "duplicate_index": rows("duplicate_index"),
    "index_out_of_range": rows("index_out_of_range"),
    "index_negative": rows("index_negative"),
    "index_of_some": rows("index_of_some"),
    "no_index": rows("no_index"),
    "wrong_dimension": rows("wrong_dimension"),
    "mixed_dimensions": rows("mixed_dimensions"),
    "no_embedding": rows("no_embedding"),
    "empty_embeddings": rows("empty_embeddings"),
    "damaged_base64": rows("damaged_base64"),
    "nan": rows("nan"),
    "infinite": rows("infinite"),
    "float_too_large": rows("float_too_large"),
    "floats_as_strings": rows("floats_as_strings"),
    "base64_ignored": rows("floats"),
    "no_usage": Fault("usage", {"usage": None}),
    "odd_usage": Fault("usage", {"usage": {"prompt_tokens": "many", "total_tokens": -1}}),
    "base64_refused": only_float(400),
    "encoding_format_refused": Fault("no_encoding_format"),
    "status_400": refuse(400, "this input is not to my liking"),
    "status_401": refuse(401, "Incorrect API key provided: sk-pl***cdef.", code="invalid_api_key"),
    "status_403": refuse(403, "Country, region, or territory not supported"),
    "status_404": refuse(404, "The model does not exist", code="model_not_found"),
    "status_408": refuse(408, "too slow"),
    "status_409": refuse(409, "another one is at it"),
    "status_413": refuse(413, "batch size 2 > maximum allowed batch size 1"),
    "status_422": refuse(422, "the input cannot be processed"),
    "status_429": too_many(),
    "quota": refuse(429, "You exceeded your quota", kind="insufficient_quota", code="insufficient_quota"),
    **{
        f"status_{status}": refuse(status, message, kind="server_error")
        for status, message in (
            (500, "The server had an error"),
            (502, "Bad gateway"),
            (503, "Overloaded"),
            (504, "Gateway timeout"),
            (529, "Overloaded"),
        )
    },
    "redirect": redirect("http://elsewhere.test/v1/embeddings"),
    **{f"echo_key_{status}": echo_key(status) for status in (200, 307, 400, 401, 403, 404, 429, 500)},
    "echo_key_in_plain_text": echo_key(500, plain=True),
}
