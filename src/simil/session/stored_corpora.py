"""Datasets of vectors in a session: opened and held to its model, but not read as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from simil.session.loader import admitted_corpus, check_dimensions, saved_corpus
from simil.tasks.corpus import Corpus

if TYPE_CHECKING:
    from simil.session.inputs import OpenInput
    from simil.session.open_model import OpenModel
    from simil.vectors.stored_vectors import StoredVectors

__all__ = ["groups_of", "open_sources", "open_stored"]


def open_sources(opened: OpenInput, model: OpenModel) -> list[Corpus | StoredVectors]:
    """Open the datasets of an input of saved vectors, and read its other files; see `Session.sources`."""
    from simil.vectors.vector_files import read_vectors

    return [
        open_stored(typed.source.path, model)
        if typed.format.name == "lance"
        else admitted_corpus([read_vectors(typed, opened.reading)], model)
        for typed in opened.sources
    ]


def open_stored(path: str, model: OpenModel) -> StoredVectors:
    """Open the dataset at a path or address; see `Session.stored`."""
    from simil.vectors.stored_vectors import StoredVectors

    stored = StoredVectors.open(path)
    if stored.rows:
        check_dimensions(model.dimensions, stored.dimensions)
        model.admit(stored.model, model.dimensions or stored.dimensions)
    return stored


def groups_of(source: Corpus | StoredVectors, dimensions: int | None) -> Iterator[Corpus]:
    """Yield a corpus as one group, and a dataset in groups, each as `saved_corpus` gives a file."""
    if isinstance(source, Corpus):
        yield source
    else:
        for row_ids, _ in source.blocks():
            yield saved_corpus([source.take(row_ids)], dimensions)
