"""From an open input to a corpus: read, embed, collect. Each step calls the next and none calls back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from simil import similarity
from simil.embedders.base import Kind
from simil.errors import InputError, ModelMismatch, Place, UsageError
from simil.progress import Progress, Total
from simil.tasks.corpus import Corpus, check_models, saved_texts
from simil.tasks.embedding import EmbedOptions, embed_stream

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.session.inputs import OpenInput
    from simil.session.open_model import OpenModel
    from simil.tasks.stored_corpus import StoredCorpus
    from simil.texts import Text
    from simil.vectors import VectorFile

__all__ = ["admitted_corpus", "check_dimensions", "embed_corpus", "saved_corpus", "stored_corpus"]


def embed_corpus(
    texts: Iterable[Text],
    model: OpenModel,
    kind: Kind,
    *,
    on_error: Callable[[InputError], None] | None,
    on_unknown: Callable[[Place], None],
    progress: Progress,
    total: Total,
    label: str,
) -> Corpus:
    """Return texts with their vectors by the session's model, each of length 1.

    Missing texts become the blank ones of the corpus. Errors and callbacks as in `embed_stream`; also
    `ModelError` for a vector without direction.
    """
    import numpy as np

    embedder = model.embedder()
    options = EmbedOptions(kind, model.dimensions)
    kept: list[Text] = []
    parts: list[NDArray[np.float32]] = []
    unknown: list[NDArray[np.bool_]] = []
    blanks: list[tuple[int, Text]] = []
    with progress(label, total=total, unit="texts", status=embedder.status) as advance:
        for batch in embed_stream(
            texts, embedder, options, on_error=on_error, on_unknown=on_unknown, on_done=advance
        ):
            given = [row for row, text in enumerate(batch.texts) if not text.is_missing]
            if len(given) < len(batch.texts):
                blanks += _blanks_of(batch.texts, len(kept))
                batch = batch.at(given)  # noqa: PLW2901
            if not given:  # The length of vectors may not be known yet.
                continue
            kept += batch.texts
            parts.append(batch.vectors)
            unknown.append(batch.unknown)
    width = options.dimensions or embedder.dimensions or 0
    vectors = np.concatenate(parts) if parts else np.empty((0, width), np.float32)
    _check_directions(vectors, lambda row: kept[row].origin)
    if kept:
        model.admit(embedder.stamp, vectors.shape[1])
    some = any(rows.any() for rows in unknown)
    return Corpus(
        kept, vectors, embedder.stamp, unknown=np.concatenate(unknown) if some else None, blanks=blanks
    )


def _blanks_of(texts: Sequence[Text], before: int) -> Iterator[tuple[int, Text]]:
    """Yield the missing texts, each with the number of others before it, of which there are some already."""
    for text in texts:
        if text.is_missing:
            yield before, text
        else:
            before += 1


def saved_corpus(files: Sequence[VectorFile], dimensions: int | None = None) -> Corpus:
    """Return the vectors of files, brought to length 1 and to their first `dimensions`.

    A file whose vectors have that length already is not copied. Raises `ModelMismatch` when the files
    are of two models or lengths, `InputError` for a vector without direction.
    """
    import numpy as np

    filled = [file for file in files if len(file)]
    check_models({file.model for file in filled})
    lengths = sorted({file.vectors.shape[1] for file in filled})
    if len(lengths) > 1:
        raise ModelMismatch(
            f"vectors of {' and '.join(map(str, lengths))} dimensions cannot be compared",
            hint="make them alike with simil embed",
        )
    if lengths:
        check_dimensions(dimensions, lengths[0])
    if not filled:
        return Corpus([], np.empty((0, dimensions or 0), np.float32), None, saved=True)
    texts = saved_texts(filled)
    parts = [file.vectors[:, :dimensions] for file in filled]
    vectors = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return Corpus(texts, _of_length_one(vectors, texts), filled[0].model, saved=True)


def check_dimensions(wanted: int | None, given: int) -> None:
    """Raise `UsageError` where saved vectors have fewer dimensions than are to be kept."""
    if wanted and wanted > given:
        raise UsageError(f"the vectors have {given} dimensions", hint="ask for fewer with --dimensions")


def admitted_corpus(files: Sequence[VectorFile], model: OpenModel) -> Corpus:
    """Return what `saved_corpus` does; raises `ModelMismatch` where it cannot meet the session's vectors."""
    corpus = saved_corpus(files, model.dimensions)
    if len(corpus):
        model.admit(corpus.model, corpus.vectors.shape[1])
    return corpus


def stored_corpus(
    opened: OpenInput, beside: int, copies: int, dimensions: int | None, progress: Progress
) -> StoredCorpus | None:
    """Return the one dataset of an input as `Session.larger_than_memory` does; None if it fits in memory."""
    from simil.tasks.stored_corpus import StoredCorpus
    from simil.vectors.collect import report_left_out
    from simil.vectors.stored_vectors import StoredVectors

    (typed,) = opened.sources
    stored = StoredVectors.open(typed.source.path)
    if not stored.dimensions or stored.fits_in_memory(beside + copies * 4 * stored.dimensions):
        return None
    if dimensions not in (None, stored.dimensions):
        raise UsageError(
            f"{stored.name} is larger than memory, where --dimensions has no effect on its vectors",
            hint="leave it out, or save shorter ones with simil embed --dimensions",
        )
    report_left_out(stored.name, stored.rows - stored.count)
    return StoredCorpus(stored, opened.column_types, progress)


def _of_length_one(vectors: NDArray[np.float32], texts: Sequence[Text]) -> NDArray[np.float32]:
    try:
        return similarity.of_length_one(vectors)
    except InputError:
        _check_directions(vectors, lambda row: texts[row].origin)
        raise


def _check_directions(vectors: NDArray[np.float32], place: Callable[[int], Place]) -> None:
    directed = vectors.any(axis=1)
    if not directed.all():
        raise InputError("the vector is zero and has no direction", place=place(int(directed.argmin())))
