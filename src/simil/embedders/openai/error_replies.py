"""What a server's error means: from its status and message to a line for the user and the next step."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from simil.embedders.openai.endpoint import Endpoint
from simil.embedders.openai.protocol import BadAnswer, Reply, json_of
from simil.embedders.openai.retries import Blame, RequestFailed, may_be_retried, retry_after
from simil.errors import KeyRejected, ProviderError, QuotaSpent, RateLimited, RequestRejected, ServerFailed

__all__ = ["ServerError", "quotation", "refusal"]

_SPENT = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
_LONGEST_QUOTATION = 200
_DAY_S = 86_400
# Parameters that concern all texts alike.
_GENERAL = frozenset({"dimensions", "model", "encoding_format", "user"})
# A gateway answers so for a server that is not there, or not yet.
_UNREACHED = frozenset({502, 503})
_SIZES = frozenset({"max_tokens_per_request", "array_above_max_length"})
_LENGTH = re.compile(
    r"(?:context|input) length|too (?:long|large to process)|too many tokens|(?:less|more) than \d+ tokens",
    re.IGNORECASE,
)
# llama.cpp's words for a text that is too long, and Ollama's for a vector of NaN.
_OF_TEXTS = re.compile(r"too large to process|unsupported value: NaN")
# What gateways and servers say of a request that fewer texts would make right.
_TOO_LARGE = re.compile(
    r"(?:request|payload|body|batch|input)[^.]{0,40} too (?:large|big)|too many (?:inputs|texts|items)",
    re.IGNORECASE,
)
# In a text that a server repeats, the quotes are escaped.
_REASON = re.compile(r'"(?:msg|message|detail|error)"\s*:\s*"((?:[^"\\]|\\.)*)')
_LIMIT = re.compile(r"(?:length(?: is| of)?|less than|at most|batch size):? (\d{1,9})\b", re.IGNORECASE)
_COUNTED = re.compile(r"(?:requested|given:?|got|input \()\s?(\d{1,9})\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ServerError:
    """What a server says about an error; parts that it does not give are empty."""

    message: str = ""
    codes: frozenset[str] = frozenset()
    parameter: str = ""

    @classmethod
    def in_refusal(cls, reply: Reply) -> ServerError:
        """Return the error in `reply`, in OpenAI's format or one that compatible servers use."""
        try:
            document = json_of(reply.body)
        except BadAnswer:
            text = reply.body.decode("utf-8", "replace")
            return cls(text if reply.media_type == "text/plain" else _said_first(text))
        if not isinstance(document, dict):
            return cls()
        inner = document.get("error")
        fields: dict[str, Any] = inner if isinstance(inner, dict) else document
        said = [inner, fields.get("message"), fields.get("detail")]
        if isinstance(said[-1], list):  # FastAPI: [{"loc": […], "msg": "…"}]
            said += [each.get("msg") for each in said[-1] if isinstance(each, dict)]
        codes = (fields.get("code"), fields.get("type"))
        parameter = fields.get("param")
        return cls(
            next((each for each in said if isinstance(each, str)), ""),
            frozenset(each for each in codes if isinstance(each, str)),
            parameter if isinstance(parameter, str) else "",
        )

    @classmethod
    def in_answer(cls, reply: Reply) -> ServerError:
        """Return the error that some servers send with status 200."""
        try:
            document = json_of(reply.body)
        except BadAnswer:
            return cls()
        return cls.in_refusal(reply) if isinstance(document, dict) and document.get("error") else cls()


def _said_first(text: str) -> str:
    """Return the first reason in JSON that was cut off; some servers repeat all texts behind it."""
    found = _REASON.search(text) if text.lstrip()[:1] in ("{", "[") else None
    if found is None:
        return ""
    try:
        return str(json.loads(f'"{found[1]}"', strict=False))
    except ValueError:
        return found[1]


def quotation(said: ServerError, scrub: Callable[[str], str]) -> str:
    """Return the server's own message, to be appended to ours: scrubbed, then cut to one short line."""
    line = " ".join("".join(c if c.isprintable() else " " for c in scrub(said.message)).split())
    if len(line) > _LONGEST_QUOTATION:
        line = f"{line[:_LONGEST_QUOTATION].rstrip()}…"
    return f': "{line}"' if line else ""


def refusal(
    reply: Reply,
    *,
    count: int,
    endpoint: Endpoint,
    model: str,
    credential: str,
    scrub: Callable[[str], str],
    date: float,
) -> RequestFailed:
    """Return the failure that a reply with an error status stands for.

    `count` is the number of texts in the request, `endpoint` what was asked; `credential` names what
    authorized it, empty for nothing; `date` is now, in seconds since 1970.
    """
    said = ServerError.in_refusal(reply)
    blame = _blame(reply.status, said, count)
    wait = retry_after(reply.headers, date)
    error = _error(reply, said, wait, endpoint=endpoint, model=model, credential=credential, scrub=scrub)
    return RequestFailed(
        error,
        # Some servers answer 500 for a text that they cannot embed.
        may_be_retried=may_be_retried(reply, spent_quota=bool(said.codes & _SPENT))
        and not (reply.status == 500 and blame is not None),
        retry_after=wait,
        is_limit=reply.status == 429,
        blame=blame,
        headers=reply.headers,
        is_too_large=reply.status == 429
        and bool(_TOO_LARGE.search(said.message))
        and not _tells_tokens(reply),
        is_down=reply.status in _UNREACHED,
    )


def _tells_tokens(reply: Reply) -> bool:
    """Return whether the headers tell how many tokens the server grants, which decides the next size."""
    return "x-ratelimit-limit-tokens" in reply.headers


def _blame(status: int, said: ServerError, count: int) -> Blame | None:
    """Return what is wrong with the texts of a request; None if they are not at fault."""
    blamable = status in {400, 413, 422} or (status == 500 and _OF_TEXTS.search(said.message))
    if not blamable or said.codes & _SPENT or said.parameter in _GENERAL:
        return None
    # Drop the numbers that name one of the texts: `input[3]`, `input 3 of 20`.
    named = re.sub(r"\[\d+\]|\(\d+|\d+ of \d+", "", said.message)
    numbers = [int(each) for each in re.findall(r"\d{1,9}", named)]
    # "batch size 64 > maximum allowed batch size 32": the number of texts, and a lower limit.
    lower = [number for number in numbers if 0 < number < count]
    if count in numbers and lower:
        return Blame(is_size=True, most_inputs=max(lower))
    if _LENGTH.search(said.message):
        return Blame(is_length=True, limit=_number(_LIMIT, said), tokens=_number(_COUNTED, said))
    # If a text alone fails validation (422), its size is not the reason.
    return Blame(
        is_size=status == 413
        or (status == 422 and count > 1)
        or bool(said.codes & _SIZES)
        or (count > 1 and bool(_TOO_LARGE.search(said.message)))
    )


def _number(pattern: re.Pattern[str], said: ServerError) -> int | None:
    found = pattern.search(said.message)
    return int(found[1]) if found else None


def _error(
    reply: Reply,
    said: ServerError,
    wait: float | None,
    *,
    endpoint: Endpoint,
    model: str,
    credential: str,
    scrub: Callable[[str], str],
) -> ProviderError:
    status, host = reply.status, endpoint.host
    quoted = quotation(said, scrub)
    error: ProviderError
    if status == 401:
        what = f"rejected {credential}" if credential else "requires an API key"
        hint = "check it" if credential else endpoint.key_hint
        error = KeyRejected(f"{host} {what} (401){quoted}", hint=hint)
    elif status == 403:
        error = KeyRejected(f"{host} denied access (403){quoted}", hint="check the key's permissions")
    elif status == 404:
        error = RequestRejected(
            f"{host} has no model {model!r} at this address (404){quoted}",
            hint=f"{scrub(endpoint.address)} was asked: check the model name and the base URL, which often"
            " ends in /v1",
        )
    elif said.codes & _SPENT:
        error = QuotaSpent(
            f"the quota at {host} is used up ({status}){quoted}", hint="check your plan and billing"
        )
    elif status == 429:
        seconds = "" if wait is None else f"{wait:.3g} s" if wait <= _DAY_S else "more than a day"
        asked = f" and asks to wait {seconds}" if seconds else ""
        error = RateLimited(
            f"{host} limits the rate of requests (429){asked}{quoted}", hint="try again later"
        )
    elif 300 <= status < 400:
        error = ServerFailed(
            f"{host} redirects to another address ({status})",
            hint="redirects are not followed, since they would receive the key; correct the base URL",
        )
    elif 400 <= status < 500:
        error = RequestRejected(f"{host} refused the request ({status}){quoted}")
    else:
        error = ServerFailed(f"{host} failed ({status}){quoted}", hint="try again later")
    return error
