"""What can be used on this machine, and in which state it is; nothing is loaded, and no socket opened.

Results are frozen, for tables, `simil doctor` and completion alike.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from simil.config import Settings
from simil.errors import ModelDamaged, ModelError
from simil.models.catalog import DEFAULT, FALLBACK, ModelInfo, catalog, find_info
from simil.models.entry_points import find_plugins, plugin_points
from simil.models.files.facts import read_info
from simil.models.files.model_source import ModelSource
from simil.models.files.token_table import read_static
from simil.models.graphs.build_once import is_whole, made_of
from simil.models.graphs.prepare import prepared_folder
from simil.models.hub.reachability import remembered
from simil.models.hub.snapshots import RepoCache, cached_repos, hub_cache_dir, is_offline
from simil.models.resolve import ModelRef, Provider, resolve
from simil.models.select import find_local

__all__ = [
    "ModelChoice",
    "ModelStatus",
    "State",
    "all_models",
    "choice",
    "prepared_root",
    "status_of",
    "written",
]

# The packages that bring the module `onnxruntime`.
_ONNX_RUNTIMES = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml")


class State(StrEnum):
    """Whether a model can be used now, and what it takes where it can't."""

    EMBEDDED = "embedded"
    DOWNLOADED = "downloaded"
    UNFINISHED = "begun"
    NOT_HERE = "not here"
    OWN_CODE = "needs own code"
    FOLDER = "folder"
    KEY_SET = "key set"
    NEEDS_KEY = "needs key"
    INSTALLED = "installed"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """One model: `name` is how it is written after `-m`.

    `where` it runs is "local", "API" or "plug-in". `folder` holds its files at `revision`, where they are
    here; `size` is what they take on disk and `prepared_size` what was prepared of them, in bytes.
    `prepared` says that the graph of these very files is ready for this version of ONNX Runtime; None
    where there is none to prepare.
    """

    name: str
    where: str
    state: State
    info: ModelInfo | None = None
    folder: Path | None = None
    revision: str | None = None
    size: int | None = None
    prepared: bool | None = None
    prepared_size: int = 0

    @property
    def said(self) -> str:
        """The state in words."""
        return f"{self.state}, prepared" if self.prepared else str(self.state)


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """The model that a run without `-m` uses now, and why; `name` is None where that would be an error."""

    name: str | None
    why: str
    pinned: bool


def choice(settings: Settings) -> ModelChoice:
    """Return which model a run by these settings uses, as `select.choose` would find; no hub is asked."""
    if settings.model is not None:
        return _pinned(settings)
    default = resolve(DEFAULT)
    if find_local(default) is not None:
        return ModelChoice(DEFAULT, "the default, and here", pinned=False)
    if is_offline(settings.offline):
        return ModelChoice(FALLBACK, f"{DEFAULT} is not here, and simil is offline", pinned=False)
    if remembered(settings.cache_dir, time.time()):
        return ModelChoice(
            FALLBACK, f"{DEFAULT} is not here, and the hub did not answer a moment ago", pinned=False
        )
    return ModelChoice(DEFAULT, f"the default; the first run fetches it, or uses {FALLBACK}", pinned=False)


def _pinned(settings: Settings) -> ModelChoice:
    assert settings.model is not None
    why = f"pinned by {settings.model_from}"
    try:
        ref = resolve(settings.model)
        if ref.provider is Provider.PLUGIN:
            find_plugins(ref.target)
        return ModelChoice(written(ref), why, pinned=True)
    except ModelError as exc:
        return ModelChoice(None, f"{exc} ({why})", pinned=True)


def written(ref: ModelRef) -> str:
    """Return the shortest form in which a model is written after `-m`, its revision left out."""
    if ref.provider is Provider.PLUGIN:
        return f"plugin:{ref.target}"
    if ref.provider is Provider.OPENAI:
        return f"openai:{ref.target}"
    if ref.provider is Provider.HUB and ref.info is not None and ref.info.provider == "hub":
        return ref.info.name
    return ref.target


def all_models(settings: Settings) -> list[ModelStatus]:
    """Return the catalog's models, then others of the hub that are here, then installed plug-ins."""
    known = [status_of(resolve(info.written), settings) for info in catalog().values()]
    repos = {info.repo for info in catalog().values() if info.provider == "hub"}
    others = [
        ModelRef(Provider.HUB, repo, info=find_info(repo))
        for repo in cached_repos(hub_cache_dir())
        if repo not in repos
    ]
    found = [status_of(ref, settings) for ref in others if find_local(ref) is not None]
    names = dict.fromkeys(point.name for point in plugin_points())
    return known + found + [status_of(resolve(f"plugin:{name}"), settings) for name in names]


def status_of(ref: ModelRef, settings: Settings) -> ModelStatus:
    """Return the state of one model, whether it is in the catalog or not."""
    name = written(ref)
    if ref.provider is Provider.PLUGIN:
        return ModelStatus(name, "plug-in", State.INSTALLED)
    if ref.provider is Provider.OPENAI:
        state = State.KEY_SET if settings.openai.api_key else State.NEEDS_KEY
        return ModelStatus(name, "API", state, ref.info)
    try:
        source = find_local(ref)
    except ModelDamaged:  # One model that cannot be used does not hide the others.
        return ModelStatus(name, "local", State.DAMAGED, ref.info)
    if source is None:
        return _missing(name, ref)
    state = {
        Provider.EMBEDDED: State.EMBEDDED,
        Provider.FOLDER: State.FOLDER,
        Provider.HUB: State.DOWNLOADED,
    }[ref.provider]
    return ModelStatus(
        name,
        "local",
        state,
        ref.info or read_info(name, source.folder),
        folder=source.folder,
        revision=source.revision,
        size=_size(_files_root(ref, source)),
        prepared=None if _is_static(source.folder) else _is_prepared(source, settings.cache_dir),
        prepared_size=sum(map(_size, made_of(source.name, prepared_root(settings.cache_dir)))),
    )


def _is_static(folder: Path) -> bool:
    try:
        return read_static(folder) is not None
    except ModelError:  # Damaged, and so nothing to prepare.
        return False


def prepared_root(cache_dir: Path) -> Path:
    """Return the folder that holds what was prepared of all models."""
    return cache_dir / "prepared"


def _missing(name: str, ref: ModelRef) -> ModelStatus:
    folder = RepoCache(hub_cache_dir(), ref.target).folder
    size = _size(folder)
    state = State.UNFINISHED if size else State.NOT_HERE
    if ref.info is not None and ref.info.own_code:
        state = State.OWN_CODE
    return ModelStatus(name, "local", state, ref.info, size=size or None)


def _files_root(ref: ModelRef, source: ModelSource) -> Path:
    """The folder that everything fetched of a model lies in, all its revisions."""
    if ref.provider is Provider.HUB:
        return RepoCache(hub_cache_dir(), ref.target).folder
    return source.folder


def _size(folder: Path) -> int:
    """The bytes of a folder's files, each counted once, whatever links lead to it."""
    sizes = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # A link that leads nowhere, or a file that went away meanwhile.
                found = Path(parent, name).stat()
                sizes[found.st_dev, found.st_ino] = found.st_size
    return sum(sizes.values())


def _is_prepared(source: ModelSource, cache_dir: Path) -> bool:
    version = _onnxruntime_version()
    return version is not None and is_whole(prepared_folder(source, cache_dir, version))


def _onnxruntime_version() -> str | None:
    """The version that the module has, read without importing it."""
    from importlib.metadata import PackageNotFoundError, version

    for package in _ONNX_RUNTIMES:
        with suppress(PackageNotFoundError):
            return version(package)
    return None
