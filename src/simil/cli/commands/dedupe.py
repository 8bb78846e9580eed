"""`simil dedupe`: removes texts that repeat another."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

from simil.cli.options import types as opt
from simil.cli.options import values
from simil.cli.options.declarations import Option
from simil.cli.options.groups import InputFlags, ModelFlags, RunFlags, expanded
from simil.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from simil.formats.passthrough import Frame
    from simil.session.inputs import OpenInput
    from simil.session.session import Session
    from simil.tasks.corpus import Corpus
    from simil.tasks.deduplication import Duplicates
    from simil.tasks.stored_corpus import StoredCorpus
    from simil.texts import Text
    from simil.vectors import VectorBatch, VectorFile, VectorFormat

__all__ = ["dedupe"]

log = logging.getLogger("simil")

_SHOWN = ("kept", "removed", "pairs", "groups")
# The forms of vectors in which they go into a pipe if they came so.
_PIPED = ("json", "jsonl", "csv", "tsv", "npy")


@expanded
def dedupe(
    files: opt.Files = None,
    threshold: Annotated[
        float | None,
        Option(
            "--threshold",
            metavar="X",
            help="Lowest score at which two texts count as duplicates.",
            default="depends on the model",
        ),
    ] = None,
    exact: Annotated[bool, Option("--exact", help="Remove only exact copies, without a model.")] = False,
    against: Annotated[
        str | None,
        Option(
            "--against", metavar="FILE", help="Also remove texts that repeat one in FILE (texts or vectors)."
        ),
    ] = None,
    show: Annotated[
        str,
        Option(
            "--show",
            metavar="WHAT",
            help="What to print: the texts that are kept, those that are removed, each duplicate with "
            "the text it repeats, or whole groups.",
            choices=("kept", "removed", "pairs", "groups"),
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
    from simil.cli.commands.dedupe_view import show_texts
    from simil.cli.options.run import open_run
    from simil.cli.output.output_file import open_output
    from simil.cli.output.rows import form_of
    from simil.formats.passthrough import common_frame
    from simil.session.inputs import fitted

    values.check_choice("--show", show, _SHOWN)
    values.check_threshold(threshold)
    if exact and threshold is not None:
        raise UsageError("--exact and --threshold contradict each other", hint="pass one of them")
    options = reading.options(whole=whole, all_fields=True)
    records = show in ("kept", "removed")
    form_of_rows = "" if records else form_of(form, output)
    with open_run(model, running, on_error=reading.on_error) as run:
        session = run.session
        opened, known = session.open(files or [], options), None
        if against is not None:
            opened, known = fitted(opened, session.open([against], options))
        if exact and (opened.holds_vectors or (known is not None and known.holds_vectors)):
            raise UsageError("--exact compares texts, and these are saved vectors", hint="leave it out")
        if opened.holds_vectors:
            kind = _vector_form(form, output, opened.formats) if records else None
            stored = session.larger_than_memory(opened)
            if stored is not None:
                found = _near_stored(session, stored, known, threshold)
                if records:
                    rows = (found.kept if show == "kept" else ~found.kept).nonzero()[0]
                    _write_batches(stored.batches(rows), kind, output, session.stamp, opened.column_types)
                    return
            else:
                saved = _to_write(opened, kind, running).vector_files()
                found = _near_vectors(session, saved, known, threshold)
                if records:
                    _write_vectors(saved, _wanted(found, show), kind, output, opened.column_types)
                    return
        else:
            text_form = _text_form(form, output, opened.formats) if records else ""
            frames: list[Frame | None] = []
            texts = [*session.texts(_to_write(opened, text_form, running), on_frame=frames.append)]
            found = (
                _equal_texts(session, texts, known)
                if exact
                else _near_texts(session, texts, known, threshold)
            )
            if records:
                kept = [found.texts[row] for row in _wanted(found, show)]
                as_it_came = _is_kept(opened, text_form, running) and not whole
                frame = common_frame(frames) if as_it_came else None
                with open_output(output) as stream:
                    show_texts(
                        kept,
                        text_form,
                        stream,
                        frame,
                        nul=reading.nul,
                        whole=whole,
                        types=opened.column_types,
                    )
                return
        with open_output(output) as stream:
            _show(found, opened, show, form_of_rows, stream, session.stamp, known=known)


def _show(
    found: Duplicates,
    opened: OpenInput,
    show: str,
    form: str,
    stream: BinaryIO,
    stamp: str | None,
    *,
    known: OpenInput | None,
) -> None:
    from simil.cli.commands.dedupe_view import show_duplicates, write_duplicates
    from simil.cli.output.annotated_rows import keeps_rows

    if not keeps_rows(form):
        show_duplicates(found, show, form, stream, model=stamp)
        return
    several = len(opened.sources) > 1 or known is not None
    # What comes from a reference has the types of another file.
    types = opened.column_types if known is None else {}
    write_duplicates(found, show, form, stream, types=types, several=several)


def _to_write(opened: OpenInput, form: str | None, running: RunFlags) -> OpenInput:
    """Return an input that is to be written in `form`: as it came, if it is in that form."""
    return opened.keeping_raw() if _is_kept(opened, form, running) else opened


def _is_kept(opened: OpenInput, form: str | None, running: RunFlags) -> bool:
    """Return whether records are written in `form` as they came; with --safe-csv cells may change."""
    return opened.formats == {form} and not (running.safe_csv and form in ("csv", "tsv"))


def _wanted(found: Duplicates, show: str) -> list[int]:
    """Return the rows of the texts that are kept, or of those that are removed."""
    rows: list[int] = (found.kept if show == "kept" else ~found.kept).nonzero()[0].tolist()
    return rows


def _text_form(name: str | None, output: Path | None, forms: Collection[str]) -> str:
    """Return the form of texts: that of the input, unless another is asked for."""
    from simil.cli.output.rows import form_of
    from simil.formats.registry import format_named

    if name is None and (output is None or output.suffix == ".txt"):
        only = next(iter(forms)) if len(forms) == 1 else "text"
        if format_named(only).is_binary:
            return "csv" if only == "xlsx" else "jsonl"
        return only
    found = form_of(name, output)
    return "text" if found in ("plain", "table") else found


def _vector_form(name: str | None, output: Path | None, forms: Collection[str]) -> VectorFormat | None:
    """Return the form of vectors: that of the input, unless another is asked for; None for a preview."""
    from simil.cli.output.vector_output import vector_form
    from simil.vectors import VectorFormat

    found = vector_form(name, output)
    only = next(iter(forms)) if len(forms) == 1 else ""
    # Tables of Arrow, like those of texts, go into a pipe as JSON.
    is_asked = name is not None or output is not None
    return VectorFormat(only) if found is not None and not is_asked and only in _PIPED else found


def _write_vectors(
    files: Sequence[VectorFile],
    rows: Sequence[int],
    form: VectorFormat | None,
    output: Path | None,
    types: Mapping[str, Any],
) -> None:
    """Write some rows of files, as they came where that is possible; else fields with their `types`."""
    from simil.cli.output.output_file import open_output
    from simil.tasks.conversion import rows_by_file, selected
    from simil.vectors import VectorFormat
    from simil.vectors.raw_rows import as_they_came

    came = as_they_came([(file.raw, own) for file, own in rows_by_file(files, rows)])
    if came is not None:
        with open_output(output) as stream:
            stream.writelines(came)
            stream.flush()
        return
    model = next((file.model for file in files if file.model), None)
    batches = selected(files, rows, as_stored=form is VectorFormat.NPY)
    _write_batches(batches, form, output, model, types)


def _write_batches(
    batches: Iterator[VectorBatch],
    form: VectorFormat | None,
    output: Path | None,
    model: str | None,
    types: Mapping[str, Any],
) -> None:
    from simil.cli.output.vector_output import write_vectors
    from simil.vectors import VectorFormat

    if form is VectorFormat.NPY and output is None:
        log.warning("only the numbers are printed; -o FILE.npy also keeps ids, texts and model")
    write_vectors(batches, form, output, model, types)


def _equal_texts(session: Session, texts: Sequence[Text], against: OpenInput | None) -> Duplicates:
    from simil.tasks.deduplication import exact_duplicates

    others = [*session.texts(against)] if against else []
    return _report(exact_duplicates(texts, others), "are equal to an earlier one")


def _near_texts(
    session: Session, texts: Sequence[Text], against: OpenInput | None, threshold: float | None
) -> Duplicates:
    from simil.tasks.deduplication import dedupe as find

    # Saved vectors name the model that the texts need.
    others = _others(session, against)
    limit, whose = _threshold(threshold, session.embedder().stamp)
    _check_others(len(texts), others)
    found = find(texts, lambda wanted: session.embed(wanted, total=len(wanted)), limit, others)
    return _report(found, f"score at least {limit:g}{whose} with an earlier one")


def _near_vectors(
    session: Session, files: Sequence[VectorFile], against: OpenInput | None, threshold: float | None
) -> Duplicates:
    from simil.tasks.deduplication import near_duplicates

    # They name the model that the texts of `against` need.
    ours = session.saved(files)
    others = _others(session, against)
    limit, whose = _threshold(threshold, ours.model)
    _check_others(len(ours), others)
    found = near_duplicates(ours, limit, others)
    return _report(found, f"score at least {limit:g}{whose} with an earlier one")


def _near_stored(
    session: Session, corpus: StoredCorpus, against: OpenInput | None, threshold: float | None
) -> Duplicates:
    from simil.cli.output.candidate_notes import report_comparison, report_crowded
    from simil.tasks.stored_duplicates import stored_duplicates

    report_comparison(corpus)
    others = _others(session, against)
    limit, whose = _threshold(threshold, session.stamp)
    found, crowded = stored_duplicates(corpus, limit, others)
    report_crowded(crowded)
    return _report(found, f"score at least {limit:g}{whose} with an earlier one")


def _others(session: Session, against: OpenInput | None) -> Corpus | StoredCorpus | None:
    from simil.tasks.deduplication import unique_texts

    if against is None:
        return None
    if against.holds_vectors:
        stored = session.larger_than_memory(against)
        if stored is None:
            return session.corpus(against)
        from simil.cli.output.candidate_notes import report_comparison

        report_comparison(stored)
        return stored
    return session.embed(unique_texts(session.texts(against)))


def _check_others(count: int, others: Corpus | StoredCorpus | None) -> None:
    """Raise `UsageError` if so many texts cannot be compared with a dataset within an hour."""
    from simil.tasks.corpus import Corpus

    if others is not None and not isinstance(others, Corpus):
        from simil.tasks.exact_passes import check_passes

        check_passes(count, others, others.dimensions)


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
