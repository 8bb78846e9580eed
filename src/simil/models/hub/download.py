"""Downloads a model's files from the Hugging Face Hub into the cache that its libraries share.

A snapshot counts only once all of it is verified: a file appears under its name when it is complete,
the snapshot is marked as unfinished before the first file, and the mark is removed and the branch
pointed to the commit after every file was compared with what the hub announced.

`huggingface_hub` downloads each file: it resumes broken transfers and keeps the layout of the cache.
Its `snapshot_download` moves the branch first, verifies no digest, and may return a partial snapshot
if the hub fails.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from simil._version import __version__
from simil.config import hub_switch
from simil.deadline import within
from simil.errors import ModelDamaged, ModelError, ServerFailed
from simil.models.hub.download_progress import FileProgress
from simil.models.hub.hub_errors import translate, unreachable
from simil.models.hub.reachability import forget, remember, remembered
from simil.models.hub.snapshots import (
    MAIN,
    RepoCache,
    Snapshot,
    endpoint,
    find,
    hub_cache_dir,
    public_name,
)
from simil.models.hub.verify import RemoteFile, is_sound, mismatch
from simil.progress import Advance, Progress

__all__ = [
    "Snapshot",
    "delete_cached",
    "fetch",
    "find",
    "forget",
    "reach",
    "remember",
    "remembered",
]

_LEFT_BEHIND_S = 3600.0  # a download in progress never leaves its file untouched for so long


def fetch(
    repo: str,
    revision: str | None = None,
    *,
    want: Callable[[Sequence[str], Path], Iterable[Sequence[str]]],
    progress: Progress,
    first_contact_s: float,
) -> Snapshot:
    """Download the files of a model repository that `want` chooses, verify them, and return the snapshot.

    `revision` is a branch, a tag or a commit; None is the branch `main`. `want` receives the names of
    all files of that commit and the folder of the snapshot, and yields those to download in steps; the
    files of a step are in the folder when it goes on. What it raises passes through, and the snapshot
    stays unfinished. Cached files are verified, too, and downloaded again if they are damaged. The hub
    has `first_contact_s` seconds in all for its first answer; after that the library's own timeouts and
    retries apply.

    Raises `Unreachable`, `ServerFailed`, `RateLimited`, `RequestRejected`, `ModelNotFound`,
    `ModelDamaged`, and `ModelError` if access is denied, the disk is full or not writable, or
    `HF_HUB_OFFLINE` or `TRANSFORMERS_OFFLINE` is set.
    """
    switch = hub_switch(os.environ)
    if switch:
        raise ModelError(f"{repo} cannot be fetched: {switch} is set", hint="unset it to download")
    call = _Call(repo, revision or MAIN, endpoint(), RepoCache(hub_cache_dir(), repo))
    with _quiet_library():
        commit, files = _ask(call, first_contact_s)
        for step in want(sorted(files), call.cache.snapshot(commit)):
            _download(call, commit, [files[name] for name in sorted(set(step))], progress)
    with suppress(OSError):
        call.cache.mark_finished(commit)
    with suppress(OSError):  # a complete cache of another user may be readable only
        call.cache.remember_commit(call.revision, commit)
    return Snapshot(repo, commit, call.cache.snapshot(commit))


def reach(repo: str, seconds: float) -> str:
    """Request the list of files of `repo`, and return the hub's address as it may be shown.

    The hub has `seconds` in all; nothing is downloaded or stored. Raises what `fetch` raises.
    """
    call = _Call(repo, MAIN, endpoint(), RepoCache(hub_cache_dir(), repo))
    with _quiet_library():
        _ask(call, seconds)
    return call.hub


def delete_cached(repo: str, root: Path) -> None:
    """Delete a repository from the cache in `root`, as far as the library recognizes its files.

    Files that it shares with other repositories stay. Raises OSError.
    """
    with _quiet_library():
        from huggingface_hub import scan_cache_dir

        found = scan_cache_dir(root)
        own = frozenset(one for one in found.repos if one.repo_type == "model" and one.repo_id == repo)
        commits = [revision.commit_hash for cached in own for revision in cached.revisions]
        if commits:
            # The library deletes by commit alone, but mirrors and renamed repositories share commits.
            replace(found, repos=own).delete_revisions(*commits).execute()


@dataclass(frozen=True, slots=True)
class _Call:
    """One download: the repository, its revision, the hub, and the cache."""

    repo: str
    revision: str
    endpoint: str
    cache: RepoCache

    @property
    def hub(self) -> str:
        return public_name(self.endpoint)

    def api(self) -> Any:
        """Return the library's client of this hub."""
        from huggingface_hub import HfApi

        return HfApi(endpoint=self.endpoint, library_name="simil", library_version=__version__)

    @contextmanager
    def errors(self, *also: type[Exception], file: str = "") -> Iterator[None]:
        """Translate the errors of a call of the library, and the exception types in `also`."""
        from huggingface_hub.errors import HTTPError

        try:
            yield
        # RuntimeError and ValueError are what the library's transfer extension raises.
        except (HTTPError, OSError, RuntimeError, ValueError, *also) as exc:
            raise translate(
                exc, repo=self.repo, revision=self.revision, hub=self.hub, cache=self.cache.root, file=file
            ) from exc


def _ask(call: _Call, seconds: float) -> tuple[str, dict[str, RemoteFile]]:
    """Return the commit that the revision names and its files by name.

    Takes at most `seconds`, whatever the hub or the name service does.
    """
    api = call.api()

    def info() -> tuple[Any, list[RemoteFile]]:
        answer = api.model_info(call.repo, revision=call.revision, files_metadata=True, timeout=seconds)
        return answer.sha, [
            RemoteFile(
                file.rfilename,
                size=file.size,
                sha256=file.lfs.sha256 if file.lfs else None,
                git_id=None if file.lfs else file.blob_id,
            )
            for file in answer.siblings or ()
        ]

    # An answer from something else (a captive portal's page, another service's JSON) has another shape, and
    # the library checks no type.
    with call.errors(Exception):
        commit, files = within(seconds, info)
    is_sound_commit = isinstance(commit, str) and re.fullmatch("[0-9a-f]{40}", commit)
    if not is_sound_commit or len({file.name for file in files if is_sound(file)}) < len(files):
        raise ServerFailed(f"{call.hub} sent an invalid answer for {call.repo}", hint="check HF_ENDPOINT")
    return commit, {file.name: file for file in files}


def _download(call: _Call, commit: str, files: Sequence[RemoteFile], progress: Progress) -> None:
    """Bring files into the snapshot, each identical to the announced one.

    Marks the snapshot as unfinished if one is missing.
    """
    with call.errors():
        missing = [file for file in files if not _is_here(call, commit, file)]
        if missing:
            call.cache.mark_unfinished(commit)
            _check_space(call, missing)
    sizes = [file.size for file in missing if file.size is not None]
    if missing:
        total = sum(sizes) if len(sizes) == len(missing) else None
        with progress(f"downloading {call.repo}", total=total, unit="B") as advance:
            for file in missing:
                _download_one(call, commit, file, advance)


def _is_here(call: _Call, commit: str, file: RemoteFile) -> bool:
    """Return whether the snapshot has an intact copy; delete damaged copies, in it and among the blobs."""
    entry = call.cache.snapshot(commit) / file.name
    copies = [entry]
    digest = file.sha256 or file.git_id
    if digest and re.fullmatch("[0-9a-f]+", digest):
        copies.append(call.cache.blob(digest))
        call.cache.drop_leftovers(digest, time.time() - _LEFT_BEHIND_S)
    for copy in copies:
        if copy.is_file() and mismatch(copy, file):
            call.cache.discard(copy)
    return entry.is_file()


def _check_space(call: _Call, files: Sequence[RemoteFile]) -> None:
    import shutil

    needed = sum(file.size or 0 for file in files)
    free = shutil.disk_usage(call.cache.root).free
    if needed > free:
        raise ModelError(
            f"{call.repo} needs {needed / 1e6:,.0f} MB, {call.cache.root} has {free / 1e6:,.0f} MB free",
            hint="free some space, or set HF_HOME to another disk",
        )


def _download_one(call: _Call, commit: str, file: RemoteFile, advance: Advance) -> None:
    from huggingface_hub import hf_hub_url

    api = call.api()
    meter = FileProgress(
        advance, file.size, lambda: unreachable(call.repo, call.hub, why="keeps breaking off the transfer")
    )
    with call.errors(file=file.name):
        # The download starts with the same request, but repeats it for minutes if the hub has gone
        # down in the meantime, and this cannot be turned off.
        api.get_hf_file_metadata(
            url=hf_hub_url(call.repo, file.name, revision=commit, endpoint=call.endpoint)
        )
        path = Path(
            api.hf_hub_download(
                call.repo,
                file.name,
                revision=commit,
                cache_dir=call.cache.root,
                tqdm_class=meter.tqdm_class(),
            )
        )
        wrong = mismatch(path, file)
        if wrong:
            call.cache.discard(path)
    if wrong:
        raise ModelDamaged(f"{file.name} of {call.repo} does not match the hub's {wrong}", hint="run again")
    meter.finish()


@contextmanager
def _quiet_library() -> Iterator[None]:
    """Keep the library from writing to stderr and from sending requests of its own, then restore it.

    A user who raised its log level still sees the log.
    """
    import logging
    import warnings

    with warnings.catch_warnings():
        for kind in (UserWarning, FutureWarning):
            warnings.filterwarnings("ignore", category=kind, module="huggingface_hub")
        import huggingface_hub.utils.logging  # noqa: F401 - sets its logger's level
        from huggingface_hub import constants

        logger = logging.getLogger("huggingface_hub")
        level, telemetry_off = logger.level, constants.HF_HUB_DISABLE_TELEMETRY
        if level >= logging.WARNING:
            logger.setLevel(logging.CRITICAL + 1)
        # Otherwise the first request of a day fetches a list of programs to detect and to name in the
        # user agent, and its timeout comes on top of ours.
        constants.HF_HUB_DISABLE_TELEMETRY = True
        try:
            yield
        finally:
            logger.setLevel(level)
            constants.HF_HUB_DISABLE_TELEMETRY = telemetry_off
