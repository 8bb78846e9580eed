"""Shows search results: lines like grep's, rows, a table with bars, or files and counts."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from simil.cli.output.cells import end_of, fit, visible
from simil.cli.output.output_file import width
from simil.cli.output.rows import Row, digits, fewer_digits, source_cells, table_row, write_rows
from simil.cli.output.terminal import console, escaped, meter, meter_columns, sign
from simil.formats.delimited import tsv_cell
from simil.similarity.rank_fusion import RRF_K
from simil.tasks.retrieval import SearchBy, SearchResult, Surroundings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.console import Console

    from simil.tasks.corpus import Corpus

    Around = Callable[[Corpus, int], Surroundings]

__all__ = ["show_counts", "show_files", "show_results", "show_types"]

_JOINT = ("cosine", "cosine_rank", "bm25", "bm25_rank")


def show_results(
    answers: Sequence[SearchResult],
    corpus: Corpus,
    form: str,
    stream: BinaryIO,
    *,
    around: Around | None = None,
    has_headings: bool = False,
    reranker: str | None = None,
) -> None:
    """Write the results of each query, best first, in `form`.

    `around` gives what stands around a row and is to be shown, too. With `has_headings` the first line of a
    text are the headings above it. `reranker` has ordered the results, if there is one.
    """
    reranked = ["rerank"] if reranker else []
    joint = [*_JOINT] if any(answer.joint is not None for answer in answers) else []
    by = next((answer.by for answer in answers), SearchBy.MEANING)
    if form == "table":
        _show_table(answers, corpus, around, reranker, has_headings=has_headings)
    elif form == "plain" and around is not None:
        stream.writelines(_plain_with_context(answers, corpus, around))
        stream.flush()
    else:
        several = len(answers) > 1
        plain = [*reranked, "score", *(["query"] if several else []), "place", "content"]
        rows = _rows(answers, corpus, form, around)
        columns = ["id", "score", "content", *reranked, *joint, "file", "line"]
        if form in ("json", "jsonl"):
            facts = {"model": corpus.model} | ({} if by is SearchBy.MEANING else {"by": by.value})
            facts |= {"reranker": reranker} if reranker else {}
            write_rows(rows, form, stream, facts=facts)
        else:
            write_rows(rows, form, stream, facts={}, plain=plain, columns=columns, types=corpus.types)


def show_files(answers: Sequence[SearchResult], corpus: Corpus, stream: BinaryIO, end: bytes) -> None:
    """Write the name of each file with results, best first."""
    stream.writelines(_written(name, stream) + end for name in _files(answers, corpus))
    stream.flush()


def show_counts(answers: Sequence[SearchResult], corpus: Corpus, stream: BinaryIO, end: bytes) -> None:
    """Write the number of results and the name of each file, highest number first."""
    stream.writelines(
        f"{count}\t".encode() + _written(name, stream) + end
        for name, count in Counter(_sources(answers, corpus)).most_common()
    )
    stream.flush()


def show_types() -> None:
    """Write the types of files that --type takes, each with the patterns of their names."""
    from simil.data_stream import stdout
    from simil.texts.file_types import file_types

    stdout().write("".join(f"{name}: {', '.join(globs)}\n" for name, globs in file_types().items()))


def _written(name: str, stream: BinaryIO) -> bytes:
    """Return the name of a file on one line for a person, with the bytes of the system for a program."""
    return visible(name).encode() if stream.isatty() else os.fsencode(name)


def _sources(answers: Sequence[SearchResult], corpus: Corpus) -> Iterator[str]:
    for answer in answers:
        # A text that several queries find counts once per query.
        yield from (corpus.texts[row].origin.source for row in answer.rows.tolist())


def _files(answers: Sequence[SearchResult], corpus: Corpus) -> list[str]:
    best: dict[str, float] = {}
    for answer in answers:
        for row, score in zip(answer.rows.tolist(), answer.order_scores.tolist(), strict=True):
            source = corpus.texts[row].origin.source
            best[source] = max(score, best.get(source, score))
    return sorted(best, key=lambda source: -best[source])


def _rows(answers: Sequence[SearchResult], corpus: Corpus, form: str, around: Around | None) -> Iterator[Row]:
    several = len(answers) > 1
    for answer in answers:
        for place, row in enumerate(answer.rows.tolist()):
            text = corpus.texts[row]
            # The keys of `llm similar` come first, in its order.
            found: dict[str, object] = {"id": text.id, "score": answer.scores[place], "content": text.text}
            if answer.rerank_scores is not None:
                found["rerank"] = answer.rerank_scores[place]
            found |= _joint_cells(answer, place)
            if several:
                found["query"] = answer.query
            found |= source_cells(text, saved=corpus.saved)
            if form == "plain":
                found |= {"place": corpus.place(row), "content": corpus.content(row)}
            if around is not None and form in ("json", "jsonl"):
                beside = around(corpus, row)
                found["before"] = [line for _, line in beside.before]
                found["after"] = [line for _, line in beside.after]
            if text.fields:
                found["fields"] = text.fields
            yield found


def _joint_cells(answer: SearchResult, place: int) -> dict[str, object]:
    """Return how a result of a hybrid search stands in each of its rankings, no rank where it is in none."""
    joint = answer.joint
    if joint is None:
        return {}
    ranks = (joint.cosine_ranks[place], joint.bm25_ranks[place])
    by_cosine, by_bm25 = (int(rank) or None for rank in ranks)
    cells = (joint.cosines[place], by_cosine, joint.bm25[place], by_bm25)
    return dict(zip(_JOINT, cells, strict=True))


def _plain_with_context(answers: Sequence[SearchResult], corpus: Corpus, around: Around) -> Iterator[bytes]:
    first = True
    for answer in answers:
        for row, *scores in zip(answer.rows.tolist(), *_score_columns(answer), strict=True):
            if not first:
                yield b"--\n"
            first = False
            source = tsv_cell(corpus.texts[row].origin.source)
            cells = [*map(digits, scores), corpus.place(row), corpus.content(row)]
            beside = around(corpus, row)
            for line, text in beside.before:
                yield f"\t{source}-{line}\t{tsv_cell(text)}\n".encode("utf-8", "surrogateescape")
            yield table_row(cells, "\t")
            for line, text in beside.after:
                yield f"\t{source}-{line}\t{tsv_cell(text)}\n".encode("utf-8", "surrogateescape")


def _score_columns(answer: SearchResult) -> list[NDArray[np.float32]]:
    """Return the scores of the results, first those that they are ordered by."""
    return [answer.scores] if answer.rerank_scores is None else [answer.rerank_scores, answer.scores]


def _show_table(
    answers: Sequence[SearchResult],
    corpus: Corpus,
    around: Around | None,
    reranker: str | None,
    *,
    has_headings: bool,
) -> None:
    terminal = console()
    places = [corpus.place(row) for answer in answers for row in answer.rows.tolist()]
    label = min(max((len(visible(place)) for place in places), default=0), max(width() // 3, 8))
    for number, answer in enumerate(answers):
        if len(answers) > 1:
            if number:
                terminal.print()
            terminal.print(escaped(fit(answer.query, width()).rstrip()), style="bold", highlight=False)
        for rank, row in enumerate(answer.rows.tolist()):
            drawn = _drawn_scores(terminal, answer, rank)
            beside = Surroundings([], []) if around is None else around(corpus, row)
            for line, text in beside.before:
                _context_line(terminal, line, text, label, drawn.columns)
            first, _, rest = corpus.content(row).partition("\n" if has_headings else "\0")
            _result_line(terminal, drawn, corpus.place(row), first, label)
            if rest:
                _continued_line(terminal, rest, drawn.columns + label + 2)
            for line, text in beside.after:
                _context_line(terminal, line, text, label, drawn.columns)
            if beside.before or beside.after:
                terminal.print()
    by = {answer.by for answer in answers}
    if by == {SearchBy.WORDS}:
        sign(terminal, "", "words (BM25)")
    else:
        sign(terminal, "by words and" if SearchBy.HYBRID in by else "", corpus.model)
    if reranker:
        sign(terminal, "ordered", reranker)


@dataclass(frozen=True, slots=True)
class _DrawnScores:
    """The markup of the scores of a result, and how many columns it takes."""

    markup: str
    columns: int


def _drawn_scores(terminal: Console, answer: SearchResult, rank: int) -> _DrawnScores:
    """Return the score of a result with its bar; before it what the reranker says, which has no top."""
    score = float(answer.scores[rank])
    shown, drawn = f"{fewer_digits(score):>{_digits(answer)}}", meter(terminal, score / _full(answer))
    columns = len(shown) + 2 + meter_columns()
    if answer.rerank_scores is None:
        return _DrawnScores(f"[bold]{shown}[/bold]  {drawn}", columns)
    first = f"{fewer_digits(float(answer.rerank_scores[rank])):>8}"
    return _DrawnScores(f"[bold]{first}[/bold]  {shown}  {drawn}", len(first) + 2 + columns)


def _digits(answer: SearchResult) -> int:
    """Return the width of the widest score that has no top."""
    if answer.by is not SearchBy.WORDS:
        return 0
    return max(len(fewer_digits(score)) for score in answer.scores.tolist())


def _full(answer: SearchResult) -> float:
    """Return the score at which a bar is full: for BM25, which has no top, the best of the query."""
    if answer.by is SearchBy.WORDS:
        return float(answer.scores.max())
    return 1.0 if answer.by is SearchBy.MEANING else 2 / (RRF_K + 1)


def _result_line(terminal: Console, drawn: _DrawnScores, place: str, text: str, label: int) -> None:
    room = width() - label - 2 - drawn.columns
    shown = escaped(fit(text, max(room, 8)).rstrip())
    where = escaped(end_of(place, label))
    terminal.print(f"{drawn.markup}[dim]{where}[/dim]  {shown}", highlight=False)


def _continued_line(terminal: Console, text: str, indent: int) -> None:
    """Print the text below its headings, which may have taken all of the line."""
    shown = escaped(fit(text, max(width() - indent, 8)).rstrip())
    terminal.print(f"{' ' * indent}{shown}", highlight=False)


def _context_line(terminal: Console, line: int, text: str, label: int, indent: int) -> None:
    shown = escaped(fit(text, max(width() - label - indent - 2, 8)).rstrip())
    terminal.print(f"{' ' * indent}[dim]{line:>{label}}  {shown}[/dim]", highlight=False)
