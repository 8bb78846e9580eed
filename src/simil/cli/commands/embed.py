"""`simil embed`: texts in, vectors out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simil.cli.options import types as opt
from simil.cli.options import values
from simil.cli.options.groups import InputFlags, ModelFlags, RunFlags, expanded
from simil.errors import UsageError

if TYPE_CHECKING:
    from simil.cli.commands.embed_view import Preview
    from simil.cli.options.run import SessionRun
    from simil.progress import Advance, Total
    from simil.session.inputs import OpenInput
    from simil.session.session import Session
    from simil.tasks.embedding import EmbeddedBatch, EmbedOptions
    from simil.texts import Text
    from simil.vectors import VectorBatch, VectorFormat, VectorWriter

__all__ = ["embed", "vector_form", "write_vectors"]


@expanded
def embed(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE", help="Texts, one a line; - or nothing for stdin."),
    ] = None,
    text: Annotated[
        list[str] | None, typer.Option("-t", "--text", metavar="TEXT", help="Embed TEXT (may be repeated).")
    ] = None,
    output: opt.Output = None,
    form: Annotated[
        str | None,
        typer.Option(
            "-f", "--format", metavar="json|jsonl|npy|csv|tsv|base64", help="The form of the vectors."
        ),
    ] = None,
    kind: Annotated[
        str,
        typer.Option(
            "--kind",
            metavar="symmetric|query|document",
            help="What the texts are to the model: sets its prompt.",
        ),
    ] = "symmetric",
    no_normalize: opt.NoNormalize = False,
    whole: opt.Whole = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Say how many texts, tokens and requests it would take, and what they cost."
        ),
    ] = False,
    *,
    model: ModelFlags,
    reading: InputFlags,
    running: RunFlags,
) -> None:
    """Give each text a vector.

    simil embed notes.txt > vectors.json · simil embed -o v.npy a.csv --field title
    """
    from simil.cli.options.run import open_run
    from simil.tasks.embedding import EmbedOptions

    normalize = not no_normalize
    with open_run(model, running, on_error=reading.on_error, normalize=normalize, nulls=True) as run:
        options = reading.options(whole=whole)
        wanted = EmbedOptions(values.kind_named(kind), model.dimensions, normalize=normalize)
        written = None if dry_run else vector_form(form, output)
        if text and files:
            raise UsageError("--text and FILE cannot go together", hint="use one of them")
        if text:
            texts = values.given(text, "--text", run.notes.blank)
            if dry_run:
                _say_what_it_takes(run.session, texts, wanted, form, output)
            else:
                _embed_texts(run, texts, wanted, written, output)
            return
        opened = run.session.open(files or [], options)
        if opened.holds_vectors:
            if dry_run:
                raise UsageError("the input holds vectors already: there is nothing to embed")
            if model.model is not None:
                raise UsageError("the input holds vectors already, so -m has no effect", hint="leave -m away")
            _convert(opened, wanted, written, output)
        elif dry_run:
            _say_what_it_takes(run.session, run.session.texts(opened), wanted, form, output)
        else:
            _embed_texts(run, run.session.texts(opened), wanted, written, output, opened.count)


def vector_form(name: str | None, output: Path | None) -> VectorFormat | None:
    """Return the form to write; None is the table for a person at a terminal."""
    from simil.cli.output.output_file import is_terminal
    from simil.cli.output.rows import form_of_suffix
    from simil.vectors import VectorFormat

    if name is not None:
        values.check_choice("--format", name, VectorFormat)
    if output is not None:
        return VectorFormat(name) if name else VectorFormat(form_of_suffix(output, [*VectorFormat]))
    if name == VectorFormat.NPY and is_terminal():
        raise UsageError("npy is binary and stdout is a terminal", hint="use -o FILE.npy or redirect it")
    if name is None and is_terminal():
        return None
    return VectorFormat(name or "json")


def _embed_texts(
    run: SessionRun,
    texts: Iterator[Text],
    wanted: EmbedOptions,
    form: VectorFormat | None,
    output: Path | None,
    total: Total = None,
) -> None:
    from simil.cli.output.progress_bar import terminal_progress
    from simil.tasks.embedding import embed_stream

    embedder = run.session.embedder()
    progress = terminal_progress(quiet=run.quiet, beside_output=output is None)
    with progress("embedding", total=total, unit="texts", status=embedder.status) as advance:
        batches = embed_stream(
            texts, embedder, wanted, on_error=run.notes.on_error, keeps_failed=run.notes.keeps_failed
        )
        write_vectors(_counted(batches, embedder.stamp, advance), form, output, embedder.stamp)


def _say_what_it_takes(
    session: Session, texts: Iterator[Text], wanted: EmbedOptions, form: str | None, output: Path | None
) -> None:
    """Count what embedding would take, and send nothing."""
    from simil.cli.commands.embed_dry_run import show_dry_run
    from simil.cli.output.output_file import open_output
    from simil.tasks.dry_run import dry_run

    if form not in (None, "json"):
        raise UsageError(f"--dry-run has no form {form!r}", hint="leave --format away, or use json")
    found = dry_run(texts, session.embedder(), wanted)
    with open_output(output) as stream:
        show_dry_run(found, stream, as_json=form == "json")


def _convert(opened: OpenInput, wanted: EmbedOptions, form: VectorFormat | None, output: Path | None) -> None:
    """Write files of vectors in another form; no model is asked."""
    from simil.tasks.conversion import convert

    model, batches = convert(opened.vector_files(), wanted)
    write_vectors(batches, form, output, model or "unknown")


def _counted(batches: Iterator[EmbeddedBatch], model: str, advance: Advance) -> Iterator[VectorBatch]:
    from simil.tasks.conversion import vector_batch

    for batch in batches:
        yield vector_batch(batch.texts, batch.vectors, model)
        advance(len(batch.texts))


def write_vectors(
    batches: Iterator[VectorBatch], form: VectorFormat | None, output: Path | None, model: str
) -> None:
    """Write a vector file to `output` or stdout, or a table to the terminal where `form` is None."""
    from simil.cli.commands.embed_view import Preview
    from simil.cli.output.output_file import open_outputs
    from simil.vectors import VectorFormat, open_writer, sidecar_path

    if form is None:
        _copy(batches, Preview(model))
        return
    paths = [output] if output else []
    if output and form is VectorFormat.NPY:
        paths.append(sidecar_path(output))
    with open_outputs(paths) as streams:
        stream = streams[0] if streams else sys.stdout.buffer
        sidecar = streams[1] if len(streams) > 1 else None
        with open_writer(form, stream, model=model, sidecar=sidecar) as writer:
            _copy(batches, writer)
        stream.flush()


def _copy(batches: Iterator[VectorBatch], writer: VectorWriter | Preview) -> None:
    for batch in batches:
        writer.write(batch)
        sys.stdout.flush()
    writer.close()
