"""What the embeddings server of the tests knows: what it grants, what it was asked, what it charged for."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from support.openai_batches import BatchStore, is_of_batches
from support.openai_clock import SharedClock
from support.openai_faults import Fault
from support.openai_limits import Rates
from support.openai_rules import answer, counter, error, parsed, violations, who_asks

__all__ = ["Book", "Config", "Recorded"]

# How long a request may go on, in real time, after everybody else is through.
_SETTLE_S = 10.0


@dataclass
class Config:
    """What a server is like; see `openai_server.OpenAIServer`."""

    key: str | None
    models: Mapping[str, int]
    azure: str | None = None
    is_exact: bool = False
    rates: str = "bucket"
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    has_rate_headers: bool = True
    quota: int | None = None
    clock: Path | None = None
    takes_s: float = 0.0
    texts_per_second: float | None = None
    delay_s: float = 0.0
    lists: tuple[int, bytes] | None = None
    is_encrypted: bool = False
    echoes: bool = False
    seed: str = ""
    answers_as: str | None = None
    has_batches: bool = True
    enqueued_tokens: int | None = None
    failing_lines: float = 0.0
    expiring_batch: int | None = None
    refused_in_batches: str = ""
    looks_of_batches: int = 1
    longest_page: int | None = None


@dataclass
class Recorded:
    """One request as it arrived, and what became of it; header names are in lower case.

    `at` is the shared time of its arrival; `tokens` those of its inputs; `violations` what it did wrong;
    `status` that of the answer, `is_charged` whether its inputs were paid for, `is_over` whether the server
    is through with it and the client was still there.
    """

    number: int
    method: str
    path: str
    headers: Mapping[str, str]
    body: Any
    at: float
    inputs: int = 0
    tokens: int = 0
    violations: list[str] = field(default_factory=list)
    status: int = 0
    is_charged: bool = False
    is_over: bool = False


class Book:
    """Takes down requests and says what the answers are; for several threads at once."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.clock = SharedClock(config.clock) if config.clock else None
        self._count = counter(exact=config.is_exact)
        self._batches = BatchStore(lambda: self.config, self._count, self.now)
        self._rates = Rates(config.rates, config.requests_per_minute, config.tokens_per_minute)
        self._lock = threading.Lock()
        self._quiet = threading.Condition(self._lock)
        self._busy = 0
        self._spent = 0
        self._free_at = 0.0
        self._log: list[Recorded] = []
        self._charges: Counter[str] = Counter()
        self._script: deque[Fault | None] = deque()
        self._scripts: dict[str, deque[Fault | None]] = {}
        self._always: Fault | None = None

    def close(self) -> None:
        """Let go of the clock."""
        if self.clock:
            self.clock.close()

    def now(self) -> float:
        return self.clock.now() if self.clock else time.monotonic()

    def tell(self, what: str) -> Any:
        """Return one of the things that tests ask for."""
        with self._lock:
            match what:
                case "requests":
                    return list(self._log)
                case "log":
                    return [replace(request, body=None) for request in self._log]
                case "count":
                    return len(self._log)
                case "charges":
                    return self._charges
        return self._batches.tell(what)

    def misbehave(self, faults: Sequence[Fault | None]) -> None:
        with self._lock:
            self._script.extend(faults)

    def misbehave_at(self, what: str, faults: Sequence[Fault | None]) -> None:
        with self._lock:
            self._scripts.setdefault(what, deque()).extend(faults)

    def keep_misbehaving(self, fault: Fault | None) -> None:
        with self._lock:
            self._always = fault

    def reconfigure(self, changes: Mapping[str, Any]) -> None:
        self.config = replace(self.config, **changes)

    def compute(self, request: Recorded) -> None:
        """Put the clock forward by as long as the texts take, after all that came before."""
        speed = self.config.texts_per_second
        if self.clock and speed and request.is_charged:
            with self._lock:
                self._free_at = max(self._free_at, request.at) + request.inputs / speed
            self.clock.advance_to(self._free_at)

    def forget(self) -> None:
        """Forget the requests so far, but not what was charged for."""
        with self._lock:
            self._log.clear()

    def settle(self) -> None:
        """Wait until no request is under way, but for those that are never answered."""
        with self._quiet:
            self._quiet.wait_for(lambda: not self._busy, _SETTLE_S)

    def begin(
        self, method: str, path: str, headers: Mapping[str, str], content: bytes
    ) -> tuple[Recorded, Fault | None]:
        """Take down a request, and say what is to go wrong with it."""
        body = None if is_of_batches(path) else parsed(content)
        texts = body.get("input") if isinstance(body, dict) else None
        inputs = len(texts) if isinstance(texts, list) else 0
        with self._lock:
            self._busy += 1
            number = len(self._log)
            request = Recorded(number, method, path, headers, body, self.now(), inputs)
            self._log.append(request)
            script = self._scripts.get(f"{method} {urlsplit(path).path}") or self._script
            return request, script.popleft() if script else self._always

    def end(self) -> None:
        with self._quiet:
            self._busy -= 1
            self._quiet.notify_all()

    def listing(self, path: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Return the status and the body for who asks for the list of models."""
        config = self.config
        asked = path.removesuffix("/models") + "/embeddings"
        for status, document in who_asks(asked, headers, config.key, config.azure):
            return status, orjson.dumps(document)
        models = [{"id": name, "object": "model"} for name in config.models]
        return config.lists or (200, orjson.dumps({"object": "list", "data": models}))

    def outcome(self, request: Recorded, content: bytes) -> tuple[int, Any, Mapping[str, str]]:
        """Return the status, document and headers that the specification wants; what is right is charged.

        `content` is the body of the request, for what is not kept.
        """
        config, body = self.config, request.body
        path = request.path
        is_known = config.has_batches and is_of_batches(path)
        for status, document in who_asks(path, request.headers, config.key, config.azure, is_known=is_known):
            request.violations.append(document["error"]["message"])
            return status, document, {}
        if is_known:
            return self._of_batches(request, content)

        def sizes() -> list[int]:
            counts = self._count(body["input"])
            request.tokens = sum(counts)
            return counts

        wrong = next(violations(body, request.headers, config.models, sizes), None)
        with self._lock:
            now = self.now()
            refused = None if wrong else self._refused(request, now)
            headers = self._rates.headers(now) if config.has_rate_headers else {}
            if not wrong and not refused:
                self._spent += request.tokens
                self._charges.update(body["input"])
                request.is_charged = True
        if wrong:
            request.violations.append(wrong[1]["error"]["message"])
            return *wrong, headers
        if refused:
            return 429, refused[0], {**headers, **refused[1]}
        named = {**body, "model": config.answers_as or body["model"]}
        full = config.models[body["model"]]
        return 200, answer(named, full, request.tokens, config.seed), headers

    def _of_batches(self, request: Recorded, content: bytes) -> tuple[int, Any, Mapping[str, str]]:
        status, document = self._batches.outcome(request.method, request.path, request.headers, content)
        if status >= 400:
            request.violations.append(document["error"]["message"])
        return status, document, {}

    def _refused(self, request: Recorded, now: float) -> tuple[Any, dict[str, str]] | None:
        quota = self.config.quota
        if quota is not None and self._spent + request.tokens > quota:
            code = "insufficient_quota"
            said = "You exceeded your current quota, please check your plan and billing details."
            return error(said, kind=code, code=code), {}
        over = self._rates.take(now, request.tokens)
        if over is None:
            return None
        what, seconds = over
        request.violations.append(f"rate limit: {what}")
        kind = what.partition(" ")[0]
        said = f"Rate limit reached for {request.body['model']} in organization org-tests on {what}."
        if seconds is None:
            return error(f"Request too large: {said}", kind=kind, code="rate_limit_exceeded"), {}
        wait = {"retry-after-ms": f"{seconds * 1000:.0f}", "retry-after": f"{seconds:.0f}"}
        said = f"{said} Please try again in {seconds:.3f}s."
        return error(said, kind=kind, code="rate_limit_exceeded"), wait
