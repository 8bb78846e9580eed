"""`simil dedupe`: removes texts that repeat another."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated

import typer

from simil.cli.options import types as opt
from simil.cli.options import values
from simil.cli.options.groups import InputFlags, ModelFlags, RunFlags, expanded
from simil.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from simil.session.inputs import OpenInput
    from simil.session.session import Session
    from simil.tasks.corpus import Corpus
    from simil.tasks.deduplication import Duplicates

__all__ = ["dedupe"]

log = logging.getLogger("simil")

_SHOWN = ("kept", "removed", "pairs", "groups")


@expanded
def dedupe(
    files: opt.Files = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            metavar="X",
            help="Minimum score of two texts that count as duplicates (default: the model's).",
        ),
    ] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Remove only exact copies; uses no model.")] = False,
    against: Annotated[
        str | None,
        typer.Option(
            "--against", metavar="FILE", help="Also remove duplicates of the texts or vectors in FILE."
        ),
    ] = None,
    show: Annotated[
        str,
        typer.Option(
            "--show",
            metavar="kept|removed|pairs|groups",
            help="What to print: texts that are kept, those removed, or pairs or groups of duplicates.",
        ),
    ] = "kept",
    output: opt.Output = None,
    form: opt.Form = None,
    whole: opt.Whole = False,
    *,
    model: ModelFlags,
    reading: InputFlags,
    running: RunFlags,
) -> None:
    """Keep the first of each group of texts that mean the same, in input order.

    simil dedupe notes.txt · simil dedupe --show pairs faq.csv --field question
    """
    from simil.cli.commands.dedupe_view import show_duplicates, show_texts
    from simil.cli.options.run import open_run
    from simil.cli.output.output_file import open_output
    from simil.cli.output.rows import form_of
    from simil.cli.output.vector_output import vector_form, write_vectors
    from simil.session.inputs import fitted
    from simil.tasks.conversion import vector_batch

    values.check_choice("--show", show, _SHOWN)
    values.check_threshold(threshold)
    if exact and threshold is not None:
        raise UsageError("--exact and --threshold contradict each other", hint="pass one of them")
    options = reading.options(whole=whole, all_fields=True)
    records = show in ("kept", "removed")
    with open_run(model, running, on_error=reading.on_error) as run:
        session = run.session
        opened, known = session.open(files or [], options), None
        if against is not None:
            opened, known = fitted(opened, session.open([against], options))
        saved_form = vector_form(form, output) if records and opened.holds_vectors else None
        text_form = ""
        if not records:
            text_form = form_of(form, output)
        elif not opened.holds_vectors:
            text_form = _form(form, output, opened.formats)
        found, saved = _find(session, opened, known, threshold, exact=exact)
        rows = (found.kept if show == "kept" else ~found.kept).nonzero()[0]
        if saved is not None and records:
            texts = [saved.texts[row] for row in rows.tolist()]
            batch = vector_batch(texts, saved.vectors[rows], saved.model)
            write_vectors(iter([batch]), saved_form, output, saved.model or "unknown", opened.column_types)
            return
        with open_output(output) as stream:
            if records:
                texts = [found.texts[row] for row in rows.tolist()]
                show_texts(
                    texts,
                    text_form,
                    stream,
                    nul=reading.nul,
                    header=not reading.no_header,
                    whole=whole,
                    types=opened.column_types,
                )
            else:
                show_duplicates(found, show, text_form, stream, model=session.stamp)


def _form(name: str | None, output: Path | None, forms: Collection[str]) -> str:
    """Return the form of texts: that of the input (csv and tsv "as it came"), unless another is asked for."""
    from simil.cli.output.rows import form_of
    from simil.formats.registry import format_named

    if name is None and (output is None or output.suffix == ".txt"):
        only = next(iter(forms)) if len(forms) == 1 else "text"
        if format_named(only).is_binary:
            return "csv" if only == "xlsx" else "jsonl"
        return f"{only} as it came" if only in ("csv", "tsv") else only
    found = form_of(name, output)
    return "text" if found in ("plain", "table") else found


def _find(
    session: Session,
    opened: OpenInput,
    against: OpenInput | None,
    threshold: float | None,
    *,
    exact: bool,
) -> tuple[Duplicates, Corpus | None]:
    """Return the duplicates, and the saved vectors that they were found in, if any."""
    from simil.tasks import deduplication as task

    if exact:
        if opened.holds_vectors or (against and against.holds_vectors):
            raise UsageError("--exact compares texts, and these are saved vectors", hint="leave it out")
        others = [*session.texts(against)] if against else []
        found = task.exact_duplicates([*session.texts(opened)], others)
        return _report(found, "are equal to an earlier one"), None
    # Saved vectors come first: they name the model that the texts need.
    ours = session.corpus(opened) if opened.holds_vectors else None
    others_corpus: Corpus | None = None
    if against:
        others_corpus = (
            session.corpus(against)
            if against.holds_vectors
            else session.embed(task.unique_texts(session.texts(against)))
        )
    if ours is None:
        texts = [*session.texts(opened)]
        limit, whose = _threshold(threshold, session.embedder().stamp)
        found = task.dedupe(
            texts, lambda wanted: session.embed(wanted, total=len(wanted)), limit, others_corpus
        )
    else:
        limit, whose = _threshold(threshold, ours.model)
        found = task.near_duplicates(ours, limit, others_corpus)
    return _report(found, f"score at least {limit:g}{whose} with an earlier one"), ours


def _threshold(given: float | None, stamp: str | None) -> tuple[float, str]:
    """Return the threshold, and a note if it is the model's default."""
    from simil.tasks.deduplication import UNKNOWN_THRESHOLD, default_threshold

    if given is not None:
        return given, ""
    known = default_threshold(stamp)
    if known is None:
        log.warning("there is no default threshold for %s; set one with --threshold", stamp or "this model")
        return UNKNOWN_THRESHOLD, ""
    limit, source = known
    log.info("the default threshold of %s, %g, comes from: %s", stamp, limit, source)
    return limit, " (the default of this model)"


def _report(found: Duplicates, why: str) -> Duplicates:
    removed = int((~found.kept).sum())
    log.warning("%s of %s texts removed: they %s", f"{removed:,}", f"{len(found.texts):,}", why)
    return found
