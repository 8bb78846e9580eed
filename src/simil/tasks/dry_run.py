"""What embedding would take, without doing it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from simil.embedders.base import Embedder, VectorForm
from simil.tasks.embedding import EmbedOptions
from simil.tasks.prefetch import prefetch_batches
from simil.texts import Text

__all__ = ["DryRun", "dry_run"]


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a run would send.

    Of `inputs` texts, `duplicates` are equal to an earlier one and `cached` are in the cache; the others
    have `tokens`, exactly or at most (`is_exact`), go into `requests` and cost `cost` US dollars. The last
    four are None where the model runs on this machine, `cost` also where the price is not known.
    """

    model: str
    inputs: int
    duplicates: int
    cached: int
    tokens: int | None = None
    is_exact: bool | None = None
    requests: int | None = None
    cost: float | None = None


def dry_run(texts: Iterable[Text], embedder: Embedder, options: EmbedOptions) -> DryRun:
    """Return what it would take to embed `texts`; nothing is sent or computed.

    Memory is some bytes a text. Raises the reader's errors.
    """
    form = VectorForm(options.dimensions, options.normalize)
    plan = embedder.plan()
    seen: set[bytes] = set()
    inputs = cached = 0
    reading = embedder.read_ahead
    # The batches of `embed_stream`: requests hold texts of one.
    for batch in prefetch_batches(
        texts, lambda text: len(text.text), most=reading.texts, most_characters=reading.characters
    ):
        inputs += len(batch)
        new = [text.text for text in batch if _is_new(text.text, seen)]
        missing = embedder.missing(new, options.kind, form)
        cached += len(new) - len(missing)
        if plan is not None:
            plan.add([new[row] for row in missing])
    found = DryRun(embedder.stamp, inputs, inputs - len(seen), cached)
    if plan is None:
        return found
    return DryRun(
        found.model, inputs, found.duplicates, cached, plan.tokens, plan.is_exact, plan.requests, plan.cost
    )


def _is_new(text: str, seen: set[bytes]) -> bool:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    if digest in seen:
        return False
    seen.add(digest)
    return True
