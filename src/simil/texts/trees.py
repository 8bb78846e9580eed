"""Lists the text files below a folder, except hidden, binary and ignored ones."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

__all__ = ["files_in"]

_IGNORE = ".gitignore"
_CHUNK = 1 << 16


def files_in(folder: str) -> Iterator[str]:
    """Yield the paths of the text files below `folder`, in order of their names.

    Leaves out hidden files and folders, whatever a `.gitignore` in `folder` or below excludes, links to
    folders, files that are not UTF-8 text, and whatever may not be read.
    """
    yield from _walk(folder, ())


def _walk(folder: str, above: Sequence[tuple[str, GitIgnoreSpec]]) -> Iterator[str]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    rules = (*above, *_rules(folder))
    for entry in entries:
        if entry.name.startswith("."):
            continue
        is_folder = entry.is_dir(follow_symlinks=False)
        if _is_ignored(entry.path, rules, is_folder=is_folder):
            continue
        if is_folder:
            yield from _walk(entry.path, rules)
        elif entry.is_file() and _is_text(entry.path):
            yield entry.path


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


def _is_text(path: str) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with Path(path).open("rb", buffering=0) as stream:
            while chunk := stream.read(_CHUNK):
                if b"\0" in chunk:
                    return False
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
    except (OSError, UnicodeDecodeError):
        return False
    return True
