"""`simil dedupe`: each thing said once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from math import isnan
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from simil.cli import options as opt
from simil.cli.flags import InputFlags, ModelFlags, RunFlags, expanded
from simil.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from simil.cli.session import Session
    from simil.tasks.corpus import Corpus
    from simil.tasks.dedupe import Duplicates
    from simil.texts import ReadOptions, Text

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
            help="The least score of two that say the same (default: the model's).",
        ),
    ] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="Only equal texts, character by character; no model is asked.")
    ] = False,
    against: Annotated[
        str | None,
        typer.Option(
            "--against", metavar="FILE", help="Remove what FILE says already, too: texts or vectors."
        ),
    ] = None,
    show: Annotated[
        str,
        typer.Option(
            "--show", metavar="kept|removed|pairs|groups", help="What remains, or what was removed, and why."
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
    """Keep the first of each group of texts that say the same, in their order.

    simil dedupe notes.txt · simil dedupe --show pairs faq.csv --field question
    """
    from simil.cli.output import open_output
    from simil.cli.session import open_session

    if show not in _SHOWN:
        raise UsageError(f"--show cannot be {show!r}", hint=f"choose one of {', '.join(_SHOWN)}")
    if threshold is not None and isnan(threshold):
        raise UsageError("--threshold cannot be nan", hint="give a number")
    if exact and threshold is not None:
        raise UsageError("--exact and --threshold contradict each other", hint="pass one of them")
    options = reading.options(whole=whole, all_fields=True)
    with open_session(model, running, on_error=reading.on_error) as session:
        shown_as = _form(form, output, show, options, files or ["-"])
        found = _find(session, files or [], against, options, threshold, exact=exact)
        with open_output(output) as stream:
            if show in ("kept", "removed"):
                kept = found.kept if show == "kept" else ~found.kept
                texts = [found.texts[row] for row in kept.nonzero()[0].tolist()]
                _write_texts(texts, shown_as, stream, reading, whole=whole, saved=found.saved)
            else:
                from simil.cli.duplicates import show_duplicates

                show_duplicates(found, show, shown_as, stream, model=session.model)


def _form(
    name: str | None, output: Path | None, show: str, options: ReadOptions, files: Sequence[str]
) -> str:
    """Return the form: texts come out as they went in, unless another is asked for."""
    from simil.cli.rows import form_of

    if show in ("kept", "removed") and name is None and (output is None or output.suffix == ".txt"):
        forms = {str(options.format_for(path)) for path in files}
        return forms.pop() if len(forms) == 1 else "text"
    found = form_of(name, output)
    return "plain" if found == "table" and show in ("kept", "removed") else found


def _find(
    session: Session,
    files: Sequence[str],
    against: str | None,
    options: ReadOptions,
    threshold: float | None,
    *,
    exact: bool,
) -> Duplicates:
    from simil.tasks import dedupe as task

    inputs = session.inputs(files, options)
    other_inputs = session.inputs([against], options) if against is not None else None
    if exact:
        if inputs.forms or (other_inputs and other_inputs.forms):
            raise UsageError("--exact compares texts, and these are saved vectors", hint="leave it out")
        others = [*session.read(other_inputs, options)] if other_inputs else []
        return _told(task.equal_texts([*session.read(inputs, options)], others), "are equal to one before")
    # Saved vectors come first: they say which model the texts need.
    ours = session.saved(inputs) if inputs.forms else None
    others_corpus: Corpus | None = None
    if other_inputs is not None:
        others_corpus = (
            session.saved(other_inputs)
            if other_inputs.forms
            else session.embed(task.first_of_equal(session.read(other_inputs, options)))
        )
    if ours is None:
        texts = [*session.read(inputs, options)]
        limit, whose = _threshold(threshold, session.embedder().stamp)
        found = task.dedupe(
            texts, lambda wanted: session.embed(wanted, total=len(wanted)), limit, others_corpus
        )
    else:
        limit, whose = _threshold(threshold, ours.model)
        found = task.near_duplicates(ours, limit, others_corpus)
    return _told(found, f"score at least {limit:g}{whose} with one before")


def _threshold(given: float | None, stamp: str | None) -> tuple[float, str]:
    """Return the threshold, and whose it is."""
    from simil.tasks.dedupe import UNKNOWN_THRESHOLD, default_threshold

    if given is not None:
        return given, ""
    known = default_threshold(stamp)
    if known is None:
        log.warning("no threshold is known for %s; --threshold sets one", stamp or "this model")
        return UNKNOWN_THRESHOLD, ""
    return known, " (the default of this model)"


def _told(found: Duplicates, why: str) -> Duplicates:
    removed = int((~found.kept).sum())
    log.warning("%s of %s texts removed: they %s", f"{removed:,}", f"{len(found.texts):,}", why)
    return found


def _write_texts(
    texts: Sequence[Text], form: str, stream: BinaryIO, reading: InputFlags, *, whole: bool, saved: bool
) -> None:
    from simil.cli.rows import json_of, write_rows

    if form in ("text", "plain"):
        end = "\0" if reading.nul else "\n"
        # A file that is one text goes by its name; a saved vector may have nothing but its id.
        names = (text.id if whole else text.text or text.id for text in texts)
        stream.writelines((name + end).encode("utf-8", "surrogateescape") for name in names)
    elif form == "jsonl":
        stream.writelines(json_of(_record(text, saved=saved)) + b"\n" for text in texts)
    elif form == "json":
        stream.write(
            b"[" + b",".join(b"\n" + json_of(_record(text, saved=saved)) for text in texts) + b"\n]\n"
        )
    else:
        rows = [{"fields": _record(text, saved=saved)} for text in texts]
        write_rows(rows, form, stream, facts={}, columns=["id", "text"])
    stream.flush()


def _record(text: Text, *, saved: bool) -> dict[str, object]:
    """Return the record as it was read; of plain text and saved vectors, what there is."""
    if text.fields and not saved:
        return {**text.fields}
    return {"id": text.id, "text": text.text, **text.fields}
