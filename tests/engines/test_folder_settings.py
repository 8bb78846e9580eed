"""What a model folder's settings say is done as sentence-transformers does it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support import tiny_models as tiny
from support.corpus import LONG

from engines.conftest import Open, cosines
from engines.test_other_models import _roberta as roberta_folder
from simil.config import load_settings
from simil.embedders.base import Kind, TextRejected
from simil.embedders.factory import open_embedder
from simil.embedders.local.torch import TorchEmbedder
from simil.errors import ModelDamaged
from simil.models.files.chain import read_chain
from simil.models.files.positions import position_limit

Edit = Callable[[Path], None]
SHORT = ["one text", "Café NAÏVE, a longer one beside it", "an apple pie"]
TEXTS = [*SHORT, LONG]


def _theirs(folder: Path, texts: Sequence[str] = TEXTS) -> NDArray[np.float32]:
    """The vectors of sentence-transformers, one text at a time: padding is no part of a text."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    return np.stack([model.encode(text) for text in texts])


def _set_tokenizer(**changes: Any) -> Edit:
    return lambda folder: tiny.edit_json(folder / "tokenizer_config.json", **changes)


def _set_tokenizer_json(**changes: Any) -> Edit:
    def edit(folder: Path) -> None:
        path = folder / "tokenizer.json"
        path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changes), "utf-8")

    return edit


def _both(*edits: Edit) -> Edit:
    def edit(folder: Path) -> None:
        for one in edits:
            one(folder)

    return edit


def _without_limit(folder: Path) -> None:
    path = folder / "sentence_bert_config.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"max_seq_length": None}), "utf-8")


_LEFT = {"direction": "Left", "max_length": 64, "strategy": "LongestFirst", "stride": 0}
EDITS: Mapping[str, Edit] = {
    "truncation-left": _set_tokenizer(truncation_side="left"),
    "truncation-left-in-the-tokenizer": _both(
        _set_tokenizer_json(truncation=_LEFT), _set_tokenizer(truncation_side=None)
    ),
    "padding-left": _set_tokenizer(padding_side="left"),
    "no-segments": _set_tokenizer(model_input_names=["input_ids", "attention_mask"]),
    "end-of-sequence": _set_tokenizer(
        add_eos_token=True, eos_token="[SEP]", tokenizer_class="PreTrainedTokenizerFast"
    ),
    "another-class": _set_tokenizer(tokenizer_class="RobertaTokenizer"),
    "another-frame": _set_tokenizer_json(post_processor=None),
    "more-tokens": _set_tokenizer(extra_special_tokens=["apple"]),
    "limit-of-the-tokenizer": _both(_without_limit, _set_tokenizer(model_max_length=40)),
    "no-limit": _both(_without_limit, _set_tokenizer(model_max_length=10**30)),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_a_setting_of_the_tokenizer(edit: Edit, tmp_path: Path, bert_folder: Path, open_model: Open) -> None:
    folder = tiny.sentence_model(tmp_path / "model", bert_folder)
    edit(folder)
    expected = _theirs(folder)

    for engine in ("onnx", "torch"):
        embedder = open_model(folder, engine)
        assert cosines(embedder.embed(TEXTS), expected).min() >= 0.99999, engine
        assert embedder.truncated == 1


@pytest.mark.parametrize("is_bert", [True, False], ids=["written", "exported"])
def test_no_token_to_pad_with(is_bert: bool, tmp_path: Path, bert_folder: Path, open_model: Open) -> None:
    """sentence-transformers refuses any text; a text's vector does not depend on what pads it."""
    bare = bert_folder if is_bert else roberta_folder(tmp_path / "bare")
    folder = tiny.sentence_model(tmp_path / "model", bare)
    expected = _theirs(folder)
    _set_tokenizer(pad_token=None, tokenizer_class="PreTrainedTokenizerFast")(folder)
    _set_tokenizer_json(padding=None)(folder)
    (folder / "special_tokens_map.json").unlink(missing_ok=True)
    with pytest.raises(ValueError, match="does not have a padding token"):
        _theirs(folder)

    for engine in ("onnx", "torch"):
        assert cosines(open_model(folder, engine).embed(TEXTS), expected).min() >= 0.99999, engine


@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_a_text_that_loses_its_start(
    engine: str, tmp_path: Path, bert_folder: Path, open_model: Open
) -> None:
    folder = tiny.sentence_model(tmp_path / "model", bert_folder)
    _set_tokenizer(truncation_side="left")(folder)
    # Longer than what is tokenized to find out that it is too long.
    words = [f"{word}{number}" for number in range(4000) for word in ("river", "stone")]
    whole, end, start = " ".join(words), " ".join(words[-300:]), " ".join(words[:300])
    embedder = open_model(folder, engine)

    vectors = embedder.embed([whole, end, start])
    assert cosines(vectors[:1], vectors[1:2]).min() >= 0.99999
    assert cosines(vectors[:1], vectors[2:]).max() < 0.9999
    assert cosines(vectors[:1], _theirs(folder, [whole])).min() >= 0.99999
    assert embedder.truncated == 3
    with pytest.raises(TextRejected):
        open_model(folder, engine, "error").embed([whole])
    chunked = open_model(folder, engine, "chunk")
    other = open_model(bert_chunked(tmp_path, bert_folder), engine, "chunk")
    np.testing.assert_allclose(chunked.embed([LONG]), other.embed([LONG]), atol=1e-6)
    assert chunked.truncated == 0


def bert_chunked(tmp_path: Path, bert_folder: Path) -> Path:
    """The same model, of which long texts lose their end."""
    return tiny.sentence_model(tmp_path / "other", bert_folder)


def _roberta(tmp_path: Path, bert_folder: Path) -> tuple[Path, int]:
    """Positions start behind the padding token's id, so that 130 of them hold 128 tokens."""
    return roberta_folder(tmp_path / "bare"), 128


def _bert(tmp_path: Path, bert_folder: Path) -> tuple[Path, int]:
    return bert_folder, 128


@pytest.mark.parametrize("make", [_bert, _roberta])
@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_a_limit_beyond_the_positions(
    make: Callable[[Path, Path], tuple[Path, int]],
    engine: str,
    tmp_path: Path,
    bert_folder: Path,
    open_model: Open,
) -> None:
    bare, most = make(tmp_path, bert_folder)
    within = tiny.sentence_model(tmp_path / "within", bare, max_tokens=most)
    beyond = tiny.sentence_model(tmp_path / "beyond", bare, max_tokens=500)

    assert read_chain(beyond).max_tokens == most
    embedder = open_model(beyond, engine)
    assert cosines(embedder.embed(TEXTS), _theirs(within)).min() >= 0.99999
    assert embedder.truncated == 1


@pytest.mark.parametrize(
    ("config", "limit"),
    [
        ({"model_type": "bert", "max_position_embeddings": 512}, 512),
        ({"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 1}, 512),
        ({"model_type": "xlm-roberta", "max_position_embeddings": 8194}, 8192),
        ({"model_type": "mpnet", "max_position_embeddings": 514, "pad_token_id": 0}, 512),
        ({"model_type": "gpt2", "n_positions": 1024}, 1024),
        ({"model_type": "deberta-v2", "max_position_embeddings": 512}, 512),
        ({"model_type": "deberta-v2", "max_position_embeddings": 512, "position_biased_input": False}, None),
        ({"model_type": "modernbert", "max_position_embeddings": 8192}, None),
        ({"model_type": "qwen3", "max_position_embeddings": 32768}, None),
        ({"model_type": "t5", "n_positions": 512}, None),
    ],
)
def test_what_positions_hold(config: Mapping[str, Any], limit: int | None) -> None:
    assert position_limit(config) == limit


@pytest.mark.parametrize(
    "kind", ["bert", "roberta", "mpnet", "distilbert", "gpt2", "electra", "albert", "opt"]
)
def test_what_positions_hold_is_what_transformers_reads(kind: str) -> None:
    """One token more is an index error."""
    import torch
    from transformers import AutoConfig, AutoModel

    sizes: dict[str, Any] = {"vocab_size": 60, "max_position_embeddings": 20, "pad_token_id": 1}
    small = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    embedding = {"embedding_size": 8} if kind == "electra" else {}
    opt = {"word_embed_proj_dim": 8, "ffn_dim": 8} if kind == "opt" else {}
    config = AutoConfig.for_model(kind, **sizes, **small, **embedding, **opt)
    model = AutoModel.from_config(config).eval()
    limit = position_limit(config.to_dict())

    assert limit is not None
    assert model(input_ids=torch.full((1, limit), 5)).last_hidden_state.shape[1] == limit
    with pytest.raises((IndexError, RuntimeError)):
        model(input_ids=torch.full((1, limit + 1), 5))


def _bare(bert_folder: Path, folder: Path) -> Path:
    shutil.copytree(bert_folder, folder)
    return folder


def test_a_bare_transformer_has_no_settings_of_sentence_transformers(
    tmp_path: Path, bert_folder: Path, open_model: Open
) -> None:
    folder = _bare(bert_folder, tmp_path / "bare")
    settings = {"prompts": {"x": "a prompt: "}, "default_prompt_name": "x", "truncate_dim": 8}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(settings), "utf-8")
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 8}), "utf-8")

    for engine in ("onnx", "torch"):
        assert cosines(open_model(folder, engine).embed(TEXTS), _theirs(folder)).min() >= 0.99999


@pytest.mark.parametrize("in_config", [True, False], ids=["in-config", "in-a-file"])
def test_a_chat_template_of_a_bare_transformer_is_used(
    in_config: bool, tmp_path: Path, bert_folder: Path, open_model: Open
) -> None:
    folder = _bare(bert_folder, tmp_path / "bare")
    template = "{% for m in messages %}[{{ m.role }}] {{ m.content }}{% endfor %}"
    if in_config:
        _set_tokenizer(chat_template=template)(folder)
    else:
        (folder / "chat_template.jinja").write_text(template, "utf-8")
    embedder = open_model(folder, "auto")

    assert isinstance(embedder, TorchEmbedder)
    assert cosines(embedder.embed(SHORT), _theirs(folder, SHORT)).min() >= 0.99999


def test_a_bare_model_that_generates_text_is_pooled_by_its_last_token(
    tmp_path: Path, bert_folder: Path, open_model: Open
) -> None:
    folder = _bare(bert_folder, tmp_path / "bare")
    tiny.edit_json(folder / "config.json", architectures=["BertForCausalLM"])
    embedder = open_model(folder, "auto")

    assert isinstance(embedder, TorchEmbedder)
    assert cosines(embedder.embed(TEXTS), _theirs(folder)).min() >= 0.99999


def test_a_normalization_of_tokens_is_none_of_texts(
    tmp_path: Path, bert_folder: Path, open_model: Open
) -> None:
    folder = tiny.sentence_model(tmp_path / "model", bert_folder)
    path = folder / json.loads((folder / "modules.json").read_text("utf-8"))[-1]["path"]
    path.mkdir(exist_ok=True)
    (path / "config.json").write_text(json.dumps({"module_input_name": "token_embeddings"}), "utf-8")

    vectors = open_model(folder, "auto").embed(SHORT, normalize=False)
    np.testing.assert_allclose(vectors, _theirs(folder, SHORT), atol=1e-5)
    assert np.linalg.norm(vectors, axis=1).min() > 1.5


def test_modules_of_their_own_for_queries_and_documents(tmp_path: Path, bert_folder: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Router
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    def route(pooling: Any) -> list[Any]:
        return [Transformer(str(bert_folder), max_seq_length=64), Pooling(tiny.HIDDEN, pooling)]

    modules = [Router.for_query_document(route("mean"), route("cls")), Normalize()]
    folder = tmp_path / "model"
    SentenceTransformer(modules=modules, device="cpu").save(str(folder), create_model_card=False)
    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    # With a cache, which must not take one for the other.
    environment = {"SIMIL_CACHE_DIR": str(tmp_path / "cache"), "SIMIL_CONFIG": os.devnull}
    embedder = open_embedder(load_settings(model=str(folder), environ=environment, directory=tmp_path))

    query, document = (embedder.embed(SHORT, kind) for kind in (Kind.QUERY, Kind.DOCUMENT))
    embedder.close()
    assert cosines(query, model.encode_query(SHORT)).min() >= 0.99999
    assert cosines(document, model.encode_document(SHORT)).min() >= 0.99999
    assert cosines(query, document).max() < 0.999


def test_a_default_prompt_that_is_not_there(tmp_path: Path, bert_folder: Path, open_model: Open) -> None:
    folder = tiny.sentence_model(tmp_path / "model", bert_folder)
    tiny.edit_json(folder / "config_sentence_transformers.json", default_prompt_name="sts")

    with pytest.raises(ModelDamaged, match="its default_prompt_name is 'sts'"):
        open_model(folder)
