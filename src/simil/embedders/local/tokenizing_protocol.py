"""What a process that tokenizes reads from its stdin and writes to its stdout: counts, then flat arrays."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

from simil.embedders.local.text_encoder import EncodedTexts
from simil.embedders.local.token_arrays import TokenArrays

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "read_answer",
    "read_block",
    "read_request",
    "write_answer",
    "write_block",
    "write_failure",
    "write_request",
]

_SIZE = struct.Struct("<q")
_COUNTS = struct.Struct("<qqq")
# The number of texts in an answer that says that they could not be tokenized.
_FAILED = -1
# Not each text need be Unicode: what the tokenizer says to that is left to it.
_CODEC = ("utf-8", "surrogatepass")


def write_block(stream: BinaryIO, data: bytes) -> None:
    """Send some bytes."""
    _send(stream, _SIZE.pack(len(data)), data)


def read_block(stream: BinaryIO) -> bytes:
    """Return what `write_block` sent; raises EOFError at the end of the stream."""
    return _exactly(stream, *_SIZE.unpack(_exactly(stream, _SIZE.size)))


def write_request(stream: BinaryIO, prompt: str, texts: Sequence[str]) -> None:
    """Send the texts of a batch, with the prompt before each."""
    import numpy as np

    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    before, joined = prompt.encode(*_CODEC), "".join(texts).encode(*_CODEC)
    counts = _COUNTS.pack(len(texts), len(before), len(joined))
    _send(stream, counts, lengths.tobytes(), before, joined)


def read_request(stream: BinaryIO) -> tuple[str, list[str]]:
    """Return prompt and texts of `write_request`; raises EOFError at the end of the stream."""
    import numpy as np

    texts, before, joined = _COUNTS.unpack(_exactly(stream, _COUNTS.size))
    ends = np.cumsum(_array(stream, np.int64, texts)).tolist()
    prompt = _exactly(stream, before).decode(*_CODEC)
    whole = _exactly(stream, joined).decode(*_CODEC)
    return prompt, [whole[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def write_answer(stream: BinaryIO, encoded: EncodedTexts) -> None:
    """Send the tokens of a batch."""
    tokens = encoded.tokens
    counts = _COUNTS.pack(len(encoded), len(tokens.ids), len(encoded.shortened))
    arrays = (tokens.lengths, tokens.ids, encoded.marks, encoded.shortened)
    _send(stream, counts, *(array.tobytes() for array in arrays))


def write_failure(stream: BinaryIO) -> None:
    """Send that a batch could not be tokenized."""
    _send(stream, _COUNTS.pack(_FAILED, 0, 0))


def read_answer(stream: BinaryIO) -> EncodedTexts | None:
    """Return what `write_answer` sent, None after a failure; raises EOFError at the end of the stream."""
    import numpy as np

    texts, tokens, shortened = _COUNTS.unpack(_exactly(stream, _COUNTS.size))
    if texts == _FAILED:
        return None
    lengths, ids = _array(stream, np.int32, texts), _array(stream, np.int32, tokens)
    marks = _array(stream, np.uint8, texts)
    return EncodedTexts(TokenArrays(ids, lengths), marks, _array(stream, np.intp, shortened))


def _array(stream: BinaryIO, dtype: Any, count: int) -> NDArray[Any]:
    import numpy as np

    return np.frombuffer(_exactly(stream, count * np.dtype(dtype).itemsize), dtype)


def _send(stream: BinaryIO, *parts: bytes) -> None:
    stream.write(b"".join(parts))
    stream.flush()


def _exactly(stream: BinaryIO, count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError
    return data
