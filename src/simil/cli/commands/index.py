"""`simil index`: what makes searching a Lance dataset quick."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from simil.cli.options import types as opt
from simil.cli.options import values
from simil.cli.options.completion import language_names
from simil.cli.options.declarations import Argument, Option
from simil.cli.options.groups import expanded
from simil.cli.options.run import Run, start_run
from simil.data_stream import stdout
from simil.errors import NothingGiven, UsageError

if TYPE_CHECKING:
    from simil.index.index_building import Optimized
    from simil.vectors.stored_vectors import StoredVectors

__all__ = ["index"]

log = logging.getLogger("simil")

_INFO = "info"


@expanded
def index(
    arguments: Annotated[
        list[str] | None,
        Argument(
            metavar="[info] FILE",
            help="A Lance dataset: a folder, or an address such as s3://bucket/corpus.lance. With "
            "info, only print what it holds and which indexes it has.",
        ),
    ] = None,
    kind: Annotated[
        str | None,
        Option(
            "--kind",
            metavar="KIND",
            help="Index to build on the vectors. ivf-rq needs a multiple of 8 dimensions.",
            choices=("ivf-rq", "ivf-pq", "ivf-hnsw-sq"),
            default="ivf-rq where it fits",
        ),
    ] = None,
    language: Annotated[
        str | None,
        Option(
            "--language",
            metavar="NAME",
            help="Language of the texts, for searches with --words and --hybrid.",
            default="english",
            autocompletion=language_names,
        ),
    ] = None,
    optimize: Annotated[
        bool,
        Option("--optimize", help="Add new rows to the indexes, join small files, and remove old versions."),
    ] = False,
    form: Annotated[
        str | None,
        Option(
            "-f",
            "--format",
            metavar="FORMAT",
            help="Output format of info.",
            choices=("text", "json"),
            default="text",
        ),
    ] = None,
    offline: opt.Offline = False,
    env_file: opt.EnvFile = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    """Build indexes on the vectors, ids and texts of a Lance dataset, so that searching it is quick.

    simil index corpus.lance · simil index --optimize corpus.lance · simil index info corpus.lance
    """
    name = _file(arguments or [])
    wants_info = len(arguments or []) == 2
    if wants_info and (kind, language, optimize) != (None, None, False):
        raise UsageError(
            "info only shows, so --kind, --language and --optimize have no effect", hint="leave them out"
        )
    if optimize and (kind or language):
        raise UsageError("--optimize keeps the indexes as they are", hint="leave out --kind and --language")
    if form is not None and not wants_info:
        raise UsageError("--format is for info", hint=f"run: simil index info {name}")
    with start_run(quiet=quiet, verbose=verbose, offline=offline or None, env_file=env_file) as run:
        if wants_info:
            _show(name, form or "text", run)
        elif optimize:
            _optimize(name, run)
        else:
            _build(name, kind, language, run)


def _file(arguments: Sequence[str]) -> str:
    """Return the dataset that is named; a file called info is ./info."""
    if len(arguments) == 1 and arguments[0] != _INFO:
        return arguments[0]
    if len(arguments) == 2 and arguments[0] == _INFO:
        return arguments[1]
    if len(arguments) > 1:
        raise UsageError("one dataset at a time", hint="run simil index once for each")
    raise NothingGiven("no dataset is named")


def _open(name: str, run: Run) -> StoredVectors:
    from simil.formats.remote_paths import check_online
    from simil.vectors.stored_vectors import StoredVectors

    check_online(name, offline=run.settings.offline)
    return StoredVectors.open(name)


def _build(name: str, kind: str | None, language: str | None, run: Run) -> None:
    from simil.cli.output.progress_bar import terminal_progress
    from simil.index.index_building import build
    from simil.index.index_plan import IndexKind, default_kind, plan_index
    from simil.index.nearest import INDEX_FROM
    from simil.index.stored_words import check_index_language

    if kind is not None:
        values.check_choice("--kind", kind, IndexKind)
    if language is not None:
        check_index_language(language)
    stored = _open(name, run)
    chosen = IndexKind(kind) if kind else default_kind(stored.dimensions)
    plan = plan_index(chosen, stored.count, stored.dimensions)
    if plan is None:
        log.warning("%s: too few vectors for an index on them (%d): search is exact", name, stored.count)
    else:
        log.warning("%s: %s", name, plan)
    build(stored, plan, language=language, progress=terminal_progress(quiet=run.quiet))
    if plan is not None and plan.rows * plan.dimensions < INDEX_FROM:
        rows = INDEX_FROM // plan.dimensions
        log.warning("search uses the index on vectors from %s rows on; with fewer it is exact", f"{rows:,}")


def _optimize(name: str, run: Run) -> None:
    from simil.cli.output.progress_bar import terminal_progress
    from simil.index.index_building import optimize

    done = optimize(_open(name, run), progress=terminal_progress(quiet=run.quiet))
    log.warning("%s: %s", name, _said(done))


def _said(done: Optimized) -> str:
    from simil.cli.output.units import megabytes

    before, after = done.fragments
    parts = [
        f"{before:,} fragments became {after:,}" if after != before else "",
        f"{done.rows:,} rows came into the index" if done.rows else "",
        f"{megabytes(done.freed)} freed" if done.freed else "",
        f"{megabytes(done.kept)} kept that may belong to a run at work" if done.kept else "",
    ]
    return "; ".join(filter(None, parts)) or "nothing to do"


def _show(name: str, form: str, run: Run) -> None:
    from simil.cli.commands.index_view import dataset_json, dataset_text
    from simil.index.index_description import describe_dataset

    values.check_choice("--format", form, ("text", "json"))
    found = describe_dataset(_open(name, run))
    stdout().write(dataset_json(found) if form == "json" else dataset_text(found))
