"""The state of the models on this machine; loads no model and makes no network request."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from simil.config import Settings
from simil.errors import ModelDamaged, ModelError
from simil.models.catalog import ModelInfo, catalog, find_info
from simil.models.entry_points import installed_plugins
from simil.models.files.facts import read_info
from simil.models.files.model_kind import ModelKind, model_kind
from simil.models.files.model_source import ModelSource
from simil.models.files.token_table import read_static
from simil.models.graphs.build_once import built_from, is_sound
from simil.models.graphs.generations import prepared_root
from simil.models.graphs.prepare import prepared_folder
from simil.models.graphs.signature import GraphKind
from simil.models.hub.snapshots import RepoCache, cached_repos, hub_cache_dir
from simil.models.resolve import ModelRef, Provider, resolve
from simil.models.select import find_local

__all__ = ["ModelStatus", "State", "all_models", "status_of"]


class State(StrEnum):
    """Whether a model can be used now and, if not, what it needs."""

    EMBEDDED = "embedded"
    DOWNLOADED = "downloaded"
    UNFINISHED = "begun"
    NOT_HERE = "not here"
    OWN_CODE = "needs own code"
    GATED = "not here, gated"
    FOLDER = "folder"
    KEY_SET = "key set"
    NEEDS_KEY = "needs key"
    INSTALLED = "installed"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """The state of one model; `name` is its name for `-m`.

    `where` it runs is "local", "API" or "plug-in". `folder` holds its files at `revision`, None if they are
    not here. `size` is their size on disk, `prepared_size` that of the graphs prepared from them, in bytes.
    `prepared` says whether the graph for this version of ONNX Runtime is ready; None if the model needs none.
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
    def description(self) -> str:
        """The state in words."""
        return f"{self.state}, prepared" if self.prepared else str(self.state)


def all_models(settings: Settings) -> list[ModelStatus]:
    """Return the catalog's models, then others of the hub on this machine, then installed plug-ins."""
    known = [status_of(resolve(info.cli_name), settings) for info in catalog().values()]
    repos = {info.repo for info in catalog().values() if info.provider == "hub"}
    others = [
        ModelRef(Provider.HUB, repo, info=find_info(repo))
        for repo in cached_repos(hub_cache_dir())
        if repo not in repos
    ]
    found = [status_of(ref, settings) for ref in others if find_local(ref) is not None]
    plugins = [status_of(resolve(f"plugin:{name}"), settings) for name in installed_plugins()]
    return known + found + plugins


def status_of(ref: ModelRef, settings: Settings) -> ModelStatus:
    """Return the state of one model, whether it is in the catalog or not."""
    name = ref.cli_name
    if ref.provider is Provider.PLUGIN:
        return ModelStatus(name, "plug-in", State.INSTALLED)
    if ref.provider is Provider.OPENAI:
        state = State.KEY_SET if settings.openai.api_key else State.NEEDS_KEY
        return ModelStatus(name, "API", state, ref.info)
    try:
        source = find_local(ref)
    except ModelDamaged:  # A damaged model must not keep the others from being listed.
        return ModelStatus(name, "local", State.DAMAGED, ref.info)
    if source is None:
        return _absent(name, ref)
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
        prepared_size=sum(map(_size, built_from(source.name, prepared_root(settings.cache_dir)))),
    )


def _is_static(folder: Path) -> bool:
    try:
        return read_static(folder) is not None
    except ModelError:  # A damaged model cannot be prepared in any case.
        return False


def _absent(name: str, ref: ModelRef) -> ModelStatus:
    folder = RepoCache(hub_cache_dir(), ref.target).folder
    size = _size(folder)
    gated = ref.info is not None and ref.info.gated
    state = State.UNFINISHED if size else State.GATED if gated else State.NOT_HERE
    if ref.info is not None and ref.info.own_code:
        state = State.OWN_CODE
    return ModelStatus(name, "local", state, ref.info, size=size or None)


def _files_root(ref: ModelRef, source: ModelSource) -> Path:
    """Return the folder of a model's downloaded files, in all revisions."""
    if ref.provider is Provider.HUB:
        return RepoCache(hub_cache_dir(), ref.target).folder
    return source.folder


def _size(folder: Path) -> int:
    """Return the total size of a folder's files in bytes; a file with several links counts once."""
    sizes = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # A broken link, or a file that was deleted meanwhile.
                found = Path(parent, name).stat()
                sizes[found.st_dev, found.st_ino] = found.st_size
    return sum(sizes.values())


def _is_prepared(source: ModelSource, cache_dir: Path) -> bool:
    try:
        scores_pairs = model_kind(source.folder) is ModelKind.CROSS_ENCODER
    except ModelError:  # A damaged model cannot be prepared in any case.
        return False
    kind = GraphKind.LOGITS if scores_pairs else GraphKind.TOKENS
    return is_sound(prepared_folder(source, cache_dir, kind))
