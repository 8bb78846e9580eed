"""Exports the graph of a transformer that is not BERT with torch, as sentence-transformers loads it.

The weights never pass through the exporter, which would put them all into one message of protobuf (2 GiB at
most) and hold them in memory twice. The graph is exported with its weights as inputs; they are then written
to a file beside it, one after another, and the graph refers to them there.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simil.foreign import ForeignCode
from simil.models.files.chain import UnknownChain
from simil.models.files.quiet import quiet_transformers
from simil.models.graphs.signature import GraphKind

if TYPE_CHECKING:
    import torch

__all__ = ["export_graph"]

_GRAPH, _WEIGHTS = "exported.onnx", "exported.bin"
# Two inputs of different lengths, so that the trace takes no dimension for a constant.
_TEXTS = ["one text", "a longer one beside it"]
_EXAMPLES: dict[GraphKind, list[Any]] = {
    GraphKind.TOKENS: _TEXTS,
    GraphKind.LOGITS: [(_TEXTS[0], _TEXTS[1]), (_TEXTS[1], f"{_TEXTS[0]}, and {_TEXTS[1]}")],
}


def export_graph(folder: Path, target: Path, kind: GraphKind = GraphKind.TOKENS) -> tuple[Path, bytes]:
    """Write the ONNX model of the transformer in `folder` to the folder `target`, with its weights beside it.

    Returns the model's path and its `tokenizer.json`. The inputs are the tokenizer's, int64 [batch, tokens];
    the output is that of `kind`. Takes about ten seconds, most of them to import torch. Raises `UnknownChain`
    if torch cannot export the model, `ModelError` if it cannot be loaded, OSError if the disk is full.
    """
    model = _load(folder, kind)
    tokenizer = model.tokenizer
    if not hasattr(tokenizer, "backend_tokenizer"):
        raise UnknownChain("its tokenizer is not one of the tokenizers library")
    path = target / _GRAPH
    weights = _trace(model[0], path, kind)
    _attach(path, weights)
    return path, tokenizer.backend_tokenizer.to_str().encode()


def _load(folder: Path, kind: GraphKind) -> Any:
    with ForeignCode("sentence-transformers cannot be loaded"):
        from sentence_transformers import CrossEncoder, SentenceTransformer

    loader = {GraphKind.TOKENS: SentenceTransformer, GraphKind.LOGITS: CrossEncoder}[kind]
    # ONNX Runtime's optimizer fuses attention only if it is exported as plain operators.
    options = {"attn_implementation": "eager"}
    # transformers raises many kinds of exceptions for a folder that is not a model.
    with quiet_transformers(), ForeignCode(f"sentence-transformers cannot load {folder}"):
        model = loader(str(folder), device="cpu", local_files_only=True, model_kwargs=options)
    return model.eval().float()


def _trace(transformer: Any, path: Path, kind: GraphKind) -> Mapping[str, torch.Tensor]:
    """Export the graph to `path` with its weights as inputs, and return the weights by name."""
    import torch

    preprocessed = transformer.preprocess(_EXAMPLES[kind])
    example = {key: value for key, value in preprocessed.items() if isinstance(value, torch.Tensor)}

    class Network(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = transformer.auto_model

        def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
            output = self.model(**dict(zip(example, inputs, strict=True)))
            return output[kind.output]

    network = Network()
    axes = {name: {0: "batch", 1: "tokens"} for name in example}
    axes[kind.output] = {0: "batch"} if kind is GraphKind.LOGITS else {0: "batch", 1: "tokens"}
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                network,
                tuple(example.values()),
                str(path),
                input_names=list(example),
                output_names=[kind.output],
                dynamic_axes=axes,
                opset_version=17,
                export_params=False,
                # Folding would replace weights by others that have no name; ONNX Runtime does it later.
                do_constant_folding=False,
                # The newer exporter needs two more packages, and ONNX Runtime can fuse less of its graph.
                dynamo=False,
            )
    except (
        RuntimeError,
        ValueError,
        TypeError,
        AttributeError,
        LookupError,
        NotImplementedError,
        torch.onnx.OnnxExporterError,
    ) as exc:
        raise UnknownChain(f"torch cannot export it: {exc}") from exc
    return dict(network.state_dict())


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
            array = weights[value.name].numpy()
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
