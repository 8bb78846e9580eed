"""A prepared graph in eight bits: quantized once, with ranges measured on texts of our own.

Static post-training quantization by NNCF: ranges of activations are fixed when the model is prepared,
not taken from each batch, so a text has one vector whatever stands beside it. Outliers are moved from
activations into weights first (SmoothQuant, arXiv:2211.10438).
"""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simil.errors import ModelError
from simil.models.files.chain import Chain
from simil.models.files.tokenizer import open_tokenizer
from simil.models.graphs.build_once import SaveFailed, made_once
from simil.models.graphs.openvino_runtime import import_nncf, import_openvino, need_nncf
from simil.models.graphs.prepare import Prepared, graph_feed
from simil.progress import Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["quantization", "quantized"]

_TEXTS = Path(__file__).with_name("calibration.txt")
_ALPHA = 0.5  # How much of an outlier moves into the weights: half, the paper's default.
_MAX_TOKENS = 256
_GRAPH = "model.xml"
# Raise when the same texts would give another graph.
_VERSION = 1


@cache
def quantization() -> str:
    """Return the name of what a model becomes when it is quantized here, for stamps: "int8-" and 6 digits.

    The digits stand for the calibration texts, the method and NNCF's version: another of them gives
    another model. Raises `ExtraMissing` where NNCF is not installed.
    """
    need_nncf()
    how = f"{_VERSION} {version('nncf')} {_ALPHA} {_MAX_TOKENS} ".encode() + _TEXTS.read_bytes()
    return f"int8-{hashlib.sha256(how).hexdigest()[:6]}"


def quantized(prepared: Prepared, chain: Chain, stamp: str, progress: Progress) -> Path:
    """Return the quantized graph (OpenVINO's xml) of a prepared model, making it where there is none.

    It takes some seconds to a minute, and is kept beside the prepared model. Raises `ExtraMissing` where
    OpenVINO or NNCF are not installed, `ModelError` where the model cannot be quantized or kept.
    """
    if not isinstance(prepared.graph, Path):
        raise ModelError(
            f"{stamp} cannot be quantized: the prepared model cannot be kept on disk",
            hint="make the cache directory writable (SIMIL_CACHE_DIR), or use another --precision",
        )
    folder = prepared.graph.parent
    target = folder.with_name(f"{folder.name}-{quantization()}")
    try:
        with progress(f"quantizing {stamp}, once"):
            made_once(
                target,
                lambda temporary: _quantize(prepared, chain, stamp, temporary / _GRAPH),
                model=stamp.partition("@")[0],
            )
    except (OSError, SaveFailed) as exc:
        raise ModelError(f"the quantized {stamp} cannot be written: {exc}", hint="check the disk") from exc
    return target / _GRAPH


def _quantize(prepared: Prepared, chain: Chain, stamp: str, path: Path) -> None:
    openvino, nncf = import_openvino(), import_nncf()
    with _quiet():
        model = openvino.Core().read_model(str(prepared.graph))
        inputs = {put.get_any_name(): put.get_element_type().to_dtype() for put in model.inputs}
        samples = list(_samples(prepared, chain, stamp, inputs))
        smooth = nncf.AdvancedSmoothQuantParameters(matmul=_ALPHA)
        try:
            made = nncf.quantize(
                model,
                nncf.Dataset(samples),
                subset_size=len(samples),
                model_type=nncf.ModelType.TRANSFORMER,
                advanced_parameters=nncf.AdvancedQuantizationParameters(smooth_quant_alphas=smooth),
            )
        except Exception as exc:
            # NNCF has no exceptions of its own for a graph that it cannot handle.
            raise ModelError(f"{stamp} cannot be quantized: {exc}", hint="use another --precision") from exc
        # Not compressed: what is left in float32 stays what it is.
        openvino.save_model(made, str(path), compress_to_fp16=False)


def _samples(
    prepared: Prepared, chain: Chain, stamp: str, inputs: dict[str, Any]
) -> Iterator[dict[str, NDArray[Any]]]:
    """Yield what the graph takes, for each calibration text by itself."""
    import numpy as np

    tokenizer = open_tokenizer(prepared.tokenizer, stamp, lower_case=chain.lower_case)
    tokenizer.no_padding()
    tokenizer.enable_truncation(min(chain.max_tokens or _MAX_TOKENS, _MAX_TOKENS))
    for encoding in tokenizer.encode_batch_fast(_TEXTS.read_text("utf-8").splitlines()):
        ids = np.array([encoding.ids], np.int32)
        yield graph_feed(ids, np.ones_like(ids), inputs)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep NNCF's progress bars and remarks off stdout, which belongs to simil's user."""
    logger = logging.getLogger("nncf")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
