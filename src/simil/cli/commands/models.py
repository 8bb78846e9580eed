"""`simil models`: which models there are, and which are on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from simil.cli.options import types as opt
from simil.cli.options import values
from simil.cli.options.completion import model_names
from simil.cli.options.declarations import Argument, Option
from simil.cli.options.groups import expanded
from simil.cli.options.run import start_run
from simil.cli.output.units import megabytes
from simil.data_stream import stdout
from simil.errors import ModelError, ModelNotFound, UsageError

if TYPE_CHECKING:
    from simil.models.resolve import ModelRef

__all__ = ["SUBCOMMANDS"]


Name = Annotated[
    str,
    Argument(
        metavar="NAME",
        help="A model, named as for -m: bge-base, org/name, openai:MODEL.",
        autocompletion=model_names,
    ),
]


_PURPOSES = ("quality", "speed", "multilingual", "long", "code")
Purpose = Annotated[
    str | None,
    Option(
        "--for",
        metavar="PURPOSE",
        help="Recommend up to five models for a purpose, with the reasons.",
        choices=_PURPOSES,
    ),
]


@expanded
def listed(
    purpose: Purpose = None,
    form: opt.Form = None,
    output: opt.Output = None,
    offline: opt.Offline = False,
    env_file: opt.EnvFile = None,
) -> None:
    """List the models that simil knows, and those on this machine."""
    from simil.cli.commands.models_view import show_advice, show_models
    from simil.cli.output.output_file import open_output
    from simil.cli.output.rows import form_of
    from simil.models.model_choice import predict_choice
    from simil.models.recommendations import recommend
    from simil.models.resolve import resolve
    from simil.models.status import all_models, status_of

    if purpose is not None:
        values.check_choice("--for", purpose, _PURPOSES)
    shown_as = form_of(form, output)
    with start_run(quiet=False, verbose=False, offline=offline or None, env_file=env_file) as run:
        if purpose is not None:
            advice = recommend(purpose)
            states = [status_of(resolve(one.info.cli_name), run.settings) for one in advice.models]
            with open_output(output) as stream:
                show_advice(advice, states, shown_as, stream)
            return
        found, chosen = all_models(run.settings), predict_choice(run.settings)
        with open_output(output) as stream:
            show_models(found, chosen, shown_as, stream)


@expanded
def show(name: Name, form: opt.TextOrJson = "text", env_file: opt.EnvFile = None) -> None:
    """Show everything known about a model: figures and their sources, prompts, folders."""
    from simil.cli.commands.models_view import card_json, card_text
    from simil.models.model_choice import predict_choice
    from simil.models.status import status_of

    values.check_choice("--format", form, ("text", "json"))
    with start_run(quiet=False, verbose=False, env_file=env_file) as run:
        status = status_of(_known(name), run.settings)
        if status.info is None and status.where == "local":
            raise _not_here(_known(name))
        chosen = predict_choice(run.settings)
        stdout().write(card_json(status, chosen) if form == "json" else card_text(status, chosen))


@expanded
def pull(
    name: Name, offline: opt.Offline = False, quiet: opt.Quiet = False, verbose: opt.Verbose = False
) -> None:
    """Fetch a model from the Hugging Face Hub, or complete and update one that is here."""
    from simil.cli.output.progress_bar import terminal_progress
    from simil.models.hub import download as hub
    from simil.models.resolve import Provider
    from simil.models.select import fetch, find_local
    from simil.models.status import status_of

    with start_run(quiet=quiet, verbose=verbose, offline=offline or None) as run:
        ref = _known(name)
        if ref.provider is Provider.EMBEDDED:
            _say(f"{name} is a part of simil: there is nothing to fetch", quiet=quiet)
            return
        if ref.provider is not Provider.HUB:
            raise UsageError(f"{name} is not a model of the hub: there is nothing to fetch")
        if run.settings.hub_offline:
            raise ModelError(
                f"{ref.target} cannot be fetched: simil is offline ({run.settings.hub_offline})",
                hint=f"run without {run.settings.hub_offline}",
            )
        before = find_local(ref)
        source = fetch(ref, terminal_progress(quiet=quiet))
        hub.forget(run.settings.cache_dir)
        done = "is here, and whole" if before and before.revision == source.revision else "fetched"
        size = megabytes(status_of(ref, run.settings).size)
        revision = (source.revision or "")[:12]
        _say(f"{name} {done}: {size}, revision {revision} in {source.folder}", quiet=quiet)


@expanded
def remove(name: Name, quiet: opt.Quiet = False) -> None:
    """Delete a model's files and what was prepared from them; cached vectors stay."""
    from simil.models.removal import remove_model

    with start_run(quiet=quiet, verbose=False) as run:
        removed = remove_model(_known(name), run.settings.cache_dir)
        lines = [f"{name} removed, {megabytes(removed.freed)} freed", *map(str, removed.folders)]
        _say("\n  ".join(lines), quiet=quiet)


@expanded
def prepare(
    name: Name, offline: opt.Offline = False, quiet: opt.Quiet = False, verbose: opt.Verbose = False
) -> None:
    """Prepare a model for quick starts, fetching it if necessary, and print the folder."""
    from simil.cli.output.progress_bar import terminal_progress
    from simil.models.files.chain import UnknownChain
    from simil.models.graphs.prepare import prepare as make
    from simil.models.preparation import graph_to_prepare
    from simil.models.select import find_or_fetch

    with start_run(quiet=quiet, verbose=verbose, offline=offline or None) as run:
        progress = terminal_progress(quiet=quiet)
        source = find_or_fetch(_known(name), offline=run.settings.hub_offline, progress=progress)
        if source is None:
            raise ModelError(f"{name} has nothing to prepare: simil runs no graph of it")
        kind = graph_to_prepare(name, source)
        try:
            made = make(source, run.settings.cache_dir, progress, full=True, kind=kind)
        except UnknownChain as exc:
            raise ModelError(f"{name} is not prepared: {exc}", hint="it runs as it is") from exc
        if made.built is None:
            raise ModelError(
                f"the prepared {name} cannot be written to {run.settings.cache_dir}",
                hint="make it writable, or name another with SIMIL_CACHE_DIR",
            )
        stdout().write(f"{made.built.path}\n")


@expanded
def path(name: Name) -> None:
    """Print the folder of a model's files; exit with 4 if they are not here."""
    from simil.models.status import status_of

    with start_run(quiet=False, verbose=False) as run:
        ref = _known(name)
        status = status_of(ref, run.settings)
        if status.where != "local":
            raise ModelError(f"{name} has no files here: it is run by {_RUN_BY[status.where]}")
        if status.folder is None:
            raise _not_here(ref)
        stdout().write(f"{status.folder}\n")


_RUN_BY = {"API": "an API", "plug-in": "a plug-in"}


def _known(name: str) -> ModelRef:
    """Return the model of this name; raises `ModelNotFound` for an unknown plug-in or model of an API."""
    from simil.models.catalog import catalog
    from simil.models.entry_points import find_plugins
    from simil.models.resolve import Provider, resolve
    from simil.near_names import close_matches, did_you_mean

    ref = resolve(name)
    if ref.provider is Provider.PLUGIN:
        find_plugins(ref.target)
    if ref.provider is Provider.OPENAI and ref.info is None:
        known = {info.name: info.cli_name for info in catalog().values() if info.provider == "openai"}
        meant = did_you_mean(known[one] for one in close_matches(ref.target, known))
        raise ModelNotFound(f"nothing is known about {name}", hint=meant or "its server may still have it")
    return ref


def _not_here(ref: ModelRef) -> ModelNotFound:
    from simil.models.names import near_repository
    from simil.near_names import did_you_mean

    hint = did_you_mean(near_repository(ref.target)) or f"simil models pull {ref.target} fetches it"
    return ModelNotFound(f"{ref.target} is not on this machine", hint=hint)


def _say(line: str, *, quiet: bool) -> None:
    if not quiet:
        stdout().write(f"{line}\n")


SUBCOMMANDS = {
    "list": listed,
    "show": show,
    "pull": pull,
    "prepare": prepare,
    "path": path,
    "remove": remove,
}
