"""`simil compare --pairs`: the score of the two texts in each row of a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from simil.errors import Place, UsageError

if TYPE_CHECKING:
    from simil.cli.commands.compare_scale import Scaling
    from simil.cli.options.run import SessionRun
    from simil.progress import Status
    from simil.session.inputs import OpenInput
    from simil.similarity import Metric
    from simil.tasks.comparison import PairScores
    from simil.tasks.embedding import EmbedOptions
    from simil.tasks.evaluation.scales import Scale
    from simil.texts import Pair, ReadOptions

__all__ = ["PairRows"]


@dataclass(frozen=True, slots=True)
class PairRows:
    """The rows of --pairs, and how the two texts of each are scored."""

    source: str
    reading: ReadOptions
    metric: Metric | None
    wanted: EmbedOptions
    scaling: Scaling
    threshold: float | None

    def score(self, run: SessionRun, form: str, output: Path | None, *, is_cross_encoder: bool) -> bool:
        """Write a score for each row; return whether all reach the threshold."""
        from simil.cli.commands.compare_pairs_view import show_pairs
        from simil.cli.output.output_file import open_output

        opened = run.session.open([self.source], self.reading)
        if opened.holds_vectors:
            raise UsageError("--pairs needs texts, and this is a file of vectors", place=Place(self.source))
        rows = opened.pairs(run.notes.blank, run.notes.on_error, keeps_failed=run.notes.keeps_failed)
        scored = self._by_cross_encoder(rows, run) if is_cross_encoder else self._by_vectors(rows, run)
        missed: list[PairScores] = []
        with open_output(output) as stream:
            # The first rows tell how long vectors are, and with that the scale is known.
            first = next(scored.batches, None)
            known = first is not None and first.dimensions
            scale = self.scaling.scale(scored.model, known) if known else None
            batches = self._checked(scored, chain([first] if first else [], scored.batches), scale, missed)
            shown = _watched(batches, opened, run, scored.status, beside_output=output is None)
            if run.quiet and not output:
                for _ in shown:
                    pass
            else:
                facts = {"metric": scored.name, "model": scored.model}
                is_distance, types = scored.metric.is_distance and scale is None, opened.column_types
                show_pairs(shown, form, stream, facts, scale, is_distance=is_distance, types=types)
        return not missed

    def _by_vectors(self, rows: Iterable[Pair], run: SessionRun) -> _ScoredRows:
        from simil.tasks.comparison import compare_pairs, own_metric

        embedder, notes = run.session.embedder(), run.notes
        metric, wanted = self.metric, self.wanted
        if metric is None:
            metric, wanted = own_metric(embedder, wanted)
        scored = compare_pairs(
            rows,
            metric,
            wanted,
            embedder,
            on_error=notes.on_error,
            keeps_failed=notes.keeps_failed,
            on_unknown=notes.unknown,
        )
        return _ScoredRows(scored, metric, str(metric), embedder.stamp, embedder.status)

    def _by_cross_encoder(self, rows: Iterable[Pair], run: SessionRun) -> _ScoredRows:
        from simil.similarity import Metric
        from simil.tasks.pair_scoring import CROSS_ENCODER, score_rows

        scorer, notes = run.session.scorer(), run.notes
        scored = score_rows(rows, scorer, on_error=notes.on_error, keeps_failed=notes.keeps_failed)
        # Its scores grow with likeness, as cosines do.
        return _ScoredRows(scored, Metric.COSINE, CROSS_ENCODER, scorer.stamp, lambda: "")

    def _checked(
        self,
        scored: _ScoredRows,
        batches: Iterable[PairScores],
        scale: Scale | None,
        missed: list[PairScores],
    ) -> Iterator[PairScores]:
        """Yield scores on the scale; the first batch with one below the threshold goes to `missed`."""
        import numpy as np

        from simil.tasks.evaluation.scales import reaches

        for batch in batches:
            scores = batch.scores if scale is None else scale.apply(batch.scores)
            if self.threshold is not None and not missed:
                given = scores[~np.isnan(scores)]
                below = not reaches(given, self.threshold, scored.metric, scale).all()
                missed += [batch] if below else []
            yield replace(batch, scores=scores)


@dataclass(frozen=True, slots=True)
class _ScoredRows:
    """Rows as they are scored, by what and by which model, and what that waits for.

    `metric` says which scores are better, and `name` what they are.
    """

    batches: Iterator[PairScores]
    metric: Metric
    name: str
    model: str
    status: Status


def _watched(
    batches: Iterable[PairScores],
    opened: OpenInput,
    run: SessionRun,
    status: Status,
    *,
    beside_output: bool,
) -> Iterator[PairScores]:
    """Yield the batches beside a progress bar."""
    from simil.cli.output.progress_bar import terminal_progress

    progress = terminal_progress(quiet=run.quiet, beside_output=beside_output)
    with progress("comparing", total=opened.count, unit="rows", status=status) as advance:
        for batch in batches:
            yield batch
            advance(len(batch.pairs))
