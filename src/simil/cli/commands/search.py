"""`simil search`: which of these texts are most similar to a query?"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from simil.cli.negative_answer import NegativeAnswer
from simil.cli.options import types as opt
from simil.cli.options import values
from simil.cli.options.declarations import Argument, Option
from simil.cli.options.groups import InputFlags, ModelFlags, RerankFlags, RunFlags, expanded
from simil.errors import Place, UsageError

if TYPE_CHECKING:
    from simil.cli.options.run import SessionRun
    from simil.embedders.base import Embedder
    from simil.progress import Progress
    from simil.session.inputs import OpenInput
    from simil.session.session import Session
    from simil.tasks.corpus import Corpus
    from simil.tasks.retrieval import SearchResult
    from simil.texts import ReadOptions, Text
    from simil.texts.chunks import Chunking

__all__ = ["search"]

log = logging.getLogger("simil")


@expanded
def search(
    arguments: Annotated[
        list[str] | None,
        Argument(
            metavar="QUERY [FILE]...",
            help="What to search for, and where: texts, one per line, or saved vectors; - or no FILE: stdin.",
        ),
    ] = None,
    queries: Annotated[
        str | None,
        Option("--queries", metavar="FILE", help="Search for each text in FILE, in place of QUERY."),
    ] = None,
    top_k: Annotated[
        int | None,
        Option(
            "-k",
            "--top-k",
            metavar="N",
            min=1,
            help="Show the N best (default: 10; with --threshold, all that reach it).",
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        Option(
            "--threshold",
            metavar="X",
            help="Show only results whose cosine is at least X; exit with 1 if there are none.",
        ),
    ] = None,
    recursive: Annotated[
        bool,
        Option(
            "-r",
            "--recursive",
            help="Search the text files in folders, except those that .gitignore excludes.",
        ),
    ] = False,
    chunk: Annotated[
        str | None,
        Option(
            "--chunk",
            metavar="UNIT",
            help="Split files into lines (the default), paragraphs, or windows of tokens with an overlap, "
            "such as tokens:256/32.",
        ),
    ] = None,
    context: Annotated[
        int,
        Option("-C", "--context", metavar="N", min=0, help="Also show N lines before and after each result."),
    ] = 0,
    files_only: Annotated[
        bool, Option("-l", "--files", help="Print only the names of files with results, best first.")
    ] = False,
    count: Annotated[bool, Option("-c", "--count", help="Print the number of results in each file.")] = False,
    output: opt.Output = None,
    form: opt.Form = None,
    whole: opt.Whole = False,
    *,
    model: ModelFlags,
    reranking: RerankFlags,
    reading: InputFlags,
    running: RunFlags,
) -> None:
    """Find the texts most similar to a query, best first.

    simil search "how do I undo a commit" notes.txt · simil search -r -l "tax return" ~/documents
    """
    from simil.cli.commands.search_view import show_counts, show_files, show_results
    from simil.cli.options.run import open_run
    from simil.cli.output.output_file import open_output
    from simil.cli.output.rows import form_of, has_columns
    from simil.tasks.retrieval import TOP_K
    from simil.tasks.retrieval import search as find

    query, files = _query_and_files(arguments or [], queries)
    values.check_threshold(threshold)
    candidates = reranking.count(top_k)
    names_only = files_only or count
    if files_only and count:
        raise UsageError("-l and -c contradict each other", hint="pass one of them")
    if names_only and (form or context):
        raise UsageError("-l and -c print names, so --format and -C have no effect", hint="leave them out")
    if context and (chunk not in (None, "lines") or whole):
        raise UsageError("-C shows lines, but the texts are not lines", hint="leave out --chunk or --whole")
    shown_as = "plain" if names_only else form_of(form, output)
    # With -l and -c, -0 is for the names in the output, as `xargs -0` wants them, not for the input.
    end = b"\0" if reading.nul else b"\n"
    reads = replace(reading, nul=reading.nul and not names_only)
    with open_run(model, running, on_error=reading.on_error) as run:
        cut = _Splitting(reads, whole, chunk, recursive, all_fields=has_columns(shown_as))
        sources = cut.sources(files, run.session.progress) if recursive else _files_only(files)
        if candidates is not None:  # Before anything is embedded, if there is no such model.
            run.session.scorer(reranking.rerank)
        asked, corpus = _queries_and_corpus(run.session, query, queries, sources, cut)
        answers = found = find(asked, corpus, top_k=candidates or top_k, threshold=threshold)
        if candidates is not None:
            wanted = TOP_K if threshold is None and top_k is None else top_k
            answers = _reranked(found, asked, corpus, wanted, run)
        with open_output(output) as stream:
            if names_only:
                (show_files if files_only else show_counts)(answers, corpus, stream, end)
            elif any(len(answer.rows) for answer in answers) or shown_as != "table":
                scorer = run.session.scorer_opened
                reranker = None if scorer is None else scorer.stamp
                show_results(answers, corpus, shown_as, stream, context=context, reranker=reranker)
        _report_misses(found, corpus, threshold)
        if candidates is not None and top_k is None and threshold is not None:
            _report_limit(found, corpus, threshold, candidates)
    if not any(len(answer.rows) for answer in answers):
        raise NegativeAnswer


def _reranked(
    found: Sequence[SearchResult], queries: Corpus, corpus: Corpus, top_k: int | None, run: SessionRun
) -> list[SearchResult]:
    from simil.tasks.reranking import rerank_results

    session = run.session
    return rerank_results(
        found,
        queries,
        corpus,
        session.scorer(),
        top_k=top_k,
        on_error=run.notes.on_error,
        progress=session.progress,
    )


class _Splitting:
    """How files are read and split into the texts to search."""

    def __init__(
        self, reading: InputFlags, whole: bool, chunk: str | None, recursive: bool, *, all_fields: bool
    ) -> None:
        from simil.texts import InputFormat
        from simil.texts.chunks import chunking_named

        self.reading = reading
        self.chunking: Chunking | None = None if chunk in (None, "lines") else chunking_named(chunk or "")
        if self.chunking and whole:
            raise UsageError("--whole and --chunk contradict each other", hint="pass one of them")
        options = reading.options(whole=whole, all_fields=all_fields)
        if recursive and reading.input_format is None:
            # As grep does: a .json in a source tree holds no records for us.
            options = replace(options, format=InputFormat.TEXT)
        self.files: ReadOptions = options

    def sources(self, files: Sequence[str], progress: Progress) -> list[str]:
        """Return the files, and of folders the text files below; reports those that are left out."""
        from simil.cli.output.notes import LeftOutFiles
        from simil.texts.trees import files_in

        found: list[str] = []
        left_out = LeftOutFiles(self.files.encoding)
        with progress("listing", unit="files") as advance:
            for path in files or ["."]:
                if not os.path.isdir(path):  # noqa: PTH112 (as in compare)
                    found.append(path)
                    continue
                for name in files_in(
                    path,
                    encoding=self.files.encoding,
                    text_limit=self.files.text_limit,
                    whole=bool(self.chunking or self.files.whole or self.files.nul),
                    on_left_out=left_out.add,
                ):
                    found.append(name)
                    advance(1)
        left_out.report()
        if not found:
            raise UsageError(f"there are no text files in {' '.join(files) or 'this folder'}")
        return found

    def fitted(self, opened: OpenInput) -> OpenInput:
        """Return an input as it is split: plain text as a whole, tables row by row."""
        from simil.texts import InputFormat

        if opened.reading.nul or InputFormat.TEXT not in opened.formats:
            return opened
        if not opened.is_plain:
            raise UsageError("--chunk splits either plain text or records", hint="search them in two runs")
        return replace(opened, reading=replace(opened.reading, whole=True, format=None))

    def applied(self, texts: Iterator[Text], embedder: Embedder, *, several: bool) -> Iterator[Text]:
        """Yield `texts` in chunks; see `in_chunks`."""
        from simil.embedders.local.token_spans import token_spans
        from simil.texts.chunks import in_chunks, paragraphs

        if self.chunking is None:
            return texts
        if self.chunking.unit == "paragraphs":
            return in_chunks(texts, paragraphs, several=several)
        if embedder.folder is None:
            log.warning(
                "the tokenizer of %s is not available here: counting the tokens of minilm", embedder.stamp
            )
        spans = token_spans(embedder.folder, self.chunking.tokens, self.chunking.overlap)
        return in_chunks(texts, spans, several=several)


def _query_and_files(arguments: Sequence[str], queries: str | None) -> tuple[str | None, list[str]]:
    if queries is not None:
        return None, [*arguments]
    if not arguments:
        raise UsageError("there is no query", hint="simil search QUERY [FILE]..., or --queries FILE")
    if len(arguments) == 1 and os.path.isfile(arguments[0]):  # noqa: PTH113 (as in compare)
        log.warning("%s is used as the query; the texts to search come from stdin", arguments[0])
    return arguments[0], [*arguments[1:]]


def _files_only(files: Sequence[str]) -> list[str]:
    for path in files:
        if os.path.isdir(path):  # noqa: PTH112 (as in compare)
            raise UsageError("is a directory", place=Place(path), hint="-r searches the files in it")
    return [*files]


def _queries_and_corpus(
    session: Session, query: str | None, queries: str | None, files: Sequence[str], cut: _Splitting
) -> tuple[Corpus, Corpus]:
    """Return the queries and the texts to search; saved vectors are read first: they name the model."""
    from simil.embedders.base import Kind
    from simil.session.inputs import without_fields

    given = [*values.given([query], "query", values.refuse_blank)] if query is not None else []
    if queries is not None:
        opened = without_fields(session.open([queries], cut.reading.beside(queries)))
        if opened.holds_vectors:
            asked = session.corpus(opened)
            return asked, _corpus(session, files, cut)
        given = [*session.texts(opened)]
    corpus = _corpus(session, files, cut)
    return session.embed(given, Kind.QUERY), corpus


def _corpus(session: Session, files: Sequence[str], cut: _Splitting) -> Corpus:
    from simil.embedders.base import Kind

    opened = session.open(files, cut.files)
    if cut.chunking is None:
        return session.corpus(opened, Kind.DOCUMENT)
    if opened.holds_vectors:
        raise UsageError("saved vectors cannot be split", hint="leave out --chunk")
    opened = cut.fitted(opened)
    texts = cut.applied(session.texts(opened), session.embedder(), several=len(opened.sources) > 1)
    total = opened.count_paragraphs if cut.chunking.unit == "paragraphs" else None
    return replace(session.embed(texts, Kind.DOCUMENT, total=total), types=opened.column_types)


def _report_limit(answers: Sequence[SearchResult], corpus: Corpus, threshold: float, candidates: int) -> None:
    """Warn that a query has as many results as candidates, where all that reach the threshold are wanted."""
    if any(len(answer.rows) == candidates < len(corpus) for answer in answers):
        log.warning(
            "only the %d nearest texts were reranked, and more may reach %g; --candidates N takes more",
            candidates,
            threshold,
        )


def _report_misses(answers: Sequence[SearchResult], corpus: Corpus, threshold: float | None) -> None:
    from simil.cli.output.cells import fit

    if not answers:
        log.warning("there is nothing to search" if not len(corpus) else "there is no query")
        return
    missed = [answer for answer in answers if not len(answer.rows)]
    if not missed:
        return
    closest = max(missed, key=lambda answer: answer.nearest_score)
    what = (
        "nothing reaches"
        if len(missed) == len(answers)
        else f"{len(missed)} of {len(answers)} queries find nothing at"
    )
    text = fit(corpus.content(closest.nearest), 60).rstrip()
    log.warning(
        "%s %g; the nearest is %.6f at %s: %s",
        what, threshold, closest.nearest_score, corpus.place(closest.nearest), text,
    )  # fmt: skip
