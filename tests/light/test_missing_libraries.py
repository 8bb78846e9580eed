"""What needs a library that is not installed says so in one line, with the command that installs it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from linked_environment import link_distributions
from support.command import Result, run, simil

from light.conftest import Light
from simil.embedders.local.cores import computes_bfloat16

Overlay = Callable[[Sequence[str]], str]

_NEEDED = "needs sentence-transformers, which is not installed; run: pip install sentence-transformers"
# {} stands for the folder of the models.
REFUSED = {
    "compare -m minilm --engine torch a b": f"the torch engine {_NEEDED}",
    "compare -m minilm --engine packed a b": (
        "the packed engine needs torch, which is not installed; run: pip install torch"
    ),
    "compare -m minilm --device cuda a b": (
        "device cuda needs torch, which is not installed; run: pip install torch"
    ),
    "compare -m ./pickled --device cuda a b": f"device cuda {_NEEDED}",
    "compare -m minilm --device mps a b": f"device mps {_NEEDED}",
    "compare -m ./pickled a b": f"pickled {_NEEDED}",
    "compare -m ./distilbert a b": f"distilbert {_NEEDED}",
    "compare -m ./lstm a b": f"lstm {_NEEDED}",
    "compare -m ./cross-encoder-distilbert a b": f"cross-encoder-distilbert {_NEEDED}",
    "models prepare ./distilbert": f"distilbert {_NEEDED}",
    "search -m minilm --rerank ./cross-encoder-distilbert cat texts.txt": (
        f"cross-encoder-distilbert {_NEEDED}"
    ),
    "compare -m ./whitespace a b": (
        "the tokenizer in {}/whitespace needs transformers, which is not installed;"
        " run: pip install transformers"
    ),
    "compare -m ./dense-pickled a b": (
        "{}/dense-pickled/2_Dense/pytorch_model.bin needs torch, which is not installed;"
        " run: pip install torch"
    ),
    "compare -m ./static a b": (
        "model2vec, which runs static models, is not installed; run: pip install 'simil-cli[static]'"
    ),
    "compare -m minilm --engine openvino --no-cache a b": (
        "OpenVINO is not installed; run: pip install 'simil-cli[openvino]'"
    ),
    "compare -m minilm --precision int8 a b": (
        "NNCF, which quantizes models, is not installed; run: pip install 'simil-cli[openvino]'"
    ),
}
_NO_PACKED = "engine packed\tthe packed engine needs torch, which is not installed; run: pip install torch"
# For which settings the doctor says that runs fail, and what.
FAILING = (
    ({"SIMIL_ENGINE": "torch"}, f"engine torch\tthe torch engine {_NEEDED}"),
    ({"SIMIL_DEVICE": "mps"}, f"engine torch\tthe torch engine {_NEEDED}"),
    (
        {"SIMIL_DEVICE": "cuda"},
        "devices\tonly cpu: device cuda needs torch, which is not installed; run: pip install torch",
    ),
    ({"SIMIL_ENGINE": "packed"}, _NO_PACKED),
    (
        {"SIMIL_PRECISION": "bfloat16"},
        "engine packed\tbfloat16 needs OpenVINO or torch, and neither is installed;"
        " run: pip install 'simil-cli[openvino]'",
    ),
    ({"SIMIL_MODEL": "./distilbert"}, f"model\t{{}}/distilbert {_NEEDED}"),
    ({"SIMIL_MODEL": "./lstm"}, f"model\t{{}}/lstm {_NEEDED}"),
    ({"SIMIL_MODEL": "./cross-encoder-distilbert"}, f"model\t{{}}/cross-encoder-distilbert {_NEEDED}"),
    (
        {"SIMIL_MODEL": "./static"},
        "model\tmodel2vec, which runs static models, is not installed; run: pip install 'simil-cli[static]'",
    ),
)


_WITH_A_GPU = """
from simil.config import load_settings
from simil.embedders.factory import open_embedder
from simil.embedders.local.engine_choice import GpuFinder
from simil.embedders.local.gpus import FoundGpus

class Finder(GpuFinder):
    start_s = 0.0

    def may_exist(self):
        return True

    def find(self):
        return FoundGpus(("a card",))

embedder = open_embedder(load_settings(model="minilm", cache=False), finder=Finder())
print(embedder.embed(["a", "b", "c"] * 50).shape, type(embedder).__name__)
embedder.close()
"""


@pytest.fixture
def overlay(tmp_path: Path) -> Overlay:
    """Return the PYTHONPATH for further distributions, without what they ask for."""

    def linked(names: Sequence[str]) -> str:
        link_distributions(tmp_path, names)
        return str(tmp_path)

    return linked


def lines(result: Result, status: str) -> list[str]:
    """Return the findings of the doctor with a status, as errors are printed."""
    findings = [line.split("\t") for line in result.out.splitlines()]
    return [f"{check}\t{'; '.join(said)}" for found, check, *said in findings if found == status]


@pytest.mark.parametrize("line", REFUSED)
def test_a_run_says_what_it_needs(light: Light, line: str) -> None:
    result = light(line)

    assert result.error_line == REFUSED[line].format(light.folder)
    assert (result.code, result.out) == (4, "")


@pytest.mark.skipif(not computes_bfloat16(), reason="the processor does not compute in bfloat16")
def test_bfloat16_says_which_two_can_compute_it(light: Light) -> None:
    assert light("compare -m minilm --precision bfloat16 a b").error_line == (
        "bfloat16 needs OpenVINO or torch, and neither is installed; run: pip install 'simil-cli[openvino]'"
    )


def test_a_gpu_that_is_there_is_left_alone(light: Light) -> None:
    result = run([str(light.python), "-c", _WITH_A_GPU], cwd=light.folder)

    assert (result.out, result.err) == ("(150, 384) BulkEmbedder\n", "")


def test_the_doctor_notes_what_is_missing(light: Light) -> None:
    result = light("doctor --offline --deep")

    assert (result.code, result.err, lines(result, "fail"), lines(result, "warn")) == (0, "", [], [])
    install = "run: pip install sentence-transformers"
    for note in (
        "sentence-transformers\tis not installed: minilm and most BERT models run without it,"
        f" most others do not; {install}",
        f"transformers\tis not installed: the tokenizers of some models need it; {install}",
        f"torch\tis not installed: GPUs and weights in PyTorch's format need it; {install}",
        f"engine torch\tthe torch engine {_NEEDED}",
        _NO_PACKED,
        "devices\tonly cpu: a GPU needs torch, which is not installed; run: pip install torch",
    ):
        assert note in lines(result, "note")


@pytest.mark.parametrize(("settings", "said"), FAILING)
def test_the_doctor_fails_where_runs_do(light: Light, settings: dict[str, str], said: str) -> None:
    result = light("doctor --offline", **settings)

    assert said.format(light.folder) in lines(result, "fail")
    assert result.code == 1


@pytest.mark.parametrize("model", ["plain", "dense", "cross-encoder"])
def test_the_doctor_is_content_with_models_that_need_nothing_more(light: Light, model: str) -> None:
    assert lines(light("doctor --offline", SIMIL_MODEL=f"./{model}"), "fail") == []


def test_transformers_alone_reads_tokenizers_and_advises_nothing(light: Light, overlay: Overlay) -> None:
    result = light("compare -m ./whitespace cat dog", PYTHONPATH=overlay(["transformers", "regex"]))

    assert result == simil("compare", "-m", "./whitespace", "cat", "dog", cwd=light.folder)
    assert (result.code, result.err) == (0, "")


def test_sentence_transformers_without_torch_asks_for_torch(light: Light, overlay: Overlay) -> None:
    path = overlay(["sentence-transformers", "transformers", "regex"])
    result = light("compare -m minilm --engine torch a b", PYTHONPATH=path)

    assert result.error_line == "the torch engine needs torch, which is not installed; run: pip install torch"
    assert result.code == 4
    told = lines(light("doctor --offline", PYTHONPATH=path), "warn")
    assert "torch\tis not installed, and sentence-transformers needs it; run: pip install torch" in told


def test_what_an_uninstallation_left_behind_counts_for_nothing(light: Light, tmp_path: Path) -> None:
    for name in ("sentence_transformers", "transformers", "torch"):
        (tmp_path / name / "lib").mkdir(parents=True)
    result = light("compare -m minilm --engine torch a b", PYTHONPATH=str(tmp_path))

    assert result.error_line == f"the torch engine {_NEEDED}"


def test_bert_is_known_without_transformers_to_need_no_code_of_its_own(light: Light, tmp_path: Path) -> None:
    for kind in ("bert", "own"):
        (tmp_path / kind).mkdir()
        config = {"model_type": kind, "auto_map": {"AutoModel": "modeling.Own"}}
        (tmp_path / kind / "config.json").write_text(json.dumps(config), "utf-8")
    program = (
        "from pathlib import Path; from simil.models.files.own_code import check_architectures as check\n"
        "check(Path('bert')); check(Path('own'))"
    )
    result = run([str(light.python), "-c", program], cwd=tmp_path)

    assert result.err.splitlines()[-1] == f"simil.errors.ExtraMissing: the architecture 'own' {_NEEDED}"


def test_a_required_package_that_is_gone_is_named(light: Light, tmp_path: Path) -> None:
    """onnx writes graphs: a model that is prepared does not need it."""
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['onnx'] = None", "utf-8")
    hidden = {"PYTHONPATH": str(tmp_path)}
    light("models prepare minilm")

    assert light("compare -m minilm --no-cache Apple Orange", **hidden).out.startswith("0.3725")
    result = light("compare -m minilm Apple Orange", SIMIL_CACHE_DIR=str(tmp_path / "cache"), **hidden)
    assert result.error_line == "onnx cannot be imported, which simil requires; run: simil doctor"
    assert result.code == 4
