"""What a refused request means: from the status and words of a server to one line for the user."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from simil.embedders.openai.protocol import BadAnswer, Reply, json_of, retry_after
from simil.errors import KeyRejected, ProviderError, QuotaSpent, RateLimited, RequestRejected, ServerFailed

__all__ = ["ServerError", "quotation", "refusal"]

_SPENT = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
_LONGEST_QUOTATION = 200


@dataclass(frozen=True, slots=True)
class ServerError:
    """What a server says about its refusal; each part is empty where it says nothing."""

    message: str = ""
    codes: frozenset[str] = frozenset()

    @classmethod
    def in_refusal(cls, reply: Reply) -> ServerError:
        """Return the error in `reply`, in OpenAI's form or those that compatible servers use."""
        try:
            document = json_of(reply.body)
        except BadAnswer:
            return cls(reply.body.decode("utf-8", "replace") if reply.media_type == "text/plain" else "")
        if not isinstance(document, dict):
            return cls()
        inner = document.get("error")
        fields: dict[str, Any] = inner if isinstance(inner, dict) else document
        said = [inner, fields.get("message"), fields.get("detail")]
        if isinstance(said[-1], list):  # FastAPI: [{"loc": […], "msg": "…"}]
            said += [each.get("msg") for each in said[-1] if isinstance(each, dict)]
        codes = (fields.get("code"), fields.get("type"))
        return cls(
            next((each for each in said if isinstance(each, str)), ""),
            frozenset(each for each in codes if isinstance(each, str)),
        )

    @classmethod
    def in_answer(cls, reply: Reply) -> ServerError:
        """Return the error that some servers send in an answer of status 200."""
        try:
            document = json_of(reply.body)
        except BadAnswer:
            return cls()
        return cls.in_refusal(reply) if isinstance(document, dict) and document.get("error") else cls()


def quotation(said: ServerError, scrub: Callable[[str], str]) -> str:
    """Return the server's own message to go behind ours: scrubbed first, then cut to one short line."""
    line = " ".join("".join(c if c.isprintable() else " " for c in scrub(said.message)).split())
    if len(line) > _LONGEST_QUOTATION:
        line = f"{line[:_LONGEST_QUOTATION].rstrip()}…"
    return f': "{line}"' if line else ""


def refusal(reply: Reply, *, host: str, model: str, proof: str, scrub: Callable[[str], str]) -> ProviderError:
    """Return the error that an answer with another status than success means.

    `proof` names what the request was authorized with, empty for nothing.
    """
    status = reply.status
    said = ServerError.in_refusal(reply)
    quoted = quotation(said, scrub)
    error: ProviderError
    if status == 401:
        what = f"rejected {proof}" if proof else "wants an API key"
        hint = "check it" if proof else "set OPENAI_API_KEY"
        error = KeyRejected(f"{host} {what} (401){quoted}", hint=hint)
    elif status == 403:
        error = KeyRejected(
            f"{host} denied access (403){quoted}", hint="check what the key is allowed to use"
        )
    elif status == 404:
        error = RequestRejected(
            f"{host} has no model {model!r} at this address (404){quoted}",
            hint="check the name of the model and the base URL, which often ends in /v1",
        )
    elif status == 429 and said.codes & _SPENT:
        error = QuotaSpent(
            f"the quota at {host} is spent (429){quoted}", hint="check the plan and its billing"
        )
    elif status == 429:
        wait = retry_after(reply.headers, time.time())
        asked = "" if wait is None else f" and asks to wait {wait:.3g} s"
        error = RateLimited(
            f"{host} limits the rate of requests (429){asked}{quoted}", hint="try again later"
        )
    elif 300 <= status < 400:
        error = ServerFailed(
            f"{host} redirects to another address ({status})",
            hint="redirects are not followed, the key would go with them; correct the base URL",
        )
    elif 400 <= status < 500:
        error = RequestRejected(f"{host} refused the request ({status}){quoted}")
    else:
        error = ServerFailed(f"{host} failed ({status}){quoted}", hint="try again later")
    return error
