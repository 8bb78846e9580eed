"""Which optional libraries a model takes, found by its files and without opening it."""

from __future__ import annotations

from simil.embedders.local.pooling import load_dense
from simil.models.files.chain import UnknownChain, read_chain
from simil.models.files.cross_encoder import read_cross_encoder
from simil.models.files.model_kind import ModelKind, model_kind
from simil.models.files.model_source import ModelSource
from simil.models.files.token_table import read_static, require_model2vec
from simil.models.graphs.prepare import ready_graph
from simil.models.graphs.signature import GraphKind
from simil.models.torch_libraries import has_sentence_transformers, require_sentence_transformers

__all__ = ["require_libraries"]


def require_libraries(source: ModelSource, *, prepared: bool) -> None:
    """Raise `ExtraMissing` if a run of the model would; a `prepared` one takes less."""
    scores_pairs = model_kind(source.folder) is ModelKind.CROSS_ENCODER
    if not scores_pairs and read_static(source.folder) is not None:
        require_model2vec()
    elif not has_sentence_transformers():
        runs = _scores_without_torch if scores_pairs else _embeds_without_torch
        if not runs(source, prepared=prepared):
            require_sentence_transformers(source.name)


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
