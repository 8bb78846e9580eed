"""A damaged model is an error of one line that names the file, whether it was prepared before or not."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.tiny_models import edit_json

from models.conftest import Open
from simil.errors import ModelDamaged, ModelError
from simil.models.files import model_source as source
from simil.models.files.tokenizer import open_tokenizer

Change = Callable[[Path], None]

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


def _edit(name: str, **values: Any) -> Change:
    return lambda folder: edit_json(folder / name, **values)


def _first_module(**values: Any) -> Change:
    def change(folder: Path) -> None:
        modules = json.loads((folder / "modules.json").read_text())
        modules[1] |= values
        (folder / "modules.json").write_text(json.dumps(modules))

    return change


def _pipe(name: str) -> Change:
    def change(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)

    return change


def _shards(weight_map: dict[str, str]) -> Change:
    def change(folder: Path) -> None:
        index = {"metadata": {}, "weight_map": weight_map}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))

    return change


def _linked_out(folder: Path) -> None:
    (folder / "1_Pooling").rename(folder.parent / "elsewhere")
    (folder / "1_Pooling").symlink_to(folder.parent / "elsewhere")


def _token_beyond(folder: Path) -> None:
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["model"]["vocab"]["apple"] = 10**6
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))


def _lying_header(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes().replace(b'"F32"', b'"F16"', 1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_edit("config.json", num_hidden_layers=10**6), "its num_hidden_layers is 1000000"),
        (_edit("config.json", hidden_size=10**9), "its hidden_size is 1000000000"),
        (_edit("config.json", max_position_embeddings=10**9), "its max_position_embeddings is"),
        (_edit("config.json", hidden_size="x"), "its hidden_size is 'x'"),
        (_edit("config.json", vocab_size=30_000), "vocab_size 30000, and 30522 vectors"),
        (_edit("1_Pooling/config.json", pooling_mode=7), "its settings cannot be understood"),
        (_first_module(path="../elsewhere"), "leads out of its folder: '../elsewhere'"),
        (_first_module(path="/etc"), "leads out of its folder: '/etc'"),
        (_first_module(path=7), "leads out of its folder: 7"),
        (_first_module(path=".hidden"), "names a hidden path: '.hidden'"),
        (_first_module(type="os.system"), "models' own code is never run"),
        (_edit("config.json", _attn_implementation="org/kernel"), "models' own code is never run"),
        (_edit("config.json", text_config={"attn_implementation": "a/b"}), "models' own code is never run"),
        (_shards({}), "has no weight_map"),
        (_shards({"a": ".hidden/model-1.safetensors"}), "names a hidden path: '.hidden/model-1.safetensors'"),
        (_linked_out, "leads out of its folder: '1_Pooling'"),
        (_pipe("config.json"), "is neither a file nor a folder"),
        (_pipe("vocab.txt"), "is neither a file nor a folder"),
        (_token_beyond, "gives token 1000000, which the model lacks"),
        (_lying_header, "is not a safetensors file"),
        (_edit("config.json", num_hidden_layers=2), "its weights lack encoder.layer.1."),
    ],
)
def test_a_hostile_folder(change: Change, message: str, folder: Path, open_model: Open) -> None:
    change(folder)

    with pytest.raises(ModelError) as caught:
        open_model(folder, "auto").embed(["apple"])
    _one_line(caught.value, message)


def test_weights_that_transformers_would_make_up(folder: Path, open_model: Open) -> None:
    edit_json(folder / "config.json", num_hidden_layers=2)

    with pytest.raises(ModelError, match=r"its weights lack encoder\.layer\.1\."):
        open_model(folder, "torch")


def test_a_pickle_is_never_run(folder: Path, open_model: Open, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "planted"),)

    modules = json.loads((folder / "modules.json").read_text())
    dense = {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"}
    (folder / "modules.json").write_text(json.dumps([*modules[:2], dense]))
    (folder / "2_Dense").mkdir()
    (folder / "2_Dense" / "config.json").write_text('{"in_features": 32, "out_features": 32}')
    (folder / "2_Dense" / "pytorch_model.bin").write_bytes(pickle.dumps(Trap()))

    for engine in ("onnx", "torch"):
        with pytest.raises(ModelError):
            open_model(folder, engine)
    assert not (tmp_path / "planted").exists()


def test_a_tokenizer_that_panics() -> None:
    tokenizer = json.loads((source.EMBEDDED / "tokenizer.json").read_text())
    rule = {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": False}
    opened = open_tokenizer(json.dumps(tokenizer | {"pre_tokenizer": rule}).encode(), "m", lower_case=False)

    with pytest.raises(ModelError, match="the tokenizer of m fails: Onig: Regex search error"):
        opened.encode("a" * 40 + "b")
