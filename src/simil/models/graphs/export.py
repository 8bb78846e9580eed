"""Exports the graph of a transformer that is not BERT with torch, as sentence-transformers loads it."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

from simil.foreign import ForeignCode
from simil.models.files.chain import UnknownChain
from simil.models.files.quiet import quiet_transformers

__all__ = ["export_graph"]


def export_graph(folder: Path) -> tuple[bytes, bytes]:
    """Return the ONNX model of the transformer in `folder` and its `tokenizer.json`.

    The inputs are its tokenizer's, int64 [batch, tokens]; the output is `last_hidden_state`, float32
    [batch, tokens, hidden]. Takes about ten seconds, most of them to import torch. Raises `UnknownChain`
    if torch cannot export the model, `ModelError` if it cannot be loaded.
    """
    with ForeignCode("sentence-transformers cannot be loaded"):
        import torch
        from sentence_transformers import SentenceTransformer

    with quiet_transformers():
        # ONNX Runtime's optimizer fuses attention only if it is exported as plain operators.
        options = {"attn_implementation": "eager"}
        # transformers raises many kinds of exceptions for a folder that is not a model.
        with ForeignCode(f"sentence-transformers cannot load {folder}"):
            model = SentenceTransformer(
                str(folder), device="cpu", local_files_only=True, model_kwargs=options
            )
    model = model.eval().float()
    transformer, tokenizer = model[0], model.tokenizer
    if not hasattr(tokenizer, "backend_tokenizer"):
        raise UnknownChain("its tokenizer is not one of the tokenizers library")
    # Two texts of different lengths, so that the trace takes no dimension for a constant.
    example = {
        key: value
        for key, value in transformer.preprocess(["one text", "a longer one beside it"]).items()
        if isinstance(value, torch.Tensor)
    }

    class HiddenState(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = transformer.auto_model

        def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
            return self.model(**dict(zip(example, inputs, strict=True))).last_hidden_state

    output = io.BytesIO()
    axes = {0: "batch", 1: "tokens"}
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                HiddenState(),
                tuple(example.values()),
                output,
                input_names=list(example),
                output_names=["last_hidden_state"],
                dynamic_axes=dict.fromkeys((*example, "last_hidden_state"), axes),
                opset_version=17,
                # The newer exporter needs two more packages, and ONNX Runtime can fuse less of its graph.
                dynamo=False,
            )
    except (
        RuntimeError,
        ValueError,
        TypeError,
        AttributeError,
        NotImplementedError,
        torch.onnx.OnnxExporterError,
    ) as exc:
        raise UnknownChain(f"torch cannot export it: {exc}") from exc
    return output.getvalue(), tokenizer.backend_tokenizer.to_str().encode()
