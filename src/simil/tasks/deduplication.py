"""Deduplication: which texts repeat an earlier text, exactly or nearly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simil import similarity
from simil.models.catalog import find_by_stamp
from simil.tasks.corpus import Corpus, Searchable, texts_at
from simil.texts import Text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "UNKNOWN_THRESHOLD",
    "Duplicates",
    "dedupe",
    "default_threshold",
    "exact_duplicates",
    "near_duplicates",
    "unique_texts",
]

# For models without a threshold in the catalog.
UNKNOWN_THRESHOLD = 0.9


@dataclass(frozen=True, eq=False, slots=True)
class Duplicates:
    """The representative of each of `texts`, in their order: the text itself if kept, else the one it
    repeats.

    `representatives` int64 [n] are rows of `texts`, or of `reference` where `in_reference` bool [n] is set.
    `scores` float32 [n] are the cosines of text and representative, 1 for a text that is kept. `saved` is as
    in `Corpus`.
    """

    texts: Sequence[Text]
    representatives: NDArray[np.int64]
    scores: NDArray[np.float32]
    in_reference: NDArray[np.bool_]
    reference: Sequence[Text]
    saved: bool = False

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Which texts are kept, bool [n]."""
        import numpy as np

        own: NDArray[np.bool_] = self.representatives == np.arange(len(self.representatives))
        return own & ~self.in_reference

    def representative_of(self, row: int) -> Text:
        """Return the representative of text `row`."""
        return (self.reference if self.in_reference[row] else self.texts)[int(self.representatives[row])]

    def representatives_of(self, rows: NDArray[np.int64]) -> Iterator[Text]:
        """Yield the representatives of some texts."""
        there, found = self.in_reference[rows], self.representatives[rows]
        own, other = texts_at(self.texts, found[~there]), texts_at(self.reference, found[there])
        for is_there in there.tolist():
            yield next(other if is_there else own)


def default_threshold(stamp: str | None) -> tuple[float, str] | None:
    """Return the catalog's threshold for duplicates under this model, and its source; None if unknown."""
    info = find_by_stamp(stamp) if stamp else None
    if info is None or info.duplicates_at is None:
        return None
    return info.duplicates_at, info.sources["duplicates_at"]


def unique_texts(texts: Iterable[Text]) -> Iterator[Text]:
    """Yield the texts that equal no earlier one, as they come."""
    seen: set[str] = set()
    for text in texts:
        if text.embedded not in seen:
            seen.add(text.embedded)
            yield text


def exact_duplicates(texts: Sequence[Text], reference: Sequence[Text] = ()) -> Duplicates:
    """Return the texts that equal, character by character, an earlier one or one of `reference`."""
    import numpy as np

    owners, _, in_reference = _first_equals(texts, reference)
    return Duplicates(texts, owners, np.ones(len(texts), np.float32), in_reference, reference)


def dedupe(
    texts: Sequence[Text],
    embed: Callable[[Sequence[Text]], Corpus],
    threshold: float,
    reference: Searchable | None = None,
) -> Duplicates:
    """Return the texts whose cosine with an earlier kept one, or one of `reference`, reaches `threshold`.

    `embed` gets each distinct text once. The representative of a text is the nearest that it reaches, so
    chains of texts, each like the next, are not merged. Texts that `embed` leaves out are left out.
    """
    import numpy as np

    known = reference.texts if reference else []
    owners, first, in_reference = _first_equals(texts, known)
    firsts = np.flatnonzero(first)
    corpus = embed([texts[row] for row in firsts.tolist()])
    embedded = {text.embedded for text in corpus.texts}
    missing = np.array([texts[row].embedded not in embedded for row in firsts.tolist()], np.bool_)
    near = near_duplicates(corpus, threshold, reference)
    # From rows of the corpus back to rows of `texts`.
    back = firsts[~missing]
    owner, score, other = owners.copy(), np.ones(len(texts), np.float32), in_reference.copy()
    own = ~near.in_reference
    owner[back] = near.representatives
    owner[back[own]] = back[near.representatives[own]]
    score[back], other[back] = near.scores, near.in_reference
    copies = ~first & ~in_reference
    # A copy has the representative and score of its first occurrence.
    owner[copies], score[copies], other[copies] = (kind[owners[copies]] for kind in (owner, score, other))
    failed = np.zeros(len(texts), np.bool_)
    failed[firsts[missing]] = True
    failed[copies] = failed[owners[copies]]
    return _without(Duplicates(texts, owner, score, other, known), failed)


def near_duplicates(corpus: Corpus, threshold: float, reference: Searchable | None = None) -> Duplicates:
    """Return the rows of `corpus` that reach `threshold` with an earlier kept row or one of `reference`.

    A text of which the model knows nothing is a duplicate only of an equal one: all such texts are near each
    other, whatever they say.
    """
    import numpy as np

    owners = np.arange(len(corpus))
    scores = np.ones(len(corpus), np.float32)
    in_reference = np.zeros(len(corpus), np.bool_)
    rows, vectors = corpus.known()
    if len(rows) and reference:
        best, nearest = reference.nearest(vectors, 1)
        which, place = np.nonzero(similarity.Metric.COSINE.reaches(best, threshold))
        found = rows[which]
        owners[found], scores[found] = nearest[which, place], best[which, place]
        in_reference[found] = True
    free = rows[~in_reference[rows]]
    vectors = vectors if len(free) == len(rows) else corpus.vectors[free]
    nearest, near_scores = similarity.representatives(vectors, threshold)
    owners[free], scores[free] = free[nearest], near_scores
    known = reference.texts if reference else []
    unknown = corpus.unknown_rows()
    if len(unknown):
        equal, _, there = _first_equals([corpus.texts[row] for row in unknown.tolist()], known)
        owners[unknown[there]], owners[unknown[~there]] = equal[there], unknown[equal[~there]]
        in_reference[unknown] = there
    return Duplicates(corpus.texts, owners, scores, in_reference, known, corpus.saved)


def _first_equals(
    texts: Sequence[Text], reference: Sequence[Text]
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the row of the first equal of each text, and which texts are first, and which in `reference`."""
    import numpy as np

    before: dict[str, int] = {}
    # A reference can be larger than memory.
    wanted = {text.embedded for text in texts} if len(reference) else ()
    for row, text in enumerate(reference):
        if text.embedded in wanted:
            before.setdefault(text.embedded, row)
    seen: dict[str, int] = {}
    # For strings, nothing in NumPy is faster than a dictionary.
    owners = np.array(
        [
            before[text.embedded] if text.embedded in before else seen.setdefault(text.embedded, row)
            for row, text in enumerate(texts)
        ],
        np.int64,
    )
    in_reference = np.array([text.embedded in before for text in texts], np.bool_)
    return owners, (owners == np.arange(len(texts))) & ~in_reference, in_reference


def _without(found: Duplicates, failed: NDArray[np.bool_]) -> Duplicates:
    """Return `found` without the rows that failed, which represent no row that did not."""
    import numpy as np

    if not failed.any():
        return found
    stay = np.flatnonzero(~failed)
    number = np.cumsum(~failed) - 1
    owners, in_reference = found.representatives[stay], found.in_reference[stay]
    owners[~in_reference] = number[owners[~in_reference]]
    texts = [found.texts[row] for row in stay.tolist()]
    return Duplicates(texts, owners, found.scores[stay], in_reference, found.reference)
