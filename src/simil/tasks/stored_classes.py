"""Classes of the texts of a dataset that is larger than memory, block by block."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from simil.tasks.classification import Classification
from simil.tasks.corpus import Corpus
from simil.tasks.stored_corpus import CorpusInBlocks, rows_at_once

__all__ = ["classify_in_blocks"]

_PER_SCORE = 32  # bytes of what classifiers make of the score of a label


def classify_in_blocks(
    corpus: CorpusInBlocks, labels: int, classify: Callable[[Corpus], Classification]
) -> Classification:
    """Return what `classify` gives for a corpus, of whose vectors it gets one block at a time.

    There are so many `labels` at most.
    """
    import numpy as np

    step = rows_at_once(4 * corpus.dimensions + _PER_SCORE * labels)
    blocks = corpus.blocks(step, "classifying")
    found = [classify(Corpus([], block, corpus.corpus.model, saved=True)) for _, block in blocks]
    return replace(found[0], scores=np.concatenate([part.scores for part in found]))
