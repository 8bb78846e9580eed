"""The files of a run as workers open them: by a path that holds everywhere, under the name that was given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from simil.errors import InputError
from simil.formats.remote_paths import is_remote
from simil.formats.sources import Source
from simil.runners.object_stores import list_objects, open_object

__all__ = ["ByteSpan", "InputFile", "InputSource"]

# A store takes as long to answer as to send some megabytes.
_CHUNK, _FAR_CHUNK = 1 << 20, 8 << 20


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file of the input.

    Attributes:
        path: an absolute path, or an address.
        name: what messages and ids call it: as the user named it.
        size: in bytes.
        state: what changes when the file does: the time when it was written.
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
        self._is_far = is_remote(file.path)

    @property
    def label(self) -> str:
        return self.of.name.encode("utf-8", "backslashreplace").decode("utf-8")

    @property
    def name(self) -> str:
        return self.of.name

    def check(self) -> None:
        if not self._is_far:
            super().check()

    def file(self) -> BinaryIO:
        return self._far_file() if self._is_far else super().file()

    def chunks(self) -> Iterator[bytes]:
        return self.span(0, self.of.size) if self._is_far else super().chunks()

    def span(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes from `start` to before `stop`."""
        most = _FAR_CHUNK if self._is_far else _CHUNK
        with self.file() as stream:
            stream.seek(start)
            while start < stop and (chunk := stream.read(min(most, stop - start))):
                start += len(chunk)
                yield chunk

    def check_unchanged(self) -> None:
        """Raise `InputError` if the file is no longer the one that the run was planned for."""
        if self._is_far:
            state = [(one.size, one.written) for one in list_objects(self.path)]
        else:
            found = self._status()
            state = [(found.st_size, str(found.st_mtime_ns))] if found else []
        if state != [(self.of.size, self.of.state)]:
            raise InputError(
                f"{self.name} {'has changed' if state else 'is gone'} since the run began",
                hint="run again when nothing writes it",
            )

    def _is_regular(self) -> bool:
        return self._is_far or super()._is_regular()

    def _opened(self) -> Any:
        return self._far_file() if self._is_far else super()._opened()

    def _far_file(self) -> Any:
        return open_object(self.path)


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
