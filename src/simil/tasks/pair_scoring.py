"""Pair scoring: what a cross-encoder says of two texts, of several with each other, or of rows of a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from simil.embedders.base import TextRejected
from simil.errors import InputError, Place, UsageError
from simil.progress import Progress, silent
from simil.tasks.comparison import Item, PairScores, check_count
from simil.tasks.embedding import rejected
from simil.tasks.prefetch import prefetch_batches
from simil.texts import Pair, Text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.scorers.base import Scorer

__all__ = ["CROSS_ENCODER", "CrossComparison", "score_items", "score_pairs", "score_rows"]

CROSS_ENCODER = "cross-encoder"
"""What outputs name in place of a metric: the scores are those of a model, and of no distance or angle."""

OnError = Callable[[InputError], None]

# How many pairs are tokenized at once: enough that many are of one length. The rows of a file come in time.
_AT_ONCE = 1024
_ROWS_AT_ONCE = 512


@dataclass(frozen=True, eq=False, slots=True)
class CrossComparison:
    """Items and what a cross-encoder says of them.

    `first_score` float32 [1] is that of the first two items in this order. Of more than two items, `scores`
    float32 [items, items] are those of each row's item with each column's; the order matters to a
    cross-encoder, so that the matrix need not be symmetric. The score of a refused pair is nan.
    """

    names: Sequence[str]
    ids: Sequence[str]
    first_score: NDArray[np.float32]
    scores: NDArray[np.float32] | None
    model: str
    metric: str = CROSS_ENCODER
    scale: None = None
    is_distance: bool = False
    has_top: bool = False
    is_symmetric: bool = False

    @property
    def score(self) -> float:
        """The score of the first two items."""
        return float(self.first_score[0])

    @property
    def has_matrix(self) -> bool:
        """Whether there are scores of each item with all items."""
        return self.scores is not None

    @property
    def facts(self) -> Mapping[str, object]:
        """What the scores are, for JSON."""
        return {"metric": self.metric, "model": self.model}

    def rows(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield each item's number and its scores with all items, float32 [items]; nothing for two items."""
        yield from enumerate(() if self.scores is None else self.scores)

    def pairs(self) -> Iterator[tuple[int, int, np.float32]]:
        """Yield the numbers of each two items that were scored, in order, and their score."""
        if self.scores is None:
            yield 0, 1, self.first_score[0]
        for index, row in self.rows():
            yield from ((index, other, score) for other, score in enumerate(row) if other != index)

    def in_order(self, order: NDArray[np.int64]) -> CrossComparison:
        """Return the same scores with the items in another order of their numbers; two items keep theirs."""
        if self.scores is None:
            return self
        scores = self.scores[order][:, order]
        return replace(
            self,
            names=[self.names[number] for number in order],
            ids=[self.ids[number] for number in order],
            first_score=scores[0, 1:2],
            scores=scores,
        )

    def all_reach(self, threshold: float) -> bool:
        """Return whether the scores of all pairs of items are at least `threshold`, but for refused ones."""
        import numpy as np

        from simil.similarity import Metric

        scores = np.array([score for _, _, score in self.pairs()])
        return bool(Metric.COSINE.reaches(scores[~np.isnan(scores)], threshold).all())


def score_items(
    items: Sequence[Item],
    open_scorer: Callable[[], Scorer],
    *,
    on_error: OnError | None = None,
    progress: Progress = silent,
) -> CrossComparison:
    """Return the scores of at least two texts.

    Two texts are scored in their order, more of them each with each in both orders, and with itself. Raises
    `UsageError` for fewer than two items and for vectors, and what `score_pairs` raises.
    """
    check_count(items)
    texts = [_text_of(item) for item in items]
    numbers = [(0, 1)] if len(texts) == 2 else [(a, b) for a in range(len(texts)) for b in range(len(texts))]
    scorer = open_scorer()
    scores = score_pairs(
        [(texts[a].embedded, texts[b].embedded) for a, b in numbers],
        scorer,
        places=[texts[b].origin for _, b in numbers],
        on_error=on_error,
        progress=progress,
        label="comparing",
    )
    several = len(texts) > 2
    return CrossComparison(
        names=[item.name for item in items],
        ids=[text.id or str(number) for number, text in enumerate(texts, 1)],
        first_score=scores[1:2] if several else scores,
        scores=scores.reshape(len(texts), len(texts)) if several else None,
        model=scorer.stamp,
    )


def _text_of(item: Item) -> Text:
    if item.text is None:
        raise UsageError(
            f"a cross-encoder reads texts, and {item.name!r} is a saved vector",
            hint="give its text, or use an embedding model",
        )
    return item.text


def score_pairs(
    pairs: Sequence[tuple[str, str]],
    scorer: Scorer,
    *,
    places: Sequence[Place],
    on_error: OnError | None = None,
    progress: Progress = silent,
    label: str = "scoring",
) -> NDArray[np.float32]:
    """Return the score of each pair of texts, float32 [len(pairs)].

    A pair that the model refuses goes to `on_error` with its place in `places`, and its score is nan;
    without `on_error`, it raises `InputError`.
    """
    import numpy as np

    scores = np.empty(len(pairs), np.float32)
    with progress(label, total=len(pairs), unit="pairs") as advance:
        for start in range(0, len(pairs), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            refuse = _refusal(places[part], on_error)
            scores[part] = scorer.score(pairs[part], on_rejected=refuse, on_scored=advance)
            advance(len(pairs[part]) - len({*pairs[part]}))  # Equal ones are scored once.
    return scores


def score_rows(
    pairs: Iterable[Pair],
    scorer: Scorer,
    *,
    on_error: OnError | None = None,
    keeps_failed: bool = False,
) -> Iterator[PairScores]:
    """Yield the scores of the two texts of each row, in order, the first before the last row is read.

    A row that the model refuses goes to `on_error` and is left out, or with `keeps_failed` gets the score
    nan, as one with a missing text does; without `on_error`, it raises `InputError`.
    """
    import numpy as np

    for batch in prefetch_batches(pairs, lambda pair: len(pair.left) + len(pair.right), most=_ROWS_AT_ONCE):
        sent = [row for row, pair in enumerate(batch) if not pair.is_missing]
        places = [batch[row].origin for row in sent]
        scores = np.full(len(batch), np.nan, np.float32)
        scores[sent] = scorer.score(
            [batch[row].embedded for row in sent], on_rejected=_refusal(places, on_error)
        )
        kept = [row for row in range(len(batch)) if keeps_failed or not np.isnan(scores[row])]
        if kept:
            yield PairScores([batch[row] for row in kept], scores[kept])


def _refusal(places: Sequence[Place], on_error: OnError | None) -> Callable[[TextRejected], None]:
    """Return what becomes of a refused pair: an error that says where its texts stand."""

    def refuse(exc: TextRejected) -> None:
        error = rejected(exc, places[exc.index])
        if on_error is None:
            raise error from exc
        on_error(error)

    return refuse
