"""Exports the graph of a transformer that is not BERT with torch, as sentence-transformers loads it.

The weights never pass through the exporter, which would put them all into one message of protobuf (2 GiB at
most) and hold them in memory twice. The graph is exported with its weights as inputs; they are then written
to a file beside it, one after another, and the graph refers to them there.
"""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simil.foreign import ForeignCode, interrupts, what_was_raised
from simil.models.files.chain import UnknownChain
from simil.models.files.positions import fit_limit
from simil.models.files.quiet import quiet_transformers
from simil.models.files.tokenizer import give_padding, write_tokenizer
from simil.models.graphs.graph_check import GraphCase, lacks_memory, sample_texts
from simil.models.graphs.signature import GraphKind

if TYPE_CHECKING:
    import torch

__all__ = ["ExportedGraph", "export_graph"]

_GRAPH, _WEIGHTS = "exported.onnx", "exported.bin"


@dataclass(frozen=True, slots=True)
class ExportedGraph:
    """A graph in a file, with its weights beside it, and the bytes of its `tokenizer.json`.

    `cases` are what torch gives for some texts, the last one the longest.
    """

    path: Path
    tokenizer: bytes
    cases: Sequence[GraphCase]


def export_graph(folder: Path, target: Path, kind: GraphKind = GraphKind.TOKENS) -> ExportedGraph:
    """Write the ONNX model of the transformer in `folder` to the folder `target`, with its weights beside it.

    The inputs are its tokenizer's, int64 [batch, tokens]; the output is that of `kind`. Takes about ten
    seconds, most of them to import torch. Raises `UnknownChain` if torch cannot export the model,
    `ModelError` if it cannot be loaded, OSError if the disk is full.
    """
    try:
        return _export(_load(folder, kind), target, kind)
    finally:
        gc.collect()  # The model refers to itself, and its memory is needed.


def _load(folder: Path, kind: GraphKind) -> Any:
    with ForeignCode("sentence-transformers cannot be loaded"):
        from sentence_transformers import CrossEncoder, SentenceTransformer

    loader = {GraphKind.TOKENS: SentenceTransformer, GraphKind.LOGITS: CrossEncoder}[kind]
    # transformers raises many kinds of exceptions for a folder that is not a model.
    uses_head = kind is GraphKind.LOGITS
    with (
        quiet_transformers(folder, uses_head=uses_head),
        ForeignCode(f"sentence-transformers cannot load {folder}"),
    ):
        model = loader(str(folder), device="cpu", local_files_only=True)
    fit_limit(model)
    return model.eval().float()


def _export(model: Any, target: Path, kind: GraphKind) -> ExportedGraph:
    if not hasattr(model.tokenizer, "backend_tokenizer"):
        raise UnknownChain("its tokenizer is not one of the tokenizers library")
    give_padding(model.tokenizer)
    network = model[0].auto_model
    texts = sample_texts(network.config.to_dict(), sum(weight.numel() for weight in network.parameters()))
    inputs = texts if kind is GraphKind.TOKENS else [*zip(texts, [*texts[1:], texts[0]], strict=True)]
    path = target / _GRAPH
    with quiet_transformers(), _exporting():
        # The longest first: some models change the kind of their attention for good after a short one.
        cases = [_case(model[0], text, kind) for text in reversed(inputs)]
        weights = _trace(model[0], inputs[:2], path, kind)
    _attach(path, weights)
    return ExportedGraph(path, write_tokenizer(model.tokenizer), cases[::-1])


@contextmanager
def _exporting() -> Iterator[None]:
    """Turn what torch raises for a model that it cannot export into `UnknownChain`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except OSError:
        raise
    except Exception as exc:
        if interrupts(exc):
            raise KeyboardInterrupt from exc
        if lacks_memory(exc):
            raise MemoryError from exc
        raise UnknownChain(f"torch cannot export it: {what_was_raised(exc).splitlines()[0]}") from exc


def _preprocess(transformer: Any, inputs: Sequence[Any]) -> dict[str, torch.Tensor]:
    import torch

    given = transformer.preprocess(list(inputs))
    return {key: value for key, value in given.items() if isinstance(value, torch.Tensor)}


def _case(transformer: Any, text: Any, kind: GraphKind) -> GraphCase:
    """Run the model as it is, for one text or pair."""
    import numpy as np
    import torch

    given = _preprocess(transformer, [text])
    with torch.no_grad():
        output = transformer.auto_model(**given)[kind.output][0]
    ids = given["input_ids"][0].numpy().astype(np.int32)
    segments = given.get("token_type_ids")
    kinds = np.zeros_like(ids) if segments is None else segments[0].numpy().astype(np.int32)
    return GraphCase(ids, kinds, output.numpy())


def _trace(
    transformer: Any, inputs: Sequence[Any], path: Path, kind: GraphKind
) -> Mapping[str, torch.Tensor]:
    """Export the graph to `path` with its weights as inputs, and return the weights by name.

    The two inputs have different lengths, so that the trace takes no dimension for a constant.
    """
    import torch

    network = transformer.auto_model
    # ONNX Runtime's optimizer fuses attention only if it is exported as plain operators.
    network.set_attn_implementation("eager")
    weights = dict(network.named_parameters())
    example = _preprocess(transformer, inputs)

    class Traced(torch.nn.Module):  # type: ignore[misc]
        def forward(self, *given: torch.Tensor) -> torch.Tensor:
            _set_weights(network, dict(zip(weights, given[len(example) :], strict=True)))
            output: torch.Tensor = network(**dict(zip(example, given, strict=False)))[kind.output]
            return output

    axes = {name: {0: "batch", 1: "tokens"} for name in example}
    axes[kind.output] = {0: "batch"} if kind is GraphKind.LOGITS else {0: "batch", 1: "tokens"}
    with torch.no_grad(), _masks_without_vmap(), _without_log():
        torch.onnx.export(
            Traced(),
            (*example.values(), *weights.values()),
            str(path),
            input_names=[*example, *weights],
            output_names=[kind.output],
            dynamic_axes=axes,
            opset_version=17,
            # The newer exporter needs two more packages, and ONNX Runtime can fuse less of its graph.
            dynamo=False,
        )
    return weights


@contextmanager
def _without_log() -> Iterator[None]:
    """Keep the exporter from printing the whole graph to stdout when it fails, which no setting turns off."""
    from torch import _C

    original = _C._jit_onnx_log
    _C._jit_onnx_log = lambda *told: None
    try:
        yield
    finally:
        _C._jit_onnx_log = original


@contextmanager
def _masks_without_vmap() -> Iterator[None]:
    """Have transformers compute every attention mask by broadcasting, as it does most of them.

    It takes `torch.vmap` for those that a model combines itself (Gemma 3), which the exporter cannot trace.
    """
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, eager_mask

    def broadcast(**how: Any) -> Any:
        return eager_mask(**{**how, "use_vmap": False})

    ALL_MASK_ATTENTION_FUNCTIONS["eager"] = broadcast
    try:
        yield
    finally:
        del ALL_MASK_ATTENTION_FUNCTIONS["eager"]


def _set_weights(network: torch.nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """Put plain tensors in the places of a network's parameters; several places may share one."""
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    for module in network.modules():
        for place, parameter in list(module.named_parameters(recurse=False, remove_duplicate=False)):
            delattr(module, place)
            setattr(module, place, weights[names[id(parameter)]])


def _attach(path: Path, weights: Mapping[str, torch.Tensor]) -> None:
    """Turn the inputs of a graph that are weights into initializers whose data are in a file beside it."""
    import onnx

    model = onnx.load(str(path))
    inputs = list(model.graph.input)
    del model.graph.input[:]
    with (path.parent / _WEIGHTS).open("wb") as file:
        for value in inputs:
            if value.name not in weights:
                model.graph.input.append(value)
                continue
            array = weights[value.name].detach().numpy()
            tensor = model.graph.initializer.add()
            tensor.name = value.name
            tensor.data_type = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
            tensor.dims.extend(array.shape)
            tensor.data_location = onnx.TensorProto.EXTERNAL
            place = {"location": _WEIGHTS, "offset": file.tell(), "length": array.nbytes}
            for key, number in place.items():
                tensor.external_data.add(key=key, value=str(number))
            array.tofile(file)
    onnx.save(model, str(path))
