"""Lists the text files below a folder, except hidden and ignored ones; reports those that are no text."""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

from simil.errors import InputError
from simil.formats.detection import is_foreign
from simil.formats.documents import is_document
from simil.formats.encoding import Utf8Chunks
from simil.formats.lance_paths import has_lance_suffix, is_lance
from simil.formats.lines import lines, without_end
from simil.formats.text_limit import MAX_TEXT_BYTES

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

    from simil.texts.file_patterns import FilePatterns

__all__ = ["FilesSeen", "LeftOut", "files_in"]

_IGNORE = ".gitignore"
_CHUNK = 1 << 16
_MARK = 16  # bytes that tell a document
_MOST_GROWTH = 3  # bytes of UTF-8 for one of another encoding: the euro sign of cp1252
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
    DATASET = "Lance dataset"
    DATA = "JSON or vectors"
    BROKEN = "damaged or protected by a password"


FilesSeen = MutableMapping[tuple[str, int, int, int], LeftOut | None]
"""Why files were left out, None for text, by their path, times of change and size."""


@dataclass(frozen=True, slots=True)
class _Walk:
    """What holds for a whole tree; see `files_in`."""

    encoding: str
    text_limit: int
    whole: bool
    report: Callable[[str, LeftOut], None]
    seen: FilesSeen | None
    top: str
    patterns: FilePatterns | None
    documents: bool

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
            if not self._wants(entry.path, is_folder=is_folder):
                continue
            if _is_ignored(entry.path, rules, is_folder=is_folder):
                continue
            # What is in it are parts of one table; a folder of source code may have either sign of one.
            if is_folder and has_lance_suffix(entry.name) and is_lance(entry.path):
                self.report(entry.path, LeftOut.DATASET)
            elif is_folder:
                yield from self.files(entry.path, rules)
            elif entry.is_file():
                if reason := self._seen_fault(entry):
                    self.report(entry.path, reason)
                else:
                    yield entry.path

    def _wants(self, path: str, *, is_folder: bool) -> bool:
        """Return whether a file is wanted by its name, or a folder for what may be in it."""
        if self.patterns is None:
            return True
        name = os.path.relpath(path, self.top)
        return self.patterns.want_folder(name) if is_folder else self.patterns.want_file(name)

    def _seen_fault(self, entry: os.DirEntry[str]) -> LeftOut | None:
        """Return what `_fault` does, without reading a file that was seen as it is."""
        if self.seen is None:
            return self._fault(entry.path)
        try:
            found = entry.stat()
        except OSError:
            return LeftOut.UNREADABLE
        key = (entry.path, found.st_mtime_ns, found.st_ctime_ns, found.st_size)
        if key not in self.seen:
            self.seen[key] = self._fault(entry.path)
        return self.seen[key]

    def _fault(self, path: str) -> LeftOut | None:
        """Return why a file is left out, None for text."""
        try:
            with Path(path).open("rb", buffering=0) as stream:
                if self.documents and is_document(path, stream.read(_MARK)):
                    return None
                stream.seek(0)
                if fault := _fault_in(iter(lambda: stream.read(_CHUNK), b""), self.encoding):
                    return fault
                if _MOST_GROWTH * stream.tell() <= self.text_limit:
                    return None
                stream.seek(0)
                return LeftOut.TOO_LONG if self._has_long_text(stream) else None
        except OSError:
            return LeftOut.UNREADABLE

    def _has_long_text(self, stream: FileIO) -> bool:
        decoded = Utf8Chunks(iter(lambda: stream.read(_CHUNK), b""), self.encoding)
        if self.whole:
            return sum(map(len, decoded)) > self.text_limit
        try:
            return any(
                len(without_end(line)) > self.text_limit for line in lines(decoded, limit=self.text_limit)
            )
        except InputError:
            return True


def files_in(
    folder: str,
    *,
    encoding: str | None = None,
    text_limit: int = MAX_TEXT_BYTES,
    whole: bool = False,
    on_left_out: Callable[[str, LeftOut], None] = lambda path, reason: None,
    seen: FilesSeen | None = None,
    patterns: FilePatterns | None = None,
    documents: bool = False,
) -> Iterator[str]:
    """Yield the paths of the text files below `folder`, in order of their names.

    Text is what can be decoded, holds no NUL and does not begin as a known kind of document does; a byte
    order mark tells its encoding, which else is `encoding` or UTF-8. A line, or with `whole` a file, has at
    most `text_limit` bytes in UTF-8. `on_left_out` gets the path of each other file, and of whatever may not
    be read: what a reader would refuse must not end a search that has run for minutes. A Lance dataset is a
    folder, and left out as one file. What a file was is taken from `seen`, if it has not changed, and noted
    there.
    With `documents`, files that are called documents are among the text files, unless they do not begin so.
    Left out without a report are hidden files and folders, what `patterns` do not want, whatever a
    `.gitignore` in `folder` or below excludes, links to folders, and what is no file.
    """
    yield from _Walk(
        encoding or "utf-8", text_limit, whole, on_left_out, seen, folder, patterns, documents
    ).files(folder)


def _rules(folder: str) -> list[tuple[str, GitIgnoreSpec]]:
    path = Path(folder) / _IGNORE
    if not path.is_file():  # A pipe would keep whoever reads it waiting.
        return []
    try:
        patterns = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
    from pathspec import GitIgnoreSpec

    return [(folder, GitIgnoreSpec.from_lines(patterns))]


def _is_ignored(path: str, rules: Sequence[tuple[str, GitIgnoreSpec]], *, is_folder: bool) -> bool:
    # The nearest file with a matching rule decides, as in Git.
    for folder, spec in reversed(rules):
        name = os.path.relpath(path, folder) + ("/" if is_folder else "")
        found = spec.check_file(name).include
        if found is not None:
            return found
    return False


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
