"""What may befall a run against an embeddings API, each with what has to come of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

from support.openai_clock import BEGIN_DATE
from support.openai_faults import (
    FAULTS,
    Fault,
    batch_limit,
    echo_key,
    only_float,
    raw,
    redirect,
    refuse,
    refuses_text,
    spoils_text,
    too_many,
)

__all__ = ["LOGIN", "SCRIPTS", "SIGNATURE", "TEXTS", "Script"]

TEXTS = ["Apple", "Orange", "Blitz und Donner: ⚡", "a bad one", "Apple", "the end"]
SIGNATURE = "signature/of+hers=0123456789"
LOGIN = ("someone-known", "pass/word-of+hers=")


@dataclass(frozen=True)
class Script:
    """One run of `simil embed` on TEXTS.

    `faults` are those of the first requests, `always` that of the others. With `says` the run ends in one
    line that holds this, and `code`; else in right vectors, but for the texts of the lines `failed`.
    `requests` is how many there must be, `waits` bounds of the seconds between one and the next, `server`
    what the server is like, `base` the base URL, `proxy` the status that a proxy answers with, 0 for one
    that works.
    """

    name: str
    faults: tuple[Fault | None, ...] = ()
    always: Fault | None = None
    says: str = ""
    code: int = 5
    failed: tuple[int, ...] = ()
    requests: int | None = None
    waits: tuple[tuple[float, float], ...] = ()
    server: Mapping[str, Any] = field(default_factory=dict)
    base: str = "{scheme}://{host}/v1?sig={signature}"
    arguments: tuple[str, ...] = ()
    proxy: int | None = None
    trusts: bool = False
    impatient: bool = False
    env: Mapping[str, str] = field(default_factory=dict)


_BACK_OFF = ((0.375, 0.5), (0.75, 1.0), (1.5, 2.0), (3.0, 4.0), (6.0, 8.0))
_WITH_LOGIN = "{scheme}://{user}:{password}@{host}/v1"


def _retried(name: str, fault: Fault) -> Iterator[Script]:
    """Once and fine; five times and fine; always."""
    yield Script(f"{name}, then fine", (fault,), requests=2, waits=_BACK_OFF[:1])
    yield Script(f"{name} five times, then fine", (fault,) * 5, requests=6, waits=_BACK_OFF)


def _lasting(name: str, says: str, requests: int = 1, code: int = 5) -> Script:
    return Script(name, always=FAULTS[name], says=says, requests=requests, code=code)


def _waits(name: str, seconds: tuple[float, float], **headers: str) -> Script:
    return Script(f"429 {name}", (too_many(**headers),), requests=2, waits=(seconds,))


def _all() -> Iterator[Script]:
    yield Script("nothing goes wrong", requests=1)
    for status in (408, 409, 429, 500, 502, 503, 504, 529):
        yield from _retried(f"status {status}", FAULTS[f"status_{status}"])
    for name in (
        "reset",
        "reset_at_once",
        "cut_off",
        "hang_up",
        "truncated_json",
        "damaged_gzip",
        "not_http",
    ):
        yield Script(f"{name}, then fine", (FAULTS[name],), requests=2, waits=_BACK_OFF[:1])
    yield Script("a web page with 502, then fine", (FAULTS["html_error_page"],), requests=2)
    yield Script("no answer, then fine in halves", (FAULTS["never_answer"],), requests=3, impatient=True)
    yield Script(
        "three kinds, then fine", tuple(FAULTS[n] for n in ("reset", "status_500", "cut_off")), requests=4
    )
    yield from _of_retry_after()
    yield from _that_last()
    yield from _that_are_lax()
    yield from _of_other_servers()
    yield from _of_single_texts()
    yield from _of_networks()
    yield from _of_keys()


def _of_retry_after() -> Iterator[Script]:
    yield _waits("for seconds", (12.0, 12.1), retry_after="12")
    yield _waits("for a fraction", (1.5, 1.6), retry_after="1.5")
    yield _waits("for milliseconds", (0.7, 0.8), retry_after_ms="700")
    yield _waits("for milliseconds first", (2.5, 2.6), retry_after_ms="2500", retry_after="9")
    yield _waits("until a date", (29.0, 31.0), retry_after=formatdate(BEGIN_DATE + 30, usegmt=True))
    yield _waits("for as long as may be", (120.0, 120.1), retry_after="120")
    yield _waits(
        "until a date in the past", _BACK_OFF[0], retry_after=formatdate(BEGIN_DATE - 30, usegmt=True)
    )
    for value in ("inf", "nan", "-5", "0", "soon", "1e1", "", "12 s", "١٢"):
        yield Script(
            f"429 for {value!r}",
            (too_many(retry_after=value.encode().decode("latin-1")),),
            requests=2,
            waits=_BACK_OFF[:1],
        )
    yield _waits("for broken milliseconds and seconds", (3.0, 3.1), retry_after_ms="inf", retry_after="3")
    yield Script("429 for 121 s", (too_many(retry_after="121"),), says="asks to wait 121 s", requests=1)
    yield Script(
        "429 until the year 9999",
        (too_many(retry_after="Fri, 31 Dec 9999 23:59:59 GMT"),),
        says="asks to wait more than a day",
        requests=1,
    )
    yield Script("503 for 121 s", (refuse(503, headers={"retry-after": "121"}),), says="(503)", requests=1)
    again, never = {"x-should-retry": "true"}, {"x-should-retry": "false"}
    yield Script("400 that may be retried", (refuse(400, headers=again),), requests=2)
    yield Script("403 that may be retried", (refuse(403, headers=again),), requests=2)
    yield Script(
        "500 that may not be retried", (refuse(500, headers=never),), says="failed (500)", requests=1
    )
    yield Script("429 that may not be retried", (refuse(429, headers=never),), says="(429)", requests=1)
    yield Script(
        "five minutes are enough", always=too_many(retry_after="100"), says="after 4 tries", requests=4
    )


def _that_last() -> Iterator[Script]:
    yield _lasting("quota", "quota at")
    yield Script("the quota is spent", server={"quota": 1}, says="is used up (429)", requests=1)
    yield _lasting("status_401", "rejected the API key in OPENAI_API_KEY (401)")
    yield _lasting("status_403", "denied access (403)")
    yield _lasting("status_404", "has no model 'text-embedding-3-small'")
    yield _lasting("status_500", "failed (500)", 6)
    yield _lasting("status_429", "limits the rate of requests (429)", 6)
    yield _lasting("reset", "was lost", 6)
    yield _lasting("cut_off", "broke off its answer", 6)
    yield _lasting("truncated_json", "not JSON", 6)
    yield _lasting("damaged_gzip", "damaged answer", 6)
    yield _lasting("drip", "had not finished its answer after 300 s")
    yield _lasting("endless", "far more than the requested vectors")
    for name, says in (
        ("wrong_content_type", "not JSON"),
        ("html_page", "not JSON (a web page)"),
        ("json_of_another_kind", "without a list of vectors"),
        ("error_with_200", '"the model is asleep"'),
        ("rows_missing", "4 vectors for 5 texts"),
        ("rows_too_many", "6 vectors for 5 texts"),
        ("rows_empty", "0 vectors for 5 texts"),
        ("rows_not_objects", "without a list of vectors"),
        ("duplicate_index", "two vectors for text 1"),
        ("index_out_of_range", "belongs to none of the texts"),
        ("index_negative", "belongs to none of the texts"),
        ("index_of_some", "belongs to none of the texts"),
        ("wrong_dimension", "6 dimensions where 8 were expected"),
        ("empty_embeddings", "a vector without numbers"),
        ("float_too_large", "not a finite number"),
        ("floats_as_strings", "not a list of numbers"),
    ):
        yield _lasting(name, says)


def _that_are_lax() -> Iterator[Script]:
    for name in (
        "rows_out_of_order",
        "no_index",
        "no_usage",
        "odd_usage",
        "base64_ignored",
        "slow_but_right",
        "chunked",
        "gzip",
    ):
        yield Script(name, always=FAULTS[name], requests=1)
    yield Script("base64_refused", always=FAULTS["base64_refused"], requests=2)
    yield Script("base64 refused with 422", always=only_float(422), requests=2)
    yield Script("encoding_format_refused", always=FAULTS["encoding_format_refused"], requests=3)


def _of_other_servers() -> Iterator[Script]:
    yield Script("a server without keys", server={"key": None}, env={"OPENAI_API_KEY": ""})
    yield Script("a server without keys that is sent one", server={"key": None})
    yield Script(
        "a server that wants a key",
        server={"key": "x"},
        env={"OPENAI_API_KEY": ""},
        says="requires an API key (401)",
    )
    azure = {"azure": "2024-10-21"}
    yield Script(
        "Azure", server=azure, base="{scheme}://{host}/openai/deployments/small?api-version=2024-10-21"
    )
    yield Script(
        "Azure with another version",
        server=azure,
        base="{scheme}://{host}/openai/deployments/small?api-version=2020-01-01",
        says="(404)",
    )
    quiet = {"echoes": False}  # An address has numbers too.
    says = "batch size {count} > maximum allowed batch size {most}"
    yield Script("413 with a number", always=batch_limit(2, 413, says), requests=4, server=quiet)
    yield Script("422 with a number", always=batch_limit(2, 422, says), requests=4, server=quiet)
    yield Script("413 without a number", always=batch_limit(2, 413, "Payload too large"))
    yield Script("422 for more than one", always=batch_limit(1, 422, says), requests=6, server=quiet)
    yield Script("400 for more than three", always=batch_limit(3, 400, says))
    yield Script("413 of a proxy", (raw(413, b"<html>413 Request Entity Too Large</html>", "text/html"),))
    yield Script(
        "too many tokens at once",
        (
            refuse(
                400, "Requested 416735 tokens, max 300000 tokens per request", code="max_tokens_per_request"
            ),
        ),
    )


def _of_single_texts() -> Iterator[Script]:
    for name, line, says in (
        ("mixed_dimensions", 6, "6 dimensions where 8 were expected"),
        ("no_embedding", 1, "a vector that is not a list of numbers"),
        ("damaged_base64", 1, "a vector that is not base64 of float32 numbers"),
        ("nan", 1, "a value that is not a finite number"),
        ("infinite", 1, "a value that is not a finite number"),
    ):
        yield _lasting(name, f"texts.txt:{line}: {{host}} returned {says}", code=3)
    for change in ("null", "nulls", "nan", "base64 of nan", "shorter", "missing"):
        spoilt = spoils_text("bad", change)
        for policy in ("skip", "null"):
            yield Script(
                f"{change} for one text, {policy}",
                always=spoilt,
                failed=(4,),
                arguments=("--on-error", policy),
                requests=1,
            )
        yield Script(f"{change} for one text", always=spoilt, says="texts.txt:4: {host} returned", code=3)
    yield Script(
        "null for a text and its twin",
        always=spoils_text("Apple", "null"),
        failed=(1, 5),
        arguments=("--on-error", "null"),
        requests=1,
    )
    yield Script(
        "null for each text, skipped",
        always=spoils_text("", "null"),
        arguments=("--on-error", "skip"),
        says="not a list of numbers",
        requests=1,
    )
    # Short texts are known to fit only where it is known how many tokens the model reads.
    known = {"SIMIL_MAX_TOKENS": "8192"}
    for status in (400, 413, 422):
        bad = refuses_text("bad", status)
        yield Script(f"{status} for one text", always=bad, says="texts.txt:4: ", code=3, env=known)
        for policy in ("skip", "null"):
            yield Script(
                f"{status} for one text, {policy if policy == 'null' else 'skipped'}",
                always=bad,
                failed=(4,),
                arguments=("--on-error", policy),
                env=known,
            )
    yield Script(
        "400 for a text and its twin",
        always=refuses_text("Apple", 400),
        failed=(1, 5),
        arguments=("--on-error", "skip"),
    )
    yield Script("400 for each text", always=FAULTS["status_400"], says="refused the request (400)")
    yield Script(
        "400 for each text, skipped",
        always=FAULTS["status_400"],
        arguments=("--on-error", "skip"),
        says="refused the request (400)",
    )


def _of_networks() -> Iterator[Script]:
    yield Script("a redirect on the same server", (redirect("/other/v1/embeddings"),), requests=2)
    yield Script("a permanent one", (redirect("/other/v1/embeddings", 308),), requests=2)
    yield Script(
        "a redirect to another host",
        always=FAULTS["redirect"],
        says="redirects to another address",
        requests=1,
    )
    yield Script(
        "a redirect to another port", always=redirect("http://127.0.0.1:9/v1/embeddings"), says="redirects"
    )
    yield Script("a redirect to https", always=redirect("https://127.0.0.1/v1/embeddings"), says="redirects")
    yield Script(
        "a redirect that makes a GET", always=redirect("/v1/embeddings", 302), says="redirects", requests=1
    )
    yield Script("a redirect in circles", always=redirect("?again"), says="redirects")
    yield Script("a redirect to nowhere", always=redirect("http://[::1/"), says="{host}")
    yield Script("nobody there", base="http://127.0.0.1:9/v1", says="no connection to 127.0.0.1:9")
    yield Script("https at a server of http", base="https://{host}/v1", says="no secure connection")
    yield Script(
        "http at a server of https", server={"is_encrypted": True}, base="http://{host}/v1", says="{host}"
    )
    yield Script(
        "a certificate that nobody has signed", server={"is_encrypted": True}, says="no secure connection"
    )
    yield Script("a certificate of ours", server={"is_encrypted": True}, trusts=True, requests=1)
    yield Script("through a proxy", base="http://api.test/v1", proxy=0, requests=1)
    yield Script(
        "encrypted through a proxy",
        base="https://localhost:1/v1",
        server={"is_encrypted": True},
        trusts=True,
        proxy=0,
        requests=1,
    )
    yield Script("a proxy that refuses", base="http://api.test/v1", proxy=403, says="(403)", requests=0)
    yield Script(
        "a proxy that refuses a tunnel", base="https://api.test/v1", proxy=407, says="proxy", requests=0
    )


def _of_keys() -> Iterator[Script]:
    for status, says in (
        (200, "without a list of vectors"),
        (307, "redirects"),
        (400, "(400)"),
        (401, "(401)"),
        (403, "(403)"),
        (404, "(404)"),
        (422, "(422)"),
        (429, "(429)"),
        (500, "(500)"),
    ):
        yield Script(f"{status} that repeats the key", always=echo_key(status), says=says)
        yield Script(
            f"{status} that repeats name and password",
            always=echo_key(status),
            says=says,
            base=_WITH_LOGIN,
            server={"key": ":".join(LOGIN)},
        )
    yield Script("the key in plain text", always=echo_key(500, plain=True), says="(500)")
    yield Script(
        "name and password in the address", base=_WITH_LOGIN, server={"key": ":".join(LOGIN)}, requests=1
    )
    yield Script(
        "a wrong password",
        base=_WITH_LOGIN,
        server={"key": "a:b"},
        says="rejected the user name and password",
    )
    yield Script("a wrong key", server={"key": "sk-another-one"}, says="rejected the API key")


SCRIPTS = {script.name: script for script in _all()}
