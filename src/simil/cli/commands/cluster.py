"""`simil cluster`: which of these texts belong together?"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

from simil.cli.negative_answer import NegativeAnswer
from simil.cli.options import types as opt
from simil.cli.options.declarations import Option
from simil.cli.options.groups import InputFlags, ModelFlags, RunFlags, expanded
from simil.errors import UsageError

if TYPE_CHECKING:
    from simil.session.inputs import OpenInput
    from simil.session.session import Session
    from simil.tasks.clustering import Clustering
    from simil.tasks.corpus import Corpus
    from simil.tasks.stored_corpus import StoredCorpus
    from simil.texts import Text

__all__ = ["cluster"]

log = logging.getLogger("simil")

# Of the vectors, while their clusters are found and described.
_COPIES = 2


@expanded
def cluster(
    files: opt.Files = None,
    clusters: Annotated[
        int | None,
        Option(
            "-n",
            "--clusters",
            metavar="N",
            min=1,
            help="Divide all texts into N clusters (k-means).",
            default="as many as HDBSCAN finds",
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        Option(
            "--threshold",
            metavar="X",
            help="Form each cluster from a text and all others that score at least X with it.",
        ),
    ] = None,
    min_size: Annotated[
        int | None,
        Option(
            "--min-size",
            metavar="N",
            min=1,
            help="Smallest cluster to report, without -n.",
            default="5; 2 to 4 for few texts",
        ),
    ] = None,
    members: Annotated[
        int | None,
        Option(
            "--members",
            metavar="N",
            min=1,
            help="Show the N texts nearest to the centre of each cluster.",
            default="none on a terminal, all in a pipe",
        ),
    ] = None,
    summary: Annotated[
        bool, Option("--summary", help="Show only the clusters, without their texts.")
    ] = False,
    labels_only: Annotated[
        bool,
        Option(
            "--labels-only",
            help="Print only the number of each text's cluster, one per line, in input order.",
        ),
    ] = False,
    sort: opt.Sort = False,
    output: opt.Output = None,
    form: opt.Form = None,
    whole: opt.Whole = False,
    *,
    plot: opt.PlotTo = None,
    projection: opt.Projection = "pca",
    model: ModelFlags,
    reading: InputFlags,
    running: RunFlags,
) -> None:
    """Group similar texts; without -n, HDBSCAN finds the number of groups.

    simil cluster notes.txt · simil cluster -n 8 --summary feedback.csv --field comment
    """
    from simil.cli.commands.cluster_view import draw_clusters, show_clustering, show_labels
    from simil.cli.options.run import open_run
    from simil.cli.output.annotated_rows import keeps_rows
    from simil.cli.output.output_file import open_output
    from simil.cli.output.rows import form_of
    from simil.cli.plots.drawing import check_scatter_plot, replaces_text
    from simil.tasks.clustering import check_asked, default_min_size
    from simil.tasks.clustering import cluster as find

    if clusters is not None and threshold is not None:
        raise UsageError("-n and --threshold contradict each other", hint="pass one of them")
    if clusters is not None and min_size is not None:
        raise UsageError(
            "with -n every text is in a cluster, so --min-size has no effect", hint="leave it out"
        )
    if labels_only and (form or summary or members or sort):
        raise UsageError(
            "--labels-only prints numbers, so --format, --summary, --members and --sort have no effect",
            hint="leave them out",
        )
    if summary and members:
        raise UsageError("--summary shows no members", hint="pass --members or --summary")
    check_asked(clusters, threshold, min_size)
    check_scatter_plot(plot, projection)
    shown_as = "plain" if labels_only else form_of(form, output)
    with open_run(model, running, on_error=reading.on_error) as run:
        with open_output(output) as stream:
            keeps = keeps_rows(shown_as)
            options = reading.options(whole=whole, all_fields=keeps, all_rows=keeps)
            opened = run.session.open(files or [], options)
            stored = run.session.larger_than_memory(opened, copies=_COPIES)
            lines: Sequence[int | None]
            if stored is None:
                corpus, lines = _corpus(run.session, opened)
                result = find(corpus, clusters=clusters, threshold=threshold, min_size=min_size)
            else:
                lines = range(len(stored))
                result = _found_in_blocks(stored, clusters, threshold, min_size, plot)
            if plot is not None:  # Before the text, since its reader may close the pipe.
                draw_clusters(plot, projection, result, files or [])
            if labels_only:
                show_labels(result, lines, stream)
            elif not replaces_text(plot, shown_as):
                show_clustering(result, shown_as, stream, members=members, summary=summary, sort=sort)
        _report(result, threshold, min_size or default_min_size(len(result.corpus)))
    if not result.clusters:
        raise NegativeAnswer


def _found_in_blocks(
    corpus: StoredCorpus,
    clusters: int | None,
    threshold: float | None,
    min_size: int | None,
    plot: str | None,
) -> Clustering:
    from simil.cli.output.candidate_notes import check_no_plot, report_comparison, report_crowded
    from simil.tasks.stored_clusters import stored_clusters

    check_no_plot(plot)
    if threshold is not None:
        report_comparison(corpus)
    elif clusters is not None:
        log.warning(
            "%s is larger than memory: clusters are found in a sample, and its %s rows are put into them",
            corpus.stored.name,
            f"{len(corpus):,}",
        )
    result, crowded = stored_clusters(corpus, clusters=clusters, threshold=threshold, min_size=min_size)
    report_crowded(crowded)
    return result


def _corpus(session: Session, opened: OpenInput) -> tuple[Corpus, Sequence[int | None]]:
    """Return the corpus, and the row in it of each text that was read, None if it was left out."""
    if opened.holds_vectors:
        corpus = session.corpus(opened)
        return corpus, range(len(corpus))
    # Texts are read in one thread and embedded in another, but pass here in order.
    read: list[Text | None] = []

    def noted(texts: Iterator[Text]) -> Iterator[Text]:
        for text in texts:
            read.append(text)
            yield text

    texts = noted(session.texts(opened, on_left_out=lambda: read.append(None)))
    corpus = session.corpus(opened, texts=texts)
    rows = {id(text): row for row, text in enumerate(corpus.texts)}
    return corpus, [rows.get(id(text)) if text is not None else None for text in read]


def _report(result: Clustering, threshold: float | None, min_size: int) -> None:
    """Report how many texts are in clusters, or warn that there are no clusters."""
    texts = len(result.corpus)
    if result.clusters:
        inside = texts - len(result.outside)
        log.info("%d of %d texts are in %d clusters", inside, texts, len(result.clusters))
    elif threshold is not None:
        log.warning(
            "no cluster of %d texts or more was found in %d; lower --threshold or --min-size", min_size, texts
        )
    else:
        lower = f"lower --min-size ({min_size} now), or " if min_size > 2 else ""
        log.warning("no cluster was found in %d texts; %sset their number with -n", texts, lower)
