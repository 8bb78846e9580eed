"""`simil embed`: texts in, vectors out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simil.cli.options import types as opt
from simil.cli.options import values
from simil.cli.options.groups import InputFlags, ModelFlags, RunFlags, expanded
from simil.errors import UsageError

if TYPE_CHECKING:
    from simil.progress import Advance, Total
    from simil.session.inputs import Inputs
    from simil.session.session import Session
    from simil.tasks.embedding import EmbeddedBatch, EmbedOptions
    from simil.texts import Text
    from simil.vectors import VectorFormat

__all__ = ["embed"]


@expanded
def embed(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE", help="Texts, one per line; - or no FILE reads stdin."),
    ] = None,
    text: Annotated[
        list[str] | None, typer.Option("-t", "--text", metavar="TEXT", help="Embed TEXT; may be repeated.")
    ] = None,
    output: opt.Output = None,
    form: Annotated[
        str | None,
        typer.Option("-f", "--format", metavar="json|jsonl|npy|csv|tsv|base64", help="Output format."),
    ] = None,
    kind: Annotated[
        str,
        typer.Option(
            "--kind",
            metavar="symmetric|query|document",
            help="What the texts are to the model; selects its prompt.",
        ),
    ] = "symmetric",
    no_normalize: opt.NoNormalize = False,
    whole: opt.Whole = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Print how many texts, tokens and requests it would take, and what they would cost.",
        ),
    ] = False,
    *,
    model: ModelFlags,
    reading: InputFlags,
    running: RunFlags,
) -> None:
    """Compute a vector for each text.

    simil embed notes.txt > vectors.json · simil embed -o v.npy a.csv --field title
    """
    from simil.cli.output.vector_output import vector_form
    from simil.session.session import open_session
    from simil.tasks.embedding import EmbedOptions
    from simil.texts import count_roughly

    normalize = not no_normalize
    with open_session(model, running, on_error=reading.on_error, normalize=normalize, nulls=True) as session:
        options = reading.options(whole=whole)
        wanted = EmbedOptions(values.kind_named(kind), model.dimensions, normalize=normalize)
        written = None if dry_run else vector_form(form, output)
        if text and files:
            raise UsageError("--text and FILE cannot go together", hint="use one of them")
        if text:
            texts = values.given(text, "--text", session.notes.blank)
            if dry_run:
                _preview_cost(session, texts, wanted, form, output)
            else:
                _embed_texts(session, texts, wanted, written, output)
            return
        inputs = session.inputs(files or [], options)
        if inputs.forms:
            if dry_run:
                raise UsageError("the input holds vectors already: there is nothing to embed")
            if model.model is not None:
                raise UsageError("the input holds vectors already, so -m has no effect", hint="leave out -m")
            _convert(inputs, wanted, written, output)
        elif dry_run:
            _preview_cost(session, session.read(inputs, options), wanted, form, output)
        else:
            texts = session.read(inputs, options)
            _embed_texts(
                session, texts, wanted, written, output, lambda: count_roughly(inputs.sources, options)
            )


def _embed_texts(
    session: Session,
    texts: Iterator[Text],
    wanted: EmbedOptions,
    form: VectorFormat | None,
    output: Path | None,
    total: Total = None,
) -> None:
    from simil.cli.output.progress_bar import terminal_progress
    from simil.cli.output.vector_output import write_vectors
    from simil.tasks.embedding import embed_stream

    embedder = session.embedder()
    progress = terminal_progress(quiet=session.run.quiet, beside_output=output is None)
    with progress("embedding", total=total, unit="texts", status=embedder.status) as advance:
        notes = session.notes
        batches = embed_stream(
            texts, embedder, wanted, on_error=notes.on_error, keeps_failed=notes.keeps_failed
        )
        write_vectors(_counted(batches, advance), form, output, embedder.stamp)


def _preview_cost(
    session: Session, texts: Iterator[Text], wanted: EmbedOptions, form: str | None, output: Path | None
) -> None:
    """Print what embedding would take, without sending anything."""
    from simil.cli.commands.embed_view import show_dry_run
    from simil.cli.output.output_file import open_output
    from simil.tasks.dry_run import dry_run

    if form not in (None, "json"):
        raise UsageError(f"--dry-run cannot be written as {form!r}", hint="leave out --format, or use json")
    found = dry_run(texts, session.embedder(), wanted)
    with open_output(output) as stream:
        show_dry_run(found, stream, as_json=form == "json")


def _convert(inputs: Inputs, wanted: EmbedOptions, form: VectorFormat | None, output: Path | None) -> None:
    """Write files of vectors in another format, without a model."""
    from simil.cli.output.vector_output import write_vectors
    from simil.tasks.conversion import convert

    model, batches = convert(inputs.vector_files(), wanted)
    write_vectors(batches, form, output, model or "unknown")


def _counted(batches: Iterator[EmbeddedBatch], advance: Advance) -> Iterator[EmbeddedBatch]:
    for batch in batches:
        yield batch
        advance(len(batch.texts))
