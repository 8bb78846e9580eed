"""Jobs of a batch API for a session's inputs: opened with what the state beside the output says of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from simil.embedders.base import Embedder, VectorForm
from simil.errors import UsageError
from simil.tasks.embedding import EmbedOptions

if TYPE_CHECKING:
    from simil.embedders.openai.batch_api.batch_client import BatchStatus
    from simil.embedders.openai.batch_api.batch_job import BatchJob
    from simil.embedders.openai.batch_api.batch_state import BatchState
    from simil.embedders.openai.client import OpenAIEmbedder
    from simil.texts import Text

__all__ = ["batch_job", "batches_of_simil", "groups_of_texts", "known_job"]

_GROUP = 8192


def batch_job(embedder: Embedder, output: str, options: EmbedOptions, overflow: str) -> BatchJob:
    """Return the job whose output that is, a new one where there is none.

    Raises `UsageError` for a model that no batch API has, and where the job was begun for other vectors.
    """
    from simil.embedders.cache.cached_embedder import CachedEmbedder
    from simil.embedders.openai.batch_api.batch_job import BatchJob
    from simil.embedders.openai.batch_api.batch_state import BatchState, state_path

    api = _api(embedder)
    assert isinstance(embedder, CachedEmbedder)
    embedder.keep_everything()
    how = {
        "model": api.stamp,
        "address": api.address,
        "kind": str(options.kind),
        "dimensions": options.dimensions,
        "normalize": options.normalize,
        "overflow": overflow,
    }
    state = BatchState.of(state_path(output), how)
    return BatchJob(api, embedder, state, options.kind, VectorForm(options.dimensions, options.normalize))


def _api(embedder: Embedder) -> OpenAIEmbedder:
    from simil.embedders.cache.cached_embedder import CachedEmbedder
    from simil.embedders.openai.client import OpenAIEmbedder

    api = embedder.source if isinstance(embedder, CachedEmbedder) and embedder.is_paid else None
    if not isinstance(api, OpenAIEmbedder):
        raise UsageError(f"{embedder.stamp} has no batch API", hint="--batch is for -m openai")
    return api


def known_job(output: str) -> BatchState:
    """Return the state of the job whose output that is; raises `UsageError` where there is none."""
    from simil.embedders.openai.batch_api.batch_state import BatchState, state_path

    state = BatchState.load(state_path(output))
    if state is None:
        raise UsageError(
            f"there is no batch for {output}", hint="name the file that was given to simil embed --batch -o"
        )
    return state


def batches_of_simil(embedder: Embedder) -> Iterator[BatchStatus]:
    """Yield the batches at the server that simil has begun; raises as `batch_job` does."""
    from simil.embedders.openai.batch_api.batch_job import is_of_simil

    with closing(_api(embedder).batch_client()) as client:
        yield from filter(is_of_simil, client.batches())


def groups_of_texts(texts: Iterable[Text]) -> Iterator[Sequence[str]]:
    """Yield the texts of an input in groups, for `BatchJob.run`."""
    group: list[str] = []
    for text in texts:
        group.append(text.embedded)
        if len(group) == _GROUP:
            yield group
            group = []
    if group:
        yield group
