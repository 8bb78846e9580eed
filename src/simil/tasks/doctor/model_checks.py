"""Checks of models: which one a run uses, and whether it is on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from simil.embedders.plugins import load_plugin
from simil.errors import SimilError
from simil.models.catalog import DEFAULT, FALLBACK
from simil.models.entry_points import installed_plugins
from simil.models.files.chain import UnknownChain, read_chain
from simil.models.files.cross_encoder import read_cross_encoder
from simil.models.files.folder_check import check_folder
from simil.models.files.model_kind import ModelKind, model_kind, refusal
from simil.models.files.model_settings import read_prompts
from simil.models.files.model_source import ModelSource, verify_embedded
from simil.models.files.token_table import read_static
from simil.models.files.weights import WEIGHTS, read_header
from simil.models.graphs.build_once import is_sound
from simil.models.graphs.generations import all_built
from simil.models.model_choice import predict_choice
from simil.models.resolve import Provider, resolve
from simil.models.status import ModelStatus, State, status_of
from simil.tasks.doctor.findings import CheckContext, Finding, fail, note, ok, warn
from simil.tasks.doctor.model_libraries import require_libraries

__all__ = ["chosen", "default", "embedded", "plugins", "prepared"]


def embedded(context: CheckContext) -> Iterator[Finding]:
    """Report whether the files of the embedded model are intact."""
    verify_embedded()
    yield ok(FALLBACK, f"all files as shipped; {status_of(resolve(FALLBACK), context.settings).description}")


def chosen(context: CheckContext) -> Iterator[Finding]:
    """Report which model a run without -m uses, and why."""
    name = "model"
    if context.error is not None:
        yield note(name, "not checked: the settings cannot be read")
        return
    used = predict_choice(context.settings)
    if used.name is None:
        yield fail(name, used.why)
        return
    reason = f"{used.name}: {used.why}"
    if not used.pinned:
        if used.name == FALLBACK:
            yield warn(name, reason, f"run once with a connection, or pin it: -m {FALLBACK} or SIMIL_MODEL")
        else:
            here = status_of(resolve(used.name), context.settings)
            if here.folder is not None:
                source = ModelSource(here.name, here.folder)
                require_libraries(source, context.settings, prepared=bool(here.prepared))
            yield ok(name, reason)
        return
    ref = context.pinned
    if ref is None or ref.provider not in (Provider.HUB, Provider.FOLDER):
        yield ok(name, reason)
        return
    status = status_of(ref, context.settings)
    if status.folder is not None:
        _read_through(used.name, status.folder)
        source = ModelSource(status.name, status.folder, status.revision)
        source.verify()
        require_libraries(source, context.settings, prepared=bool(status.prepared))
    yield _pinned(reason, status, offline=context.settings.hub_offline)


def _read_through(name: str, folder: Path) -> None:
    """Read the configuration and weight headers of a model; raises `ModelError` where a run would."""
    check_folder(folder)
    kind = model_kind(folder)
    if kind is ModelKind.CROSS_ENCODER:
        read_cross_encoder(name, folder)
    elif kind is not ModelKind.EMBEDDER:
        raise refusal(kind, name)
    elif read_static(folder) is not None:
        return
    else:
        with suppress(UnknownChain):  # sentence-transformers runs it.
            read_chain(folder)
        read_prompts(folder)
    for pattern in (WEIGHTS, "model-*.safetensors", f"[0-9]*_*/{WEIGHTS}"):
        for path in sorted(folder.glob(pattern)):
            read_header(path)


def _pinned(reason: str, status: ModelStatus, *, offline: str) -> Finding:
    if status.state in (State.DOWNLOADED, State.FOLDER):
        return ok("model", f"{reason}; {_in_words(status)}")
    if status.state is State.OWN_CODE:
        return fail("model", f"{reason}; it needs its own code, which simil never runs", "choose another")
    if offline:
        why = f"{reason}; it is not here, and simil is offline ({offline})"
        return fail("model", why, f"run once without {offline}")
    return note("model", f"{reason}; {status.description}", "the first run downloads it")


def default(context: CheckContext) -> Iterator[Finding]:
    """Report whether the default model is on this machine and prepared."""
    status = status_of(resolve(DEFAULT), context.settings)
    if status.state is State.DOWNLOADED and status.folder is not None:
        ModelSource(status.name, status.folder, status.revision).verify()
        yield ok(DEFAULT, _in_words(status))
    else:
        yield note(DEFAULT, status.description, "the first run that uses it downloads 438 MB")


def prepared(context: CheckContext) -> Iterator[Finding]:
    """Report which prepared models are not as they were built, after reading all their files."""
    built = all_built(context.settings.cache_dir)
    damaged = [folder for folder in built if not is_sound(folder, full=True)]
    for folder in damaged:
        what = "damaged" if folder.exists() else "gone"
        hint = f"delete {folder}: the next run makes it anew" if folder.exists() else "the next run mends it"
        yield warn("prepared", f"{folder.name} is {what}, and its cached vectors may be wrong", hint)
    if not damaged:
        yield ok("prepared", f"{len(built)} prepared graph{'s' * (len(built) != 1)}, all files as built")


def plugins(context: CheckContext) -> Iterator[Finding]:
    """Report which plug-ins are installed; with `deep`, also whether they can be loaded."""
    names = installed_plugins()
    if not names:
        yield ok("plug-ins", "none installed")
    for name in names:
        yield _plugin(name, deep=context.deep)


def _plugin(name: str, *, deep: bool) -> Finding:
    check = f"plugin:{name}"
    if not deep:
        return ok(check, "installed; --deep loads it")
    try:
        load_plugin(name).close()
    except SimilError as exc:
        return warn(check, exc.message, exc.hint or "update or uninstall it")
    return ok(check, "can be loaded")


def _in_words(status: ModelStatus) -> str:
    prepared = "" if status.prepared or status.prepared is None else ", not prepared yet"
    revision = f", revision {status.revision[:12]}" if status.revision else ""
    return f"{status.description}{prepared}{revision}"
