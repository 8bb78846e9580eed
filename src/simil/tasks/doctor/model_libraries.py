"""Which optional libraries a model takes, found by its files and without opening it."""

from __future__ import annotations

from simil.config import Settings
from simil.embedders.local.engine_choice import wants_packed
from simil.embedders.local.pooling import load_dense
from simil.models.files.chain import UnknownChain, read_chain
from simil.models.files.cross_encoder import read_cross_encoder
from simil.models.files.model_kind import ModelKind, model_kind
from simil.models.files.model_source import ModelSource
from simil.models.files.packed_shape import read_packed_shape
from simil.models.files.token_table import read_static, require_model2vec
from simil.models.graphs.prepare import ready_graph
from simil.models.graphs.signature import GraphKind
from simil.models.torch_libraries import has_sentence_transformers, require_sentence_transformers

__all__ = ["require_libraries"]


def require_libraries(source: ModelSource, settings: Settings, *, prepared: bool) -> None:
    """Raise `ExtraMissing` if a run of the model would; a `prepared` one takes less.

    The packed engine needs only torch, which the checks of engines look for.
    """
    scores_pairs = model_kind(source.folder) is ModelKind.CROSS_ENCODER
    if not scores_pairs and read_static(source.folder) is not None:
        require_model2vec()
    elif not has_sentence_transformers():
        if scores_pairs:
            runs = _scores_without_torch(source, prepared=prepared)
        else:
            runs = _runs_packed(source, settings) or _embeds_without_torch(source, prepared=prepared)
        if not runs:
            require_sentence_transformers(source.name)


def _runs_packed(source: ModelSource, settings: Settings) -> bool:
    try:
        return wants_packed(settings) and bool(read_packed_shape(source.folder))
    except UnknownChain:
        return False


def _scores_without_torch(source: ModelSource, *, prepared: bool) -> bool:
    model = read_cross_encoder(source.name, source.folder)
    return not model.needs_torch and (prepared or ready_graph(source, GraphKind.LOGITS) is not None)


def _embeds_without_torch(source: ModelSource, *, prepared: bool) -> bool:
    try:
        chain = read_chain(source.folder)
    except UnknownChain:
        return False
    for layer in chain.dense:
        load_dense(source.folder, layer)
    return prepared or ready_graph(source, GraphKind.TOKENS) is not None
