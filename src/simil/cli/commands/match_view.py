"""Shows matched rows: plain lines, rows of both files joined, objects, or a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from simil.cli.output.cells import fit
from simil.cli.output.output_file import width
from simil.cli.output.rows import Row, fewer_digits, write_rows
from simil.cli.output.terminal import console, escaped, meter, meter_columns
from simil.formats.tables import own_name

if TYPE_CHECKING:
    import numpy as np

    from simil.tasks.corpus import Corpus
    from simil.tasks.matching import Matches
    from simil.texts import Text

__all__ = ["show_matches"]


def show_matches(
    found: Matches,
    ours: Corpus,
    theirs: Corpus,
    unmatched: str,
    form: str,
    stream: BinaryIO,
    *,
    right_too: bool,
) -> None:
    """Write the pairs and what `--unmatched` asks for in `form`; `right_too` includes rows of `theirs`."""
    pairs = _pairs(found, ours, theirs, unmatched, right_too=right_too)
    if form == "table":
        _show_table(pairs, ours, theirs)
    elif form in ("json", "jsonl"):
        facts: dict[str, object] = {"model": ours.model or theirs.model}
        facts |= {"dimensions": int(ours.vectors.shape[1])} if form == "json" else {}
        rows: list[Row] = [
            {"score": pair.score, "left": _item(ours, pair.left), "right": _item(theirs, pair.right)}
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
        names = _columns(ours, theirs)
        table = _joined(pairs, (ours, theirs), names)
        used = [*names[0].values(), *names[1].values()]
        columns = [own_name("score", used), *used]
        types = {**_types(ours, names[0]), **_types(theirs, names[1])}
        write_rows(table, form, stream, facts={}, columns=columns, types=types)


@dataclass(frozen=True, slots=True)
class _JoinedRow:
    """A line of output: a pair with its score, or a row without a match."""

    left: int | None
    right: int | None
    score: np.float32 | None


def _pairs(
    found: Matches, ours: Corpus, theirs: Corpus, unmatched: str, *, right_too: bool
) -> list[_JoinedRow]:
    matched: dict[int, list[_JoinedRow]] = {}
    for left, right, score in zip(found.left.tolist(), found.right.tolist(), found.scores, strict=True):
        matched.setdefault(left, []).append(_JoinedRow(left, right, score))
    pairs: list[_JoinedRow] = []
    for row in range(len(ours)):
        if row in matched:
            pairs += [] if unmatched == "only" else matched[row]
        elif unmatched != "drop":
            pairs.append(_JoinedRow(row, None, None))
    if right_too and unmatched != "drop":
        used = set(found.right.tolist())
        pairs += [_JoinedRow(None, row, None) for row in range(len(theirs)) if row not in used]
    return pairs


def _item(corpus: Corpus, row: int | None) -> Row | None:
    if row is None:
        return None
    text = corpus.texts[row]
    return {"id": text.id, "text": text.text, **({"fields": text.fields} if text.fields else {})}


def _content(corpus: Corpus, row: int | None) -> str | None:
    return None if row is None else corpus.content(row)


def _columns(ours: Corpus, theirs: Corpus) -> list[dict[str, str]]:
    """Return the names of the columns of each file in the output, by those that they have there.

    A name of the right file that the left has too gets `_right` after it.
    """
    used: set[str] = set()
    return [_names([_record(corpus, text) for text in corpus.texts], used) for corpus in (ours, theirs)]


def _types(corpus: Corpus, names: Mapping[str, str]) -> dict[str, Any]:
    """Return the types of the columns of a file that hold fields as they were read."""
    fields = {name for text in corpus.texts for name in text.fields} if corpus.types else ()
    return {names[name]: corpus.types[name] for name in fields if name in corpus.types}


def _joined(
    pairs: Sequence[_JoinedRow], sides: tuple[Corpus, Corpus], names: Sequence[Mapping[str, str]]
) -> list[Row]:
    """Return rows of the score and all columns of both files."""
    ours, theirs = sides
    rows: list[Row] = []
    for pair in pairs:
        # Each row has all columns in one order, even if one side is missing.
        cells: dict[str, object] = {}
        for corpus, row, renamed in ((ours, pair.left, names[0]), (theirs, pair.right, names[1])):
            record = {} if row is None else _record(corpus, corpus.texts[row])
            cells |= {new: record.get(name) for name, new in renamed.items()}
        rows.append({"score": pair.score, "fields": cells})
    return rows


def _record(corpus: Corpus, text: Text) -> Mapping[str, object]:
    """Return the columns as they were read; for plain text and saved vectors, the id and the text."""
    if text.fields and not corpus.saved:
        return text.fields
    return {**({"id": text.id} if corpus.saved else {}), "text": text.text, **text.fields}


def _names(records: Sequence[Mapping[str, object]], used: set[str]) -> dict[str, str]:
    names: dict[str, str] = {}
    for name in dict.fromkeys(name for record in records for name in record):
        new = name
        while new in used:
            new = f"{new}_right"
        used.add(new)
        names[name] = new
    return names


def _show_table(pairs: Sequence[_JoinedRow], ours: Corpus, theirs: Corpus) -> None:
    """Print one line per pair: its score, a bar, and both texts."""
    terminal = console()
    room = max((width() - 8 - meter_columns() - 3) // 2, 4)
    for pair in pairs:
        texts = [_content(ours, pair.left) or "", _content(theirs, pair.right) or ""]
        left, right = (escaped(fit(text, room)) for text in texts)
        line = f"{left} │ {right.rstrip()}".rstrip()
        if pair.score is None:
            score, drawn = "-", " " * meter_columns()
        else:
            score, drawn = fewer_digits(pair.score), meter(terminal, float(pair.score))
        terminal.print(f"[bold]{score:>6}[/bold]  {drawn}{line}", highlight=False)
