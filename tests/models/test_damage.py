"""A damaged model is an error of one line that names the file, whether it was prepared before or not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from models.conftest import Open
from simil.errors import ModelDamaged, ModelError
from simil.models.files import model_source as source

CUT = slice(None, -1000)


@pytest.fixture
def embedded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the embedded model that a test may damage."""
    shutil.copytree(source.EMBEDDED, tmp_path / "shipped", copy_function=_link_if_large)
    monkeypatch.setattr(source, "EMBEDDED", tmp_path / "shipped")
    return tmp_path / "shipped"


def _link_if_large(original: str, copy: str) -> None:
    if Path(original).stat().st_size > 1_000_000:
        Path(copy).symlink_to(original)
    else:
        shutil.copy2(original, copy)


def _rewrite(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)  # It may be a link to the original.
    path.write_bytes(data)


def _damage(path: Path, how: Any) -> None:
    if how is None:
        path.unlink()
    else:
        _rewrite(path, path.read_bytes()[how] if isinstance(how, slice) else how)


def _one_line(error: ModelError, name: str) -> None:
    assert error.exit_code == 4
    assert "\n" not in str(error)
    assert name in str(error)


@pytest.mark.parametrize("prepared", [True, False], ids=["prepared", "fresh"])
@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("model.safetensors", CUT),
        ("model.safetensors", slice(0, 4)),
        ("model.safetensors", b"garbage " * 100),
        ("model.safetensors", b""),
        ("model.safetensors", (2).to_bytes(8, "little") + b"{}"),
        ("model.safetensors", (2).to_bytes(8, "little") + b"[]"),
        ("model.safetensors", (30).to_bytes(8, "little") + b'{"a": {"dtype": "F32"}}       '),
        ("config.json", b"{"),
        ("config.json", b"[1]"),
        ("config.json", b'{"model_type": "bert"}'),
        ("config.json", b'{"model_type": "bert", "num_hidden_layers": "six"}'),
        ("modules.json", b"not json"),
        ("modules.json", b'{"a": 1}'),
        ("modules.json", b"[]"),
        ("modules.json", b'["Transformer"]'),
        ("modules.json", b"null"),
        ("modules.json", b"\xff\xfe"),
        ("1_Pooling/config.json", None),
        ("1_Pooling/config.json", b"]"),
        ("sentence_bert_config.json", b"[512]"),
        ("sentence_bert_config.json", b'{"max_seq_length": "long"}'),
        ("tokenizer.json", b"{"),
        ("tokenizer.json", b"{}"),
        ("tokenizer_config.json", b"{'a'}"),
        ("config_sentence_transformers.json", b'{"prompts": ["query: "]}'),
    ],
)
def test_a_damaged_folder(name: str, how: Any, prepared: bool, folder: Path, open_model: Open) -> None:
    if prepared:
        assert open_model(folder).embed(["a text"]).shape == (1, 32)
    if name == "config_sentence_transformers.json":
        (folder / name).write_bytes(b"{}")
    _damage(folder / name, how)

    with pytest.raises(ModelDamaged) as caught:
        open_model(folder).embed(["a text"])
    _one_line(caught.value, "tokenizer.json" if name == "tokenizer.json" else "mine")


@pytest.mark.parametrize("engine", ["onnx", "torch"])
@pytest.mark.parametrize("name", sorted(json.loads((source.EMBEDDED / "origin.json").read_text())["sha256"]))
def test_an_altered_file_of_the_embedded_model(
    name: str, engine: str, embedded: Path, open_model: Open
) -> None:
    data = bytearray((embedded / name).read_bytes())
    data[-2:] = b" " + data[-1:]  # Still JSON, and still safetensors.
    _rewrite(embedded / name, bytes(data))

    with pytest.raises(ModelDamaged) as caught:
        open_model("minilm", engine)
    _one_line(caught.value, name)
    assert "reinstall simil-cli" in str(caught.value)


@pytest.mark.parametrize("name", ["model.safetensors", "1_Pooling/config.json", "origin.json"])
def test_a_missing_file_of_the_embedded_model(name: str, embedded: Path, open_model: Open) -> None:
    (embedded / name).unlink()

    with pytest.raises(ModelDamaged, match="missing") as caught:
        open_model("minilm")
    _one_line(caught.value, "shipped")
    assert "reinstall simil-cli" in str(caught.value)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"sha256": 3}', '{"sha256": {}, "source_sha256": {}}'])
def test_a_broken_list_of_checksums(content: str, embedded: Path, open_model: Open) -> None:
    _rewrite(embedded / "origin.json", content.encode())

    with pytest.raises(ModelDamaged) as caught:
        open_model("minilm")
    _one_line(caught.value, "origin.json")


def test_an_embedded_model_altered_after_it_was_prepared(embedded: Path, open_model: Open) -> None:
    open_model("minilm")
    path = embedded / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    _rewrite(path, bytes(data))

    with pytest.raises(ModelDamaged, match="altered") as caught:
        open_model("minilm")
    _one_line(caught.value, "model.safetensors")
