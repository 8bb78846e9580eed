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

# Columns of what a reranker says on the terminal.
_RERANK = 8


def show_matches(
    found: Matches,
    ours: Corpus,
    theirs: Corpus,
    unmatched: str,
    form: str,
    stream: BinaryIO,
    *,
    right_too: bool,
    reranker: str | None = None,
) -> None:
    """Write the pairs and what `--unmatched` asks for in `form`; `right_too` includes rows of `theirs`.

    `reranker` has chosen the pairs, if there is one.
    """
    pairs = _pairs(found, ours, theirs, unmatched, right_too=right_too)
    if form == "table":
        _show_table(pairs, ours, theirs, reranker)
    elif form in ("json", "jsonl"):
        facts: dict[str, object] = {"model": ours.model or theirs.model}
        facts |= {"reranker": reranker} if reranker else {}
        facts |= {"dimensions": int(ours.vectors.shape[1])} if form == "json" else {}
        rows: list[Row] = [
            {**pair.score_cells(reranker), "left": _item(ours, pair.left), "right": _item(theirs, pair.right)}
            for pair in pairs
        ]
        write_rows(rows, form, stream, facts=facts)
    elif form == "plain":
        lines: list[Row] = [
            {
                **pair.score_cells(reranker),
                "left": _content(ours, pair.left),
                "right": _content(theirs, pair.right),
            }
            for pair in pairs
        ]
        write_rows(lines, form, stream, facts={})
    else:
        names = _columns(ours, theirs)
        table = _joined(pairs, (ours, theirs), names, reranker)
        used = [*names[0].values(), *names[1].values()]
        columns = [*(own_name(name, used) for name in (["rerank"] if reranker else []) + ["score"]), *used]
        types = {**_types(ours, names[0]), **_types(theirs, names[1])}
        write_rows(table, form, stream, facts={}, columns=columns, types=types)


@dataclass(frozen=True, slots=True)
class _JoinedRow:
    """A line of output: a pair with its scores, or a row without a match."""

    left: int | None
    right: int | None
    score: np.float32 | None = None
    rerank: np.float32 | None = None

    def score_cells(self, reranker: str | None) -> Row:
        """Return the scores, first that which has chosen the pair."""
        return {"rerank": self.rerank, "score": self.score} if reranker else {"score": self.score}


def _pairs(
    found: Matches, ours: Corpus, theirs: Corpus, unmatched: str, *, right_too: bool
) -> list[_JoinedRow]:
    matched: dict[int, list[_JoinedRow]] = {}
    reranked = [None] * len(found) if found.rerank_scores is None else found.rerank_scores
    columns = (found.left.tolist(), found.right.tolist(), found.scores, reranked)
    for left, right, *scores in zip(*columns, strict=True):
        matched.setdefault(left, []).append(_JoinedRow(left, right, *scores))
    pairs: list[_JoinedRow] = []
    for row in range(len(ours)):
        if row in matched:
            pairs += [] if unmatched == "only" else matched[row]
        elif unmatched != "drop":
            pairs.append(_JoinedRow(row, None))
    if right_too and unmatched != "drop":
        used = set(found.right.tolist())
        pairs += [_JoinedRow(None, row) for row in range(len(theirs)) if row not in used]
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
    pairs: Sequence[_JoinedRow],
    sides: tuple[Corpus, Corpus],
    names: Sequence[Mapping[str, str]],
    reranker: str | None,
) -> list[Row]:
    """Return rows of the scores and all columns of both files."""
    ours, theirs = sides
    rows: list[Row] = []
    for pair in pairs:
        # Each row has all columns in one order, even if one side is missing.
        cells: dict[str, object] = {}
        for corpus, row, renamed in ((ours, pair.left, names[0]), (theirs, pair.right, names[1])):
            record = {} if row is None else _record(corpus, corpus.texts[row])
            cells |= {new: record.get(name) for name, new in renamed.items()}
        rows.append({**pair.score_cells(reranker), "fields": cells})
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


def _show_table(pairs: Sequence[_JoinedRow], ours: Corpus, theirs: Corpus, reranker: str | None) -> None:
    """Print one line per pair: what the reranker says, the cosine, a bar of it, and both texts."""
    terminal = console()
    # A cosine below zero has seven characters.
    columns = 9 + meter_columns() + (_RERANK + 2 if reranker else 0)
    room = max((width() - columns - 3) // 2, 4)
    for pair in pairs:
        texts = [_content(ours, pair.left) or "", _content(theirs, pair.right) or ""]
        left, right = (escaped(fit(text, room)) for text in texts)
        line = f"{left} │ {right.rstrip()}".rstrip()
        score, drawn = _shown(pair.score), " " * meter_columns()
        if pair.score is not None:
            drawn = meter(terminal, float(pair.score))
        if reranker:
            first = f"[bold]{_shown(pair.rerank):>{_RERANK}}[/bold]  {score:>6}"
        else:
            first = f"[bold]{score:>6}[/bold]"
        terminal.print(f"{first}  {drawn}{line}", highlight=False)


def _shown(score: np.float32 | None) -> str:
    return "-" if score is None else fewer_digits(score)
