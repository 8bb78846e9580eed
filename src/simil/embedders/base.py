"""The interface of everything that turns texts into vectors.

An implementer writes `dimensions`, `stamp` and `embed_batch`; a plug-in can be ten lines. What
callers need beyond that (checks, truncation to fewer dimensions, unit length) lives here, once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from simil.errors import ModelError, SimilError, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Embedder", "Kind", "TextRejected"]


class Kind(StrEnum):
    """What a text is to the model: many models want a prompt before queries, some before documents."""

    SYMMETRIC = "symmetric"
    QUERY = "query"
    DOCUMENT = "document"


class TextRejected(SimilError):
    """One text of a batch cannot be embedded; `index` is its place in the batch.

    Whoever knows where the text came from turns this into an `InputError` that names file and line.
    """

    exit_code = 3

    def __init__(self, index: int, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.index = index


class Embedder(ABC):
    """A model that gives each text a vector.

    Attributes:
        stamp: names the model and, where there is one, its revision (`name@revision`). Vectors with
            different stamps are never compared.
        dimensions: length of a vector; None until the first batch where only the server knows.
        truncated: how many texts so far were longer than the model reads and lost their end.
    """

    stamp: str
    dimensions: int | None = None
    truncated: int = 0

    @abstractmethod
    def embed_batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of `texts`, float32, shape (len(texts), dimensions), in their order.

        The vector of a text must not depend on the others in the batch. Texts are not blank.
        Raises `TextRejected` for a text that cannot be embedded, any other `SimilError` for the rest.
        """

    def embed_batch_as(self, kind: Kind, texts: Sequence[str]) -> NDArray[np.float32]:
        """Like `embed_batch`, for texts of one kind; models that know prompts override this."""
        return self.embed_batch(texts)

    def embed(
        self,
        texts: Sequence[str],
        kind: Kind = Kind.SYMMETRIC,
        *,
        dimensions: int | None = None,
        normalize: bool = True,
    ) -> NDArray[np.float32]:
        """Return checked vectors of `texts`: float32, C-contiguous, shape (len(texts), dimensions).

        `dimensions` keeps only the first so many (sound for models trained for it, Matryoshka
        representation learning, arXiv:2205.13147); `normalize` then gives each vector length 1 (a
        zero vector stays zero). Raises `UsageError` for more dimensions than there are, `ModelError`
        when the model fails, or returns the wrong number of vectors, another length than it announced,
        or a value that is not finite.
        """
        import numpy as np

        from simil import similarity

        if not texts:
            return np.empty((0, dimensions or self.dimensions or 0), np.float32)
        try:
            vectors = np.ascontiguousarray(self.embed_batch_as(kind, texts), dtype=np.float32)
        except (SimilError, MemoryError):
            raise
        except Exception as exc:
            # A plug-in's own mistakes, and what the engines' libraries raise while they compute.
            raise ModelError(f"{self.stamp} failed: {type(exc).__name__}: {exc}") from exc
        self._check(vectors, len(texts))
        if dimensions is not None:
            if dimensions > vectors.shape[1]:
                raise UsageError(
                    f"{self.stamp} has {vectors.shape[1]} dimensions, {dimensions} were asked for",
                    hint="ask for fewer",
                )
            vectors = np.ascontiguousarray(vectors[:, :dimensions])
        return similarity.unit_or_zero(vectors) if normalize else vectors

    def close(self) -> None:  # noqa: B027 (most embedders hold nothing)
        """Let go of connections and memory; the embedder is not used afterwards."""

    def _check(self, vectors: NDArray[np.float32], count: int) -> None:
        import numpy as np

        if vectors.ndim != 2 or len(vectors) != count:
            raise ModelError(
                f"{self.stamp} returned vectors of shape {vectors.shape} for {count} texts",
                hint="this is a fault of the model or plug-in",
            )
        if self.dimensions is None:
            self.dimensions = vectors.shape[1]
        if vectors.shape[1] != self.dimensions:
            raise ModelError(
                f"{self.stamp} announced {self.dimensions} dimensions and returned {vectors.shape[1]}",
                hint="this is a fault of the model or plug-in",
            )
        finite = np.isfinite(vectors).all(axis=1)
        if not finite.all():
            raise ModelError(
                f"{self.stamp} returned a value that is not finite, for text {int(np.argmin(finite)) + 1}",
                hint="this is a fault of the model or plug-in",
            )
