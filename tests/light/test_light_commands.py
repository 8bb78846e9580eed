"""In an installation without PyTorch all commands do with `minilm` what they do in any."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest
from linked_environment import read_requirements
from packaging.requirements import Requirement
from support.command import run, simil

from light.conftest import REQUIREMENTS, Light
from simil.cli.command_registry import COMMANDS

ROOT = Path(__file__).parents[2]
ALIKE = (
    "compare Apple Orange",
    "compare -f json Apple Orange Lightning",
    "compare -m ./dense Apple Orange",
    "compare -m ./cross-encoder Apple Orange",
    "embed texts.txt",
    "embed texts.txt -f npy -o vectors.npy",
    "embed texts.txt --overflow chunk -f base64 --dimensions 64",
    "search kitten texts.txt -k 2",
    "search kitten texts.txt -k 2 --rerank ./cross-encoder",
    "classify texts.txt --label pets --label money",
    "classify texts.txt --examples labelled.csv --method logistic",
    "cluster texts.txt -n 2",
    "outliers texts.txt --method lof",
    "dedupe texts.txt --threshold 0.6",
    "match texts.txt labelled.csv --field text --threshold 0",
    "config trust",
)
# What these print differs, but has this in it.
HOLDING = {
    # Without [documents], HTML in folders is the text that it is, and other documents are no texts.
    "search -q -r kitten pages": "<p>A kitten plays.</p>",
    "eval pairs.tsv --field left --field right --resamples 0": "minilm\t0.894427",
    "models": "minilm\ttrue\tembedded",
    "models prepare minilm": "all-MiniLM-L6-v2",
    "cache verify": "none damaged",
    "doctor --offline --deep": "ok\tengine onnx\tgives the right vector for minilm",
}
# What needs an extra, which no environment has, or a server: the code and a part of what is said instead.
REFUSED = {
    "index texts.lance": (4, "pip install 'simil-cli[lance]'"),
    "search kitten page.html": (4, "page.html needs markitdown"),
    "embed --whole report.pdf": (4, "pip install 'simil-cli[documents]'"),
    "serve": (4, "pip install 'simil-cli[serve]'"),
    "mcp": (4, "pip install 'simil-cli[mcp]'"),
    "batch list --base-url ftp://localhost": (2, "the base URL is not an http(s) address"),
}


def test_the_list_of_requirements_lacks_one_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    required = [Requirement(line) for line in project["dependencies"]]

    assert read_requirements(REQUIREMENTS) == [
        each for each in required if each.name != "sentence-transformers"
    ]
    assert len(read_requirements(REQUIREMENTS)) == len(required) - 1
    for page in ("README.md", "docs/installing.md"):
        text = (ROOT / page).read_text("utf-8")
        assert re.search(r"install .*-r requirements-light.txt\n\S*pip install --no-deps", text), page


def test_the_environment_lacks_the_libraries(light: Light) -> None:
    names = ("sentence_transformers", "transformers", "torch", "openvino", "pytest")
    program = f"from importlib.util import find_spec; print([find_spec(name) for name in {names}])"

    assert run([str(light.python), "-c", program]).out == f"{[None] * len(names)}\n"


def test_every_command_is_tried() -> None:
    assert {line.split()[0] for line in (*ALIKE, *HOLDING, *REFUSED)} == {*COMMANDS}


@pytest.mark.parametrize("line", ALIKE)
def test_a_command_prints_what_it_prints_with_pytorch(light: Light, line: str) -> None:
    found = light(line)

    assert found == simil(*shlex.split(line), cwd=light.folder)
    assert found.code == 0


@pytest.mark.parametrize("line", HOLDING)
def test_a_command_works(light: Light, line: str) -> None:
    found = light(line)

    assert HOLDING[line] in found.out
    assert (found.code, found.err) == (0, "")


@pytest.mark.parametrize("line", REFUSED)
def test_a_command_says_what_it_needs(light: Light, line: str) -> None:
    found = light(line)

    code, said = REFUSED[line]
    assert (found.code, found.out) == (code, "")
    assert said in found.err


def test_the_python_interface_works(light: Light) -> None:
    program = "import simil; print(simil.compare('Apple', 'Orange', model='minilm'))"

    assert run([str(light.python), "-c", program]).out.startswith("0.3725")
