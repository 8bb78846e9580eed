"""`simil search`: which of these texts are most similar to a query?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from simil.cli.negative_answer import NegativeAnswer
from simil.cli.options import types as opt
from simil.cli.options import values
from simil.cli.options.declarations import Argument, Option
from simil.cli.options.groups import (
    FolderFlags,
    InputFlags,
    ModelFlags,
    RerankFlags,
    RunFlags,
    StoredFlags,
    WordFlags,
    expanded,
)
from simil.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from simil.cli.commands.search_found import Found
    from simil.cli.commands.search_inputs import SearchRequest
    from simil.cli.options.run import SessionRun
    from simil.session.session import Session
    from simil.tasks.corpus import Corpus
    from simil.tasks.retrieval import SearchResult, Surroundings

__all__ = ["search"]


@expanded
def search(
    arguments: Annotated[
        list[str] | None,
        Argument(
            metavar="QUERY [FILE]...",
            help="What to search for, and where: texts, one per line, or saved vectors; - or no FILE "
            "reads stdin.",
        ),
    ] = None,
    queries: Annotated[
        str | None,
        Option("--queries", metavar="FILE", help="Search for each text in FILE instead of a QUERY."),
    ] = None,
    top_k: Annotated[
        int | None,
        Option(
            "-k",
            "--top-k",
            metavar="N",
            min=1,
            help="Show the N best results.",
            default="10; with --threshold, all that reach it",
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        Option(
            "--threshold",
            metavar="X",
            help="Show only results with a cosine of at least X; exit with 1 if there are none.",
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
            help="Split files into lines, paragraphs, sections of Markdown with their headings, or "
            "overlapping windows of tokens, as in tokens:256/32.",
            choices=("lines", "paragraphs", "markdown", "tokens:SIZE/OVERLAP"),
            default="lines",
        ),
    ] = None,
    context: Annotated[
        int,
        Option(
            "-C",
            "--context",
            metavar="N",
            min=0,
            help="Also show N lines before and after each result; with --chunk, N parts.",
        ),
    ] = 0,
    files_only: Annotated[
        bool, Option("-l", "--files", help="Print only the names of files with results, best first.")
    ] = False,
    count: Annotated[bool, Option("-c", "--count", help="Print the number of results in each file.")] = False,
    output: opt.Output = None,
    form: opt.Form = None,
    whole: opt.Whole = False,
    *,
    folders: FolderFlags,
    words: WordFlags,
    stored: StoredFlags,
    model: ModelFlags,
    reranking: RerankFlags,
    reading: InputFlags,
    running: RunFlags,
) -> None:
    """Find the texts most similar to a query, best first.

    simil search "how do I undo a commit" notes.txt · simil search -r -l "tax return" ~/documents
    simil search --hybrid "error E1004" manual.txt · simil search --words "RX-7" cars.txt
    """
    from simil.cli.commands.search_inputs import (
        SearchRequest,
        Splitting,
        open_queries,
        query_and_files,
        without_folders,
    )
    from simil.cli.commands.search_notes import report_limit, report_misses
    from simil.cli.commands.search_view import show_counts, show_files, show_results
    from simil.cli.options.run import open_run
    from simil.cli.output.output_file import open_output
    from simil.cli.output.rows import form_of, has_columns
    from simil.tasks.retrieval import TOP_K

    if folders.type_list:
        from simil.cli.commands.search_view import show_types

        show_types()
        return
    if stored.recall:
        from simil.cli.commands.search_recall import show_recall

        beside = {
            "--queries": queries, "--threshold": threshold is not None, "--exact": stored.exact,
            "--words": words.words, "--hybrid": words.hybrid, "--rerank": reranking.rerank,
            "-r": recursive, "--glob": folders.glob, "--type": folders.type, "--chunk": chunk,
            "--whole": whole, "-C": context, "-l": files_only, "-c": count,
        }  # fmt: skip
        show_recall(
            arguments or [], top_k, stored.where, model.offline, running, beside, form=form, output=output
        )
        return
    query, files = query_and_files(arguments or [], queries)
    values.check_threshold(threshold)
    words.check(threshold, exact=stored.exact)
    candidates = reranking.count(top_k)
    names_only = files_only or count
    _check_shown(form, context, files_only=files_only, count=count, whole=whole)
    shown_as = "plain" if names_only else form_of(form, output)
    # With -l and -c, -0 is for the names in the output, as `xargs -0` wants them, not for the input.
    end = b"\0" if reading.nul else b"\n"
    reads = reading.replaced(nul=reading.nul and not names_only)
    with open_run(model, running, on_error=reading.on_error) as run:
        cut = Splitting(
            reads,
            whole,
            chunk,
            recursive,
            all_fields=has_columns(shown_as),
            patterns=folders.patterns(recursive=recursive),
        )
        run.notes.expects_blank = recursive
        sources = cut.sources(files, run.session.progress) if recursive else without_folders(files)
        if candidates is not None:  # Before anything is embedded, if there is no such model.
            run.session.scorer(reranking.rerank)
        asked = open_queries(run.session, query, queries, reads)
        opened = cut.without_broken(run.session.open(sources, cut.files))
        found = _found(
            run.session, SearchRequest(asked, opened, cut, stored, words, candidates or top_k, threshold)
        )
        answers, corpus = found.answers, found.corpus
        if candidates is not None:
            wanted = TOP_K if threshold is None and top_k is None else top_k
            answers = _reranked(found, wanted, run)
        with open_output(output) as stream:
            if names_only:
                (show_files if files_only else show_counts)(answers, corpus, stream, end)
            elif any(len(answer.rows) for answer in answers) or shown_as != "table":
                scorer = run.session.scorer_opened
                reranker = None if scorer is None else scorer.stamp
                show_results(
                    answers,
                    corpus,
                    shown_as,
                    stream,
                    around=_around(context, of_parts=cut.chunking is not None),
                    has_headings=chunk == "markdown",
                    reranker=reranker,
                )
        cut.report_broken()
        report_misses(found.answers, len(found.queries), corpus, threshold, stored.where)
        if candidates is not None and top_k is None and threshold is not None:
            report_limit(found.answers, found.searched, threshold, candidates)
    if not any(len(answer.rows) for answer in answers):
        raise NegativeAnswer


def _check_shown(form: str | None, context: int, *, files_only: bool, count: bool, whole: bool) -> None:
    """Raise `UsageError` where options contradict each other that say what is shown."""
    if files_only and count:
        raise UsageError("-l and -c contradict each other", hint="pass one of them")
    if (files_only or count) and (form or context):
        raise UsageError("-l and -c print names, so --format and -C have no effect", hint="leave them out")
    if context and whole:
        raise UsageError("with --whole there is nothing around a text", hint="leave out -C or --whole")


def _around(count: int, *, of_parts: bool) -> Callable[[Corpus, int], Surroundings] | None:
    """Return what gives so many lines or parts around a row; None for none."""
    from simil.tasks.retrieval import surrounding_lines, surrounding_parts

    around = surrounding_parts if of_parts else surrounding_lines
    return (lambda corpus, row: around(corpus, row, count)) if count else None


def _found(session: Session, asked: SearchRequest) -> Found:
    if asked.words.count:
        from simil.cli.commands.search_words import find_with_words

        return find_with_words(session, asked)
    from simil.cli.commands.search_found import find

    return find(session, asked)


def _reranked(found: Found, top_k: int | None, run: SessionRun) -> list[SearchResult]:
    from simil.tasks.reranking import rerank_results

    session = run.session
    return rerank_results(
        found.answers,
        found.queries,
        found.corpus,
        session.scorer(),
        top_k=top_k,
        on_error=run.notes.on_error,
        progress=session.progress,
    )
