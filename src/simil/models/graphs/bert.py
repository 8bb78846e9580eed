"""Writes the computation graph of a BERT encoder, or a classifier on top, from configuration and weights.

Most sentence-embedding models are BERT encoders (bge, e5, gte, MiniLM, mxbai). Writing the graph needs
neither torch nor an exporter, takes milliseconds, and uses ONNX Runtime's fused operators directly
(`com.microsoft`: Attention, SkipLayerNormalization, BiasGelu, EmbedLayerNormalization) instead of
relying on an optimizer to find them. The weights are not copied: the graph refers to
their safetensors files.

The architecture is that of Devlin et al., arXiv:1810.04805, with the parameter names of
transformers' `BertModel` and `BertForSequenceClassification`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from simil.errors import ModelDamaged, Place
from simil.models.files.chain import UnknownChain, read_object
from simil.models.files.weights import WEIGHTS, StoredTensor, name_prefix, read_headers
from simil.models.graphs.signature import GRAPH_INPUTS, GraphKind

__all__ = ["bert_graph"]

_WORDS = "embeddings.word_embeddings.weight"
_FIRST = "encoder.layer.0.attention.self.query.weight"
_BERT_TOKENS = 30_522  # if the configuration says nothing
_DTYPES = {"F32": "FLOAT", "F16": "FLOAT16", "BF16": "BFLOAT16"}
_GELU = {"gelu": "BiasGelu", "gelu_new": "FastGelu", "gelu_pytorch_tanh": "FastGelu"}


def bert_graph(folder: Path, kind: GraphKind = GraphKind.TOKENS) -> tuple[bytes, Path]:
    """Return the ONNX model of the BERT encoder in `folder`, and the folder that its weights are in.

    The inputs are `input_ids` and `attention_mask`, int32 [batch, tokens], and for logits `token_type_ids`;
    the output is that of `kind`, in float32 whatever the precision of the stored weights. Raises
    `UnknownChain` if the model is not a plain BERT encoder, `ModelDamaged` if its files are broken.
    """
    config = read_object(folder / "config.json") or {}
    _check(config, folder)
    tensors = read_headers(folder)
    if not tensors:
        raise UnknownChain(f"it has no {WEIGHTS}")
    # The hub's cache contains links; ONNX Runtime needs the weights themselves in one folder.
    first, *others = {tensor.file.parent for tensor in tensors.values()}
    if others:
        raise UnknownChain("its weights are in several folders")
    try:
        _check_words(config, tensors)
        return _GraphWriter(config, tensors, kind).write(), first
    except (KeyError, TypeError, ValueError) as exc:
        raise ModelDamaged(
            f"does not describe a BERT encoder ({type(exc).__name__}: {exc})",
            place=Place(str(folder / "config.json")),
        ) from exc


def _check(config: dict[str, Any], folder: Path) -> None:
    if config.get("model_type") != "bert":
        raise UnknownChain(f"its transformer is of type {config.get('model_type')}")
    if config.get("position_embedding_type", "absolute") != "absolute" or config.get("is_decoder"):
        raise UnknownChain("its transformer is not a plain BERT encoder")
    if config.get("per_layer_config"):
        raise UnknownChain("its transformer sets per_layer_config")
    if config.get("hidden_act", "gelu") not in _GELU:
        raise UnknownChain(f"its activation is {config['hidden_act']}")


def _check_words(config: dict[str, Any], tensors: dict[str, StoredTensor]) -> None:
    """Raise ValueError unless each token of the vocabulary has a vector, as transformers requires."""
    words = next((tensors[name] for name in tensors if name.endswith(_WORDS)), None)
    if words is not None and config.get("vocab_size", _BERT_TOKENS) != words.shape[0]:
        raise ValueError(f"vocab_size {config.get('vocab_size')}, and {words.shape[0]} vectors of tokens")


class _GraphWriter:
    """Collects the nodes and weights of one graph; its methods return the name of the value they compute."""

    def __init__(self, config: dict[str, Any], tensors: dict[str, StoredTensor], kind: GraphKind) -> None:
        self.kind = kind
        self.config = config
        self.tensors = tensors
        self.prefix = name_prefix(tensors, _WORDS, "bert.")
        self.epsilon = float(config.get("layer_norm_eps", 1e-12))
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def write(self) -> bytes:
        from onnx import TensorProto, helper

        hidden = self.embeddings()
        for layer in range(self.config["num_hidden_layers"]):
            hidden = self.layer(hidden, f"encoder.layer.{layer}.")
        tokens = ["batch", "tokens"]
        if self.kind is GraphKind.LOGITS:
            names, output, shape = [*GRAPH_INPUTS], self.classifier(hidden), ["batch", "labels"]
        else:
            names, shape = [*GRAPH_INPUTS[:2]], [*tokens, self.config["hidden_size"]]
            output = self.node("Identity", [hidden], self.kind.output, domain="")
        graph = helper.make_graph(
            self.nodes,
            "bert",
            [helper.make_tensor_value_info(name, TensorProto.INT32, tokens) for name in names],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)],
            self.weights,
        )
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="simil")
        return bytes(model.SerializeToString(deterministic=True))

    def embeddings(self) -> str:
        if self.kind is GraphKind.LOGITS:
            positions = self.weight("embeddings.position_embeddings.weight")
            segments = ["token_type_ids", self.weight("embeddings.token_type_embeddings.weight")]
        else:
            positions, segments = self.positions_in_first_segment(), ["", ""]
        words = self.weight("embeddings.word_embeddings.weight")
        norm = [self.weight(f"embeddings.LayerNorm.{part}") for part in ("weight", "bias")]
        inputs = ["input_ids", segments[0], words, positions, segments[1], *norm]
        return self.node("EmbedLayerNormalization", inputs, "embedded", epsilon=self.epsilon)

    def positions_in_first_segment(self) -> str:
        # Every token is in the first segment, so its embedding is added to those of the positions.
        segment = self.node(
            "Slice",
            [
                self.weight("embeddings.token_type_embeddings.weight"),
                self.ints("from", 0),
                self.ints("to", 1),
            ],
            "segment",
            domain="",
        )
        return self.node(
            "Add", [self.weight("embeddings.position_embeddings.weight"), segment], "positions", domain=""
        )

    def classifier(self, hidden: str) -> str:
        from onnx import TensorProto, helper

        self.weights.append(helper.make_tensor("first token", TensorProto.INT64, [], [0]))
        first = self.node("Gather", [hidden, "first token"], "first", domain="", axis=1)
        pooled = self.node("Tanh", [self.dense(first, "pooler.dense", "projected")], "pooled", domain="")
        return self.dense(pooled, "classifier", self.kind.output)

    def dense(self, left: str, name: str, output: str) -> str:
        return self.node("Add", [self.matmul(left, name), self.weight(f"{name}.bias")], output, domain="")

    def layer(self, hidden: str, at: str) -> str:
        parts = ("query", "key", "value")
        projection = self.node(
            "Concat",
            [self.weight(f"{at}attention.self.{part}.weight", transposed=True) for part in parts],
            f"{at}qkv.weight",
            domain="",
            axis=1,
        )
        bias = self.node(
            "Concat",
            [self.weight(f"{at}attention.self.{part}.bias") for part in parts],
            f"{at}qkv.bias",
            domain="",
            axis=0,
        )
        heads = self.config["num_attention_heads"]
        context = self.node(
            "Attention", [hidden, projection, bias, "attention_mask"], f"{at}context", num_heads=heads
        )
        attended = self.add_and_norm(
            self.matmul(context, f"{at}attention.output.dense"), hidden, f"{at}attention.output"
        )
        inner = self.matmul(attended, f"{at}intermediate.dense")
        activated = self.node(
            _GELU[self.config.get("hidden_act", "gelu")],
            [inner, self.weight(f"{at}intermediate.dense.bias")],
            f"{at}activated",
        )
        return self.add_and_norm(self.matmul(activated, f"{at}output.dense"), attended, f"{at}output")

    def matmul(self, left: str, name: str) -> str:
        return self.node(
            "MatMul", [left, self.weight(f"{name}.weight", transposed=True)], f"{name}.product", domain=""
        )

    def add_and_norm(self, product: str, skip: str, at: str) -> str:
        norm = [self.weight(f"{at}.LayerNorm.{part}") for part in ("weight", "bias")]
        inputs = [product, skip, *norm, self.weight(f"{at}.dense.bias")]
        return self.node("SkipLayerNormalization", inputs, f"{at}.normed", epsilon=self.epsilon)

    def node(
        self,
        operator: str,
        inputs: list[str],
        output: str,
        *,
        domain: str = "com.microsoft",
        **attributes: Any,
    ) -> str:
        from onnx import helper

        # This operator requires a second output, the index of the mask.
        outputs = [output, f"{output}.mask"] if operator == "EmbedLayerNormalization" else [output]
        self.nodes.append(helper.make_node(operator, inputs, outputs, domain=domain, **attributes))
        return output

    def ints(self, name: str, value: int) -> str:
        from onnx import TensorProto, helper

        self.weights.append(helper.make_tensor(name, TensorProto.INT64, [1], [value]))
        return name

    def weight(self, name: str, *, transposed: bool = False) -> str:
        """Name a tensor of the checkpoint, as float32; ONNX Runtime folds the cast and the transposition."""
        from onnx import TensorProto

        full = name if name.startswith("classifier.") else self.prefix + name
        if full not in self.tensors:
            # Old checkpoints call these otherwise; what no name has, transformers would make up at random.
            if "LayerNorm" not in name and f"{self.prefix}{_FIRST}" in self.tensors:
                raise ModelDamaged(
                    f"its weights lack {full}",
                    hint="fetch the model again",
                    place=Place(str(self.tensors[f"{self.prefix}{_FIRST}"].file)),
                )
            raise UnknownChain(f"its weights lack {full}")
        stored = self.tensors[full]
        if stored.dtype not in _DTYPES:
            raise UnknownChain(f"its weights are of type {stored.dtype}")
        dtype = TensorProto.DataType.Value(_DTYPES[stored.dtype])
        tensor = TensorProto(name=name, data_type=dtype, dims=stored.shape)
        tensor.data_location = TensorProto.EXTERNAL
        place = {"location": stored.file.name, "offset": stored.offset, "length": stored.length}
        for key, value in place.items():
            tensor.external_data.add(key=key, value=str(value))
        self.weights.append(tensor)
        output = name
        if stored.dtype != "F32":
            output = self.node("Cast", [output], f"{name}.float32", domain="", to=TensorProto.FLOAT)
        if transposed:
            output = self.node("Transpose", [output], f"{name}.transposed", domain="", perm=[1, 0])
        return output
