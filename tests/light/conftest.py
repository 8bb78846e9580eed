"""An environment without sentence-transformers, transformers and PyTorch, and small models to try there."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from linked_environment import link_environment, read_requirements
from safetensors.numpy import load_file, save_file
from support.command import Result, run
from support.fork_server import python_m_simil
from support.small_models import write_bert
from support.tiny_models import edit_json

_TANH = "torch.nn.modules.activation.Tanh"
REQUIREMENTS = Path(__file__).parents[2] / "requirements-light.txt"
_FILES = {
    "texts.txt": "the cat sat\na kitten sits\nthe stock fell\nshares dropped\nthe sea is calm\n",
    "labelled.csv": "text,label\na kitten,pets\na dog,pets\nstocks fell,money\nshares rose,money\n",
    "pairs.tsv": "left\tright\tscore\ncat\tkitten\t1\ncat\tstock\t0\nshare\tstock\t1\nsea\tshare\t0\n",
    ".env": "SIMIL_MODEL=minilm\n",
    "page.html": "<p>A kitten plays.</p>\n",
    "report.pdf": "%PDF-1.4\n",
    "pages/page.html": "<p>A kitten plays.</p>\n",
    "pages/report.pdf": "%PDF-1.4\n",
}


@dataclass(frozen=True)
class Light:
    """An environment, and a folder with files and models in which `simil` runs there."""

    python: Path
    folder: Path

    def __call__(self, line: str, **env: str) -> Result:
        """Run `simil` with the arguments in `line` and further variables."""
        own = {"SIMIL_CACHE_DIR": str(self.folder / "cache")}
        return run([*python_m_simil(str(self.python)), *shlex.split(line)], cwd=self.folder, env=own | env)


@pytest.fixture(scope="session")
def light(tmp_path_factory: pytest.TempPathFactory) -> Light:
    """Link the environment that `requirements-light.txt` describes, with simil as it is here."""
    folder = tmp_path_factory.mktemp("light")
    python = link_environment(folder / "env", read_requirements(REQUIREMENTS), without_theirs=["simil-cli"])
    for name, text in _FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    plain = write_bert(folder / "plain")
    for name, change in _CHANGES.items():
        change(shutil.copytree(plain, folder / name))
    return Light(python, folder)


def _pickle(model: Path) -> None:
    (model / "model.safetensors").rename(model / "pytorch_model.bin")


def _rename_architecture(model: Path) -> None:
    edit_json(model / "config.json", model_type="distilbert", architectures=["DistilBertModel"])


def _split_words_otherwise(model: Path) -> None:
    edit_json(model / "tokenizer.json", pre_tokenizer={"type": "Whitespace"})
    edit_json(model / "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")


def _add_dense(model: Path) -> None:
    folder = model / "2_Dense"
    folder.mkdir()
    settings = {"in_features": 32, "out_features": 16, "bias": False, "activation_function": _TANH}
    (folder / "config.json").write_text(json.dumps(settings), "utf-8")
    weights = np.random.default_rng(2).normal(0, 0.3, (16, 32)).astype(np.float32)
    save_file({"linear.weight": weights}, folder / "model.safetensors")
    _set_modules(model, Transformer="", Pooling="1_Pooling", Dense="2_Dense")


def _add_pickled_dense(model: Path) -> None:
    _add_dense(model)
    _pickle(model / "2_Dense")


def _pool_by_lstm(model: Path) -> None:
    _set_modules(model, Transformer="", LSTM="1_Pooling")


def _make_static(model: Path) -> None:
    _set_modules(model, StaticEmbedding="")
    save_file({"embedding.weight": np.ones((30_522, 2), np.float32)}, model / "model.safetensors")


def _set_modules(model: Path, **paths: str) -> None:
    modules = [
        {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for number, (kind, path) in enumerate(paths.items())
    ]
    (model / "modules.json").write_text(json.dumps(modules), "utf-8")


def _make_cross_encoder(model: Path) -> None:
    """Save it as transformers saves a classifier."""
    (model / "modules.json").unlink()
    chance = np.random.default_rng(2)
    weights = {f"bert.{name}": tensor for name, tensor in load_file(model / "model.safetensors").items()}
    for name, rows in (("bert.pooler.dense", 32), ("classifier", 1)):
        weights[f"{name}.weight"] = chance.normal(0, 0.3, (rows, 32)).astype(np.float32)
        weights[f"{name}.bias"] = np.zeros(rows, np.float32)
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})
    _set_classifier(model, model_type="bert", architectures=["BertForSequenceClassification"])


def _make_other_cross_encoder(model: Path) -> None:
    _make_cross_encoder(model)
    _set_classifier(model, model_type="distilbert", architectures=["DistilBertForSequenceClassification"])


def _set_classifier(model: Path, **settings: Any) -> None:
    edit_json(model / "config.json", id2label={"0": "LABEL_0"}, **settings)


_CHANGES: Mapping[str, Callable[[Path], None]] = {
    "cross-encoder": _make_cross_encoder,
    "cross-encoder-distilbert": _make_other_cross_encoder,
    "dense": _add_dense,
    "dense-pickled": _add_pickled_dense,
    "distilbert": _rename_architecture,
    "lstm": _pool_by_lstm,
    "pickled": _pickle,
    "static": _make_static,
    "whitespace": _split_words_otherwise,
}
