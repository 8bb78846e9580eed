"""What the hub of the tests holds, is asked and does wrongly, as data."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

LARGE = (".safetensors", ".bin", ".onnx", ".onnx_data")


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    range: str | None = None
    authorization: str | None = None


@dataclass(frozen=True, slots=True)
class File:
    name: str
    content: bytes

    @property
    def large(self) -> bool:
        return self.name.endswith(LARGE)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def git_id(self) -> str:
        """The id of the blob in git: of the content, or of the pointer that stands for a large file."""
        content = self.pointer if self.large else self.content
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()

    @property
    def pointer(self) -> bytes:
        size = len(self.content)
        return f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {size}\n".encode()

    @property
    def etag(self) -> str:
        return self.sha256 if self.large else self.git_id


@dataclass
class Fault:
    """How a file's body is sent wrongly, for the next `times` times, or always where that is None.

    "cut" sends `after` bytes and closes the connection, "stall" sends them and then nothing, "alter"
    sends other bytes, "shorten" leaves out the last one and says so.
    """

    how: str
    after: int = 0
    times: int | None = None

    def altered(self, content: bytes) -> bytes:
        """Return the content as it is sent, where it is sent whole."""
        if self.how == "alter":
            return content[:-1] + bytes([content[-1] ^ 1])
        return content[:-1] if self.how == "shorten" else content


@dataclass
class Refusal:
    """An answer with an error, to all requests but the next `after`."""

    status: int
    code: str | None
    after: int

    def is_due(self) -> bool:
        self.after -= 1
        return self.after < 0
