"""Chooses the model of a run, and finds or fetches its files.

A pinned model is used, or the run fails. Without one, a run uses the default model if it is on this
machine or can be fetched, else the embedded model, with a warning.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

from simil.config import Settings
from simil.consent import consent_missing, host_of
from simil.errors import ModelError, ModelNotFound, Place, ProviderError, Unreachable
from simil.models.catalog import DEFAULT, FALLBACK, find_info
from simil.models.daily_notice import is_first_of_day
from simil.models.files.model_kind import ModelKind, model_kind
from simil.models.files.model_source import ModelSource, embedded_source
from simil.models.names import near_repository
from simil.models.resolve import ModelRef, Provider, resolve
from simil.near_names import did_you_mean
from simil.progress import Progress

if TYPE_CHECKING:
    from simil.models.hub.download import Snapshot

__all__ = [
    "check_consent",
    "choose_model",
    "fetch",
    "find_local",
    "find_or_fetch",
    "kind_of_choice",
    "known_kind",
]

log = logging.getLogger("simil")

# How long a run without and with a pinned model waits for the first answer of the hub.
_UNPINNED_WAIT_S, _PINNED_WAIT_S = 3.0, 10.0
_SHIPPED = f", or use -m {FALLBACK}, which ships with simil"
_KINDS = {"embedder": ModelKind.EMBEDDER, "reranker": ModelKind.CROSS_ENCODER}


def choose_model(
    name: str | None, *, offline: str, cache_dir: Path, progress: Progress
) -> tuple[ModelRef, ModelSource | None]:
    """Return the model of this run and its files, fetched if need be; None if it does not run here.

    `name` is the model that the user pinned, None if there is none; `offline` names what forbids fetching,
    empty if nothing does. Raises `ModelError` or `ProviderError` if
    a pinned model cannot be used.
    """
    if name is not None:
        ref = resolve(name)
        return ref, find_or_fetch(ref, offline=offline, progress=progress, or_else=_SHIPPED)
    ref = resolve(DEFAULT)
    found = find_local(ref)
    if found is not None:
        return ref, found
    try:
        return ref, _fetch_unpinned(ref, offline=offline, cache_dir=cache_dir, progress=progress)
    except (ProviderError, ModelError) as exc:
        log.info("%s", exc)
        _note_fallback(exc.message, cache_dir)
    ref = resolve(FALLBACK)
    return ref, find_local(ref)


def _note_fallback(why: str, cache_dir: Path) -> None:
    is_shown = log.isEnabledFor(logging.WARNING) and is_first_of_day(f"{FALLBACK}-used", cache_dir)
    log.log(
        logging.WARNING if is_shown else logging.INFO,
        "using %s, because %s is not on this machine (%s); to keep it, set SIMIL_MODEL=%s; to get %s, run:"
        " simil models pull %s",
        *(FALLBACK, DEFAULT, why, FALLBACK, DEFAULT, DEFAULT),
    )


def kind_of_choice(settings: Settings, progress: Progress) -> ModelKind:
    """Return the kind of the model that `settings` ask for; an unknown one of the hub is fetched for that.

    Opens no file where none is needed: for a model of the catalog, an API's or a plug-in's, and without a
    pinned one. Errors as in `check_consent` and `choose_model`.
    """
    if settings.model is None:
        return ModelKind.EMBEDDER
    ref = resolve(settings.model)
    if ref.provider not in (Provider.HUB, Provider.FOLDER):
        return ModelKind.EMBEDDER
    check_consent(ref, settings)
    known = known_kind(ref)
    if known is not None:
        return known
    source = find_or_fetch(ref, offline=settings.hub_offline, progress=progress, or_else=_SHIPPED)
    return ModelKind.EMBEDDER if source is None else model_kind(source.folder)


def known_kind(ref: ModelRef) -> ModelKind | None:
    """Return the kind of a model of the catalog, which needs no files; None for any other."""
    return None if ref.info is None else _KINDS[ref.info.kind]


def check_consent(ref: ModelRef, settings: Settings) -> None:
    """Raise `UsageError` for the pinned model `ref` if only a `.env` without consent chooses it.

    Known models that run here need none: they are the same wherever they come from.
    """
    # Anyone can offer a revision to a repository of the hub.
    is_known = ref.provider is Provider.EMBEDDED or (ref.provider is Provider.HUB and ref.info is not None)
    if settings.model_unconsented is None or (is_known and ref.revision is None):
        return
    does = {
        Provider.OPENAI: f"would send texts to {host_of(settings.openai.base_url)}",
        Provider.PLUGIN: f"would hand texts to the plug-in {ref.target}",
    }.get(ref.provider, f"would use a model that simil does not know, {settings.model}")
    raise consent_missing(settings.model_unconsented, "SIMIL_MODEL", does)


def _fetch_unpinned(ref: ModelRef, *, offline: str, cache_dir: Path, progress: Progress) -> ModelSource:
    from simil.models.hub import download as hub

    if offline:
        raise ModelNotFound(f"simil is offline: {offline}")
    if hub.remembered(cache_dir, time.time()):
        raise Unreachable("the hub could not be reached a moment ago")
    try:
        return _fetch(ref, progress, _UNPINNED_WAIT_S)
    except ProviderError:
        hub.remember(cache_dir, time.time())
        raise


def find_local(ref: ModelRef) -> ModelSource | None:
    """Return a model's files if they are on this machine; makes no network request.

    None for a model that is not here and for one that runs elsewhere. Raises `ModelDamaged` if a file of the
    embedded model is missing.
    """
    if ref.provider is Provider.EMBEDDED:
        assert ref.info is not None
        return embedded_source(ref.info)
    if ref.provider is Provider.FOLDER:
        return _folder_source(Path(ref.target))
    if ref.provider is not Provider.HUB:
        return None
    from simil.models.hub import download as hub

    snapshot = hub.find(ref.target, ref.revision)
    if snapshot is None:
        return None
    from simil.models.repository_files import has_weights

    return _source(ref, snapshot) if has_weights(snapshot.path) else None


def _folder_source(folder: Path) -> ModelSource:
    try:
        str(folder).encode()
    except UnicodeEncodeError as exc:
        # The engines, which are written in C++, take names in UTF-8 only.
        raise ModelError(
            "the name of the folder is not UTF-8", hint="rename it", place=Place(str(folder))
        ) from exc
    return ModelSource(folder.name, folder)


def find_or_fetch(
    ref: ModelRef, *, offline: str, progress: Progress, or_else: str = ""
) -> ModelSource | None:
    """Return a local model's files, fetched from the hub if need be; None if it does not run here.

    `or_else` ends the advice for a model that is not here: what the user could name in its place. Raises
    `ModelNotFound` if the model is not here and simil is offline, and what `fetch` raises.
    """
    found = find_local(ref)
    if found is not None or ref.provider is not Provider.HUB:
        return found
    if offline:
        raise ModelNotFound(
            f"{ref.target} is not on this machine and simil is offline ({offline})",
            hint=did_you_mean(near_repository(ref.target)) or f"run once without {offline}{or_else}",
        )
    return fetch(ref, progress)


def fetch(ref: ModelRef, progress: Progress) -> ModelSource:
    """Return the files of a model of the hub, fetched or, if they are here already, verified.

    Raises `ModelError` for a model that needs code from its repository, and what `hub.fetch` raises.
    """
    if ref.info is not None and ref.info.own_code:
        raise ModelError(
            f"{ref.target} needs code from its repository, which simil never runs",
            hint="choose another of those that simil models lists",
        )
    return _fetch(ref, progress, _PINNED_WAIT_S)


def _fetch(ref: ModelRef, progress: Progress, first_contact_s: float) -> ModelSource:
    from simil.models.hub import download as hub
    from simil.models.repository_files import wanted_files

    snapshot = hub.fetch(
        ref.target, ref.revision, want=wanted_files, progress=progress, first_contact_s=first_contact_s
    )
    return _source(ref, snapshot)


def _source(ref: ModelRef, snapshot: Snapshot) -> ModelSource:
    return ModelSource(ref.target, snapshot.path, snapshot.revision, find_info(ref.target))
