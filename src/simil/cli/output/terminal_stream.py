"""Standard streams that lead to a terminal: no control character of any input gets there as it is.

A terminal takes control characters for commands: to move the cursor, to change its title, to answer as if
somebody had typed. Texts, ids, names of files and answers of servers may hold them. So whatever is written
to a terminal, as text or as bytes, is made visible here, in one place. What simil itself draws, colours and
progress, is written to the stream below (`unfiltered`) by who has made its texts visible before.
"""

from __future__ import annotations

import codecs
import io
from typing import TYPE_CHECKING, BinaryIO, TextIO

from simil.cli.output.cells import visible

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["TerminalStream", "filtered", "unfiltered"]


class TerminalStream(io.TextIOWrapper):
    """Writes text to the same terminal as the stream `below`, with control characters made visible.

    Lines, tabs and `\\r\\n` stay. `buffer` takes bytes of UTF-8 and treats them alike.
    """

    def __init__(self, below: io.TextIOWrapper) -> None:
        # All written through: both streams and the bytes share one buffer, and keep their order.
        below.reconfigure(write_through=True)
        super().__init__(below.buffer, below.encoding, below.errors, line_buffering=True, write_through=True)
        self.below = below
        self._bytes = _TerminalBytes(self)

    @property
    def buffer(self) -> BinaryIO:
        """The stream of bytes, whose control characters are made visible too."""
        return self._bytes  # type: ignore[return-value]

    def write(self, text: str, /) -> int:
        """Write `text`, made visible; return its length."""
        super().write(visible(text.replace("\r\n", "\n"), keep="\t\n"))
        return len(text)


class _TerminalBytes(io.BufferedIOBase):
    """Takes bytes of UTF-8 for a `TerminalStream`; a character may come in two parts."""

    def __init__(self, text: TerminalStream) -> None:
        self._text = text
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._text.fileno()

    def write(self, data: ReadableBuffer, /) -> int:
        self._text.write(self._decoder.decode(bytes(data)))
        return len(bytes(data))

    def flush(self) -> None:
        self._text.flush()


def filtered(stream: TextIO) -> TextIO:
    """Return `stream`, or what makes control characters visible before it if it leads to a terminal."""
    return TerminalStream(stream) if isinstance(stream, io.TextIOWrapper) and stream.isatty() else stream


def unfiltered(stream: TextIO) -> TextIO:
    """Return the stream below a `TerminalStream`; any other as it is."""
    return stream.below if isinstance(stream, TerminalStream) else stream
