"""`simil outliers`: which of these texts differ from the others?"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated

from simil.cli.negative_answer import NegativeAnswer
from simil.cli.options import types as opt
from simil.cli.options import values
from simil.cli.options.declarations import Option
from simil.cli.options.groups import InputFlags, ModelFlags, RunFlags, expanded
from simil.errors import UsageError
from simil.frozen import Frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from simil.session.inputs import OpenInput
    from simil.session.session import Session
    from simil.tasks.corpus import Corpus
    from simil.tasks.outlier_detection import OutlierMethod, Outliers
    from simil.tasks.stored_corpus import CorpusInBlocks
    from simil.texts import ReadOptions

__all__ = ["outliers"]

log = logging.getLogger("simil")

_NEIGHBOURS, _SHOWN = 10, 10
# A local outlier factor above this comes from dividing by a distance of almost 0.
_NO_FACTOR = 1e5
# Bytes of a row for each of its neighbours, and for those kept in case of rounding.
_PER_NEIGHBOUR, _SPARE = 64, 17


@expanded
def outliers(
    files: opt.Files = None,
    count: Annotated[
        int | None,
        Option(
            "-n",
            "--count",
            metavar="N",
            min=1,
            help="Show the N strongest outliers.",
            default="10; all rows in csv, tsv, jsonl and Parquet",
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        Option(
            "--threshold",
            metavar="X",
            help="Show texts that score at least X; exit with 1 if there are none.",
        ),
    ] = None,
    contamination: Annotated[
        float | None,
        Option(
            "--contamination",
            metavar="SHARE",
            help=("Show this share of the texts, those with the highest scores: above 0, at most 0.5."),
        ),
    ] = None,
    everything: Annotated[bool, Option("--all", help="Show all texts, in input order.")] = False,
    method: Annotated[
        str,
        Option(
            "--method",
            metavar="METHOD",
            help=("How to score: distance to the nearest texts, local outlier factor, or isolation forest."),
            choices=("knn", "lof", "isolation-forest"),
        ),
    ] = "knn",
    neighbours: Annotated[
        int | None,
        Option(
            "-k",
            "--neighbours",
            metavar="N",
            min=1,
            help="Number of nearest texts to compare with.",
            default="10; with --reference and knn, 1",
        ),
    ] = None,
    reference: Annotated[
        str | None,
        Option(
            "--reference",
            metavar="FILE",
            help="Compare with the texts or vectors in FILE, which are taken to be normal.",
        ),
    ] = None,
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
    """Find the texts that differ most from the others, each with the text nearest to it.

    simil outliers notes.txt · simil outliers --reference normal.log today.log --threshold 0.4
    """
    from simil.cli.commands.outliers_view import draw_outliers, show_outliers, write_outliers
    from simil.cli.options.run import open_run
    from simil.cli.output.annotated_rows import keeps_rows
    from simil.cli.output.output_file import open_output
    from simil.cli.output.rows import form_of
    from simil.cli.plots.drawing import check_scatter_plot, replaces_text
    from simil.tasks.outlier_detection import OutlierMethod
    from simil.tasks.outlier_detection import outliers as find

    values.check_choice("--method", method, OutlierMethod)
    how = OutlierMethod(method)
    if neighbours is not None and not how.has_neighbours:
        raise UsageError(f"-k has no effect with {how}", hint="leave it out")
    choice = _Choice(count, threshold, contamination, everything)
    choice.check()
    check_scatter_plot(plot, projection)
    k = neighbours or (1 if reference is not None and how is OutlierMethod.KNN else _NEIGHBOURS)
    shown_as = form_of(form, output)
    keeps = keeps_rows(shown_as)
    options = reading.options(whole=whole, all_fields=keeps, all_rows=keeps)
    with open_run(model, running, on_error=reading.on_error) as run:
        sides = _opened(run.session, files or [], reference, options)
        stored = _stored(run.session, *sides, k=k)
        if stored is None:
            corpus, normal = _corpora(run.session, *sides)
            found = find(corpus, normal, method=how, k=k)
        else:
            corpus, normal, found = _found_in_blocks(*stored, how, k, plot)
        if found.k is not None and found.k < k:
            log.info("-k %d is lowered to %d: there are no more texts", k, found.k)
        if how is OutlierMethod.LOF and (found.scores > _NO_FACTOR).any():
            log.warning(
                "some texts have more than %d copies, which lof cannot score; raise -k, or use knn", found.k
            )
        rows = choice.rows(found.scores)
        if plot is not None:  # Before the text, since its reader may close the pipe.
            draw_outliers(plot, projection, corpus, files or [], found.scores, rows.tolist(), how)
        among = corpus if normal is None else normal
        with open_output(output) as stream:
            if replaces_text(plot, shown_as):
                pass
            elif keeps:
                order = choice.order(found.scores, sort=sort)
                every = not choice.is_selection
                write_outliers(found, order, corpus, among, shown_as, stream, every=every)
            elif len(rows) or shown_as != "table":
                show_outliers(found, rows, corpus, among, how, shown_as, stream)
        if not len(rows):
            _report_miss(found, corpus, threshold)
    if not len(rows):
        raise NegativeAnswer


class _Choice(Frozen):
    """Which texts to show: the strongest outliers, or all."""

    count: int | None
    threshold: float | None
    contamination: float | None
    everything: bool

    def check(self) -> None:
        """Raise `UsageError` for a choice that contradicts itself, or cannot be made."""
        given = {
            "-n": self.count is not None,
            "--threshold": self.threshold is not None,
            "--contamination": self.contamination is not None,
            "--all": self.everything,
        }
        named = [option for option, is_given in given.items() if is_given]
        if len(named) > 1:
            raise UsageError(f"{' and '.join(named)} contradict each other", hint="pass one of them")
        values.check_threshold(self.threshold)
        if self.contamination is not None and not 0 < self.contamination <= 0.5:
            raise UsageError(
                f"--contamination cannot be {self.contamination:g}",
                hint="give a share above 0 and up to 0.5",
            )

    @property
    def is_selection(self) -> bool:
        """Whether some texts are asked for, and not all."""
        return (self.count, self.threshold, self.contamination) != (None, None, None)

    def rows(self, scores: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the rows for a reader: all in their order, or the strongest outliers first."""
        import numpy as np

        if self.everything:
            return np.arange(len(scores))
        return self._strongest(scores, None if self.is_selection else _SHOWN)

    def order(self, scores: NDArray[np.float32], *, sort: bool) -> NDArray[np.int64] | None:
        """Return the rows for a program, all unless some are asked for, as `arranged` takes them."""
        import numpy as np

        if not sort and not self.is_selection:
            return None
        rows = self._strongest(scores, None)
        return rows if sort else np.sort(rows)

    def _strongest(self, scores: NDArray[np.float32], count: int | None) -> NDArray[np.int64]:
        from simil.tasks.outlier_detection import top_outliers

        return top_outliers(
            scores, count=self.count or count, threshold=self.threshold, share=self.contamination
        )


def _opened(
    session: Session, files: Sequence[str], reference: str | None, options: ReadOptions
) -> tuple[OpenInput, OpenInput | None]:
    normal = None if reference is None else session.open([reference], options, "embedding the reference")
    return session.open(files, options), normal


def _corpora(session: Session, given: OpenInput, reference: OpenInput | None) -> tuple[Corpus, Corpus | None]:
    if reference is None:
        return session.corpus(given), None
    normal, corpus = session.corpora(reference, given)
    return corpus, normal


def _stored(
    session: Session, given: OpenInput, reference: OpenInput | None, *, k: int
) -> tuple[CorpusInBlocks, CorpusInBlocks | None] | None:
    """Return the texts and the reference if one of them is larger than memory, else None."""
    beside = _PER_NEIGHBOUR * (k + _SPARE)
    if reference is None:
        corpus = session.larger_than_memory(given, beside=beside)
        return None if corpus is None else (corpus, None)
    return session.in_blocks(given, reference, beside=beside)


def _found_in_blocks(
    corpus: CorpusInBlocks, normal: CorpusInBlocks | None, how: OutlierMethod, k: int, plot: str | None
) -> tuple[Corpus, Corpus | None, Outliers]:
    from simil.cli.output.candidate_notes import check_no_plot, report_comparison
    from simil.tasks.stored_outliers import stored_outliers

    check_no_plot(plot)
    report_comparison(corpus, searched=normal is None)
    if normal is not None:
        report_comparison(normal)
    found = stored_outliers(corpus, normal, method=how, k=k)
    return corpus.corpus, None if normal is None else normal.corpus, found


def _report_miss(found: Outliers, corpus: Corpus, threshold: float | None) -> None:
    from simil.cli.output.cells import fit

    if not len(corpus):
        log.warning("there is no text")
        return
    row = int(found.scores.argmax())
    text = fit(corpus.content(row), 60).rstrip()
    log.warning(
        "nothing reaches %g; the highest is %.6f at %s: %s",
        threshold, found.scores[row], corpus.place(row), text,
    )  # fmt: skip
