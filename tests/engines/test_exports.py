"""Graphs that torch exports: where their weights go, what they are checked for, and how a failure is kept."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from support import tiny_models as tiny
from support.corpus import LONG

from engines.conftest import Agree, Open, cosines, logged
from simil.embedders.local.graph import GraphEmbedder
from simil.embedders.local.torch import TorchEmbedder
from simil.errors import ModelDamaged, ModelError
from simil.models.files import model_source as source
from simil.models.files.chain import UnknownChain
from simil.models.graphs import failed_exports
from simil.models.graphs.export import export_graph
from simil.models.graphs.graph_check import lacks_memory
from simil.models.graphs.signature import GRAPH_INPUTS

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
def electra(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model whose graph is exported; tests must not change it."""
    return _electra(tmp_path_factory.mktemp("electra"))


@pytest.fixture(scope="module")
def exported(electra: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The graph of `electra`, in a folder with its weights."""
    return export_graph(electra, tmp_path_factory.mktemp("exported")).path


@pytest.fixture
def with_graph(electra: Path, exported: Path, tmp_path: Path) -> Path:
    """A copy of `electra` that ships its graph, as some repositories do."""
    folder = Path(shutil.copytree(electra, tmp_path / "model"))
    shutil.copytree(exported.parent, folder / "onnx")
    (folder / "onnx" / exported.name).rename(folder / "onnx" / "model.onnx")
    return folder


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
        found = logged(caplog)
        caplog.clear()
        return found

    yield since


def test_the_weights_are_in_a_file_beside_the_graph(exported: Path) -> None:
    described = onnx.load(exported, load_external_data=False)

    large = [weight for weight in described.graph.initializer if np.prod(weight.dims) > 1]
    assert large
    assert all(weight.data_location == onnx.TensorProto.EXTERNAL for weight in large)
    assert {value.name for value in described.graph.input} == {*GRAPH_INPUTS}
    assert exported.stat().st_size < 200_000
    assert (exported.parent / "exported.bin").stat().st_size > 30522 * tiny.HIDDEN * 4


def test_a_model_that_shares_a_weight_is_exported(tmp_path: Path, engines_agree: Agree) -> None:
    import torch
    from transformers import AlbertConfig, AlbertModel

    torch.manual_seed(10)
    engines_agree(_saved(tmp_path, AlbertModel(AlbertConfig(embedding_size=16, **_SIZES))))


def test_a_model_that_padding_leaks_into_is_given_none(
    tmp_path: Path, open_model: Open, few_texts: list[str]
) -> None:
    """A convolution takes the last token and the padding behind it together."""
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers import ConvBertConfig, ConvBertModel

    torch.manual_seed(12)
    config = ConvBertConfig(**_SIZES, embedding_size=tiny.HIDDEN, head_ratio=2, conv_kernel_size=5)
    folder = _saved(tmp_path, ConvBertModel(config), max_tokens=120)
    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    texts = [*few_texts, *(LONG[:size] for size in (300, 304, 308, 330, 360))]
    alone = np.concatenate([model.encode([text]) for text in texts])
    assert cosines(model.encode(texts), alone).min() < 0.9999
    embedder = open_model(folder, "auto")

    assert isinstance(embedder, GraphEmbedder)
    assert cosines(embedder.embed(texts), alone).min() >= 0.99999
    assert cosines(open_model(folder, "auto").embed(texts * 30)[-len(texts) :], alone).min() >= 0.99999


def test_gemma_attends_in_a_window_to_both_sides(
    tmp_path: Path, open_model: Open, few_texts: list[str]
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
        use_bidirectional_attention=True,
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
    caplog: pytest.LogCaptureFixture,
) -> None:
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging as reports

    embedder = open_model(longformer, "auto")
    assert isinstance(embedder, TorchEmbedder)
    tried, reason = messages()
    assert tried == "model: its transformer is of type longformer"
    assert reason.startswith("model runs in sentence-transformers: its graph ")
    reports.warning_once.cache_clear()  # That it pads texts was reported at the export.
    logging.getLogger("transformers").addHandler(caplog.handler)
    vectors = embedder.embed(few_texts)
    assert [record for record in caplog.records if record.name.startswith("transformers")] == []
    logging.getLogger("transformers").removeHandler(caplog.handler)
    expected = SentenceTransformer(str(longformer), device="cpu", local_files_only=True).encode(few_texts)
    messages()
    assert cosines(vectors, expected).min() >= 0.99999

    assert isinstance(open_model(longformer, "auto"), TorchEmbedder)
    assert messages() == [reason]
    with pytest.raises(
        ModelError, match=r"the onnx engine cannot run model: its graph .*; use --engine torch"
    ):
        open_model(longformer, "onnx")
    (noted,) = (tmp_path / "cache" / "prepared").glob("*.failed")
    assert noted.stat().st_mode & 0o077 == 0


def test_of_a_model_that_torch_cannot_export_nothing_is_printed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The exporter has no operator for its Fourier transform, and dumps the graph."""
    import torch
    from transformers import FNetConfig, FNetModel

    torch.manual_seed(13)
    config = {key: value for key, value in _SIZES.items() if key != "num_attention_heads"}
    folder = _saved(tmp_path, FNetModel(FNetConfig(**config)))
    capfd.readouterr()

    with pytest.raises(UnknownChain, match="torch cannot export it: ") as caught:
        export_graph(folder, tmp_path)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_that_memory_is_lacking_is_told_by_what_torch_raises() -> None:
    import torch

    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50)
    assert lacks_memory(caught.value)
    assert not lacks_memory(RuntimeError("unordered_map::at"))


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
    electra: Path, tmp_path: Path, open_model: Open, messages: Callable[[], list[str]]
) -> None:
    (tmp_path / "blocked").write_text("a file, no folder")

    assert isinstance(open_model(electra, "auto", cache=tmp_path / "blocked"), TorchEmbedder)
    assert "cannot be written to" in messages()[-1]


def test_a_graph_of_other_weights_is_not_used(with_graph: Path, engines_agree: Agree) -> None:
    from safetensors.torch import load_file, save_file

    path = with_graph / "model.safetensors"
    weights = {name: weight * 1.2 for name, weight in load_file(path).items()}
    save_file(weights, path, metadata={"format": "pt"})

    engines_agree(with_graph)


def test_a_graph_without_its_data_is_no_fault_of_whole_weights(with_graph: Path, open_model: Open) -> None:
    (with_graph / "onnx" / "exported.bin").unlink()

    assert open_model(with_graph).embed(["a text"]).shape == (1, tiny.HIDDEN)


def test_a_graph_without_other_weights_must_run_for_texts_of_any_length(
    with_graph: Path, open_model: Open
) -> None:
    path = with_graph / "onnx" / "model.onnx"
    described = onnx.load(path, load_external_data=False)
    # It takes seven tokens, whatever it says.
    helper = onnx.helper
    described.graph.initializer.append(helper.make_tensor("seven", onnx.TensorProto.INT64, [2], [-1, 7]))
    for node in described.graph.node:
        node.input[:] = ["reshaped" if name == "input_ids" else name for name in node.input]
    described.graph.node.insert(0, helper.make_node("Reshape", ["input_ids", "seven"], ["reshaped"]))
    onnx.save(described, str(path))
    (with_graph / "model.safetensors").unlink()

    with pytest.raises(
        ModelDamaged, match=r"model\.onnx: its graph fails for texts of some lengths"
    ) as caught:
        open_model(with_graph)
    assert "\n" not in str(caught.value)


def test_a_graph_that_gives_one_vector_for_a_text_is_refused(with_graph: Path, open_model: Open) -> None:
    path = with_graph / "onnx" / "model.onnx"
    described = onnx.load(path, load_external_data=False)
    for node in described.graph.node:
        node.output[:] = ["tokens" if name == "last_hidden_state" else name for name in node.output]
    mean = onnx.helper.make_node("ReduceMean", ["tokens"], ["last_hidden_state"], axes=[1], keepdims=0)
    described.graph.node.append(mean)
    onnx.save(described, str(path))
    (with_graph / "model.safetensors").unlink()

    with pytest.raises(ModelDamaged, match=r"model\.onnx: its graph does not give a vector for each token"):
        open_model(with_graph)


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


@pytest.mark.parametrize(
    ("family", "rewrite", "written"),
    [("bert", _as_shards, True), ("bert", _as_bin, False), ("electra", _as_bin_shards, False)],
)
def test_weights_in_other_files(
    family: str,
    rewrite: Callable[[Path], None],
    written: bool,
    electra: Path,
    tmp_path: Path,
    engines_agree: Agree,
    messages: Callable[[], list[str]],
) -> None:
    folder = _saved(tmp_path, tiny.bert()) if family == "bert" else tmp_path / "model"
    if family != "bert":
        shutil.copytree(electra, folder)
    rewrite(folder)
    (folder / "model.safetensors").unlink()
    messages()

    engines_agree(folder)
    assert (messages() == []) == written
