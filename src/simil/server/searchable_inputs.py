"""What a program names to be searched: files, folders, vectors and datasets, as corpora that stay at hand."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from simil.embedders.base import Kind
from simil.errors import InputError, Place, UsageError
from simil.formats.detection import format_of_folder
from simil.server.allowed_folders import AllowedFolders
from simil.server.recent_corpora import Fingerprint, RecentCorpora, fingerprint, is_settled
from simil.session.session import Session
from simil.texts import InputFormat, ReadOptions
from simil.texts.trees import FilesSeen, files_in
from simil.vectors import sidecar_path

if TYPE_CHECKING:
    from simil.tasks.corpus import Corpus
    from simil.vectors.stored_vectors import StoredVectors

__all__ = ["SearchableInputs"]

_MOST_SEEN = 500_000


class SearchableInputs:
    """Gives inputs to search in; one that was asked for before is neither read nor embedded again.

    What has changed since is read anew. Links below a folder that lead outside are passed over.
    """

    def __init__(self, session: Session, folders: AllowedFolders, check_stopped: Callable[[], None]) -> None:
        """Read inputs with `session`; `check_stopped` is called while folders are listed, and may raise."""
        self._check_stopped = check_stopped
        self._session = session
        self._folders = folders
        self._recent = RecentCorpora()
        self._seen: FilesSeen = {}

    def source(self, name: str) -> Corpus | StoredVectors:
        """Return what a path holds; errors as in `AllowedFolders.existing` and `Session.corpus`."""
        path = self._folders.existing(name)
        if not path.is_dir():
            return self._corpus(str(path), [str(path)], ReadOptions())
        form = format_of_folder(str(path))
        if form is not None:
            return self._table(str(path), form.name)
        files = self._files(str(path))
        if not files:
            raise InputError("there are no text files", place=Place(self._folders.shown(path)))
        # As `search -r` does: a .json in a source tree holds no records for us.
        return self._corpus(str(path), files, ReadOptions(format=InputFormat.TEXT))

    def _corpus(self, path: str, files: Sequence[str], reading: ReadOptions) -> Corpus:
        state = self._state(files)
        corpus = self._recent.get(path, state)
        if corpus is not None:
            return corpus
        settled = is_settled(state)
        corpus = self._session.corpus(self._session.open(files, reading), Kind.DOCUMENT)
        # What was written while it was read may be half of either version.
        if settled and self._state(files) == state:
            self._recent.keep(path, state, corpus)
        return corpus

    @staticmethod
    def _state(files: Sequence[str]) -> Fingerprint:
        if len(files) > 1:
            return fingerprint(files)
        return fingerprint([*files, *(str(sidecar_path(file)) for file in files)])

    def _files(self, folder: str) -> list[str]:
        if len(self._seen) > _MOST_SEEN:  # Of states that are gone, most of them.
            self._seen.clear()
        found = []
        for path in files_in(folder, seen=self._seen):
            self._check_stopped()
            if not os.path.islink(path) or self._folders.holds(path):  # noqa: PTH114 (of very many files)
                found.append(path)
        return found

    def _table(self, path: str, form: str) -> Corpus | StoredVectors:
        """Return what a folder holds that is one table, such as a Lance dataset."""
        self._check_links(path)
        opened = self._session.open([path], ReadOptions())
        if form == "lance" and opened.holds_vectors:
            return self._session.stored(path)
        return self._session.corpus(opened, Kind.DOCUMENT)

    def _check_links(self, folder: str) -> None:
        for parent, folders, files in os.walk(folder):
            for name in (*folders, *files):
                path = Path(parent, name)
                if path.is_symlink() and not self._folders.holds(path):
                    raise UsageError(
                        "leads outside of the folders that may be used",
                        place=Place(self._folders.shown(path)),
                    )
