"""Which texts say again what one before them said."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simil import similarity
from simil.models.catalog import find_by_stamp
from simil.tasks.corpus import Corpus
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

# For models that the catalog does not know.
UNKNOWN_THRESHOLD = 0.9


@dataclass(frozen=True, eq=False, slots=True)
class Duplicates:
    """Which text stands for each of `texts`, in their order.

    `owners` int64 [n] are rows: a text's own where it is kept, that of the earlier text it repeats where
    not. Where `elsewhere` bool [n] is set the row is one of `others`, the texts that were known before.
    `scores` float32 [n] say how near the two are, 1 for a text that is kept. `saved` is as in `Corpus`.
    """

    texts: Sequence[Text]
    owners: NDArray[np.int64]
    scores: NDArray[np.float32]
    elsewhere: NDArray[np.bool_]
    others: Sequence[Text]
    saved: bool = False

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Which texts stand for themselves, bool [n]."""
        import numpy as np

        kept: NDArray[np.bool_] = (self.owners == np.arange(len(self.owners))) & ~self.elsewhere
        return kept

    def representative_of(self, row: int) -> Text:
        """Return the text that stands for text `row`."""
        return (self.others if self.elsewhere[row] else self.texts)[int(self.owners[row])]


def default_threshold(stamp: str | None) -> tuple[float, str] | None:
    """Return from which score on the catalog takes texts for duplicates under this model, and why.

    None where it is not known.
    """
    info = find_by_stamp(stamp) if stamp else None
    if info is None or info.duplicates_at is None:
        return None
    return info.duplicates_at, info.sources["duplicates_at"]


def unique_texts(texts: Iterable[Text]) -> Iterator[Text]:
    """Yield each text that no earlier one equals, as they come; no model is asked."""
    seen: set[str] = set()
    for text in texts:
        if text.text not in seen:
            seen.add(text.text)
            yield text


def exact_duplicates(texts: Sequence[Text], others: Sequence[Text] = ()) -> Duplicates:
    """Find the texts that are equal, character by character, to an earlier one or to one of `others`."""
    import numpy as np

    owners, _, elsewhere = _firsts(texts, others)
    return Duplicates(texts, owners, np.ones(len(texts), np.float32), elsewhere, others)


def dedupe(
    texts: Sequence[Text],
    embed: Callable[[Sequence[Text]], Corpus],
    threshold: float,
    others: Corpus | None = None,
) -> Duplicates:
    """Find the texts whose cosine with an earlier kept one, or with one of `others`, reaches `threshold`.

    Equal texts are found first, and `embed` is given one of each. A text joins the nearest of those it
    reaches: no chain of texts, each like the next, draws its ends into one group. What `embed` leaves out
    is left out.
    """
    import numpy as np

    known = others.texts if others else []
    owners, first, elsewhere = _firsts(texts, known)
    firsts = np.flatnonzero(first)
    corpus = embed([texts[row] for row in firsts.tolist()])
    embedded = {text.text for text in corpus.texts}
    missing = np.array([texts[row].text not in embedded for row in firsts.tolist()], np.bool_)
    near = near_duplicates(corpus, threshold, others)
    # From rows of the corpus back to rows of `texts`.
    back = firsts[~missing]
    owner, score, other = owners.copy(), np.ones(len(texts), np.float32), elsewhere.copy()
    own = ~near.elsewhere
    owner[back] = near.owners
    owner[back[own]] = back[near.owners[own]]
    score[back], other[back] = near.scores, near.elsewhere
    copies = ~first & ~elsewhere
    # A copy goes where the first of its kind went, and scores as that does.
    owner[copies], score[copies], other[copies] = (kind[owners[copies]] for kind in (owner, score, other))
    failed = np.zeros(len(texts), np.bool_)
    failed[firsts[missing]] = True
    failed[copies] = failed[owners[copies]]
    return _without(Duplicates(texts, owner, score, other, known), failed)


def near_duplicates(corpus: Corpus, threshold: float, others: Corpus | None = None) -> Duplicates:
    """Find the rows of `corpus` that `others`, or an earlier row that is kept, stand for."""
    import numpy as np

    owners = np.arange(len(corpus))
    scores = np.ones(len(corpus), np.float32)
    elsewhere = np.zeros(len(corpus), np.bool_)
    if others is not None and len(others) and len(corpus):
        best, rows = similarity.top_k(corpus.vectors, others.vectors, 1)
        elsewhere = similarity.Metric.COSINE.reaches(best[:, 0], threshold)
        owners[elsewhere], scores[elsewhere] = rows[elsewhere, 0], best[elsewhere, 0]
    free = np.flatnonzero(~elsewhere)
    vectors = corpus.vectors if len(free) == len(corpus) else corpus.vectors[free]
    nearest, near_scores = similarity.representatives(vectors, threshold)
    owners[free], scores[free] = free[nearest], near_scores
    known = others.texts if others else []
    return Duplicates(corpus.texts, owners, scores, elsewhere, known, corpus.saved)


def _firsts(
    texts: Sequence[Text], others: Sequence[Text]
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return for each text the row of its equal that came first, and which rows are first or elsewhere."""
    import numpy as np

    before: dict[str, int] = {}
    for row, text in enumerate(others):
        before.setdefault(text.text, row)
    seen: dict[str, int] = {}
    # Strings have no place in NumPy that is faster than a dictionary.
    owners = np.array(
        [
            before[text.text] if text.text in before else seen.setdefault(text.text, row)
            for row, text in enumerate(texts)
        ],
        np.int64,
    )
    elsewhere = np.array([text.text in before for text in texts], np.bool_)
    return owners, (owners == np.arange(len(texts))) & ~elsewhere, elsewhere


def _without(found: Duplicates, failed: NDArray[np.bool_]) -> Duplicates:
    """Leave out the rows that failed; none of them stands for another that did not."""
    import numpy as np

    if not failed.any():
        return found
    stay = np.flatnonzero(~failed)
    number = np.cumsum(~failed) - 1
    owners = found.owners[stay]
    elsewhere = found.elsewhere[stay]
    owners[~elsewhere] = number[owners[~elsewhere]]
    return Duplicates(
        [found.texts[row] for row in stay.tolist()], owners, found.scores[stay], elsewhere, found.others
    )
