"""Lower precisions: close enough to float32, and a text's vector does not depend on its batch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support.corpus import LONG

from engines.conftest import Open, cosines
from simil.embedders.base import Embedder
from simil.embedders.local.cores import computes_bfloat16
from simil.embedders.local.packed.packed_embedder import PackedEmbedder
from simil.errors import ExtraMissing, ModelDamaged, ModelError, UsageError
from simil.models.graphs.manifest import FileRecord, Manifest, read_manifest
from simil.models.graphs.openvino_runtime import import_openvino
from simil.models.graphs.prepare import PreparedGraph

# Records every connection and name look-up, then runs the command.
_WATCHED = """
import json, os, sys
seen = []
watched = ("socket.connect", "socket.getaddrinfo")
sys.addaudithook(lambda event, _: seen.append(event) if event in watched else None)
leave = os._exit
def tell(code):
    loaded = {"nncf", "onnxruntime", "openvino", "openvino_telemetry"} & {*sys.modules}
    print(json.dumps([seen, sorted(loaded)]), file=sys.stderr, flush=True)
    leave(code)
os._exit = tell
sys.argv[0] = "simil"
from simil.__main__ import main
main()
"""


@pytest.fixture(scope="module")
def float32(texts: list[str], shared_cache: Path) -> NDArray[np.float32]:
    """The vectors of sentence-transformers, in float32 throughout."""
    from simil.config import load_settings
    from simil.embedders.factory import open_embedder

    environ = {"SIMIL_CACHE_DIR": str(shared_cache), "SIMIL_CONFIG": os.devnull}
    settings = load_settings(
        model="minilm", engine="torch", threads=1, cache=False, overflow="truncate", environ=environ
    )
    return open_embedder(settings).embed(texts)


def _has_bfloat16() -> bool:
    return "BF16" in import_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _one_vector_each(embedder: Embedder, texts: list[str]) -> NDArray[np.float32]:
    """Check that texts have the same vectors alone, in other batches and all together; return these."""
    together = embedder.embed(texts)
    rows = range(0, len(texts), 7)
    alone = np.stack([embedder.embed([texts[row]])[0] for row in rows])
    # On the processors measured the bits are equal; other kernels may differ in the last bit of a sum.
    assert cosines(alone, together[rows]).min() >= 0.999999
    assert cosines(embedder.embed([LONG, *texts[40:90]])[1:], together[40:90]).min() >= 0.999999
    return together


@pytest.mark.parametrize("threads", [1, 3])
def test_openvino_gives_the_same_float32_vectors(
    threads: int, open_model: Open, shared_cache: Path, texts: list[str], float32: NDArray[np.float32]
) -> None:
    embedder = open_model("minilm", "openvino", cache=shared_cache, threads=threads)
    vectors = _one_vector_each(embedder, texts)
    embedder.close()

    assert cosines(vectors, float32).min() >= 0.999999


def test_bfloat16_is_near_and_does_not_depend_on_the_batch(
    open_model: Open, shared_cache: Path, texts: list[str], float32: NDArray[np.float32]
) -> None:
    embedder = open_model("minilm", "auto", precision="bfloat16", cache=shared_cache)
    if not _has_bfloat16():
        with pytest.raises(ModelError, match="this processor does not support bfloat16"):
            embedder.embed(texts[:1])
        return
    vectors = _one_vector_each(embedder, texts)
    embedder.close()

    assert cosines(vectors, float32).min() >= 0.9999
    # The computation really uses fewer bits.
    assert cosines(vectors, float32).min() < 0.999999
    assert embedder.stamp == "all-MiniLM-L6-v2@53aa51172d14"


def test_int8_is_another_model_that_ranks_alike(
    open_model: Open, shared_cache: Path, texts: list[str], float32: NDArray[np.float32]
) -> None:
    from scipy.stats import spearmanr

    embedder = open_model("minilm", "auto", precision="int8", cache=shared_cache)
    vectors = _one_vector_each(embedder, texts)
    embedder.close()

    assert embedder.stamp.startswith("all-MiniLM-L6-v2@53aa51172d14+int8-")
    assert cosines(vectors, float32).min() >= 0.93
    pairs = np.triu_indices(60, 1)  # Of the texts in plain words.
    scores = [(rows[:60] @ rows[:60].T)[pairs] for rows in (vectors, float32)]
    assert spearmanr(*scores).statistic >= 0.97


def test_int8_is_made_once(open_model: Open, shared_cache: Path, texts: list[str]) -> None:
    first = open_model("minilm", "openvino", precision="int8", cache=shared_cache)
    expected = first.embed(texts[:3])
    first.close()
    folders = [path for path in (shared_cache / "prepared").glob("all-MiniLM*-int8-*") if path.is_dir()]
    before = {path: path.stat().st_mtime_ns for folder in folders for path in folder.iterdir()}
    second = open_model("minilm", "openvino", precision="int8", cache=shared_cache)
    np.testing.assert_array_equal(second.embed(texts[:3]), expected)
    second.close()

    quantized, compiled = sorted({path.name for path in folder.iterdir()} for folder in sorted(folders))
    assert quantized == {"model.xml", "model.bin", "tokenizer.json", "meta.json"}
    assert compiled == {"compiled.blob", "meta.json"}
    assert {path: path.stat().st_mtime_ns for path in before} == before


class CompiledModel:
    """A tiny quantized model, and the file that OpenVINO compiled its graph to."""

    def __init__(self, folder: Path, texts: list[str], cache: Path, open_model: Open) -> None:
        self._open = lambda: open_model(folder, precision="int8", engine="openvino", cache=cache)
        self._texts = texts
        self.expected = self.embed()
        (self.file,) = (cache / "prepared").glob("*/compiled.blob")

    def embed(self) -> NDArray[np.float32]:
        embedder = self._open()
        try:
            return embedder.embed(self._texts)
        finally:
            embedder.close()

    def digest(self) -> str:
        return FileRecord.of(self.file).sha256

    def change(self, change: Callable[[bytes], bytes], *, seen: bool) -> None:
        """Change the file as a fault of the disk may, so that only its whole content tells, unless `seen`."""
        manifest = read_manifest(self.file.parent)
        assert manifest is not None
        sound = manifest.files[self.file.name]
        self.file.write_bytes(change(self.file.read_bytes()))
        now = FileRecord.of(self.file)
        record = now if seen else FileRecord(sound.sha256, now.sample, now.state)
        Manifest(manifest.model, {self.file.name: record}).write(self.file.parent)


@pytest.fixture
def compiled(open_model: Open, bert_folder: Path, few_texts: list[str], tmp_path: Path) -> CompiledModel:
    return CompiledModel(bert_folder, few_texts, tmp_path / "cache", open_model)


def test_a_damaged_or_rejected_compiled_graph_is_found(
    compiled: CompiledModel, caplog: pytest.LogCaptureFixture
) -> None:
    compiled.change(lambda data: data[:-9] + bytes(9), seen=False)
    damaged = compiled.digest()
    with pytest.raises(ModelDamaged, match=r"the prepared files of .* are damaged"):
        compiled.embed()
    np.testing.assert_array_equal(compiled.embed(), compiled.expected)
    assert compiled.digest() != damaged

    # As another build of OpenVINO might have written it.
    version = import_openvino().__version__.split("-")[0].encode()
    compiled.change(lambda data: data.replace(version, version[::-1], 1), seen=True)
    caplog.set_level("INFO", "simil")
    np.testing.assert_array_equal(compiled.embed(), compiled.expected)
    assert "OpenVINO rejects the compiled graph" in caplog.text


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"engine": "onnx"}, "int8 is not supported by the onnx engine"),
        ({"engine": "torch"}, "int8 is not supported by the torch engine"),
        ({"device": "cuda"}, "int8 is not supported on cuda"),
    ],
)
def test_who_cannot_compute_it_says_so(
    settings: dict[str, str], message: str, tmp_path: Path, shared_cache: Path
) -> None:
    from simil.config import load_settings
    from simil.embedders.factory import open_embedder

    environ = {"SIMIL_CACHE_DIR": str(shared_cache), "SIMIL_CONFIG": os.devnull}
    chosen = load_settings(model="minilm", precision="int8", environ=environ, directory=tmp_path, **settings)
    with pytest.raises(UsageError, match=message):
        open_embedder(chosen)


@pytest.mark.parametrize("settings", [{"engine": "openvino"}, {"engine": "auto", "precision": "int8"}])
def test_without_the_extra_the_message_says_what_to_install(
    settings: dict[str, str], open_model: Open, shared_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ExtraMissing, match="OpenVINO is not installed") as caught:
        open_model("minilm", cache=shared_cache, **settings).embed(["Apple"])
    assert "simil-cli[openvino]" in caught.value.hint


def test_without_the_extra_the_packed_engine_computes_in_bfloat16(
    open_model: Open,
    shared_cache: Path,
    texts: list[str],
    float32: NDArray[np.float32],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    if not computes_bfloat16():
        with pytest.raises(ModelError, match="this processor does not support bfloat16"):
            open_model("minilm", "auto", precision="bfloat16", cache=shared_cache)
        return
    embedder = open_model("minilm", "auto", precision="bfloat16", cache=shared_cache)
    assert isinstance(embedder, PackedEmbedder)
    vectors = embedder.embed(texts)
    rows = [*range(0, len(texts), 23)]
    alone = np.stack([embedder.embed([texts[row]])[0] for row in rows])
    reversed_texts = embedder.embed([LONG, *texts[::-1]])[1:]
    embedder.close()

    assert cosines(vectors, float32).min() >= 0.9999
    np.testing.assert_array_equal(alone, vectors[rows])
    np.testing.assert_array_equal(reversed_texts, vectors[::-1])


def test_without_nncf_the_message_says_what_to_install(
    open_model: Open, shared_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from simil.models.graphs.quantize import quantization_name

    quantization_name.cache_clear()
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(ExtraMissing, match="NNCF, which quantizes models, is not installed"):
        open_model("minilm", "auto", precision="int8", cache=shared_cache)


def test_without_the_extra_many_texts_go_through_onnx_runtime(
    open_model: Open, shared_cache: Path, texts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    many = texts[::4]  # 2,257 tokens, of which 1,536 are enough for the session for many
    expected = open_model("minilm", "onnx", cache=shared_cache).embed(many)
    monkeypatch.setitem(sys.modules, "openvino", None)
    np.testing.assert_array_equal(open_model("minilm", "auto", cache=shared_cache).embed(many), expected)


def test_a_graph_that_openvino_cannot_read_goes_through_onnx_runtime(
    open_model: Open, texts: list[str], tmp_path: Path
) -> None:
    many = texts[::4]
    expected = open_model("minilm", "onnx").embed(many)
    embedder = open_model("minilm", "auto")
    # Opened for a few texts first; then the file is damaged for the next one to open it.
    prepared = next((tmp_path / "cache" / "prepared").glob("*/model.onnx"))
    from simil.embedders.local.openvino import OpenVinoSession

    spoilt = tmp_path / "model.onnx"
    spoilt.write_bytes(prepared.read_bytes()[:200])
    with pytest.raises(ModelError, match="OpenVINO cannot open it"):
        OpenVinoSession(
            "it",
            PreparedGraph(spoilt, b"", optimized=True),
            precision="float32",
            threads=1,
        )
    np.testing.assert_allclose(embedder.embed(many), expected, atol=1e-6)
    embedder.close()


def test_where_nothing_can_be_kept_int8_says_so(open_model: Open, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match="cannot be kept on disk"):
        open_model("minilm", "openvino", precision="int8", cache=tmp_path / "file")


def test_nothing_of_openvino_or_nncf_reaches_for_the_network(bert_folder: Path, tmp_path: Path) -> None:
    """And a second run loads only what runs the quantized graph."""
    command = ["compare", "--no-cache", "-m", str(bert_folder), "--precision", "int8"]
    scores = []
    for loaded in ({"nncf", "openvino", "onnxruntime"}, {"openvino"}):
        done = subprocess.run(
            [sys.executable, "-c", _WATCHED, *command, "Apple", "Orange"],
            env={**os.environ, "SIMIL_CACHE_DIR": str(tmp_path), "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        # stdout has only the score, not NNCF's progress bars and log messages.
        scores.append(float(done.stdout))
        assert json.loads(done.stderr) == [[], sorted(loaded)]
    assert -1 <= scores[0] == scores[1] <= 1
    assert not (tmp_path / "intel").exists()
