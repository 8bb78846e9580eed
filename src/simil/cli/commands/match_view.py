"""Shows matched rows: plain lines, rows of both files joined, objects, or a table."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any, BinaryIO

from simil.cli.output.annotated_rows import Annotated, column_names, record_of, write_annotated
from simil.cli.output.cells import fit
from simil.cli.output.output_file import width
from simil.cli.output.rows import Row, fewer_digits, write_rows
from simil.cli.output.terminal import console, escaped, meter, meter_columns
from simil.tasks.corpus import content_of, texts_at
from simil.texts import Text

if TYPE_CHECKING:
    import numpy as np

    from simil.tasks.corpus import Corpus
    from simil.tasks.matching import Matches

__all__ = ["show_matches"]

# Columns of what a reranker says on the terminal.
_RERANK = 8
_AT_ONCE = 1024


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
    sort: bool = False,
    by_name: bool = False,
) -> None:
    """Write the pairs and what `--unmatched` asks for in `form`; `right_too` includes rows of `theirs`.

    `reranker` has chosen the pairs, if there is one. Rows are in the order of the left input, with `sort`
    those first that score highest. `by_name` shows a reader the ids of texts, which are names of files.
    """
    rows = _pairs(found, ours, theirs, unmatched, right_too=right_too)
    pairs = _with_texts(_best_first(rows) if sort else rows, ours, theirs)
    if unmatched != "drop":
        pairs = _with_blanks(pairs, ours, theirs, right_too=right_too, last=sort)
    shown = _name if by_name else _content
    if form == "table":
        _show_table(pairs, reranker, shown)
    elif form == "json":
        facts: dict[str, object] = {"model": ours.model or theirs.model}
        facts |= {"reranker": reranker} if reranker else {}
        facts |= {"dimensions": int(ours.vectors.shape[1])}
        items: Iterator[Row] = (
            {**pair.score_cells(reranker), "left": _item(left), "right": _item(right)}
            for pair, left, right in pairs
        )
        write_rows(items, form, stream, facts=facts)
    elif form == "plain":
        lines: Iterator[Row] = (
            {**pair.score_cells(reranker), "left": shown(left), "right": shown(right)}
            for pair, left, right in pairs
        )
        write_rows(lines, form, stream, facts={})
    else:
        names = _columns(ours, theirs)
        write_annotated(
            _joined(pairs, (ours, theirs), names, reranker),
            form,
            stream,
            fields=[*names[0].values(), *names[1].values()],
            columns=["rerank", "score"] if reranker else ["score"],
            types={**_types(ours, names[0]), **_types(theirs, names[1])},
            alike=ours.is_on_demand or theirs.is_on_demand,
        )


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


# A line of output, and its texts.
_Shown = tuple[_JoinedRow, Text | None, Text | None]


def _pairs(
    found: Matches, ours: Corpus, theirs: Corpus, unmatched: str, *, right_too: bool
) -> Iterator[_JoinedRow]:
    import numpy as np

    order = np.argsort(found.left, kind="stable")
    bounds = np.searchsorted(found.left[order], np.arange(len(ours) + 1)).tolist()
    for row, (start, end) in enumerate(pairwise(bounds)):
        if start == end and unmatched != "drop":
            yield _JoinedRow(row, None)
        elif unmatched != "only":
            for place in order[start:end].tolist():
                rerank = None if found.rerank_scores is None else found.rerank_scores[place]
                yield _JoinedRow(row, int(found.right[place]), found.scores[place], rerank)
    if right_too and unmatched != "drop":
        for row in np.setdiff1d(np.arange(len(theirs)), found.right).tolist():
            yield _JoinedRow(None, row)


def _with_texts(pairs: Iterator[_JoinedRow], ours: Corpus, theirs: Corpus) -> Iterator[_Shown]:
    """Yield the pairs with their texts, None for the missing side of a row without a match."""
    import numpy as np

    while part := [*islice(pairs, _AT_ONCE)]:
        sides = (
            texts_at(corpus.texts, np.array([row for row in rows if row is not None], np.int64))
            for corpus, rows in (
                (ours, [pair.left for pair in part]),
                (theirs, [pair.right for pair in part]),
            )
        )
        lefts, rights = sides
        for pair in part:
            left = None if pair.left is None else next(lefts)
            yield pair, left, None if pair.right is None else next(rights)


def _best_first(pairs: Iterable[_JoinedRow]) -> Iterator[_JoinedRow]:
    """Yield the pairs by what has chosen them, best first, and last the rows without a match."""

    def key(pair: _JoinedRow) -> tuple[bool, float]:
        chosen = pair.score if pair.rerank is None else pair.rerank
        return chosen is None, 0.0 if chosen is None else -float(chosen)

    yield from sorted(pairs, key=key)


def _with_blanks(
    pairs: Iterable[_Shown], ours: Corpus, theirs: Corpus, *, right_too: bool, last: bool
) -> Iterator[_Shown]:
    """Yield the pairs, and among them, in their places or `last`, the blank texts, which match nothing."""
    blanks = deque(ours.blanks)
    none = _JoinedRow(None, None)
    for pair, left, right in pairs:
        while blanks and not last and (pair.left is None or blanks[0][0] <= pair.left):
            yield none, blanks.popleft()[1], None
        yield pair, left, right
    yield from ((none, text, None) for _, text in blanks)
    yield from ((none, None, text) for _, text in theirs.blanks if right_too)


def _item(text: Text | None) -> Row | None:
    if text is None:
        return None
    return {"id": text.id, "text": text.text, **({"fields": text.fields} if text.fields else {})}


def _name(text: Text | None) -> str | None:
    return None if text is None else text.id


def _content(text: Text | None) -> str | None:
    return None if text is None else content_of(text)


def _columns(ours: Corpus, theirs: Corpus) -> list[dict[str, str]]:
    """Return the names of the columns of each file in the output, by those that they have there.

    A name of the right file that the left has too gets `_right` after it.
    """
    used: set[str] = set()
    return [_names(column_names(_sample(corpus), saved=corpus.saved), used) for corpus in (ours, theirs)]


def _sample(corpus: Corpus) -> Sequence[Text]:
    """Return texts that have all fields: each row of a dataset has the same."""
    if corpus.is_on_demand:
        return corpus.texts[:1]
    return [*corpus.texts, *(text for _, text in corpus.blanks)]


def _types(corpus: Corpus, names: Mapping[str, str]) -> dict[str, Any]:
    """Return the types of the columns of a file that hold fields as they were read."""
    fields = {name for text in _sample(corpus) for name in text.fields} if corpus.types else ()
    return {names[name]: corpus.types[name] for name in fields if name in corpus.types}


def _joined(
    pairs: Iterator[_Shown],
    sides: tuple[Corpus, Corpus],
    names: Sequence[Mapping[str, str]],
    reranker: str | None,
) -> Iterator[Annotated]:
    """Yield all columns of both files, and the scores."""
    for pair, *texts in pairs:
        cells: dict[str, object] = {}
        for corpus, text, renamed in zip(sides, texts, names, strict=True):
            if text is None:
                cells |= dict.fromkeys(renamed.values())
            else:
                record = record_of(text, saved=corpus.saved)
                cells |= {renamed[name]: value for name, value in record.items()}
        yield cells, pair.score_cells(reranker)


def _names(columns: Iterable[str], used: set[str]) -> dict[str, str]:
    names: dict[str, str] = {}
    for name in columns:
        new = name
        while new in used:
            new = f"{new}_right"
        used.add(new)
        names[name] = new
    return names


def _show_table(
    pairs: Iterator[_Shown], reranker: str | None, content: Callable[[Text | None], str | None]
) -> None:
    """Print one line per pair: what the reranker says, the cosine, a bar of it, and both texts."""
    terminal = console()
    # A cosine below zero has seven characters.
    columns = 9 + meter_columns() + (_RERANK + 2 if reranker else 0)
    room = max((width() - columns - 3) // 2, 4)
    for pair, *texts in pairs:
        left, right = (escaped(fit(content(text) or "", room)) for text in texts)
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
