"""Which graph of a model is prepared, if any."""

from __future__ import annotations

from simil.errors import ModelError
from simil.models.files.chain import UnknownChain, read_chain
from simil.models.files.cross_encoder import read_cross_encoder
from simil.models.files.folder_check import check_folder
from simil.models.files.model_kind import ModelKind, model_kind, refusal
from simil.models.files.model_source import ModelSource
from simil.models.files.token_table import read_static
from simil.models.graphs.signature import GraphKind

__all__ = ["graph_to_prepare"]


def graph_to_prepare(name: str, source: ModelSource) -> GraphKind:
    """Return which graph of the model called `name` is prepared.

    Raises `ModelError` for a model of which simil runs no graph, and what reading its files raises.
    """
    if not source.embedded:
        check_folder(source.folder)
    kind = model_kind(source.folder)
    try:
        if kind is ModelKind.CROSS_ENCODER:
            return _of_pairs(name, source)
        if kind is not ModelKind.EMBEDDER:
            raise refusal(kind, name)
        if read_static(source.folder) is not None:
            raise UnknownChain("it is a static model")
        read_chain(source.folder)
    except UnknownChain as exc:
        raise ModelError(f"{name} is not prepared: {exc}", hint="it runs as it is") from exc
    return GraphKind.TOKENS


def _of_pairs(name: str, source: ModelSource) -> GraphKind:
    model = read_cross_encoder(name, source.folder)
    if model.needs_torch:
        raise UnknownChain(model.needs_torch)
    return GraphKind.LOGITS
