"""Which of a repository's files are fetched."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.hub_server import HubServer

from simil.models.resolve import resolve
from simil.models.select import fetch
from simil.progress import silent

# As exporters leave them: tensors beside the graph, in one file, in several, or each under a name of its own.
GRAPH = {
    "onnx/model.onnx",
    "onnx/model.onnx_data",
    "onnx/model.onnx_data_1",
    "onnx/Constant_7_attr__value",
}
OTHERS = {
    "onnx/model_fp16.onnx",
    "onnx/model_fp16.onnx_data",
    "onnx/config.json",
    "onnx/sentencepiece.bpe.model",
    "onnx/vocab.txt",
    "onnx/int8/weights",
    "pytorch_model.bin",
}
SMALL = {"config.json", "modules.json"}


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("weights", [set(), {"model.safetensors"}])
def test_a_graph_comes_with_all_its_tensors_and_with_nothing_of_another(
    weights: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {name: name.encode() for name in SMALL | GRAPH | OTHERS | weights}
    with HubServer({"org/graph": files}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        folder = fetch(resolve("org/graph"), silent).folder
    found = {path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file()}
    assert found == SMALL | (weights or GRAPH)
