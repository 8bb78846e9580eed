"""The Python API: what the commands do, as two functions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.config import Settings
    from simil.embedders.base import Embedder

__all__ = ["compare", "embed"]


def compare(left: str, right: str, *, model: str | None = None, metric: str = "cosine") -> float:
    """Return how alike two texts are.

    `metric` is "cosine" (1 is alike), "dot", "euclidean" or "manhattan" (0 is alike), of vectors of
    length 1. `model` is what `simil -m` takes; None goes by environment, `.env` and config file as the
    command does. Raises `SimilError`: `InputError` for a blank text, `ModelError` for a model that
    cannot be used, `ProviderError` for a hub or an API that fails; `ValueError` for another metric.
    """
    from simil import similarity

    vectors = embed([left, right], model=model)
    return float(similarity.pairwise(vectors[:1], vectors[1:], similarity.Metric(metric))[0])


def embed(
    texts: Sequence[str],
    *,
    model: str | None = None,
    kind: str = "symmetric",
    dimensions: int | None = None,
    normalize: bool = True,
) -> NDArray[np.float32]:
    """Return the vectors of `texts`, float32, shape (len(texts), dimensions), in their order.

    `kind` is "symmetric", "query" or "document" and decides which prompt of the model is put before
    the texts; `dimensions` keeps the first so many; `normalize` gives each vector length 1. The model
    stays open for later calls. Errors as in `compare`; `ValueError` for another kind.
    """
    from simil.config import load_settings
    from simil.embedders.base import Kind, TextRejected
    from simil.errors import InputError
    from simil.texts import is_blank

    wanted = Kind(kind)
    if isinstance(texts, str):
        raise TypeError("texts is one string; pass a list of them")
    for index, text in enumerate(texts):
        if is_blank(text):
            raise InputError(f"text {index} is blank")
    embedder = _open(load_settings(model=model), dimensions, normalize)
    try:
        return embedder.embed(texts, wanted, dimensions=dimensions, normalize=normalize)
    except TextRejected as exc:
        raise InputError(f"text {exc.index}: {exc.message}", hint=exc.hint) from exc


@lru_cache(maxsize=2)
def _open(settings: Settings, dimensions: int | None, normalize: bool) -> Embedder:
    from simil.embedders.factory import open_embedder

    return open_embedder(settings, dimensions=dimensions, normalize=normalize)
