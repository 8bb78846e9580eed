"""Chooses and opens the engine that runs a cross-encoder on this machine.

ONNX Runtime runs the prepared graph. sentence-transformers runs models on a GPU and those of which there is
no graph. OpenVINO runs none: it gives other scores for the segments of BERT's graph.
"""

from __future__ import annotations

from collections.abc import Callable

from simil.config import Settings
from simil.embedders.local.engine_choice import check_engine, fall_back_to_torch
from simil.embedders.local.engine_libraries import require_for_torch
from simil.embedders.local.engines import engine_label, verified
from simil.embedders.overflow import Overflow
from simil.errors import ModelError, UsageError
from simil.models.files.chain import UnknownChain, read_object
from simil.models.files.cross_encoder import PairModel
from simil.models.files.model_source import ModelSource
from simil.models.graphs.signature import GraphKind
from simil.progress import Progress
from simil.scorers.base import Scorer

__all__ = ["PRECISION", "check_scorer_settings", "open_local_scorer"]

PRECISION = "float32"
"""What every cross-encoder computes in."""


def check_scorer_settings(settings: Settings) -> None:
    """Raise `UsageError` or `ModelError` for settings with which no cross-encoder runs."""
    if settings.precision not in ("auto", PRECISION):
        raise UsageError(
            f"{settings.precision} is not supported for a cross-encoder", hint="leave out --precision"
        )
    if settings.overflow == Overflow.CHUNK:
        raise UsageError(
            "a cross-encoder cannot read two texts in windows", hint="use --overflow truncate or error"
        )
    if settings.engine in ("openvino", "packed"):
        raise ModelError(
            f"the {settings.engine} engine does not run cross-encoders", hint="leave out --engine"
        )
    if settings.device.is_several:
        raise ModelError("a cross-encoder runs on one card", hint="use --device cuda")
    check_engine(settings)


def open_local_scorer(
    source: ModelSource,
    model: PairModel,
    stamp: str,
    settings: Settings,
    *,
    on_engine: Callable[[str], None],
    progress: Progress,
) -> Scorer:
    """Return the scorer of a model's files, of which `model` was read.

    `on_engine` is called with the name of the engine. Raises `ModelError` if the model cannot be opened, or
    not by the engine that `settings` ask for.
    """
    if settings.engine != "torch" and not settings.device.is_gpu:
        try:
            scorer = _open_graph(source, model, stamp, settings, progress)
            on_engine("onnx")
            return scorer
        except UnknownChain as exc:
            fall_back_to_torch(source, settings, exc)
    require_for_torch(source, settings)
    from simil.scorers.torch_scorer import TorchScorer

    on_engine(engine_label("torch", settings.device))
    return verified(
        source.verify,
        lambda: TorchScorer(
            stamp, Overflow(settings.overflow), source, device=settings.device, threads=settings.threads
        ),
    )


def _open_graph(
    source: ModelSource, model: PairModel, stamp: str, settings: Settings, progress: Progress
) -> Scorer:
    if model.needs_torch:
        raise UnknownChain(model.needs_torch)
    from simil.embedders.local.cores import physical_cores
    from simil.embedders.local.graph import GraphRunner, InferenceSession, Sessions
    from simil.embedders.local.onnx import OnnxSession
    from simil.models.files.tokenizer import open_tokenizer
    from simil.models.graphs.prepare import prepare
    from simil.scorers.graph_scorer import GraphScorer
    from simil.scorers.pair_tokens import PairTokenizer

    prepared = prepare(source, settings.cache_dir, progress, kind=GraphKind.LOGITS)
    tokenizer = open_tokenizer(prepared.tokenizer, stamp, lower_case=model.lower_case)
    threads = settings.threads or physical_cores()

    def session() -> InferenceSession:
        return verified(
            prepared.verify,
            lambda: OnnxSession(stamp, prepared, threads=threads, bulk=True, kind=GraphKind.LOGITS),
        )

    vocabulary = (read_object(source.folder / "config.json") or {}).get("vocab_size")
    return GraphScorer(
        stamp,
        Overflow(settings.overflow),
        PairTokenizer(tokenizer, model.max_tokens, model.prompt),
        # A score must be the same bits alone and among many. Another session would round otherwise, and the
        # product of a single row with the classifier's weights is rounded otherwise than that of several.
        GraphRunner(
            stamp,
            Sessions(None, session, prepared.takes_padding),
            limit=model.max_tokens,
            vocabulary=vocabulary,
            least_rows=2,
        ),
        model,
    )
