"""Which of a repository's files are fetched, and whether a folder has those that matter."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path

import pytest

from simil.errors import ModelError
from simil.models.repository_files import has_weights, wanted_files

_SENTENCE_TRANSFORMERS = "sentence_transformers.models"
_LISTS = Path(__file__).with_name("repositories.txt")

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
}


def _modules(names: Sequence[str]) -> bytes:
    """`modules.json` for modules named as their folders are; `Transformer` and `./X` are in its own."""
    modules = []
    for number, name in enumerate(names):
        kind = re.sub(r"^(\d+_|\./)|_\d+$", "", name)
        path = "" if name == "Transformer" else "." if name.startswith("./") else name
        type_ = f"{_SENTENCE_TRANSFORMERS}.{kind}"
        modules.append({"idx": number, "name": str(number), "path": path, "type": type_})
    return json.dumps(modules).encode()


def _expanded(names: str) -> Iterator[str]:
    for name in names.split():
        start, brace, rest = name.partition("{")
        choices, _, end = rest.partition("}")
        yield from (start + choice + end for choice in (choices.split(",") if brace else [""]))


def _repositories() -> Iterator[tuple[str, list[str], set[str], set[str]]]:
    lines = iter(line for line in _LISTS.read_text().splitlines() if not line.startswith("#"))
    for title in filter(None, lines):
        files: dict[str, set[str]] = {"+": set(), "-": set()}
        for line in takewhile(bool, lines):
            files[line[0]].update(_expanded(line[1:]))
        repo, _, modules = title.partition(":")
        yield repo, re.findall(r"[^\s,]+", modules), files["+"], files["-"]


def fetched(folder: Path, files: Mapping[str, bytes]) -> list[str]:
    """Write what `wanted_files` asks for step by step, and return the names."""
    asked: list[str] = []
    for step in wanted_files(sorted(files), folder):
        for name in step:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(files[name])
        asked += step
    return asked


@pytest.mark.parametrize(
    ("modules", "taken", "left"),
    [pytest.param(*lists, id=repo) for repo, *lists in _repositories()],
)
def test_what_is_fetched_is_what_the_modules_read(
    tmp_path: Path, modules: list[str], taken: set[str], left: set[str]
) -> None:
    files = dict.fromkeys(taken | left, b"{}") | ({"modules.json": _modules(modules)} if modules else {})

    asked = fetched(tmp_path, files)

    assert set(asked) == taken
    assert has_weights(tmp_path)
    weights = [name for name in asked if name.endswith((".safetensors", ".bin"))]
    for name in weights:
        (tmp_path / name).rename(tmp_path / "away")
        assert not has_weights(tmp_path), name
        (tmp_path / "away").rename(tmp_path / name)


@pytest.mark.parametrize("other", [set(), {"model.safetensors"}, {"pytorch_model.bin"}])
def test_a_graph_comes_with_all_its_tensors_if_there_are_no_other_weights(
    tmp_path: Path, other: set[str]
) -> None:
    settings = {"config.json": b"{}", "modules.json": _modules(["Transformer", "1_Pooling"])}
    files = settings | dict.fromkeys(GRAPH | OTHERS | other, b"{}")
    assert set(fetched(tmp_path, files)) == settings.keys() | (other or GRAPH)
    assert has_weights(tmp_path)


def test_the_modules_that_a_router_chooses_from_come_too(tmp_path: Path) -> None:
    types = {
        "query_0_StaticEmbedding": f"{_SENTENCE_TRANSFORMERS}.StaticEmbedding",
        "document_0_Transformer": f"{_SENTENCE_TRANSFORMERS}.Transformer",
        "document_1_Pooling": f"{_SENTENCE_TRANSFORMERS}.Pooling",
    }
    files = {
        "modules.json": _modules(["./Router"]),
        "router_config.json": json.dumps({"types": types}).encode(),
        "query_0_StaticEmbedding/model.safetensors": b"",
        "query_0_StaticEmbedding/tokenizer.json": b"{}",
        "document_0_Transformer/config.json": b"{}",
        "document_0_Transformer/model.safetensors": b"",
        "document_1_Pooling/config.json": b"{}",
    }
    left = {"query_1_Normalize/model.safetensors": b"", "README.md": b""}
    assert set(fetched(tmp_path, files | left)) == files.keys()
    assert has_weights(tmp_path)
    (tmp_path / "document_0_Transformer/model.safetensors").unlink()
    assert not has_weights(tmp_path)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"model-q4_0.gguf", "README.md"}, "the repository holds no sentence-transformers model"),
        ({"config.json", "model.gguf", "tf_model.h5", "flax_model.msgpack"}, "no whole weights"),
        ({"config.json", "model.safetensors.index.json", "model-00001-of-00002.safetensors"}, "no whole"),
        ({"config.json", "model-00001-of-00001.safetensors"}, "no whole weights"),
        ({"adapter_config.json", "adapter_model.safetensors"}, "is an adapter for another one"),
        ({"config.json", "adapter_config.json", "model.safetensors"}, "is an adapter for another one"),
    ],
)
def test_what_has_no_weights_to_read_is_refused_before_any_is_fetched(
    tmp_path: Path, files: set[str], says: str
) -> None:
    with pytest.raises(ModelError, match=says):
        fetched(tmp_path, dict.fromkeys(files, b"{}"))
    assert not [*tmp_path.glob("*.safetensors"), *tmp_path.glob("*.gguf")]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"modules.json": b'[{"path": "", "type": "custom_st.Transformer"}]'}, "'custom_st.Transformer'"),
        ({"modules.json": b'[{"path": "", "type": "Transformer"}]'}, "'Transformer'"),
        ({"config.json": b'{"auto_map": {"AutoModel": "m.Own"}, "model_type": "own"}'}, "architecture 'own'"),
        ({"config.json": b'{"auto_map": {"AutoModel": "m.Own"}}'}, "its architecture 'None'"),
        (
            {"modules.json": _modules(["Transformer", "1_Pooling", "2_Dense"]),
             "2_Dense/config.json": b'{"activation_function": "custom.Gelu"}'},
            "'custom.Gelu'",
        ),
        (
            {"sentence_bert_config.json": b'{"model_args": {"weights_only": false}}'},
            "it passes 'weights_only'",
        ),
    ],
)  # fmt: skip
def test_weights_that_need_code_of_their_own_are_not_fetched(
    tmp_path: Path, settings: dict[str, bytes], says: str
) -> None:
    weights = {"model.safetensors": b"", "2_Dense/model.safetensors": b"", "modeling_own.py": b""}
    with pytest.raises(ModelError, match=f"{says}.* own code is never run") as error:
        fetched(tmp_path, {"config.json": b"{}"} | settings | weights)
    assert "trust_remote_code" not in str(error.value)
    assert not list(tmp_path.rglob("*.safetensors"))


def test_code_beside_an_architecture_that_transformers_knows_is_left_alone(tmp_path: Path) -> None:
    config = b'{"auto_map": {"AutoModel": "modeling_own.Own"}, "model_type": "nomic_bert"}'
    asked = fetched(tmp_path, {"config.json": config, "model.safetensors": b"", "modeling_own.py": b""})
    assert asked == ["config.json", "model.safetensors"]
