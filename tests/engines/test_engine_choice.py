"""Which engine runs a model, on which device and at which precision; and a GPU that is used by itself."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from support.tiny_models import edit_json

from engines.conftest import cosines, logged
from engines.test_packed_networks import theirs
from simil.config import Settings, load_settings
from simil.device import Device
from simil.embedders.base import Embedder, Kind, VectorForm
from simil.embedders.factory import open_embedder
from simil.embedders.local.engine_choice import GpuFinder, choose_engine
from simil.embedders.local.engines import engine_label
from simil.embedders.local.gpus import FoundGpus
from simil.embedders.local.workload import Workload
from simil.errors import ModelError, SimilError, UsageError
from simil.models.files.model_source import EMBEDDED, ModelSource

MINILM = ModelSource("minilm", EMBEDDED, "r", embedded=True)
FIRST = Device("cuda", (0,))

Load = Callable[..., Settings]


class Finder(GpuFinder):
    """Finds what it is told, and counts how often it was asked."""

    def __init__(self, found: FoundGpus, start_s: float = GpuFinder.start_s) -> None:
        self.found = found
        self.start_s = start_s
        self.asked = 0

    def may_exist(self) -> bool:
        return True

    def find(self) -> FoundGpus:
        self.asked += 1
        return self.found


class Beside(Finder):
    """Its place for many texts is the packed engine in float16, as on a GPU, but on the processor."""

    def on_it(self, settings: Settings) -> Settings:
        return settings.replaced(engine="packed", precision="float16", device=Device("cpu"))


TEXTS = ["red apples", "an orange lies on the table"]

NONE, ONE = Finder(FoundGpus(why_none="this machine has none")), Finder(FoundGpus(("a card",)))


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def loading(model: str | Path = "minilm", **how: Any) -> Settings:
        environ = {"SIMIL_CACHE_DIR": str(tmp_path / "cache"), "SIMIL_CONFIG": os.devnull}
        return load_settings(model=str(model), environ=environ, directory=tmp_path, threads=1, **how)

    return loading


@pytest.mark.parametrize(
    ("asked", "finder", "engine", "device", "precision"),
    [
        ({}, ONE, "graph", Device("cpu"), "float32"),
        ({"engine": "onnx"}, ONE, "graph", Device("cpu"), "float32"),
        ({"precision": "int8"}, ONE, "graph", Device("cpu"), "int8"),
        ({"engine": "packed"}, NONE, "packed", Device("cpu"), "float32"),
        ({"engine": "packed", "precision": "float16"}, NONE, "packed", Device("cpu"), "float16"),
        ({"device": "cuda"}, NONE, "packed", FIRST, "float16"),
        ({"device": "cuda", "precision": "float32"}, NONE, "packed", FIRST, "float32"),
        ({"device": "cuda:1,0"}, NONE, "packed", Device("cuda", (1, 0)), "float16"),
        ({"device": "cuda", "engine": "torch"}, NONE, "torch", FIRST, "float32"),
        ({"device": "cuda", "engine": "torch", "precision": "bfloat16"}, NONE, "torch", FIRST, "bfloat16"),
        ({"device": "mps"}, NONE, "torch", Device("mps"), "float32"),
        ({"engine": "torch"}, NONE, "torch", Device("cpu"), "float32"),
        # Only a GPU computes so.
        ({"precision": "float16"}, ONE, "packed", FIRST, "float16"),
        ({"precision": "bfloat16", "engine": "torch"}, ONE, "torch", FIRST, "bfloat16"),
    ],
)
def test_what_is_asked_for_is_chosen(
    asked: dict[str, str], finder: GpuFinder, engine: str, device: Device, precision: str, load: Load
) -> None:
    choice = choose_engine(MINILM, load(**asked), finder)

    assert (choice.engine, choice.device, choice.precision) == (engine, device, precision)


@pytest.mark.parametrize(
    ("asked", "said", "error"),
    [
        ({"engine": "onnx", "device": "cuda"}, "the onnx engine does not run on cuda;", ModelError),
        ({"engine": "packed", "device": "mps"}, "the packed engine does not run on mps;", ModelError),
        ({"device": "cuda", "precision": "int8"}, "int8 is not supported on cuda; use", UsageError),
        (
            {"engine": "packed", "precision": "int8"},
            "int8 is not supported by the packed engine;",
            UsageError,
        ),
        (
            {"engine": "torch", "device": "cpu", "precision": "bfloat16"},
            "bfloat16 is not supported by the torch engine on cpu; leave out --engine or --precision",
            UsageError,
        ),
        (
            {"precision": "float16"},
            "float16 needs a GPU, and this machine has none; use --precision bfloat16, or --engine packed",
            UsageError,
        ),
        (
            {"engine": "torch", "device": "cuda:all"},
            "minilm runs in sentence-transformers, which uses one card, not cuda:all; use --device cuda",
            ModelError,
        ),
    ],
)
def test_what_nothing_can_do_is_one_line(
    asked: dict[str, str], said: str, error: type[SimilError], load: Load
) -> None:
    with pytest.raises(error) as caught:
        choose_engine(MINILM, load(**asked), NONE)
    assert str(caught.value).startswith(said)


def test_a_model_that_the_packed_engine_does_not_know_runs_in_sentence_transformers_on_a_gpu(
    bert_folder: Path, tmp_path: Path, load: Load
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for path in bert_folder.iterdir():
        if path.name != "config.json":
            (folder / path.name).symlink_to(path)
    config = json.loads((bert_folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"add_cross_attention": True}))
    source = ModelSource("model", folder)

    choice = choose_engine(source, load(folder, device="cuda"), NONE)
    assert (choice.engine, choice.precision, choice.chain) == ("torch", "float32", None)
    with pytest.raises(ModelError, match=r"the packed engine cannot run model: .*; use --engine torch"):
        choose_engine(source, load(folder, engine="packed"), NONE)


def test_a_tokenizer_that_uses_another_segment_is_left_to_sentence_transformers(
    bert_folder: Path, tmp_path: Path, load: Load
) -> None:
    folder, transformer = tmp_path / "model", tmp_path / "model" / "0_Transformer"
    shutil.copytree(bert_folder, transformer)
    module = {"idx": 0, "name": "0", "type": "sentence_transformers.models."}
    modules = [
        module | {"path": "0_Transformer", "type": f"{module['type']}Transformer"},
        module | {"path": "1_Pooling", "type": f"{module['type']}Pooling", "idx": 1, "name": "1"},
    ]
    (folder / "modules.json").write_text(json.dumps(modules), "utf-8")
    (folder / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling), "utf-8")
    path = transformer / "tokenizer.json"
    tokenizer = json.loads(path.read_text("utf-8"))
    for part in tokenizer["post_processor"]["single"]:
        next(iter(part.values()))["type_id"] = 1
    path.write_text(json.dumps(tokenizer), "utf-8")
    # The class for BERT has segments of its own.
    names = ["input_ids", "token_type_ids", "attention_mask"]
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_input_names": names}
    edit_json(transformer / "tokenizer_config.json", **settings)

    with closing(open_embedder(load(folder))) as embedder:
        assert cosines(embedder.embed(TEXTS), theirs(folder, TEXTS)).min() >= 0.999999
    path.write_bytes((bert_folder / "tokenizer.json").read_bytes())
    with closing(open_embedder(load(folder, engine="packed", cache=False))) as embedder:
        assert cosines(embedder.embed(TEXTS), theirs(folder, TEXTS)).min() >= 0.999999
    path.write_text(json.dumps(tokenizer), "utf-8")
    for engine in ("onnx", "packed"):
        with pytest.raises(ModelError, match="does not put texts into the first segment; use --engine torch"):
            open_embedder(load(folder, engine=engine, cache=False))


def test_a_tokenizer_of_another_library_is_left_to_sentence_transformers(
    bert_folder: Path, tmp_path: Path, load: Load, caplog: pytest.LogCaptureFixture
) -> None:
    folder = Path(shutil.copytree(bert_folder, tmp_path / "model"))
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n", "utf-8")

    with pytest.raises(ModelError, match="the packed engine cannot run model: its tokenizer is of another"):
        open_embedder(load(folder, engine="packed", cache=False))
    caplog.set_level("INFO", "simil")
    # A card that no machine has.
    with pytest.raises(ModelError):
        open_embedder(load(folder, device="cuda:999", cache=False))
    assert "model runs in sentence-transformers: its tokenizer is of another kind" in logged(caplog)


class Bench:
    """A tiny model, which finds a second place for many texts."""

    def __init__(self, folder: Path, load: Load) -> None:
        self._settings = load(folder)
        # From so many seconds of the processor's on, texts are many.
        self.finder = Beside(FoundGpus(("a card",)), 1e-9)

    def open(self, **how: Any) -> Embedder:
        return open_embedder(self._settings.replaced(**how), finder=self.finder)

    def alone(self, precision: str, texts: list[str]) -> NDArray[np.float32]:
        """The vectors by the engine of one place."""
        engine = "onnx" if precision == "float32" else "packed"
        settings = self._settings.replaced(engine=engine, precision=precision, cache=False)
        with closing(open_embedder(settings, finder=NONE)) as embedder:
            return embedder.embed(texts)


@pytest.fixture
def bench(bert_folder: Path, load: Load) -> Bench:
    return Bench(bert_folder, load)


def test_few_texts_stay_where_they_start_at_once(bench: Bench, few_texts: list[str]) -> None:
    bench.finder.start_s = 1e9
    with closing(bench.open()) as embedder:
        np.testing.assert_array_equal(embedder.embed(few_texts), bench.alone("float32", few_texts))
    assert bench.finder.asked == 0


@pytest.mark.parametrize("cache", [True, False])
def test_many_texts_go_to_the_gpu(
    bench: Bench, few_texts: list[str], caplog: pytest.LogCaptureFixture, *, cache: bool
) -> None:
    caplog.set_level("INFO", "simil")
    with closing(bench.open(cache=cache)) as embedder:
        vectors = embedder.embed(few_texts)

    np.testing.assert_array_equal(vectors, bench.alone("float16", few_texts))
    assert 0.99999 <= cosines(vectors, bench.alone("float32", few_texts)).min() < 0.99999999
    assert bench.finder.asked == 1
    assert "packed, float16" in caplog.text
    assert engine_label("packed", Device("cuda", (0, 1))) == "packed on cuda:0,1"


def test_what_was_computed_in_float32_is_not_computed_again(bench: Bench, few_texts: list[str]) -> None:
    first, texts = few_texts[:10], few_texts[:30]
    bench.finder.start_s = 1e9
    with closing(bench.open()) as embedder:
        embedder.embed(first)
    bench.finder.start_s = 1e-9
    with closing(bench.open()) as embedder:
        vectors = embedder.embed(texts)
    np.testing.assert_array_equal(vectors[:10], bench.alone("float32", first))
    np.testing.assert_array_equal(vectors[10:], bench.alone("float16", texts[10:]))

    # Even if only few are asked for, nothing is opened.
    bench.finder.start_s, bench.finder.asked = 1e9, 0
    with closing(bench.open()) as embedder:
        assert embedder.missing(texts, Kind.SYMMETRIC, VectorForm()) == []
        np.testing.assert_array_equal(embedder.embed(texts[20:]), vectors[20:])
    assert bench.finder.asked == 0


@pytest.mark.parametrize("cache", [True, False])
def test_a_gpu_that_is_not_there_leaves_all_to_the_processor(
    bench: Bench, few_texts: list[str], caplog: pytest.LogCaptureFixture, *, cache: bool
) -> None:
    caplog.set_level("INFO", "simil")
    bench.finder.found = FoundGpus(why_none="the CUDA driver cannot be used: CUDA_ERROR_NO_DEVICE")
    with closing(bench.open(cache=cache)) as embedder:
        for texts in (few_texts[:10], few_texts[10:]):
            np.testing.assert_array_equal(embedder.embed(texts), bench.alone("float32", texts))

    assert bench.finder.asked == 1
    reason = "no GPU is used: the CUDA driver cannot be used: CUDA_ERROR_NO_DEVICE"
    assert [line for line in logged(caplog) if "GPU" in line] == [reason]


def test_a_model_whose_values_exceed_float16_is_left_to_the_processor(
    bert_folder: Path, tmp_path: Path, load: Load, caplog: pytest.LogCaptureFixture
) -> None:
    folder = Path(shutil.copytree(bert_folder, tmp_path / "model"))
    weights = load_file(path := folder / "model.safetensors")
    # The norm behind it takes that out again.
    weights["encoder.layer.1.output.dense.weight"] *= 1e5
    save_file(weights, path, metadata={"format": "pt"})
    bench, texts = Bench(folder, load), ["red apples", "an orange"]
    caplog.set_level("INFO", "simil")

    with closing(bench.open()) as embedder:
        np.testing.assert_array_equal(embedder.embed(texts), bench.alone("float32", texts))
    assert "no GPU is used: float16 has too small a range for model" in caplog.text
    with pytest.raises(ModelError, match=r"float16 has too small .*; use --precision float32"):
        bench.alone("float16", texts)
    assert np.isfinite(bench.alone("bfloat16", texts)).all()


@pytest.mark.parametrize(
    "asked",
    [{"device": Device("cpu")}, {"engine": "onnx"}, {"engine": "openvino"}, {"engine": "torch"}],
)
def test_who_asks_for_the_processor_or_another_engine_gets_no_gpu(
    asked: dict[str, Any], bench: Bench, few_texts: list[str]
) -> None:
    with closing(bench.open(**asked)) as embedder:
        embedder.embed(few_texts[:3])
    assert bench.finder.asked == 0


def test_the_same_texts_are_as_many_again() -> None:
    # 10.6 million weights for 2 x 50e9 operations a second: 0.2 ms for a token.
    texts = ["word " * 100] * 10
    tokens = 10 * (2 + 500 / 4)
    seconds = tokens * 2 * 10.6e6 / 50e9
    for share, expected in ((0.95, True), (1.05, False)):
        assert Workload(EMBEDDED, 1, 256).outgrows(share * seconds, texts) is expected
        halves = Workload(EMBEDDED, 1, 256)
        assert not halves.outgrows(share * seconds, texts[:5])
        assert halves.outgrows(share * seconds, texts[5:]) is expected
    # A text is cut, and two cores take half of the time.
    assert not Workload(EMBEDDED, 1, 20).outgrows(0.3 * seconds, texts)
    assert not Workload(EMBEDDED, 2, 256).outgrows(0.6 * seconds, texts)
    # Each character of another script may be a token or half of one.
    assert Workload(EMBEDDED, 1, 256).outgrows(0.95 * seconds, ["字" * 250] * 10)


def test_a_model_of_unknown_size_never_goes_to_a_gpu(tmp_path: Path) -> None:
    assert not Workload(tmp_path, 1, None).outgrows(1e-9, ["text"] * 1000)
