"""Dry runs: what embedding would take, without doing it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

from simil.embedders.base import Embedder, VectorForm
from simil.embedders.usage import BATCH_SHARE
from simil.tasks.embedding import EmbedOptions
from simil.tasks.prefetch import prefetch_batches
from simil.texts import Text

__all__ = ["DryRun", "dry_run"]


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a run would send.

    Of `inputs` texts, `duplicates` equal an earlier one and `cached` are in the cache; the others have
    `tokens` tokens (an upper bound unless `is_exact`), take `requests` requests and cost `cost` US dollars.
    Unless the address `is_openai`, OpenAI's own or Azure's, there may be more requests: the server's speed
    decides. The last six are None for a model on this machine; `cost` is also None if the price is unknown,
    and so is `batch_cost`, what OpenAI's Batch API would take for the same.
    """

    model: str
    inputs: int
    duplicates: int
    cached: int
    tokens: int | None = None
    is_exact: bool | None = None
    requests: int | None = None
    cost: float | None = None
    is_openai: bool | None = None
    batch_cost: float | None = None


def dry_run(texts: Iterable[Text], embedder: Embedder, options: EmbedOptions) -> DryRun:
    """Return what it would take to embed `texts`, without sending or computing anything.

    Keeps 16 bytes per distinct text in memory. Raises the errors of the reader.
    """
    form = VectorForm(options.dimensions, options.normalize)
    plan = embedder.plan()
    seen: set[bytes] = set()
    inputs = cached = 0
    reading = embedder.read_ahead
    # The batches of `embed_stream`: a request holds texts of one batch.
    for batch in prefetch_batches(
        texts, lambda text: len(text.text), most=reading.texts, most_characters=reading.characters
    ):
        inputs += len(batch)
        new = [text.embedded for text in batch if _is_new(text.embedded, seen)]
        missing = embedder.missing(new, options.kind, form)
        cached += len(new) - len(missing)
        if plan is not None:
            plan.add([new[row] for row in missing])
    found = DryRun(embedder.stamp, inputs, inputs - len(seen), cached)
    if plan is None:
        return found
    return replace(
        found,
        tokens=plan.tokens,
        is_exact=plan.is_exact,
        requests=plan.requests,
        cost=plan.cost,
        is_openai=plan.is_openai,
        batch_cost=None if plan.cost is None else plan.cost * BATCH_SHARE,
    )


def _is_new(text: str, seen: set[bytes]) -> bool:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    if digest in seen:
        return False
    seen.add(digest)
    return True
