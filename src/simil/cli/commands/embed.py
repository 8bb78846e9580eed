"""`simil embed`: texts in, vectors out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from simil.cli.options import types as opt
from simil.cli.options import values
from simil.cli.options.declarations import Argument, Option
from simil.cli.options.groups import ClusterFlags, ModelFlags, RunFlags, TextFlags, expanded
from simil.errors import UsageError

if TYPE_CHECKING:
    from simil.cli.options.run import SessionRun
    from simil.cli.output.vector_output import VectorTarget
    from simil.progress import Total
    from simil.session.inputs import OpenInput
    from simil.session.session import Session
    from simil.tasks.embedding import EmbeddedBatch, EmbedOptions
    from simil.texts import Text
    from simil.vectors import VectorBatch

__all__ = ["embed"]


@expanded
def embed(
    files: Annotated[
        list[str] | None,
        Argument(metavar="FILE", help="Texts, one per line; - or no FILE reads stdin."),
    ] = None,
    text: Annotated[
        list[str] | None, Option("-t", "--text", metavar="TEXT", help="Embed TEXT; may be repeated.")
    ] = None,
    output: opt.Output = None,
    form: Annotated[
        str | None,
        Option(
            "-f",
            "--format",
            metavar="FORMAT",
            help="Output format.",
            choices=("json", "jsonl", "npy", "csv", "tsv", "base64", "parquet", "arrow", "lance"),
            default="from the suffix of -o, else json",
        ),
    ] = None,
    kind: Annotated[
        str,
        Option(
            "--kind",
            metavar="KIND",
            help="How the texts will be used; selects the model's prompt, if it has one.",
            choices=("symmetric", "query", "document"),
        ),
    ] = "symmetric",
    no_normalize: opt.NoNormalize = False,
    whole: opt.Whole = False,
    append: Annotated[
        bool,
        Option(
            "--append",
            help="Add to the Lance dataset named by -o. A text replaces the row with its id; texts "
            "that are already there are not embedded again.",
        ),
    ] = False,
    batch: Annotated[
        bool,
        Option(
            "--batch",
            help="Let OpenAI's Batch API compute new texts at half the price, within 24 hours. Run "
            "the same command again to resume.",
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        Option(
            "--dry-run", help="Only print the number of texts, tokens and requests, and what they would cost."
        ),
    ] = False,
    *,
    model: ModelFlags,
    reading: TextFlags,
    cluster: ClusterFlags,
    running: RunFlags,
) -> None:
    """Compute a vector for each text.

    simil embed notes.txt > vectors.json · simil embed -o v.npy a.csv --field title
    """
    from simil.cli.options.run import open_run
    from simil.cli.output.vector_output import VectorTarget, vector_target
    from simil.tasks.embedding import EmbedOptions

    normalize = not no_normalize
    with open_run(model, running, on_error=reading.on_error, normalize=normalize, nulls=True) as run:
        options = reading.options(whole=whole)
        wanted = EmbedOptions(
            values.kind_named(kind), model.dimensions, normalize=normalize, ignored=options.ignored
        )
        if cluster.is_asked_for():
            from simil.cli.commands.embed_cluster import embed_on_cluster

            beside = {"--text": text, "--append": append, "--format": form}
            embed_on_cluster(run, cluster, files or [], options, wanted, output, beside, dry_run=dry_run)
            return
        if dry_run and not append:
            target = VectorTarget(None, output)
        else:
            target = vector_target(form, output, append=append, offline=run.settings.offline)
        if batch and not dry_run:
            from simil.cli.commands.embed_batch import embed_in_batches

            beside = {"--text": text, "--append": append}

            def write(texts: Iterator[Text], opened: OpenInput) -> None:
                _embed_texts(run, texts, wanted, target, opened)

            embed_in_batches(run, files or [], options, wanted, target, beside, write)
            return
        if text and files:
            raise UsageError("--text and FILE cannot go together", hint="use one of them")
        if text:
            _embed_given(run, text, wanted, form, target, dry_run=dry_run)
            return
        opened = run.session.open(files or [], options)
        if opened.holds_vectors:
            if dry_run:
                raise UsageError("the input holds vectors already: there is nothing to embed")
            if model.model is not None:
                raise UsageError("the input holds vectors already, so -m has no effect", hint="leave out -m")
            _convert(opened, wanted, target)
        elif dry_run:
            _preview_cost(run.session, run.session.texts(opened), wanted, form, target)
        else:
            texts = run.session.texts(opened, keeps_failed=run.notes.keeps_failed)
            _embed_texts(run, texts, wanted, target, opened)


def _embed_given(
    run: SessionRun,
    given: list[str],
    wanted: EmbedOptions,
    form: str | None,
    target: VectorTarget,
    *,
    dry_run: bool,
) -> None:
    """Embed texts of the command line, or print what that would take."""
    keeps_failed = run.notes.keeps_failed and not dry_run
    texts = values.given(given, "--text", run.notes.blank, keeps_blank=keeps_failed, ignored=wanted.ignored)
    if dry_run:
        _preview_cost(run.session, texts, wanted, form, target)
    else:
        _embed_texts(run, texts, wanted, target)


def _embed_texts(
    run: SessionRun,
    texts: Iterator[Text],
    wanted: EmbedOptions,
    target: VectorTarget,
    opened: OpenInput | None = None,
) -> None:
    """Embed texts and write their vectors."""
    from simil.cli.output.progress_bar import terminal_progress
    from simil.tasks.embedding import embed_stream

    if target.append:
        run.session.append_to(target.path, wanted)
    embedder = run.session.embedder()
    total: Total = opened.count if opened else None
    types = opened.column_types if opened else None
    progress = terminal_progress(quiet=run.quiet, beside_output=target.output is None)
    with progress("embedding", total=total, unit="texts", status=embedder.status) as advance:
        batches = embed_stream(
            texts,
            embedder,
            wanted,
            on_error=run.notes.on_error,
            keeps_failed=run.notes.keeps_failed,
            on_unknown=run.notes.unknown,
            on_done=advance,
        )
        target.write(_rows_of(batches, embedder.stamp), embedder.stamp, types, wanted)


def _preview_cost(
    session: Session, texts: Iterator[Text], wanted: EmbedOptions, form: str | None, target: VectorTarget
) -> None:
    """Print what embedding would take, without sending anything; what would be appended to stays as it is."""
    from simil.cli.commands.embed_view import show_dry_run
    from simil.cli.output.output_file import open_output
    from simil.tasks.dry_run import dry_run

    if form not in (None, "json"):
        raise UsageError(f"--dry-run cannot be written as {form!r}", hint="leave out --format, or use json")
    if target.append:
        session.append_to(target.path, wanted)
    found = dry_run(texts, session.embedder(), wanted)
    # It is no vectors: what is after -o stays as it is.
    with open_output(None) as stream:
        show_dry_run(found, stream, as_json=form == "json")


def _convert(opened: OpenInput, wanted: EmbedOptions, target: VectorTarget) -> None:
    """Write files of vectors in another format, without a model."""
    from simil.tasks.conversion import convert

    model, batches = convert(opened.vector_files(), wanted)
    target.write(batches, model, opened.column_types)


def _rows_of(batches: Iterator[EmbeddedBatch], model: str) -> Iterator[VectorBatch]:
    from simil.tasks.conversion import vector_batch

    for batch in batches:
        yield vector_batch(batch.texts, batch.vectors, model)
