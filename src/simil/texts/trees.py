"""Lists the text files below a folder, except hidden and ignored ones; reports those that are no text."""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

from simil.formats.detection import is_foreign
from simil.formats.text_limit import MAX_TEXT_BYTES

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

__all__ = ["LeftOut", "files_in"]

_IGNORE = ".gitignore"
_CHUNK = 1 << 16
# The little-endian UTF-32 mark begins with the UTF-16 one, so it comes first.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class LeftOut(StrEnum):
    """Why a file below a folder is left out, or all files of a folder are."""

    UNDECODED = "not in its encoding"
    BINARY = "binary"
    UNREADABLE = "not readable"
    TOO_LONG = "longer than --max-text-bytes"


@dataclass(frozen=True, slots=True)
class _Walk:
    """What holds for a whole tree; see `files_in`."""

    encoding: str
    text_limit: int
    whole: bool
    report: Callable[[str, LeftOut], None]

    def files(self, folder: str, above: Sequence[tuple[str, GitIgnoreSpec]] = ()) -> Iterator[str]:
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            self.report(folder, LeftOut.UNREADABLE)
            return
        rules = (*above, *_rules(folder))
        for entry in entries:
            if entry.name.startswith("."):
                continue
            is_folder = entry.is_dir(follow_symlinks=False)
            if _is_ignored(entry.path, rules, is_folder=is_folder):
                continue
            if is_folder:
                yield from self.files(entry.path, rules)
            elif entry.is_file():
                if reason := self._fault(entry.path):
                    self.report(entry.path, reason)
                else:
                    yield entry.path

    def _fault(self, path: str) -> LeftOut | None:
        """Return why a file is left out, None for text."""
        try:
            with Path(path).open("rb", buffering=0) as stream:
                if fault := _fault_in(iter(lambda: stream.read(_CHUNK), b""), self.encoding):
                    return fault
                if stream.tell() <= self.text_limit:
                    return None
                stream.seek(0)
                is_longer = self.whole or _longest_line(stream) > self.text_limit
                return LeftOut.TOO_LONG if is_longer else None
        except OSError:
            return LeftOut.UNREADABLE


def files_in(
    folder: str,
    *,
    encoding: str | None = None,
    text_limit: int = MAX_TEXT_BYTES,
    whole: bool = False,
    on_left_out: Callable[[str, LeftOut], None] = lambda path, reason: None,
) -> Iterator[str]:
    """Yield the paths of the text files below `folder`, in order of their names.

    Text is what can be decoded, holds no NUL and does not begin as a known kind of document does; a byte
    order mark tells its encoding, which else is `encoding` or UTF-8. A line, or with `whole` a file, has at
    most `text_limit` bytes. `on_left_out` gets the path of each other file, and of whatever may not be read:
    what a reader would refuse must not end a search that has run for minutes.
    Hidden files and folders, whatever a `.gitignore` in `folder` or below excludes, links to folders, and
    what is no file are left out without a report.
    """
    yield from _Walk(encoding or "utf-8", text_limit, whole, on_left_out).files(folder)


def _rules(folder: str) -> list[tuple[str, GitIgnoreSpec]]:
    path = Path(folder) / _IGNORE
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
    from pathspec import GitIgnoreSpec

    return [(folder, GitIgnoreSpec.from_lines(lines))]


def _is_ignored(path: str, rules: Sequence[tuple[str, GitIgnoreSpec]], *, is_folder: bool) -> bool:
    # The nearest file with a matching rule decides, as in Git.
    for folder, spec in reversed(rules):
        name = os.path.relpath(path, folder) + ("/" if is_folder else "")
        found = spec.check_file(name).include
        if found is not None:
            return found
    return False


def _longest_line(stream: FileIO) -> int:
    longest = line = 0
    while chunk := stream.read(_CHUNK):
        first, *others = map(len, chunk.split(b"\n"))
        line += first
        longest = max(longest, line, *others)
        if others:
            line = others[-1]
    return longest


def _fault_in(chunks: Iterator[bytes], encoding: str) -> LeftOut | None:
    chunk = next(chunks, b"")
    if is_foreign(chunk):
        return LeftOut.BINARY
    known = next((name for mark, name in _MARKS.items() if chunk.startswith(mark)), encoding)
    decoder = codecs.getincrementaldecoder(known)()
    # Of characters of two or four bytes, some are zero.
    is_wide = codecs.lookup(known).name.startswith(("utf-16", "utf-32"))
    try:
        while chunk:
            if (not is_wide and b"\0" in chunk) or "\0" in decoder.decode(chunk):
                return LeftOut.BINARY
            chunk = next(chunks, b"")
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return LeftOut.UNDECODED
    return None
