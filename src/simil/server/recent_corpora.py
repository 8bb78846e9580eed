"""Inputs that were searched lately, with their vectors, for as long as they stay as they were."""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simil.tasks.corpus import Corpus

__all__ = ["FileState", "Fingerprint", "RecentCorpora", "fingerprint", "is_settled"]

FileState = tuple[str, int, int, int, int] | None
"""A file's name and what changes with it; None for one that is not there."""
Fingerprint = tuple[FileState, ...]

# A file that was written so shortly ago can be written again without a change of its times.
_UNSETTLED_NS = 100_000_000
_MOST_BYTES = 512 << 20
# What a text takes beside its characters.
_BYTES_OF_TEXT = 600


def fingerprint(paths: Iterable[str]) -> Fingerprint:
    """Return what differs once one of the files is written, replaced or removed."""
    return tuple(map(_state_of, paths))


def _state_of(path: str) -> FileState:
    try:
        found = os.stat(path)  # noqa: PTH116 (of a hundred thousand files, it adds up)
    except OSError:
        return None
    return path, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size


def is_settled(state: Fingerprint) -> bool:
    """Return whether a change from now on would change this fingerprint."""
    newest = max((max(file[2], file[3]) for file in state if file is not None), default=0)
    return abs(time.time_ns() - newest) > _UNSETTLED_NS


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    state: Fingerprint
    corpus: Corpus
    size: int


class RecentCorpora:
    """Keeps corpora in memory, those that were used last, up to a size in bytes."""

    def __init__(self, most: int = _MOST_BYTES) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()

    @property
    def size(self) -> int:
        """How many bytes they take, about."""
        return sum(kept.size for kept in self._kept.values())

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Hashable, state: Fingerprint) -> Corpus | None:
        """Return the corpus of an input whose files are in this state, if it is kept."""
        kept = self._kept.get(key)
        if kept is None or kept.state != state:
            return None
        self._kept.move_to_end(key)
        return kept.corpus

    def keep(self, key: Hashable, state: Fingerprint, corpus: Corpus) -> None:
        """Keep a corpus in the place of what was kept for this key, if there is room for it at all."""
        self._kept.pop(key, None)
        size = _size_of(corpus)
        if size > self._most:
            return
        corpus.vectors.flags.writeable = False
        self._kept[key] = _Kept(state, corpus, size)
        while self.size > self._most:
            self._kept.popitem(last=False)


def _size_of(corpus: Corpus) -> int:
    texts = sum(len(text.text) + _size_of_fields(text.fields) for text in corpus.texts)
    return int(corpus.vectors.nbytes) + 2 * texts + _BYTES_OF_TEXT * len(corpus)


def _size_of_fields(fields: object) -> int:
    return len(repr(fields)) if fields else 0
