"""`simil match`: which rows of two files belong together?"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from simil.cli.negative_answer import NegativeAnswer
from simil.cli.options import types as opt
from simil.cli.options import values
from simil.cli.options.declarations import Argument, Option
from simil.cli.options.groups import ModelFlags, RerankFlags, RunFlags, expanded
from simil.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from simil.cli.options.run import SessionRun
    from simil.session.inputs import OpenInput
    from simil.session.session import Session
    from simil.tasks.corpus import Corpus
    from simil.tasks.matching import Matches
    from simil.tasks.stored_corpus import CorpusInBlocks
    from simil.texts import ReadOptions

__all__ = ["match"]

log = logging.getLogger("simil")

_UNMATCHED = ("keep", "drop", "only")
# Bytes of a row for each of its neighbours, and for those kept in case of rounding.
_PER_NEIGHBOUR, _SPARE = 64, 17


@expanded
def match(
    left: Annotated[str, Argument(metavar="LEFT", help="Texts or saved vectors to find matches for.")],
    right: Annotated[
        str,
        Argument(
            metavar="RIGHT",
            help="Texts or saved vectors to match them with; - for LEFT or RIGHT reads stdin.",
        ),
    ],
    top_k: Annotated[
        int | None,
        Option(
            "-k",
            "--top-k",
            metavar="N",
            min=1,
            help="Show the N best matches of each row of LEFT.",
            default="1",
        ),
    ] = None,
    threshold: Annotated[
        float | None, Option("--threshold", metavar="X", help="Lowest cosine of a match.")
    ] = None,
    one_to_one: Annotated[
        bool,
        Option(
            "--one-to-one",
            help="Use each row of RIGHT at most once, so that the sum of all scores is largest.",
        ),
    ] = False,
    unmatched: Annotated[
        str,
        Option(
            "--unmatched",
            metavar="ACTION",
            help="What to do with rows of LEFT that have no match: keep them with an empty right "
            "side, drop them, or print only them.",
            choices=("keep", "drop", "only"),
        ),
    ] = "keep",
    sort: opt.Sort = False,
    output: opt.Output = None,
    form: opt.Form = None,
    whole: Annotated[
        bool,
        Option(
            "--whole",
            help="Treat each file as one text; LEFT and RIGHT may be folders.",
            group="Input",
        ),
    ] = False,
    input_format: opt.InputFormatName = None,
    field: Annotated[
        list[str] | None,
        Option(
            "--field",
            metavar="NAME",
            help="Column or key that holds the text; give it twice if LEFT and RIGHT differ.",
            default="text, or the only column",
            group="Input",
        ),
    ] = None,
    id_field: Annotated[
        list[str] | None,
        Option(
            "--id-field",
            metavar="NAME",
            help="Column or key that holds the id; give it twice if LEFT and RIGHT differ.",
            default="id, or the line number",
            group="Input",
        ),
    ] = None,
    no_header: opt.NoHeader = False,
    delimiter: opt.Delimiter = None,
    encoding: opt.Encoding = None,
    sheet: opt.Sheet = None,
    collection: Annotated[
        list[str] | None,
        Option(
            "--collection",
            metavar="NAME",
            help=("Collection to read from llm's embeddings.db; give it twice if LEFT and RIGHT differ."),
            default="the only one",
            group="Input",
        ),
    ] = None,
    nul: opt.Nul = False,
    max_text_bytes: opt.MaxTextBytes = None,
    on_error: opt.OnError = "fail",
    *,
    model: ModelFlags,
    reranking: RerankFlags,
    running: RunFlags,
) -> None:
    """Join two files by meaning: each row of LEFT with its best match in RIGHT.

    simil match ours.csv theirs.csv --field name --field title > joined.csv
    """
    from simil.cli.commands.match_view import show_matches
    from simil.cli.options.run import open_run
    from simil.cli.output.annotated_rows import keeps_rows
    from simil.cli.output.output_file import open_output
    from simil.tasks import matching as task

    values.check_choice("--unmatched", unmatched, _UNMATCHED)
    values.check_threshold(threshold)
    if one_to_one and top_k is not None:
        raise UsageError("--one-to-one and -k contradict each other", hint="pass one of them")
    candidates = reranking.count(top_k)
    common = values.read_options(
        input_format,
        None,
        None,
        nul=nul,
        whole=whole,
        header=not no_header,
        delimiter=delimiter,
        encoding=encoding,
        sheet=sheet,
        max_text_bytes=max_text_bytes,
        all_fields=True,
    )
    fields, id_fields = _for_each_file(field, "--field"), _for_each_file(id_field, "--id-field")
    collections = _for_each_file(collection, "--collection")
    sides = [
        (path, replace(common, fields=() if name is None else (name,), id_field=id_name, collection=chosen))
        for path, name, id_name, chosen in zip((left, right), fields, id_fields, collections, strict=True)
    ]
    with open_run(model, running, on_error=on_error) as run:
        opened = [_opened(run.session, *side) for side in sides]
        if candidates is not None:  # Before anything is embedded, if there is no such model.
            run.session.scorer(reranking.rerank)
        shown_as = _form(form, output, opened)
        if keeps_rows(shown_as):
            opened = [side.keeping_rows() for side in opened]
        k = candidates or top_k or 1
        blocks = run.session.in_blocks(opened[0], opened[1], beside=_PER_NEIGHBOUR * (k + _SPARE))
        if blocks is not None:
            ours, theirs = (side.corpus for side in blocks)
            found = _found_in_blocks(*blocks, k, threshold, one_to_one=one_to_one and candidates is None)
        else:
            ours, theirs = run.session.corpora(*opened)
            if one_to_one and candidates is None:
                found = task.match_one_to_one(ours, theirs, threshold=threshold)
            else:
                found = task.match(ours, theirs, k=k, threshold=threshold)
        if candidates is not None:
            found = _reranked(found, ours, theirs, top_k or 1, one_to_one, run)
        with open_output(output) as stream:
            scorer = run.session.scorer_opened
            by = None if scorer is None else scorer.stamp
            show_matches(
                found,
                ours,
                theirs,
                unmatched,
                shown_as,
                stream,
                right_too=one_to_one,
                reranker=by,
                sort=sort,
                by_name=whole,
            )
        _report(found, ours, theirs, threshold, right_too=one_to_one)
    if not len(found):
        raise NegativeAnswer


def _opened(session: Session, path: str, reading: ReadOptions) -> OpenInput:
    """Open the file, or with `--whole` those of a folder; raises `InputError` if it has no text."""
    if not reading.whole or not os.path.isdir(path):  # noqa: PTH112 (as in compare)
        return session.open([path], reading)
    from simil.cli.commands.folder_texts import no_text_in, text_files
    from simil.cli.output.notes import LeftOutFiles

    left_out = LeftOutFiles(reading.encoding)
    files = [*text_files(session, path, reading, left_out)]
    left_out.report()
    if not files:
        raise no_text_in(path)
    opened = session.open(files, replace(reading, documents=True))
    return replace(opened, on_broken=lambda error: log.warning("left out: %s", error))


def _found_in_blocks(
    left: CorpusInBlocks, right: CorpusInBlocks, k: int, threshold: float | None, *, one_to_one: bool
) -> Matches:
    from simil.cli.output.candidate_notes import report_comparison
    from simil.tasks.stored_matches import stored_matches, stored_one_to_one

    searched = left if one_to_one and len(left) > len(right) else right
    for side in (left, right):
        report_comparison(side, searched=side is searched)
    if not one_to_one:
        return stored_matches(left, right, k=k, threshold=threshold)
    found, cut = stored_one_to_one(left, right, threshold=threshold)
    if cut is not None:
        log.warning("each row is matched with one of the %d nearest to it, for which there is memory", cut)
    return found


def _reranked(
    found: Matches, ours: Corpus, theirs: Corpus, k: int, one_to_one: bool, run: SessionRun
) -> Matches:
    from simil.tasks.reranking import rerank_matches

    session = run.session
    return rerank_matches(
        found,
        ours,
        theirs,
        session.scorer(),
        k=k,
        one_to_one=one_to_one,
        on_error=run.notes.on_error,
        progress=session.progress,
    )


def _for_each_file(names: list[str] | None, option: str) -> tuple[str | None, str | None]:
    if not names:
        return None, None
    if len(names) > 2:
        raise UsageError(
            f"{option} is given {len(names)} times", hint="once for both files, or once for each"
        )
    return names[0], names[-1]


def _form(name: str | None, output: Path | None, opened: Sequence[OpenInput]) -> str:
    """Return the form of the output: two csv or tsv files give the same, unless another is asked for."""
    from simil.cli.output.rows import form_of

    form = form_of(name, output)
    if form == "plain" and output is None and not any(side.holds_vectors for side in opened):
        forms = opened[0].formats | opened[1].formats
        if forms <= {"csv"} or forms <= {"tsv"}:
            return forms.pop()
    return form


def _report(
    found: Matches, ours: Corpus, theirs: Corpus, threshold: float | None, *, right_too: bool
) -> None:
    from simil.cli.output.cells import fit

    matched = len(set(found.left.tolist()))
    line = f"{matched:,} of {len(ours):,} rows matched"
    if right_too:
        line += f", {len(theirs) - matched:,} of {len(theirs):,} on the right without a match"
    if not len(ours) or not len(theirs):
        line += f"; the {'right' if len(ours) else 'left'} file has no texts"
    if found.nearest_miss:
        left, right, score = found.nearest_miss
        texts = (fit(ours.content(left), 40).rstrip(), fit(theirs.content(right), 40).rstrip())
        line += f"; nothing reaches {threshold:g}, the nearest is {score:.6f}: {' │ '.join(texts)}"
    log.warning("%s", line)
