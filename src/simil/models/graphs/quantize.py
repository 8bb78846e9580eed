"""Quantizes a model to eight bits, once. Later runs open the quantized graph and nothing of the float32 one.

Static post-training quantization by NNCF: the ranges of activations are measured on the texts of
`calibration.txt` and then fixed, not taken from each batch, so a text's vector does not depend on the
other texts in its batch. Outliers are first moved from activations into weights (SmoothQuant,
arXiv:2211.10438).
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
from simil.models.files.model_source import ModelSource
from simil.models.files.tokenizer import open_tokenizer
from simil.models.graphs.build_once import BuildFailed, BuiltFolder, build_once, open_built
from simil.models.graphs.generations import Generation
from simil.models.graphs.openvino_runtime import import_nncf, import_openvino, require_nncf
from simil.models.graphs.prepare import (
    PreparedGraph,
    opened_graph,
    prepare,
    prepared_folder,
    write_companions,
)
from simil.models.graphs.signature import graph_feed
from simil.progress import Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["quantization_name", "quantized_graph"]

_CALIBRATION_TEXTS = Path(__file__).with_name("calibration.txt")
_ALPHA = 0.5  # How much of an outlier moves into the weights: half, the paper's default.
_MAX_TOKENS = 256
_GRAPH = "model.xml"
# Raise this when the same texts give another graph.
_VERSION = 1
# Raise this when the contents of a folder change, but not the graph.
_LAYOUT = 2


@cache
def quantization_name() -> str:
    """Return the part of a stamp that names this quantization: "int8-" and 6 hexadecimal digits.

    The digits depend on the calibration texts, the method and NNCF's version, since a change of any gives
    other vectors. Raises `ExtraMissing` if NNCF is not installed.
    """
    require_nncf()
    how = f"{_VERSION} {version('nncf')} {_ALPHA} {_MAX_TOKENS} ".encode() + _CALIBRATION_TEXTS.read_bytes()
    return f"int8-{hashlib.sha256(how).hexdigest()[:6]}"


def quantized_graph(
    source: ModelSource, chain: Chain, stamp: str, cache_dir: Path, progress: Progress
) -> PreparedGraph:
    """Return the quantized graph (OpenVINO's xml) of a model, building it if there is no sound one.

    Building takes from some seconds to a minute; the graph is kept beside the prepared model. Raises
    `ExtraMissing` if OpenVINO or NNCF is not installed, `ModelError` if the model cannot be quantized or
    the graph cannot be kept, and what `prepare` raises.
    """
    folder = prepared_folder(source, cache_dir)
    target = folder.with_name(f"{folder.name}-{quantization_name()}.{_LAYOUT}")
    built = open_built(target, Generation.of(source, cache_dir))
    if built is None:
        built = _built(target, prepare(source, cache_dir, progress), chain, stamp, progress)
    return opened_graph(built, _GRAPH)


def _built(
    target: Path, prepared: PreparedGraph, chain: Chain, stamp: str, progress: Progress
) -> BuiltFolder:
    if prepared.built is None:
        raise ModelError(
            f"{stamp} cannot be quantized: the prepared model cannot be kept on disk",
            hint="make the cache directory writable (SIMIL_CACHE_DIR), or use another --precision",
        )
    try:
        with progress(f"quantizing {stamp}, once"):
            return build_once(
                target,
                lambda temporary: _quantize(prepared, chain, stamp, temporary),
                generation=prepared.built.generation,
            )
    except (OSError, BuildFailed) as exc:
        raise ModelError(f"the quantized {stamp} cannot be written: {exc}", hint="check the disk") from exc


def _quantize(prepared: PreparedGraph, chain: Chain, stamp: str, folder: Path) -> None:
    openvino, nncf = import_openvino(), import_nncf()
    prepared.verify()
    with _quiet():
        model = openvino.Core().read_model(str(prepared.graph))
        inputs = {port.get_any_name(): port.get_element_type().to_dtype() for port in model.inputs}
        samples = list(_samples(prepared, chain, stamp, inputs))
        smooth = nncf.AdvancedSmoothQuantParameters(matmul=_ALPHA)
        try:
            quantized = nncf.quantize(
                model,
                nncf.Dataset(samples),
                subset_size=len(samples),
                model_type=nncf.ModelType.TRANSFORMER,
                advanced_parameters=nncf.AdvancedQuantizationParameters(smooth_quant_alphas=smooth),
            )
        except Exception as exc:
            # NNCF has no exceptions of its own for a graph that it cannot handle.
            raise ModelError(f"{stamp} cannot be quantized: {exc}", hint="use another --precision") from exc
        # Not compressed: what stays in float32 keeps its values.
        openvino.save_model(quantized, str(folder / _GRAPH), compress_to_fp16=False)
    prepared.expect_unchanged()
    write_companions(prepared, folder)


def _samples(
    prepared: PreparedGraph, chain: Chain, stamp: str, inputs: dict[str, Any]
) -> Iterator[dict[str, NDArray[Any]]]:
    """Yield the graph's inputs for each calibration text, one text at a time."""
    import numpy as np

    tokenizer = open_tokenizer(prepared.tokenizer, stamp, lower_case=chain.lower_case)
    tokenizer.no_padding()
    tokenizer.enable_truncation(min(chain.max_tokens or _MAX_TOKENS, _MAX_TOKENS))
    for encoding in tokenizer.encode_batch_fast(_CALIBRATION_TEXTS.read_text("utf-8").splitlines()):
        ids = np.array([encoding.ids], np.int32)
        yield graph_feed(ids, np.ones_like(ids), inputs)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep NNCF's progress bars and log messages off stdout, which is for simil's results."""
    logger = logging.getLogger("nncf")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
