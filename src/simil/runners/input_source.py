"""The files of a run as workers open them: by a path that holds everywhere, under the name that was given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from simil.formats.sources import Source

__all__ = ["ByteSpan", "InputFile", "InputSource"]

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file of the input.

    Attributes:
        path: an absolute path, or an address.
        name: what messages and ids call it: as the user named it.
        size: in bytes.
        state: what changes when the file does: its time or its etag.
    """

    path: str
    name: str
    size: int
    state: str


class InputSource(Source):
    """A file of the input; named as the user names it, whatever the folder of the process is."""

    def __init__(self, file: InputFile, *, text_limit: int) -> None:
        """Open nothing yet."""
        super().__init__(file.path, text_limit=text_limit)
        self.of = file

    @property
    def label(self) -> str:
        return self.of.name.encode("utf-8", "backslashreplace").decode("utf-8")

    @property
    def name(self) -> str:
        return self.of.name

    def span(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes from `start` to before `stop`."""
        with self.file() as stream:
            stream.seek(start)
            while start < stop and (chunk := stream.read(min(_CHUNK, stop - start))):
                start += len(chunk)
                yield chunk


class ByteSpan(InputSource):
    """Some lines of a file, after those that say how they are read."""

    def __init__(self, file: InputFile, lead: bytes, start: int, stop: int, *, text_limit: int) -> None:
        """Take the bytes that come first, and which of the file follow."""
        super().__init__(file, text_limit=text_limit)
        self._lead, self._span = lead, (start, stop)

    def chunks(self) -> Iterator[bytes]:
        if self._lead:
            yield self._lead
        yield from self.span(*self._span)
