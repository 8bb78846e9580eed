"""`simil match`: which rows of two files belong together?"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from simil.cli.options import types as opt
from simil.cli.options import values
from simil.cli.options.groups import ModelFlags, RunFlags, expanded
from simil.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    import numpy as np

    from simil.cli.output.rows import Row
    from simil.tasks.corpus import Corpus
    from simil.tasks.matching import Matches
    from simil.texts import ReadOptions, Text

__all__ = ["match"]

log = logging.getLogger("simil")

_UNMATCHED = ("keep", "drop", "only")


@expanded
def match(
    left: Annotated[
        str, typer.Argument(metavar="LEFT", help="Texts or saved vectors, each of which is to be matched.")
    ],
    right: Annotated[
        str, typer.Argument(metavar="RIGHT", help="Texts or saved vectors to match them with; one may be -.")
    ],
    top_k: Annotated[
        int | None,
        typer.Option("-k", "--top-k", metavar="N", min=1, help="The N best for each of LEFT (default: 1)."),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option("--threshold", metavar="X", help="What scores below X is no match.")
    ] = None,
    one_to_one: Annotated[
        bool,
        typer.Option(
            "--one-to-one",
            help="Use no row of RIGHT twice; of all such pairings the one with the largest sum.",
        ),
    ] = False,
    unmatched: Annotated[
        str,
        typer.Option(
            "--unmatched",
            metavar="keep|drop|only",
            help="Rows without a match: with an empty other side, not at all, or nothing but them.",
        ),
    ] = "keep",
    output: opt.Output = None,
    form: opt.Form = None,
    input_format: opt.InputFormatName = None,
    field: Annotated[
        list[str] | None,
        typer.Option(
            "--field",
            metavar="NAME",
            help="The column or key of the text; twice for LEFT's and RIGHT's.",
            rich_help_panel="Input",
        ),
    ] = None,
    id_field: Annotated[
        list[str] | None,
        typer.Option(
            "--id-field",
            metavar="NAME",
            help="The column or key of the id; twice for LEFT's and RIGHT's.",
            rich_help_panel="Input",
        ),
    ] = None,
    no_header: opt.NoHeader = False,
    nul: opt.Nul = False,
    on_error: opt.OnError = "fail",
    *,
    model: ModelFlags,
    running: RunFlags,
) -> None:
    """Join two files by meaning: for each row of LEFT, its best of RIGHT.

    simil match ours.csv theirs.csv --field name --field title > joined.csv
    """
    from simil.cli.options.run import open_run
    from simil.cli.output.output_file import open_output
    from simil.session.inputs import Input
    from simil.tasks import matching as task

    values.check_choice("--unmatched", unmatched, _UNMATCHED)
    values.check_threshold(threshold)
    if one_to_one and top_k is not None:
        raise UsageError("--one-to-one and -k contradict each other", hint="pass one of them")
    common = values.read_options(
        input_format, None, None, nul=nul, whole=False, header=not no_header, all_fields=True
    )
    fields, id_fields = _of_sides(field, "--field"), _of_sides(id_field, "--id-field")
    sides = [
        Input([path], replace(common, fields=(name,) if name is not None else (), id_field=id_name))
        for path, name, id_name in zip((left, right), fields, id_fields, strict=True)
    ]
    with open_run(model, running, on_error=on_error) as run:
        ours, theirs = run.session.corpora(*sides)
        shown_as = _form(form, output, [(side.reading, side.files[0]) for side in sides], ours, theirs)
        if one_to_one:
            found = task.match_one_to_one(ours, theirs, threshold=threshold)
        else:
            found = task.match(ours, theirs, k=top_k or 1, threshold=threshold)
        pairs = _pairs(found, ours, theirs, unmatched, right_too=one_to_one)
        with open_output(output) as stream:
            _show(pairs, ours, theirs, shown_as, stream)
        _tell(found, ours, theirs, threshold, right_too=one_to_one)
    if not len(found):
        raise typer.Exit(1)


def _of_sides(names: list[str] | None, option: str) -> tuple[str | None, str | None]:
    if not names:
        return None, None
    if len(names) > 2:
        raise UsageError(
            f"{option} is given {len(names)} times", hint="once for both files, or once for each"
        )
    return names[0], names[-1]


def _form(
    name: str | None,
    output: Path | None,
    sources: Sequence[tuple[ReadOptions, str]],
    ours: Corpus,
    theirs: Corpus,
) -> str:
    """Return the form of the output: two tables joined are a table, unless another is asked for."""
    from simil.cli.output.rows import form_of

    form = form_of(name, output)
    if form == "plain" and output is None and not (ours.saved or theirs.saved):
        forms = {str(reading.format_for(path)) for reading, path in sources}
        if forms <= {"csv"} or forms <= {"tsv"}:
            return forms.pop()
    return form


@dataclass(frozen=True, slots=True)
class _Pair:
    """A line of the output; a row that has no match stands alone, without a score."""

    left: int | None
    right: int | None
    score: np.float32 | None


def _pairs(found: Matches, ours: Corpus, theirs: Corpus, unmatched: str, *, right_too: bool) -> list[_Pair]:
    matched: dict[int, list[_Pair]] = {}
    for left, right, score in zip(found.left.tolist(), found.right.tolist(), found.scores, strict=True):
        matched.setdefault(left, []).append(_Pair(left, right, score))
    pairs: list[_Pair] = []
    for row in range(len(ours)):
        if row in matched:
            pairs += [] if unmatched == "only" else matched[row]
        elif unmatched != "drop":
            pairs.append(_Pair(row, None, None))
    if right_too and unmatched != "drop":
        used = set(found.right.tolist())
        pairs += [_Pair(None, row, None) for row in range(len(theirs)) if row not in used]
    return pairs


def _tell(found: Matches, ours: Corpus, theirs: Corpus, threshold: float | None, *, right_too: bool) -> None:
    from simil.cli.output.cells import fit

    matched = len(set(found.left.tolist()))
    line = f"{matched:,} of {len(ours):,} rows matched"
    if right_too:
        line += f", {len(theirs) - matched:,} of {len(theirs):,} on the right left over"
    if not len(ours) or not len(theirs):
        line += f"; there is nothing on the {'right' if len(ours) else 'left'}"
    if found.nearest_miss:
        left, right, score = found.nearest_miss
        texts = (fit(ours.content(left), 40).rstrip(), fit(theirs.content(right), 40).rstrip())
        line += f"; nothing reaches {threshold:g}, the nearest is {score:.6f}: {' │ '.join(texts)}"
    log.warning("%s", line)


def _show(pairs: Sequence[_Pair], ours: Corpus, theirs: Corpus, form: str, stream: BinaryIO) -> None:
    from simil.cli.output.rows import write_rows

    if form == "table":
        _show_table(pairs, ours, theirs)
    elif form in ("json", "jsonl"):
        facts: dict[str, object] = {"model": ours.model or theirs.model}
        facts |= {"dimensions": int(ours.vectors.shape[1])} if form == "json" else {}
        rows: list[Row] = [
            {"score": pair.score, "left": _side(ours, pair.left), "right": _side(theirs, pair.right)}
            for pair in pairs
        ]
        write_rows(rows, form, stream, facts=facts)
    elif form == "plain":
        lines: list[Row] = [
            {"score": pair.score, "left": _content(ours, pair.left), "right": _content(theirs, pair.right)}
            for pair in pairs
        ]
        write_rows(lines, form, stream, facts={})
    else:
        table, columns = _joined(pairs, ours, theirs)
        write_rows(table, form, stream, facts={}, columns=columns)


def _side(corpus: Corpus, row: int | None) -> Row | None:
    if row is None:
        return None
    text = corpus.texts[row]
    return {"id": text.id, "text": text.text, **({"fields": text.fields} if text.fields else {})}


def _content(corpus: Corpus, row: int | None) -> str | None:
    return None if row is None else corpus.content(row)


def _joined(pairs: Sequence[_Pair], ours: Corpus, theirs: Corpus) -> tuple[list[Row], list[str]]:
    """Return the score and all columns of both sides; a name that is taken gets the side's after it."""
    used = {"score"}
    names = [
        _names([_record(corpus, text) for text in corpus.texts], side, used)
        for corpus, side in ((ours, "left"), (theirs, "right"))
    ]
    rows: list[Row] = []
    for pair in pairs:
        # Each line has all columns, in one order, also where one side is missing.
        cells: dict[str, object] = {}
        for corpus, row, renamed in ((ours, pair.left, names[0]), (theirs, pair.right, names[1])):
            record = {} if row is None else _record(corpus, corpus.texts[row])
            cells |= {new: record.get(name) for name, new in renamed.items()}
        rows.append({"score": pair.score, "fields": cells})
    return rows, ["score", *names[0].values(), *names[1].values()]


def _record(corpus: Corpus, text: Text) -> Mapping[str, object]:
    """Return the columns as they were read; of plain text and saved vectors, what there is."""
    if text.fields and not corpus.saved:
        return text.fields
    return {**({"id": text.id} if corpus.saved else {}), "text": text.text, **text.fields}


def _names(records: Sequence[Mapping[str, object]], side: str, used: set[str]) -> dict[str, str]:
    names: dict[str, str] = {}
    for name in dict.fromkeys(name for record in records for name in record):
        new = name
        while new in used:
            new = f"{new}_{side}"
        used.add(new)
        names[name] = new
    return names


def _show_table(pairs: Sequence[_Pair], ours: Corpus, theirs: Corpus) -> None:
    """Print a line a pair: its score, a bar, and both texts."""
    from simil.cli.output.cells import fit
    from simil.cli.output.output_file import width
    from simil.cli.output.terminal import console, escaped, meter, meter_columns

    terminal = console()
    room = max((width() - 8 - meter_columns() - 3) // 2, 4)
    for pair in pairs:
        texts = [_content(ours, pair.left) or "", _content(theirs, pair.right) or ""]
        left, right = (escaped(fit(text, room)) for text in texts)
        line = f"{left} │ {right.rstrip()}".rstrip()
        if pair.score is None:
            score, drawn = "-", " " * meter_columns()
        else:
            score, drawn = f"{pair.score:.4f}", meter(terminal, float(pair.score))
        terminal.print(f"[bold]{score:>6}[/bold]  {drawn}{line}", highlight=False)
