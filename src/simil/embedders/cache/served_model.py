"""What a server has behind a model's name: finds out whether cached vectors are still of that model.

Behind an address that is not OpenAI's anyone may start another model under the same name. Its vectors and the
cached ones would be compared as if one model had made them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from simil.errors import SimilError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.embedders.base import Kind, VectorForm
    from simil.embedders.cache.store import VectorCache

__all__ = ["AskedVector", "ServedModel"]

log = logging.getLogger("simil")

# The largest cosine that is another model's. What a server computes together with a text changes its last
# digits; with weights of 8 bits, its third.
_SAME = 0.99


class AskedVector(NamedTuple):
    """A text's vector as the server has it now, and what the server calls its model, None if it does not."""

    vector: NDArray[np.float32]
    model: str | None


class ServedModel:
    """A model behind a server's address, whose vectors a cache has.

    `place` is the address. One cached text of a run is asked anew by `ask`, which raises `SimilError`, unless
    the cache `is_trusted`.
    """

    def __init__(
        self,
        name: str,
        place: str,
        ask: Callable[[str, Kind, VectorForm], AskedVector],
        answered_by: Callable[[], str | None],
        *,
        is_trusted: bool,
    ) -> None:
        self.part = f"{name} at {place}"
        self._name = name
        self._ask = ask
        self._answered_by = answered_by
        self._is_due = not is_trusted
        self._newest: int | None = None

    @property
    def space(self) -> str:
        """What the cache calls the vectors of the model that answers now."""
        return self._space(self._answered_by())

    def check(
        self, cache: VectorCache, texts: Sequence[str], keys: Sequence[bytes], kind: Kind, form: VectorForm
    ) -> None:
        """Empty the model's part of the cache if the server has another model by now; asks once in a run."""
        if not self._is_due:
            return
        if self._newest is None:
            self._newest = cache.newest()
        # What this run has added to the cache says nothing about what was there before.
        older = cache.older(keys, self._newest)
        places = [place for place, key in enumerate(keys) if key in older]
        if not places:
            return
        self._is_due = False
        place = min(places, key=lambda place: len(texts[place]))
        key = keys[place]
        found = cache.find([key]).get(key)
        if found is not None and self._is_swapped(texts[place], found.vector, older[key], kind, form):
            cache.drop_part(self.part)

    def _is_swapped(
        self, text: str, cached: Sequence[float], space: str, kind: Kind, form: VectorForm
    ) -> bool:
        try:
            asked = self._ask(text, kind, form)
        except SimilError as exc:
            log.warning("cannot check that cached vectors are still those of %s: %s", self.part, exc.message)
            return False
        if _is_same(cached, asked.vector) and self._space(asked.model) == space:
            log.info("%s gives a cached text the same vector as before", self.part)
            return False
        log.warning(
            "%s is not the same model as before: its cached vectors are dropped, and vectors saved in files"
            " must be made again",
            self.part,
        )
        return True

    def _space(self, answered: str | None) -> str:
        return self.part if answered in {None, self._name} else f"{self.part} as {answered}"


def _is_same(cached: Sequence[float], asked: NDArray[np.float32]) -> bool:
    import numpy as np

    old, new = np.asarray(cached, np.float64), asked.astype(np.float64)
    if len(old) != len(new):
        return False
    lengths = np.linalg.norm(old), np.linalg.norm(new)
    if not all(lengths):
        return not any(lengths)
    return bool(old @ new > _SAME * lengths[0] * lengths[1])
