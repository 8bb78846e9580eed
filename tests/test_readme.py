"""Every example of the README is run, and prints what the README says it prints."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support import jq_command
from support.fork_server import install_simil
from support.process_defaults import INITIAL_ENVIRONMENT

ROOT = Path(__file__).parents[1]
NUMBER = re.compile(r"-?\d+\.\d+")


def tour():
    """The console examples of the tour, as (command, output) in their order."""
    text = (ROOT / "README.md").read_text("utf-8")
    section = text[text.index("## A tour") : text.index("## Models")]
    for block in re.findall(r"```console\n(.*?)```", section, re.DOTALL):
        yield from re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)


def same(printed, promised):
    """Equal but for the last digits of numbers, which depend on the processor."""
    numbers = zip(NUMBER.findall(printed), NUMBER.findall(promised), strict=False)
    return NUMBER.sub("#", printed) == NUMBER.sub("#", promised) and all(
        abs(float(left) - float(right)) < 2e-4 for left, right in numbers
    )


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A folder with the repository's files that the tour reads; what it writes stays there."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("LICENSE", "src/simil/models/minilm/LICENSE", "tests/data/packages.tsv"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((ROOT / name).read_bytes())
    return folder


def test_the_tour_prints_what_the_readme_says(checkout, tmp_path):
    examples = list(tour())
    assert len(examples) >= 12
    jq_command.install(tmp_path)
    install_simil(tmp_path)
    environment = INITIAL_ENVIRONMENT | {
        "PATH": f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "SIMIL_MODEL": "minilm",
        "HF_HUB_OFFLINE": "1",
    }
    for command, promised in examples:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=checkout,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert same(done.stdout + done.stderr, promised), f"{command}\n{done.stdout}{done.stderr}"


def test_the_first_commands_are_targets_of_the_makefile():
    readme = (ROOT / "README.md").read_text("utf-8")
    targets = set(re.findall(r"^([\w.]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    wanted = re.findall(r"^\$ make (\w+)$", readme, re.MULTILINE)
    assert wanted[:2] == ["demo", "test"]
    assert set(wanted) <= targets


def test_the_python_examples_are_true():
    readme = (ROOT / "README.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", readme[readme.index("## Python") :], re.DOTALL)
    names: dict[str, object] = {}
    checked = 0
    for line in "".join(blocks).splitlines():
        code, _, promised = map(str.strip, line.partition("  # "))
        if not promised:
            exec(code, names)
            continue
        value = eval(code, names)
        shown = f"{value.dtype}, shape {value.shape}" if getattr(value, "ndim", 0) == 2 else str(value)
        assert shown.startswith(promised.rstrip("…")), line
        checked += 1
    assert checked == 6
