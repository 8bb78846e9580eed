"""The cache that the Hugging Face libraries share on this machine, read without importing them.

The layout and the environment variables are those that `huggingface_hub` documents::

    <cache>/models--org--name/refs/main                  the commit that a branch or tag last named
                              snapshots/<commit>/<file>  a link to the blob
                              blobs/<hash>               the content
                              .simil-unfinished/<commit> ours: a download not yet verified

Importing the library just for its paths would take longer than comparing two words.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from simil.errors import UsageError

__all__ = [
    "MAIN",
    "RepoCache",
    "Snapshot",
    "cached_repos",
    "endpoint",
    "find",
    "hub_cache_dir",
    "public_name",
    "write_whole",
]

MAIN = "main"

_MODELS = "models--"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_DEFAULT_ENDPOINT = "https://huggingface.co"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The files of a model repository at one commit: `revision` is the commit, `path` the folder."""

    repo: str
    revision: str
    path: Path


def hub_cache_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder that holds all cached repositories, by the library's rules."""
    xdg = environ.get("XDG_CACHE_HOME", "~/.cache")
    home = _expanded(environ.get("HF_HOME", str(Path(xdg, "huggingface"))))
    legacy = environ.get("HUGGINGFACE_HUB_CACHE", str(home / "hub"))
    return _expanded(environ.get("HF_HUB_CACHE", legacy)).absolute()


def _expanded(path: str) -> Path:
    # Unlike pathlib's, and like the library's, this keeps a ~ that cannot be resolved.
    return Path(os.path.expandvars(os.path.expanduser(path)))  # noqa: PTH111


def endpoint() -> str:
    """Return the hub's address: `HF_ENDPOINT`, or the public hub's.

    Raises `UsageError` if it is not an http(s) address.
    """
    from urllib.parse import urlsplit

    address = (os.environ.get("HF_ENDPOINT") or _DEFAULT_ENDPOINT).rstrip("/")
    try:
        parts = urlsplit(address)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable:
        raise UsageError("HF_ENDPOINT is not an http(s) address", hint="correct or unset it")
    return address


def public_name(address: str) -> str:
    """Return an address without its user name and password, as it may be shown and stored."""
    from urllib.parse import urlsplit

    parts = urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def find(repo: str, revision: str | None = None) -> Snapshot | None:
    """Return the cached snapshot of a repository, or None if there is no complete one.

    `revision` is a branch, a tag or a commit; None is the branch `main`. Makes no network request. A
    snapshot does not count if it has no files, if one of its links is broken, or if `fetch` began it
    and has not verified it. Another tool may have downloaded only part of the repository, so the caller
    still checks for the files that it needs.
    """
    cache = RepoCache(hub_cache_dir(), repo)
    commit = cache.commit_of(revision or MAIN)
    if commit is None or cache.is_unfinished(commit):
        return None
    folder = cache.snapshot(commit)
    return Snapshot(repo, commit, folder) if _has_whole_files(folder) else None


def cached_repos(root: Path) -> list[str]:
    """Return the names of the model repositories with a folder in `root`, complete or not, sorted.

    There are none if `root` cannot be read.
    """
    try:
        folders = list(root.glob(f"{_MODELS}*--*/"))
    except OSError:
        return []
    return sorted(folder.name.removeprefix(_MODELS).replace("--", "/", 1) for folder in folders)


def _has_whole_files(folder: Path) -> bool:
    found = False
    for parent, folders, files in os.walk(folder):
        if not all(Path(parent, name).exists() for name in (*folders, *files)):
            return False
        found = found or bool(files)
    return found


@dataclass(frozen=True, slots=True)
class RepoCache:
    """One repository's folder in the cache `root`."""

    root: Path
    repo: str

    @property
    def folder(self) -> Path:
        return self.root / (_MODELS + self.repo.replace("/", "--"))

    def snapshot(self, commit: str) -> Path:
        return self.folder / "snapshots" / commit

    def blob(self, digest: str) -> Path:
        return self.folder / "blobs" / digest

    def commit_of(self, revision: str) -> str | None:
        """Return the commit that a revision last named here; None if unknown."""
        if _COMMIT.fullmatch(revision):
            return revision
        ref = self._ref(revision)
        if ref is None:
            return None
        try:
            commit = ref.read_text("ascii").strip()
        except (OSError, ValueError):
            return None
        return commit if _COMMIT.fullmatch(commit) else None

    def remember_commit(self, revision: str, commit: str) -> None:
        """Store which commit a branch or tag names. Raises OSError."""
        ref = self._ref(revision)
        if ref is not None and revision != commit and self.commit_of(revision) != commit:
            write_whole(ref, commit)

    def _ref(self, revision: str) -> Path | None:
        parts = PurePosixPath(revision)
        return None if parts.is_absolute() or ".." in parts.parts else self.folder / "refs" / parts

    def is_unfinished(self, commit: str) -> bool:
        return self._mark(commit).exists()

    def mark_unfinished(self, commit: str) -> None:
        """Mark a snapshot as incomplete, before its first file appears. Raises OSError."""
        self._mark(commit).parent.mkdir(parents=True, exist_ok=True)
        self._mark(commit).touch()

    def mark_finished(self, commit: str) -> None:
        mark = self._mark(commit)
        mark.unlink(missing_ok=True)
        with suppress(OSError):  # another commit's mark is still in it
            mark.parent.rmdir()

    def _mark(self, commit: str) -> Path:
        return self.folder / ".simil-unfinished" / commit

    def drop_leftovers(self, digest: str, older_than: float) -> None:
        """Delete what killed downloads of a blob left, if last written before `older_than` (`time.time()`).

        The library gives each attempt its own file and never returns to it.
        """
        for leftover in (self.folder / "blobs").glob(f"{digest}.*.incomplete"):
            with suppress(OSError):
                if leftover.stat().st_mtime < older_than:
                    leftover.unlink()

    def discard(self, file: Path) -> None:
        """Delete a file and everything that its links lead to inside the cache.

        A snapshot's entry is a link to a blob, which may be a link to a blob that repositories share.
        """
        root = self.root.resolve()
        while (file.parent.resolve() / file.name).is_relative_to(root):
            target = file.parent / file.readlink() if file.is_symlink() else None
            file.unlink(missing_ok=True)
            if target is None:
                return
            file = target


def write_whole(path: Path, text: str) -> None:
    """Write a file and its missing folders; the file appears complete or not at all. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.urandom(4).hex()}.tmp")
    try:
        draft.write_text(text, "utf-8")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
