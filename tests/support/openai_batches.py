"""OpenAI's files and batches, as the server of the tests keeps them.

Follows the published specification of `/v1/files` and `/v1/batches`: what is uploaded, what a batch refuses,
how its state goes on (a step each time that it is looked at), and the lines of its output and its errors,
which come in any order. A batch's inputs are paid for when its work begins; those without an answer at its
end are refunded.
"""

from __future__ import annotations

import hashlib
import itertools
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import orjson

from support.openai_rules import answer, error, parsed, violations

if TYPE_CHECKING:
    from support.openai_book import Config

__all__ = ["MAX_BATCH_INPUTS", "BatchStore", "is_of_batches"]

MAX_BATCH_INPUTS = 50_000
_MAX_FILE_BYTES = 200 * 10**6
_MOST_PAIRS, _LONGEST_NAME, _LONGEST_VALUE = 16, 64, 512
_OVER = frozenset({"completed", "failed", "expired", "cancelled"})
_JSON = {"content-type": "application/json"}
_STOPPED = {
    "batch_expired": "This request could not be executed before the completion window expired.",
    "batch_cancelled": "This request was not executed, as the batch was cancelled.",
}

Outcome = tuple[int, Any]


def is_of_batches(path: str) -> bool:
    """Return whether a request is about files or batches."""
    return urlsplit(path).path.startswith(("/v1/files", "/v1/batches"))


@dataclass
class _File:
    id: str
    filename: str
    purpose: str
    content: bytes
    created_at: int

    @property
    def document(self) -> dict[str, Any]:
        return {
            "id": self.id, "object": "file", "bytes": len(self.content), "created_at": self.created_at,
            "filename": self.filename, "purpose": self.purpose, "status": "processed",
        }  # fmt: skip


@dataclass
class _Batch:
    """A batch: what it was made of, its state, and how many tokens it has while it is not over."""

    number: int
    lines: bytes
    document: dict[str, Any]
    tokens: int = 0
    requests: list[tuple[str, Any]] = field(default_factory=list)
    looks: int = 0
    is_begun: bool = False


class BatchStore:
    """The files and batches of one server; for several threads at once."""

    def __init__(
        self,
        config: Callable[[], Config],
        count: Callable[[Sequence[str]], list[int]],
        now: Callable[[], float],
    ) -> None:
        self._charges: Counter[str] = Counter()
        self._refunds: Counter[str] = Counter()
        self._uploads: Counter[str] = Counter()
        self._numbers = itertools.count()
        self._config = config
        self._count = count
        self._now = now
        self._lock = threading.Lock()
        self._files: dict[str, _File] = {}
        self._batches: dict[str, _Batch] = {}

    def tell(self, what: str) -> Any:
        """Return one of the things that tests ask for."""
        with self._lock:
            match what:
                case "batch_charges":
                    return +self._charges
                case "batch_refunds":
                    return self._refunds
                case "uploads":
                    return self._uploads
                case "batches":
                    return [dict(batch.document) for batch in self._batches.values()]

    def outcome(self, method: str, path: str, headers: Mapping[str, str], content: bytes) -> Outcome:
        """Return the status and the document, or the bytes of a file, that the specification wants."""
        parts = urlsplit(path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        outcome: Outcome = 404, error(f"Invalid URL ({method} {parts.path})")
        with self._lock:
            match [method, *parts.path.removeprefix("/v1/").split("/")]:
                case ["POST", "files"]:
                    outcome = self._upload(headers, content)
                case ["GET", "files"]:
                    purposes = [query["purpose"]] if "purpose" in query else ["batch", "batch_output"]
                    files = [file.document for file in self._files.values() if file.purpose in purposes]
                    outcome = self._page(files, query)
                case [_, "files", name, *_] if name not in self._files:
                    outcome = 404, error(f"No such File object: {name}", param="id")
                case ["GET", "files", name]:
                    outcome = 200, self._files[name].document
                case ["DELETE", "files", name]:
                    del self._files[name]
                    outcome = 200, {"id": name, "object": "file", "deleted": True}
                case ["GET", "files", name, "content"]:
                    outcome = 200, self._files[name].content
                case ["POST", "batches"]:
                    outcome = self._create(parsed(content))
                case ["GET", "batches"]:
                    batches = [each.document for each in self._batches.values()]
                    outcome = self._page(batches, query, most=100, usual=20)
                case [_, "batches", name, *_] if name not in self._batches:
                    outcome = 404, error(f"No batch found with id '{name}'.")
                case ["GET", "batches", name]:
                    self._step(self._batches[name])
                    outcome = 200, self._batches[name].document
                case ["POST", "batches", name, "cancel"]:
                    outcome = self._cancel(self._batches[name])
        return outcome

    def _upload(self, headers: Mapping[str, str], content: bytes) -> Outcome:
        fields = _form(headers.get("content-type", ""), content)
        file, purpose = fields.get("file"), fields.get("purpose")
        if file is None or purpose is None:
            return 400, error("'file' and 'purpose' are required", param="file")
        if purpose[1] != b"batch" or not file[0].endswith(".jsonl"):
            return 400, error("Invalid file format for Batch API. Must be .jsonl", code="invalid_jsonl_file")
        if len(file[1]) > _MAX_FILE_BYTES:
            return 413, error("Maximum content size limit exceeded")
        if not file[1]:
            return 400, error("The file is empty.", param="file")
        self._uploads[hashlib.sha256(file[1]).hexdigest()] += 1
        return 200, self._keep(file[0], "batch", file[1]).document

    def _page(
        self, rows: Sequence[Any], query: Mapping[str, str], *, most: int = 10_000, usual: int = 10_000
    ) -> Outcome:
        """Return a page of a list, the newest first."""
        said = query.get("limit", str(usual))
        if not said.isdecimal() or not 1 <= int(said) <= most:
            return 400, error(f"Invalid 'limit': {said}", param="limit")
        rows = rows[:: 1 if query.get("order") == "asc" else -1]
        if "after" in query:
            ids = [row["id"] for row in rows]
            if query["after"] not in ids:
                return 400, error(f"Invalid 'after': {query['after']}", param="after")
            rows = rows[ids.index(query["after"]) + 1 :]
        page = rows[: min(int(said), self._config().longest_page or most)]
        ends = {"first_id": page[0]["id"], "last_id": page[-1]["id"]} if page else {}
        return 200, {"object": "list", "data": page, "has_more": len(rows) > len(page), **ends}

    def _keep(self, filename: str, purpose: str, content: bytes) -> _File:
        file = _File(
            f"file-{purpose.removeprefix('batch_')}-{next(self._numbers)}",
            filename,
            purpose,
            content,
            int(self._now()),
        )
        self._files[file.id] = file
        return file

    def _create(self, body: Any) -> Outcome:
        wrong = next(_wrong_batch(body), None)
        if wrong is not None:
            return 400, error(wrong)
        file = self._files.get(body["input_file_id"])
        if file is None or file.purpose != "batch":
            return 400, error(f"No such File object: {body['input_file_id']}", param="input_file_id")
        number = len(self._batches)
        now = int(self._now())
        document = {
            "id": f"batch_{number}", "object": "batch", "endpoint": body["endpoint"], "errors": None,
            "input_file_id": file.id, "completion_window": "24h", "status": "validating",
            "output_file_id": None, "error_file_id": None, "created_at": now, "expires_at": now + 86_400,
            "request_counts": {"total": 0, "completed": 0, "failed": 0},
            "metadata": body.get("metadata"),
        }  # fmt: skip
        self._batches[document["id"]] = _Batch(number, file.content, document)
        return 200, document

    def _cancel(self, batch: _Batch) -> Outcome:
        status = batch.document["status"]
        if status in _OVER:
            return 409, error(f"Cannot cancel a batch with status '{status}'.")
        self._become(batch, "cancelling")
        return 200, batch.document

    def _become(self, batch: _Batch, status: str) -> None:
        batch.document |= {"status": status, f"{status}_at": int(self._now())}

    def _step(self, batch: _Batch) -> None:
        """Let a batch go on by a step, if it was looked at often enough."""
        batch.looks += 1
        if batch.looks % self._config().looks_of_batches:
            return
        match batch.document["status"]:
            case "validating":
                faults = [*self._faults(batch)]
                if faults:
                    batch.document["errors"] = {"object": "list", "data": faults}
                    self._become(batch, "failed")
                else:
                    batch.document["request_counts"]["total"] = len(batch.requests)
                    self._begin(batch)
                    self._become(batch, "in_progress")
            case "in_progress":
                expires = self._config().expiring_batch == batch.number
                self._work(batch, "batch_expired" if expires else "")
                self._become(batch, "expired" if expires else "finalizing")
            case "finalizing":
                self._become(batch, "completed")
            case "cancelling":
                if batch.is_begun:
                    self._work(batch, "batch_cancelled")
                self._become(batch, "cancelled")

    def _begin(self, batch: _Batch) -> None:
        batch.is_begun = True
        for _, body in batch.requests:
            self._charges.update(_texts(body))

    def _faults(self, batch: _Batch) -> Iterator[Mapping[str, Any]]:
        """Yield what is wrong with the lines of a batch, and take in those that are right."""
        seen: set[str] = set()
        for number, line in enumerate(batch.lines.splitlines(), 1):
            request = parsed(line)
            wrong = _wrong_line(request, batch.document["endpoint"], seen)
            if wrong:
                yield {"code": wrong[0], "line": number, "message": wrong[1], "param": wrong[2]}
                return
            seen.add(request["custom_id"])
            batch.requests.append((request["custom_id"], request["body"]))
        models = {str(body["model"]) for _, body in batch.requests}
        if len(models) > 1:
            said = f"The batch has requests to several models: {', '.join(sorted(models))}."
            yield {"code": "mismatched_model", "line": None, "message": said, "param": "body.model"}
        texts = [text for _, body in batch.requests for text in _texts(body)]
        if not texts:
            yield {"code": "empty_file", "line": None, "message": "The batch has no requests.", "param": None}
        if len(texts) > MAX_BATCH_INPUTS:
            said = f"{len(texts)} embedding inputs are more than the {MAX_BATCH_INPUTS} of a batch."
            yield {"code": "too_many_inputs", "line": None, "message": said, "param": None}
        batch.tokens = sum(self._count(texts))
        limit = self._config().enqueued_tokens
        others = (one for one in self._batches.values() if one is not batch and not _is_over(one))
        if limit is not None and batch.tokens + sum(one.tokens for one in others) > limit:
            said = (
                f"Enqueued token limit reached in organization org-tests. Limit: {limit:,} enqueued tokens. "
                "Please try again once some in_progress batches have been completed."
            )
            yield {"code": "token_limit_exceeded", "line": None, "message": said, "param": None}

    def _work(self, batch: _Batch, stopped: str) -> None:
        """Answer the requests of a batch; of one that is `stopped`, the code of it, only the first half."""
        right: list[Any] = []
        failed: list[Any] = []
        until = len(batch.requests) // 2 if stopped else len(batch.requests)
        for place, (custom_id, body) in enumerate(batch.requests):
            line = {"id": f"batch_req_{batch.number}_{place}", "custom_id": custom_id, "response": None}
            status, document = self._answered(batch, custom_id, body) if place < until else (None, None)
            if status != 200:
                self._charges.subtract(_texts(body))
                self._refunds.update(_texts(body))
            if status is None:
                failed.append({**line, "error": document or {"code": stopped, "message": _STOPPED[stopped]}})
                continue
            response = {"status_code": status, "request_id": f"req_{place}", "body": document}
            (right if status == 200 else failed).append({**line, "response": response, "error": None})
        batch.document["request_counts"] |= {"completed": len(right), "failed": len(failed)}
        shuffle = random.Random(batch.number).shuffle
        for lines, what in ((right, "output"), (failed, "error")):
            if lines:
                shuffle(lines)
                content = b"".join(orjson.dumps(line) + b"\n" for line in lines)
                file = self._keep(f"{batch.document['id']}_{what}.jsonl", "batch_output", content)
                batch.document[f"{what}_file_id"] = file.id
        batch.is_begun = False

    def _answered(self, batch: _Batch, custom_id: str, body: Any) -> tuple[int | None, Any]:
        config = self._config()
        texts = _texts(body)
        sizes = self._count(texts)
        wrong = next(violations(body, _JSON, config.models, lambda: sizes), None)
        if wrong:
            return wrong
        if config.refused_in_batches and any(config.refused_in_batches in text for text in texts):
            return 400, error("this input is not to my liking")
        # Another batch may do what this one could not.
        drawn = int.from_bytes(hashlib.sha256(f"{batch.number} {custom_id}".encode()).digest()[:4])
        if drawn < config.failing_lines * (1 << 32):
            said = "The server had an error while processing your request. Sorry about that!"
            if drawn % 2:
                return None, {"code": "server_error", "message": said}
            return 500, error(said, kind="server_error")
        return 200, answer(body, config.models[body["model"]], sum(sizes))


def _texts(body: Any) -> list[str]:
    return [text for text in body["input"] if isinstance(text, str)]


def _is_over(batch: _Batch) -> bool:
    return batch.document["status"] in _OVER


def _form(content_type: str, content: bytes) -> Mapping[str, tuple[str, bytes]]:
    """Return the fields of a multipart form by their names: the name of a file, and the bytes."""
    whole = _headers(b"Content-Type: " + content_type.encode())
    boundary = whole.get_param("boundary")
    if whole.get_content_type() != "multipart/form-data" or boundary is None:
        return {}
    # Not by an `email` parser: it would decode what may be 200 MB.
    between = f"\r\n--{boundary}".encode()
    fields = {}
    for part in (b"\r\n" + content).split(between)[1:-1]:
        head, _, value = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        headers = _headers(head)
        name = headers.get_param("name", header="content-disposition")
        fields[str(name)] = (headers.get_filename() or "", value)
    return fields


def _headers(content: bytes) -> Message:
    return message_from_bytes(content + b"\r\n\r\n")


def _wrong_batch(body: Any) -> Iterator[str]:
    if not isinstance(body, dict):
        yield "We could not parse the JSON body of your request."
    if unknown := set(body) - {"input_file_id", "endpoint", "completion_window", "metadata"}:
        yield f"Unknown parameter: '{min(unknown)}'."
    if not isinstance(body.get("input_file_id"), str):
        yield "Missing required parameter: 'input_file_id'."
    if body.get("endpoint") != "/v1/embeddings":
        yield "Invalid value for 'endpoint'."
    if body.get("completion_window") != "24h":
        yield "Invalid value for 'completion_window': supported is '24h'."
    pairs = body.get("metadata") or {}
    if len(pairs) > _MOST_PAIRS:
        yield f"Invalid 'metadata': at most {_MOST_PAIRS} pairs are allowed."
    for name, value in pairs.items():
        if len(name) > _LONGEST_NAME or not isinstance(value, str) or len(value) > _LONGEST_VALUE:
            yield f"Invalid 'metadata.{name}'."


def _wrong_line(request: Any, endpoint: str, seen: set[str]) -> tuple[str, str, str] | None:
    """Return the code, the message and the parameter of what is wrong with a line, if anything is."""
    return next(_faults_of_line(request, endpoint, seen), None)


def _faults_of_line(request: Any, endpoint: str, seen: set[str]) -> Iterator[tuple[str, str, str]]:
    if not isinstance(request, dict):
        yield "invalid_json_line", "This line is not parseable as valid JSON.", ""
    if unknown := set(request) - {"custom_id", "method", "url", "body"}:
        yield "unknown_parameter", f"Unknown parameter: '{min(unknown)}'.", min(unknown)
    custom_id = request.get("custom_id")
    if not isinstance(custom_id, str) or not custom_id:
        yield "missing_required_parameter", "Missing required parameter: 'custom_id'.", "custom_id"
    if custom_id in seen:
        said = "The custom_id for this request is a duplicate of another request."
        yield "duplicate_custom_id", said, "custom_id"
    if request.get("method") != "POST":
        yield "invalid_method", "The method must be POST.", "method"
    if request.get("url") != endpoint:
        yield "invalid_url", "The URL of this request does not match the batch endpoint.", "url"
    body = request.get("body")
    if not isinstance(body, dict) or not isinstance(body.get("input"), list) or "model" not in body:
        yield "invalid_request", "The body of this request is no embeddings request.", "body"
