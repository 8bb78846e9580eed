"""The lines of a batch: the requests that are uploaded, and the answers that come back, in any order.

A request of many texts is named by its number. A text that is sent in parts, or cut, has a request of its
own, whose name holds the text's key: what was uploaded is all that it takes to put vectors in their places.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import IO, Any

from simil.errors import ServerFailed
from simil.frozen import Frozen

__all__ = ["RequestLine", "read_answers", "read_requests"]

_URL = "/v1/embeddings"
_NO_ANSWER = "the server gave no answer to this request"
_NAME = re.compile(r"(\d+-\d+)(?:-(cut|parts)-([0-9a-f]{64}))?")


class RequestLine(Frozen):
    """A request in a batch: its texts, or the parts of one text, which has that `key` and may be `cut`."""

    name: str
    texts: Sequence[str]
    key: bytes | None = None
    is_cut: bool = False

    @property
    def custom_id(self) -> str:
        """What the answer is known by."""
        if self.key is None:
            return self.name
        return f"{self.name}-{'cut' if self.is_cut else 'parts'}-{self.key.hex()}"

    def line(self, body: bytes) -> bytes:
        """Return the line of the request, whose `body` is JSON."""
        import orjson

        fields = {
            "custom_id": self.custom_id,
            "method": "POST",
            "url": _URL,
            "body": orjson.Fragment(body),
        }
        return orjson.dumps(fields) + b"\n"


def read_requests(file: IO[bytes]) -> Iterator[RequestLine]:
    """Yield the requests of an uploaded file."""
    for row in _rows(file):
        custom_id = str(row.get("custom_id"))
        found = _NAME.fullmatch(custom_id)
        texts = row["body"]["input"]
        if found is None:
            raise ServerFailed(f"a batch has a request {custom_id!r} that simil has not made")
        key = None if found[3] is None else bytes.fromhex(found[3])
        yield RequestLine(found[1], texts, key, found[2] == "cut")


def read_answers(file: IO[bytes]) -> Iterator[tuple[str, int, Any]]:
    """Yield the answers of an output or error file: custom_id, status, document; status 0 for none."""
    for row in _rows(file):
        custom_id, response, error = str(row.get("custom_id")), row.get("response"), row.get("error")
        if isinstance(response, dict) and type(response.get("status_code")) is int:
            yield custom_id, response["status_code"], response.get("body")
        else:
            yield custom_id, 0, error if isinstance(error, dict) else {"message": _NO_ANSWER}


def _rows(file: IO[bytes]) -> Iterator[dict[str, Any]]:
    import orjson

    for line in file:
        if line.strip():
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError:
                row = None
            if not isinstance(row, dict):
                said = "the server sent a file of a batch with a line that is no JSON object"
                raise ServerFailed(said, hint="run the same command again: nothing is asked for twice")
            yield row
