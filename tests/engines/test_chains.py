"""Both engines give the same vectors for every kind of chain."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from support import tiny_models as tiny

from engines.conftest import Agree, Open, cosines
from simil.embedders.base import Kind

MODES = ("cls", "mean", "max", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")
PROMPTS = {"query": "search for: ", "document": "passage: "}


@pytest.mark.parametrize("modes", [*((mode,) for mode in MODES), ("cls", "mean")], ids="+".join)
@pytest.mark.parametrize("normalize", [True, False], ids=["unit", "raw"])
def test_every_pooling(
    modes: tuple[str, ...], normalize: bool, tmp_path: Path, bert_folder: Path, engines_agree: Agree
) -> None:
    folder = tiny.sentence_model(tmp_path / "model", bert_folder, modes=modes, normalize=normalize)

    engines_agree(folder)


def test_normalize_at_the_end_is_left_out_on_demand(
    tmp_path: Path, bert_folder: Path, engines_agree: Agree, open_model: Open
) -> None:
    folder = tiny.sentence_model(tmp_path / "model", bert_folder)

    engines_agree(folder, raw=True)
    engines_agree(folder, raw=False)
    raw = open_model(folder, normalize=False).embed(["one text"], normalize=False)
    unit = open_model(folder).embed(["one text"], normalize=False)
    assert np.linalg.norm(raw) > 1.5
    assert np.linalg.norm(unit) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("activation", ["Tanh", "Identity", "ReLU"])
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no-bias"])
def test_a_dense_layer(
    activation: str, bias: bool, tmp_path: Path, bert_folder: Path, engines_agree: Agree
) -> None:
    from sentence_transformers.sentence_transformer.modules import Dense
    from torch import nn

    layer = Dense(tiny.HIDDEN, 16, bias=bias, activation_function=getattr(nn, activation)())
    folder = tiny.sentence_model(tmp_path / "model", bert_folder, dense=[layer])

    assert (folder / "2_Dense" / "model.safetensors").is_file()
    engines_agree(folder)


def test_two_dense_layers_whose_weights_are_a_pytorch_file_in_half_precision(
    tmp_path: Path, bert_folder: Path, engines_agree: Agree
) -> None:
    import torch
    from safetensors.torch import load_file
    from sentence_transformers.sentence_transformer.modules import Dense

    layers = [Dense(tiny.HIDDEN, 24), Dense(24, 8)]
    folder = tiny.sentence_model(tmp_path / "model", bert_folder, dense=layers)
    for name in ("2_Dense", "3_Dense"):
        weights = load_file(folder / name / "model.safetensors")
        torch.save({key: value.half() for key, value in weights.items()}, folder / name / "pytorch_model.bin")
        (folder / name / "model.safetensors").unlink()

    engines_agree(folder)


def test_a_dense_layer_in_bfloat16(tmp_path: Path, bert_folder: Path, engines_agree: Agree) -> None:
    import torch
    from safetensors.torch import load_file, save_file
    from sentence_transformers.sentence_transformer.modules import Dense

    folder = tiny.sentence_model(tmp_path / "model", bert_folder, dense=[Dense(tiny.HIDDEN, 8)])
    path = folder / "2_Dense" / "model.safetensors"
    save_file({key: value.to(torch.bfloat16) for key, value in load_file(path).items()}, path)

    engines_agree(folder)


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("mode", ["mean", "weightedmean", "max", "cls"])
def test_a_prompt_that_pooling_leaves_out(
    kind: Kind, mode: str, tmp_path: Path, bert_folder: Path, engines_agree: Agree
) -> None:
    folder = tiny.sentence_model(
        tmp_path / "model", bert_folder, modes=(mode,), include_prompt=False, prompts=PROMPTS
    )

    engines_agree(folder, kind)


def test_prompts_are_those_that_sentence_transformers_uses(
    tmp_path: Path, bert_folder: Path, open_model: Open, few_texts: list[str]
) -> None:
    from sentence_transformers import SentenceTransformer

    prompts = {"query": "query: ", "passage": "passage: ", "clustering": "identify the topic of: "}
    folder = tiny.sentence_model(
        tmp_path / "model", bert_folder, prompts=prompts, default_prompt="clustering"
    )
    theirs = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    expected = {
        Kind.SYMMETRIC: theirs.encode(few_texts),
        Kind.QUERY: theirs.encode_query(few_texts),
        Kind.DOCUMENT: theirs.encode_document(few_texts),
    }

    for engine in ("onnx", "torch"):
        embedder = open_model(folder, engine)
        for kind, vectors in expected.items():
            assert cosines(embedder.embed(few_texts, kind), vectors).min() >= 0.99999, (engine, kind)
    assert cosines(expected[Kind.QUERY], expected[Kind.DOCUMENT]).min() < 0.999
    assert cosines(expected[Kind.SYMMETRIC], expected[Kind.DOCUMENT]).min() < 0.999


def test_a_model_without_prompts_takes_every_kind_alike(
    tmp_path: Path, bert_folder: Path, open_model: Open
) -> None:
    folder = tiny.sentence_model(tmp_path / "model", bert_folder)

    for engine in ("onnx", "torch"):
        embedder = open_model(folder, engine)
        by_kind = [embedder.embed(["a text"], kind) for kind in Kind]
        np.testing.assert_array_equal(by_kind[0], by_kind[1])
        np.testing.assert_array_equal(by_kind[0], by_kind[2])


@pytest.mark.parametrize("lower_case", [True, False], ids=["lowered", "as-is"])
def test_lower_casing_before_a_cased_tokenizer(
    lower_case: bool, tmp_path: Path, bert_folder: Path, engines_agree: Agree, open_model: Open
) -> None:
    cased = tmp_path / "cased"
    shutil.copytree(bert_folder, cased)
    _set_tokenizer_case(cased, keep=True)
    folder = tiny.sentence_model(tmp_path / "model", cased)
    tiny.edit_json(folder / "sentence_bert_config.json", do_lower_case=lower_case)

    engines_agree(folder)
    upper, lower = open_model(folder).embed(["Apple Pie", "apple pie"])
    assert np.array_equal(upper, lower) == lower_case


def test_a_tokenizer_whose_two_files_disagree_is_read_as_transformers_reads_it(
    tmp_path: Path, bert_folder: Path, engines_agree: Agree
) -> None:
    folder = tiny.sentence_model(tmp_path / "model", bert_folder)
    tiny.edit_json(folder / "tokenizer_config.json", do_lower_case=False)

    engines_agree(folder)


def _set_tokenizer_case(folder: Path, *, keep: bool) -> None:
    tokenizer = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    tokenizer["normalizer"]["lowercase"] = not keep
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), "utf-8")
    tiny.edit_json(folder / "tokenizer_config.json", do_lower_case=not keep)
