"""Graphs that torch exports: where their weights go, what they are checked for, and how a failure is kept."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from support import tiny_models as tiny
from support.corpus import LONG

from engines.conftest import Agree, Open, cosines
from simil.embedders.local.graph import GraphEmbedder
from simil.embedders.local.torch import TorchEmbedder
from simil.errors import ModelDamaged, ModelError
from simil.models.files import model_source as source
from simil.models.graphs import failed_exports
from simil.models.graphs.export import export_graph

_SIZES = {
    "vocab_size": 30522,
    "hidden_size": tiny.HIDDEN,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 128,
    "initializer_range": 0.3,
}


def _saved(folder: Path, model: Any, **how: Any) -> Path:
    bare = tiny.transformer_folder(folder / "bare", model, source.EMBEDDED)
    return tiny.sentence_model(folder / "model", bare, **how)


def _electra(folder: Path, **how: Any) -> Path:
    import torch
    from transformers import ElectraConfig, ElectraModel

    torch.manual_seed(8)
    return _saved(folder, ElectraModel(ElectraConfig(**_SIZES, embedding_size=tiny.HIDDEN)), **how)


@pytest.fixture(scope="module")
def longformer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that pads its input to a multiple of a window, which a trace fixes to that of its example."""
    import torch
    from transformers import LongformerConfig, LongformerModel

    torch.manual_seed(9)
    config = LongformerConfig(attention_window=16, **_SIZES)
    return _saved(tmp_path_factory.mktemp("longformer"), LongformerModel(config))


@pytest.fixture
def messages(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[str]]]:
    """Return what simil has logged since the last call."""
    caplog.set_level(logging.INFO, "simil")

    def since() -> list[str]:
        found = [record.getMessage() for record in caplog.records if record.name == "simil"]
        caplog.clear()
        return found

    yield since


def test_the_weights_are_in_a_file_beside_the_graph(tmp_path: Path) -> None:
    exported = export_graph(_electra(tmp_path), tmp_path)
    described = onnx.load(exported.path, load_external_data=False)

    large = [weight for weight in described.graph.initializer if np.prod(weight.dims) > 1]
    assert large
    assert all(weight.data_location == onnx.TensorProto.EXTERNAL for weight in large)
    assert {value.name for value in described.graph.input} == {
        "input_ids",
        "attention_mask",
        "token_type_ids",
    }
    assert exported.path.stat().st_size < 200_000
    assert (tmp_path / "exported.bin").stat().st_size > 30522 * tiny.HIDDEN * 4


def test_a_model_that_shares_a_weight_is_exported(tmp_path: Path, engines_agree: Agree) -> None:
    import torch
    from transformers import AlbertConfig, AlbertModel

    torch.manual_seed(10)
    engines_agree(_saved(tmp_path, AlbertModel(AlbertConfig(embedding_size=16, **_SIZES))))


@pytest.mark.parametrize("bidirectional", [True, False])
def test_gemma_attends_in_a_window_to_both_sides(
    bidirectional: bool, tmp_path: Path, open_model: Open, few_texts: list[str]
) -> None:
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense
    from transformers import Gemma3TextConfig, Gemma3TextModel

    torch.manual_seed(11)
    config = Gemma3TextConfig(
        **_SIZES,
        num_key_value_heads=1,
        head_dim=8,
        sliding_window=16,
        layer_types=["sliding_attention", "full_attention"],
        use_bidirectional_attention=bidirectional,
        pad_token_id=0,
    )
    dense = [
        Dense(width, 96 - width, bias=False, activation_function=torch.nn.Identity()) for width in (32, 64)
    ]
    folder = _saved(tmp_path, Gemma3TextModel(config), dense=dense, max_tokens=120)
    embedder = open_model(folder, "auto")

    assert isinstance(embedder, GraphEmbedder)
    texts = [*few_texts, LONG[:200], LONG[:300]]
    expected = SentenceTransformer(str(folder), device="cpu", local_files_only=True).encode(texts)
    assert cosines(embedder.embed(texts), expected).min() >= 0.99999


def test_a_graph_that_fails_at_another_length_is_not_used_and_not_made_again(
    longformer: Path,
    tmp_path: Path,
    open_model: Open,
    few_texts: list[str],
    messages: Callable[[], list[str]],
) -> None:
    from sentence_transformers import SentenceTransformer

    embedder = open_model(longformer, "auto")
    assert isinstance(embedder, TorchEmbedder)
    tried, reason = messages()
    assert tried == "model: its transformer is of type longformer"
    assert reason.startswith("model runs in sentence-transformers: its graph ")
    expected = SentenceTransformer(str(longformer), device="cpu", local_files_only=True).encode(few_texts)
    messages()
    assert cosines(embedder.embed(few_texts), expected).min() >= 0.99999

    assert isinstance(open_model(longformer, "auto"), TorchEmbedder)
    assert messages() == [reason]
    with pytest.raises(
        ModelError, match=r"the onnx engine cannot run model: its graph .*; use --engine torch"
    ):
        open_model(longformer, "onnx")
    (noted,) = (tmp_path / "cache" / "prepared").glob("*.failed")
    assert noted.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("change", ["damaged", "cut", "of other versions"])
def test_what_is_noted_of_a_failure_is_believed_only_if_it_is_sound(
    change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "cache" / "prepared" / "model-0123"
    failed_exports.remember_failure(target, "model", "torch cannot export it")
    assert failed_exports.recall_failure(target) == "torch cannot export it"

    (noted,) = failed_exports.failures_of("model", target.parent)
    assert failed_exports.failures_of("another", target.parent) == []
    if change == "damaged":
        noted.write_bytes(noted.read_bytes().replace(b"cannot", b"can"))
    elif change == "cut":
        noted.write_bytes(noted.read_bytes()[:-5])
    else:
        monkeypatch.setattr(failed_exports, "_LIBRARIES", ("torch", "numpy"))
    assert failed_exports.recall_failure(target) is None


def test_where_nothing_can_be_written_torch_runs_what_would_be_exported(
    tmp_path: Path, open_model: Open, messages: Callable[[], list[str]]
) -> None:
    folder = _electra(tmp_path)
    (tmp_path / "blocked").write_text("a file, no folder")
    messages()

    assert isinstance(open_model(folder, "auto", cache=tmp_path / "blocked"), TorchEmbedder)
    assert "cannot be written to" in messages()[-1]


def test_a_graph_of_other_weights_is_not_used(
    tmp_path: Path, open_model: Open, engines_agree: Agree, few_texts: list[str]
) -> None:
    from safetensors.torch import load_file, save_file

    folder = _electra(tmp_path)
    before = open_model(folder).embed(few_texts)
    (folder / "onnx").mkdir()
    export_graph(folder, folder / "onnx").path.rename(folder / "onnx" / "model.onnx")
    weights = load_file(folder / "model.safetensors")
    save_file(
        {name: weight * 1.1 for name, weight in weights.items()},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )

    engines_agree(folder)
    assert cosines(open_model(folder).embed(few_texts), before).min() < 0.9999


def test_a_graph_without_its_data_is_no_fault_of_whole_weights(tmp_path: Path, engines_agree: Agree) -> None:
    folder = _electra(tmp_path)
    (folder / "onnx").mkdir()
    export_graph(folder, folder / "onnx").path.rename(folder / "onnx" / "model.onnx")
    (folder / "onnx" / "exported.bin").unlink()

    engines_agree(folder)


def test_a_graph_without_other_weights_must_run_for_texts_of_any_length(
    tmp_path: Path, open_model: Open
) -> None:
    folder = _electra(tmp_path)
    (folder / "onnx").mkdir()
    graph = export_graph(folder, folder / "onnx").path
    described = onnx.load(graph, load_external_data=False)
    # It takes seven tokens, whatever it says.
    helper = onnx.helper
    described.graph.initializer.append(helper.make_tensor("seven", onnx.TensorProto.INT64, [2], [-1, 7]))
    for node in described.graph.node:
        node.input[:] = ["reshaped" if name == "input_ids" else name for name in node.input]
    described.graph.node.insert(0, helper.make_node("Reshape", ["input_ids", "seven"], ["reshaped"]))
    onnx.save(described, str(folder / "onnx" / "model.onnx"))
    (folder / "model.safetensors").unlink()

    with pytest.raises(
        ModelDamaged, match=r"model\.onnx: its graph fails for texts of some lengths"
    ) as caught:
        open_model(folder)
    assert "\n" not in str(caught.value)


def _as_bin(folder: Path) -> None:
    import torch
    from safetensors.torch import load_file

    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")


def _as_shards(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    def save(weights: dict[str, Any], path: Path) -> None:
        save_file(weights, path, metadata={"format": "pt"})

    _in_shards(folder, load_file(folder / "model.safetensors"), "model", ".safetensors", save)


def _as_bin_shards(folder: Path) -> None:
    import torch
    from safetensors.torch import load_file

    _in_shards(folder, load_file(folder / "model.safetensors"), "pytorch_model", ".bin", torch.save)


def _in_shards(
    folder: Path, weights: dict[str, Any], stem: str, suffix: str, save: Callable[[Any, Path], None]
) -> None:
    names = sorted(weights)
    files = [f"{stem}-0000{number}-of-00003{suffix}" for number in (1, 2, 3)]
    for number, file in enumerate(files):
        save({name: weights[name] for name in names[number::3]}, folder / file)
    index = {"metadata": {}, "weight_map": {name: files[at % 3] for at, name in enumerate(names)}}
    (folder / f"{stem}{suffix}.index.json").write_text(json.dumps(index), "utf-8")


@pytest.mark.parametrize("rewrite", [_as_bin, _as_shards, _as_bin_shards])
@pytest.mark.parametrize("family", ["bert", "electra"])
def test_weights_in_other_files(
    family: str,
    rewrite: Callable[[Path], None],
    tmp_path: Path,
    open_model: Open,
    few_texts: list[str],
    messages: Callable[[], list[str]],
) -> None:
    folder = _saved(tmp_path, tiny.bert()) if family == "bert" else _electra(tmp_path)
    expected = open_model(folder, "torch").embed(few_texts)
    rewrite(folder)
    (folder / "model.safetensors").unlink()
    messages()
    embedder = open_model(folder, "onnx")

    assert cosines(embedder.embed(few_texts), expected).min() >= 0.99999
    assert bool(messages()) == (family == "electra" or rewrite is not _as_shards), "whether it is written"
    assert cosines(open_model(folder, "torch").embed(few_texts), expected).min() >= 0.99999
