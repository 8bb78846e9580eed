"""Graphs that end in a classifier's logits, as cross-encoders need them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from support import tiny_models as tiny

from simil.models.files import model_source as source
from simil.models.files.model_source import ModelSource
from simil.models.files.tokenizer import open_tokenizer
from simil.models.graphs.prepare import PreparedGraph, optimizing_options, prepare
from simil.models.graphs.signature import GraphKind, graph_feed
from simil.progress import silent

PAIRS = [
    ("an orange", "It is a fruit."),
    ("who painted it?", "Nobody knows who painted the ceiling of the chapel, but it is old."),
    ("a", "b"),
]


def _distilbert() -> Any:
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    return DistilBertForSequenceClassification(
        DistilBertConfig(
            dim=32,
            n_layers=2,
            n_heads=4,
            hidden_dim=64,
            max_position_embeddings=128,
            initializer_range=0.3,
            num_labels=1,
        )
    )


def _bert() -> Any:
    return tiny.bert(head=True, num_labels=1)


@pytest.mark.parametrize("make", [_bert, _distilbert])
def test_a_classifier_gives_the_logits_of_pairs(make: Any, tmp_path: Path) -> None:
    import torch
    from sentence_transformers import CrossEncoder

    torch.manual_seed(7)
    folder = tiny.transformer_folder(tmp_path / "model", make(), source.EMBEDDED)
    encoder = CrossEncoder(str(folder), device="cpu", local_files_only=True)
    expected = encoder.predict(PAIRS, activation_fn=torch.nn.Identity())

    prepared = prepare(ModelSource("model", folder), tmp_path / "cache", silent, kind=GraphKind.LOGITS)

    np.testing.assert_allclose(_logits(prepared, PAIRS)[:, 0], expected, atol=1e-5)


def _logits(prepared: PreparedGraph, pairs: list[tuple[str, str]]) -> NDArray[np.float32]:
    tokenizer = open_tokenizer(prepared.tokenizer, "model", lower_case=False).bare
    tokenizer.no_truncation()
    tokenizer.enable_padding()
    encodings = tokenizer.encode_batch(pairs)
    ids, mask, segments = (
        np.array([getattr(encoding, name) for encoding in encodings], np.int32)
        for name in ("ids", "attention_mask", "type_ids")
    )
    session = onnxruntime.InferenceSession(
        str(prepared.graph), optimizing_options(prepared), providers=["CPUExecutionProvider"]
    )
    dtypes = {
        value.name: {"tensor(int32)": np.int32, "tensor(int64)": np.int64}[value.type]
        for value in session.get_inputs()
    }
    logits: NDArray[np.float32]
    (logits,) = session.run(["logits"], graph_feed(ids, mask, dtypes, segments))
    return logits
