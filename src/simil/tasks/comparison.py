"""Comparison: the scores of two texts, of all pairs of texts, or of the two texts of each row."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from simil import similarity
from simil.embedders.base import Embedder, TextRejected
from simil.embedders.pieces import Mark, StoredVector, VectorForm
from simil.errors import InputError, ModelMismatch, NothingGiven, Place
from simil.frozen import Frozen
from simil.similarity import Metric
from simil.similarity.rounded_scores import rounded_score
from simil.tasks.corpus import check_models
from simil.tasks.embedding import EmbedOptions, embed_all, rejected
from simil.tasks.evaluation.scales import Scale, reaches
from simil.tasks.prefetch import prefetch_batches
from simil.texts import Pair, Text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.embedders.recent_vectors import RecentVectors

__all__ = ["Comparison", "Item", "PairScores", "check_count", "compare", "compare_pairs", "own_metric"]

log = logging.getLogger("simil")

# Rows whose texts are embedded in one batch, at least.
_PAIRS_AT_ONCE = 512


class Item(Frozen, eq=False):
    """An item to compare: a text, or a vector of a file with its id and model there."""

    name: str
    text: Text | None = None
    vector: NDArray[np.float32] | None = None
    model: str | None = None
    id: str | None = None


class Comparison(Frozen, eq=False):
    """What was compared and by which model.

    `first_score` is that of the first two items. The others are computed from their `vectors` a block at a
    time, since their number grows with the square of the items'; `load_vectors` returns these, as two cached
    texts need no more than their score. With a `scale` scores are given on it.
    """

    names: Sequence[str]
    ids: Sequence[str]
    first_score: float
    dimensions: int
    load_vectors: Callable[[], NDArray[np.float32]]
    metric: Metric
    model: str | None
    scale: Scale | None = None

    @property
    def vectors(self) -> NDArray[np.float32]:
        """The vectors of the items, float32 [items, dimensions]."""
        return self.load_vectors()

    @property
    def is_distance(self) -> bool:
        """Whether a lower score means more alike."""
        return self.metric.is_distance and self.scale is None

    @property
    def score(self) -> float:
        """The score of the first two items."""
        if self.scale is None:
            return self.first_score
        import numpy as np

        return float(self.scale.apply(np.array([self.first_score], np.float32))[0])

    @property
    def has_top(self) -> bool:
        """Whether a score has a highest value: 1, or that of the scale."""
        return not self.is_distance

    @property
    def has_matrix(self) -> bool:
        """Whether there are scores of each item with all items."""
        return True

    @property
    def is_symmetric(self) -> bool:
        """Whether two items have the same score in either order."""
        return True

    @property
    def facts(self) -> Mapping[str, object]:
        """What the scores are, for JSON."""
        made = {"metric": str(self.metric), "model": self.model, "dimensions": self.dimensions}
        return made if self.scale is None else {**made, **self.scale.facts}

    def rows(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield each item's number and its scores with all items, float32 [items]."""
        vectors = self.vectors
        for start, block in similarity.matrix_blocks(vectors, vectors, self.metric):
            for offset, row in enumerate(block):
                yield start + offset, self._shown(row)

    def pairs(self) -> Iterator[tuple[int, int, np.float32]]:
        """Yield the numbers of each two items, and their score."""
        for index, row in self.rows():
            yield from ((index, other, row[other]) for other in range(index + 1, len(row)))

    def all_reach(self, threshold: float) -> bool:
        """Return whether all pairs of items score at least (for a distance: at most) `threshold`."""
        import numpy as np

        vectors = self.vectors
        for index, row in self.rows():
            missed = np.flatnonzero(~reaches(row, threshold, self.metric, self.scale))
            missed = missed[missed != index]
            if len(missed):
                # A matrix product rounds the last digit: equal vectors may score just below 1.
                own = np.repeat(vectors[index : index + 1], len(missed), axis=0)
                exact = self._shown(similarity.pairwise(own, vectors[missed], self.metric))
                if not reaches(exact, threshold, self.metric, self.scale).all():
                    return False
        return True

    def in_order(self, order: NDArray[np.int64]) -> Comparison:
        """Return the comparison of the same items in another order of their numbers."""
        vectors = self.vectors[order]
        return Comparison(
            names=[self.names[number] for number in order],
            ids=[self.ids[number] for number in order],
            first_score=float(similarity.pairwise(vectors[:1], vectors[1:2], self.metric)[0]),
            dimensions=self.dimensions,
            load_vectors=lambda: vectors,
            metric=self.metric,
            model=self.model,
            scale=self.scale,
        )

    def _shown(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        return scores if self.scale is None else self.scale.apply(scores)


class PairScores(Frozen, eq=False):
    """Some rows, the scores of their two texts, float32 [len(pairs)], and the dimension of the vectors.

    A cross-encoder makes no vectors: `dimensions` is 0.
    """

    pairs: Sequence[Pair]
    scores: NDArray[np.float32]
    dimensions: int = 0


def compare(
    items: Sequence[Item],
    metric: Metric | None,
    options: EmbedOptions,
    open_embedder: Callable[[], Embedder],
    *,
    on_error: Callable[[InputError], None] | None = None,
    on_unknown: Callable[[Place], None] = lambda place: None,
) -> Comparison:
    """Return the comparison of at least two items; the embedder is opened only if there are texts.

    Without a `metric`, texts are compared as the files of their model say, and vectors by cosine. A text that
    the model refuses goes to `on_error` and is left out; without `on_error`, it raises
    `InputError`. `on_unknown` gets the place of each text of which the model knows nothing. Raises
    `UsageError` for fewer than two items, `ModelMismatch` for vectors of two models, `InputError` for a
    vector without direction.
    """
    check_count(items)
    models = {item.model for item in items if item.vector is not None}
    check_models(models)
    texts = [item.text for item in items if item.text is not None]
    embedder: Embedder | None = None
    pair: Sequence[StoredVector] = ()
    if texts:
        embedder = open_embedder()
        models.add(embedder.stamp)
        check_models(models)
        if len(texts) == len(items):
            if metric is None:
                metric, options = own_metric(embedder, options)
            pair = _cached_pair(texts, embedder, options, on_unknown)
    metric = metric or Metric.COSINE
    score = rounded_score(pair[0].values, pair[1].values, metric) if pair else None
    if score is None:
        items, vectors = _with_vectors(items, pair, embedder, options, on_error, on_unknown)
        _check_directions(items, vectors, metric)
        score = float(similarity.pairwise(vectors[:1], vectors[1:2], metric)[0])
    return Comparison(
        names=[item.name for item in items],
        ids=[_id_of(item, number) for number, item in enumerate(items, 1)],
        first_score=score,
        dimensions=len(pair[0].values) if pair else vectors.shape[1],
        load_vectors=lambda: _stacked(pair) if pair else vectors,
        metric=metric,
        model=next(iter(models)),
    )


def _cached_pair(
    texts: Sequence[Text], embedder: Embedder, options: EmbedOptions, on_unknown: Callable[[Place], None]
) -> Sequence[StoredVector]:
    """Return the vectors of two texts if both are cached, without NumPy; else nothing."""
    if len(texts) != 2:
        return ()
    form = VectorForm(options.dimensions, options.normalize)
    stored = embedder.stored([text.embedded for text in texts], options.kind, form) or ()
    for text, vector in zip(texts, stored, strict=False):
        embedder.truncated += bool(vector.mark & Mark.CUT)
        if vector.mark & Mark.UNKNOWN:
            on_unknown(text.origin)
    return stored


def _stacked(stored: Sequence[StoredVector]) -> NDArray[np.float32]:
    import numpy as np

    return np.array([vector.values for vector in stored], np.float32)


def _with_vectors(
    items: Sequence[Item],
    pair: Sequence[StoredVector],
    embedder: Embedder | None,
    options: EmbedOptions,
    on_error: Callable[[InputError], None] | None,
    on_unknown: Callable[[Place], None],
) -> tuple[Sequence[Item], NDArray[np.float32]]:
    """Return the items that the model does not refuse, and their vectors, float32 [items, dimensions].

    `pair` are their vectors if these are cached. Errors are those of `compare`.
    """
    import numpy as np

    if pair:
        return items, _stacked(pair)
    vector_of: dict[int, NDArray[np.float32]] = {}
    if embedder is not None:
        texts = [item.text for item in items if item.text is not None]
        embedded = embed_all(texts, embedder, options, on_error=on_error, on_unknown=on_unknown)
        vector_of = {id(text): vector for text, vector in zip(embedded.texts, embedded.vectors, strict=True)}
    kept = [item for item in items if item.text is None or id(item.text) in vector_of]
    check_count(kept)
    vectors = [vector_of[id(item.text)] if item.vector is None else item.vector for item in kept]
    _check_lengths(kept, vectors)
    return kept, np.stack(vectors)


def _check_directions(items: Sequence[Item], vectors: NDArray[np.float32], metric: Metric) -> None:
    directed = vectors.any(axis=1)
    if metric is Metric.COSINE and not directed.all():
        raise InputError(
            f"the vector of {items[int(directed.argmin())].name!r} is zero and has no direction",
            hint="leave it out, or use --metric euclidean",
        )


def own_metric(embedder: Embedder, options: EmbedOptions) -> tuple[Metric, EmbedOptions]:
    """Return how the files of a model say that its vectors are compared, and how to embed for that.

    A dot product or a distance is one of vectors as long as the model makes them.
    """
    if embedder.metric is Metric.COSINE:
        return embedder.metric, options
    log.info("compared by %s, as the files of %s say; --metric overrides it", embedder.metric, embedder.stamp)
    return embedder.metric, options.replaced(normalize=False)


def check_count(items: Sequence[Item]) -> None:
    """Raise `NothingGiven` for fewer than two items."""
    if len(items) < 2:
        found = "only one text" if items else "nothing"
        raise NothingGiven(f"there is {found} to compare", hint="give at least two")


def _check_lengths(items: Sequence[Item], vectors: Sequence[NDArray[np.float32]]) -> None:
    lengths = sorted({len(vector) for vector in vectors})
    if len(lengths) < 2:
        return
    given = {len(item.vector) for item in items if item.vector is not None}
    # If all files agree, the texts can get vectors of that length.
    hint = f"pass --dimensions {given.pop()}" if len(given) == 1 else "make them alike with simil embed"
    raise ModelMismatch(
        f"vectors of {' and '.join(map(str, lengths))} dimensions cannot be compared", hint=hint
    )


def _id_of(item: Item, number: int) -> str:
    return (item.text.id if item.text else item.id) or str(number)


def compare_pairs(
    pairs: Iterable[Pair],
    metric: Metric,
    options: EmbedOptions,
    embedder: Embedder,
    *,
    on_error: Callable[[InputError], None] | None = None,
    keeps_failed: bool = False,
    on_unknown: Callable[[Place], None] = lambda place: None,
) -> Iterator[PairScores]:
    """Yield the scores of the two texts of each row, in order, the first before the last row is read.

    A text that occurs several times in a batch is embedded once. A row with a text that the model refuses
    goes to `on_error` and is left out, or with `keeps_failed` gets the score nan, as one with a missing text
    does; other errors are those of `embed_stream`. `on_unknown` gets the place of the row for each text of
    which the model knows nothing.
    """
    scored = _scored(pairs, metric, options, embedder, on_error, on_unknown, keeps_failed=keeps_failed)
    return _after_a_score(scored) if keeps_failed else scored


def _scored(
    pairs: Iterable[Pair],
    metric: Metric,
    options: EmbedOptions,
    embedder: Embedder,
    on_error: Callable[[InputError], None] | None,
    on_unknown: Callable[[Place], None],
    *,
    keeps_failed: bool,
) -> Iterator[PairScores]:
    import numpy as np

    from simil.embedders.recent_vectors import RecentVectors

    recent = RecentVectors()
    ahead = prefetch_batches(pairs, lambda pair: len(pair.left) + len(pair.right), most=_PAIRS_AT_ONCE)
    for batch in ahead:
        places = [place for place, pair in enumerate(batch) if not pair.is_missing]
        sent = [batch[place] for place in places]
        vectors, refused = _embed_pairs(sent, options, embedder, on_error, on_unknown, recent)
        reading = embedder.read_ahead  # More, once many texts go to a GPU.
        ahead.allow(max(_PAIRS_AT_ONCE, reading.texts // 2), reading.characters)
        good = [row for row in range(len(sent)) if row not in refused]
        scores = np.full(len(batch), np.nan, np.float32)
        if good:
            right = [row + len(sent) for row in good]
            scores[[places[row] for row in good]] = similarity.pairwise(vectors[good], vectors[right], metric)
        kept = [*range(len(batch))] if keeps_failed else [places[row] for row in good]
        if kept:
            yield PairScores([batch[row] for row in kept], scores[kept], vectors.shape[1])


def _after_a_score(batches: Iterator[PairScores]) -> Iterator[PairScores]:
    """Join rows without any score to the first batch that has one, whose vectors have a known length."""
    import numpy as np

    held: list[PairScores] = []
    for batch in batches:
        held.append(batch)
        if not np.isnan(batch.scores).all():
            break
    if held:
        pairs = [pair for batch in held for pair in batch.pairs]
        yield PairScores(pairs, np.concatenate([batch.scores for batch in held]), held[-1].dimensions)
    yield from batches


def _embed_pairs(
    batch: Sequence[Pair],
    options: EmbedOptions,
    embedder: Embedder,
    on_error: Callable[[InputError], None] | None,
    on_unknown: Callable[[Place], None],
    recent: RecentVectors,
) -> tuple[NDArray[np.float32], set[int]]:
    """Return the vectors of the left texts, then of the right ones, and the rows with a refused text."""
    refused: set[int] = set()

    def refuse(exc: TextRejected) -> None:
        row = exc.index % len(batch)
        error = rejected(exc, batch[row].origin)
        if on_error is None:
            raise error from exc
        if row not in refused:
            on_error(error)
        refused.add(row)

    texts = [pair.embedded[side] for side in (0, 1) for pair in batch]
    wait = embedder.begin(
        texts,
        options.kind,
        dimensions=options.dimensions,
        normalize=options.normalize,
        on_rejected=refuse,
        on_unknown=lambda index: on_unknown(batch[index % len(batch)].origin),
        recent=recent,
    )
    return wait(), refused
