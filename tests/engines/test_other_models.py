"""Models other than BERT, and chains that only sentence-transformers runs."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support import tiny_models as tiny
from support.corpus import LONG
from support.tiny_cross_encoders import byte_level_tokenizer

from engines.conftest import Agree, Open, cosines, logged
from simil.embedders.local.graph import GraphEmbedder
from simil.embedders.local.torch import TorchEmbedder
from simil.errors import ModelError
from simil.models.files import model_source as source
from simil.models.graphs.export import export_graph

Made = Callable[[Path], Path]


def _distilbert(folder: Path) -> Path:
    import torch
    from transformers import DistilBertConfig, DistilBertModel

    torch.manual_seed(3)
    config = DistilBertConfig(
        dim=32, n_layers=2, n_heads=4, hidden_dim=64, max_position_embeddings=128, initializer_range=0.3
    )
    tiny.transformer_folder(folder, DistilBertModel(config), source.EMBEDDED)
    tiny.edit_json(folder / "tokenizer_config.json", tokenizer_class="DistilBertTokenizer")
    return folder


def _mpnet(folder: Path) -> Path:
    import torch
    from transformers import MPNetConfig, MPNetModel

    torch.manual_seed(4)
    config = MPNetConfig(
        vocab_size=30522,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=130,
        initializer_range=0.3,
    )
    tiny.transformer_folder(folder, MPNetModel(config), source.EMBEDDED)
    tiny.edit_json(
        folder / "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast", do_lower_case=None
    )
    return folder


def _roberta(folder: Path) -> Path:
    """A model with a byte-level BPE tokenizer, which keeps white space and knows every character."""
    import torch
    from transformers import RobertaConfig, RobertaModel

    torch.manual_seed(5)
    config = RobertaConfig(
        vocab_size=700,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=130,
        initializer_range=0.3,
    )
    RobertaModel(config).save_pretrained(folder)
    byte_level_tokenizer().save_pretrained(folder)
    return folder


@pytest.mark.parametrize("make", [_distilbert, _mpnet, _roberta])
def test_a_transformer_that_is_not_bert_is_exported(
    make: Made, tmp_path: Path, engines_agree: Agree, open_model: Open
) -> None:
    folder = tiny.sentence_model(tmp_path / "model", make(tmp_path / "bare"), modes=("mean", "cls"))

    engines_agree(folder)
    assert isinstance(open_model(folder, "auto"), GraphEmbedder)
    chunks = [open_model(folder, engine, "chunk").embed([LONG]) for engine in ("onnx", "torch")]
    assert cosines(*chunks).min() >= 0.99999


def test_the_onnx_file_of_a_model_that_is_not_bert_is_used(
    tmp_path: Path, open_model: Open, few_texts: list[str]
) -> None:
    folder = tiny.sentence_model(tmp_path / "model", _distilbert(tmp_path / "bare"))
    expected = open_model(folder, "torch").embed(few_texts)
    (folder / "onnx").mkdir()
    exported = export_graph(folder, folder / "onnx").path
    exported.rename(folder / "onnx" / "model.onnx")
    # Without PyTorch weights only the graph can run.
    (folder / "model.safetensors").unlink()

    assert cosines(open_model(folder, "onnx").embed(few_texts), expected).min() >= 0.99999


def test_an_onnx_file_that_asks_for_more_than_tokens_is_passed_over(
    tmp_path: Path, open_model: Open, few_texts: list[str]
) -> None:
    import onnx

    folder = tiny.sentence_model(tmp_path / "model", _distilbert(tmp_path / "bare"))
    expected = open_model(folder, "torch").embed(few_texts)
    graph = onnx.load(export_graph(folder, tmp_path).path)
    graph.graph.input.append(onnx.helper.make_tensor_value_info("task_id", onnx.TensorProto.INT64, [1]))
    (folder / "onnx").mkdir()
    onnx.save(graph, str(folder / "onnx" / "model.onnx"))

    assert cosines(open_model(folder, "onnx").embed(few_texts), expected).min() >= 0.99999


def _with_layer_norm(folder: Path, bare: Path) -> None:
    from sentence_transformers.sentence_transformer.modules import LayerNorm

    tiny.sentence_model(folder, bare, dense=[LayerNorm(tiny.HIDDEN)])


def _with_token_dense(folder: Path, bare: Path) -> None:
    """A dense layer with a residual connection."""
    from sentence_transformers.sentence_transformer.modules import Dense

    tiny.sentence_model(folder, bare, dense=[Dense(tiny.HIDDEN, tiny.HIDDEN, use_residual=True)])


def _with_cnn(folder: Path, bare: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import CNN, Pooling, Transformer

    first = Transformer(str(bare), max_seq_length=64)
    cnn = CNN(in_word_embedding_dimension=tiny.HIDDEN, out_channels=8, kernel_sizes=[1, 3])
    modules = [first, cnn, Pooling(cnn.get_embedding_dimension(), "mean")]
    SentenceTransformer(modules=modules, device="cpu").save(str(folder), create_model_card=False)


def _static(folder: Path, bare: Path) -> None:
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer

    torch.manual_seed(6)
    tokenizer = Tokenizer.from_file(str(bare / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    module = StaticEmbedding(tokenizer, embedding_dim=16)
    SentenceTransformer(modules=[module], device="cpu").save(str(folder), create_model_card=False)


def _truncated(folder: Path, bare: Path) -> None:
    tiny.sentence_model(folder, bare)
    tiny.edit_json(folder / "config_sentence_transformers.json", truncate_dim=8)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_with_layer_norm, "LayerNorm"),
        (_with_token_dense, "a dense layer is not a plain one"),
        (_with_cnn, "CNN"),
        (_truncated, "truncate_dim"),
    ],
)
def test_an_unknown_chain_is_left_to_sentence_transformers(
    make: Callable[[Path, Path], None],
    reason: str,
    tmp_path: Path,
    bert_folder: Path,
    open_model: Open,
    few_texts: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    from sentence_transformers import SentenceTransformer

    folder = tmp_path / "model"
    make(folder, bert_folder)
    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    # One by one: a convolution takes padding for a part of the text.
    expected = np.concatenate([model.encode([text]) for text in few_texts])
    caplog.clear()
    caplog.set_level(logging.INFO, "simil")
    embedder = open_model(folder, "auto")

    assert isinstance(embedder, TorchEmbedder)
    vectors = embedder.embed(few_texts, normalize=False)
    assert vectors.shape == expected.shape
    assert cosines(vectors, expected).min() >= 0.99999
    assert {record.levelname for record in caplog.records if record.name == "simil"} == {"INFO"}
    (message,) = logged(caplog)
    assert reason in message
    with pytest.raises(ModelError, match="the onnx engine cannot run model") as caught:
        open_model(folder, "onnx")
    assert str(caught.value).endswith("; use --engine torch")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("engine", ["auto", "torch"])
def test_a_long_text_is_whole_to_a_model_without_a_limit(
    engine: str, tmp_path: Path, bert_folder: Path, open_model: Open
) -> None:
    folder = tmp_path / "model"
    _static(folder, bert_folder)
    embedder = open_model(folder, engine, "error")

    vectors = embedder.embed([LONG, LONG.replace("café", "orange")])
    assert embedder.truncated == 0
    assert not np.allclose(vectors[0], vectors[1], atol=1e-3)


def test_a_bare_model_that_generates_text_is_left_to_sentence_transformers(
    tmp_path: Path, bert_folder: Path, open_model: Open
) -> None:
    folder = tmp_path / "bare"
    shutil.copytree(bert_folder, folder)
    tiny.edit_json(folder / "config.json", architectures=["BertForCausalLM"])

    with pytest.raises(ModelError, match="it is a model that generates text"):
        open_model(folder, "onnx")


@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_weights_that_are_not_numbers_are_the_models_fault(
    engine: str, tmp_path: Path, bert_folder: Path, open_model: Open
) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    folder = tiny.sentence_model(tmp_path / "model", bert_folder)
    weights = load_file(folder / "model.safetensors")
    weights["embeddings.LayerNorm.bias"] = torch.full((tiny.HIDDEN,), torch.nan)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(ModelError, match="not finite"):
        open_model(folder, engine).embed(["a text"])


def test_a_text_that_has_no_tokens_at_all_is_refused(
    tmp_path: Path, bert_folder: Path, open_model: Open
) -> None:
    from simil.embedders.base import TextRejected

    folder = tiny.sentence_model(tmp_path / "model", bert_folder)
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(tokenizer | {"post_processor": None}), "utf-8")
    # The class for BERT would have its own, which adds two tokens to any text.
    tiny.edit_json(folder / "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")

    with pytest.raises(TextRejected, match="nothing that model@") as caught:
        open_model(folder).embed(["a text", "\x00"])
    assert caught.value.index == 1
