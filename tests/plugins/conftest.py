from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Ran = subprocess.CompletedProcess[str]
Simil = Callable[..., Ran]

_PROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "simil-{name}"
version = "1.0"

[project.entry-points."simil.embedders"]
{name} = "simil_{name}:{what}"

[tool.hatch.build.targets.wheel]
only-include = ["simil_{name}.py"]
"""

# A plug-in of ten lines.
LETTERS = """\
import numpy as np

from simil.embedders.base import Embedder


class Letters(Embedder):
    dimensions = 26

    def embed_batch(self, texts):
        return np.array([[text.lower().count(chr(97 + i)) for i in range(26)] for text in texts], float)
"""

BROKEN = """\
import no_such_module_anywhere


class Letters:
    pass
"""


def install(name: str, code: str, work: Path, target: Path, *, what: str = "Letters") -> None:
    """Install a package with one plug-in by pip into a new folder."""
    project = work / f"simil-{name}"
    project.mkdir()
    (project / "pyproject.toml").write_text(_PROJECT.format(name=name, what=what), "utf-8")
    (project / f"simil_{name}.py").write_text(code, "utf-8")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run(
        [*pip, "--no-build-isolation", "--no-index", "--target", target, project], check=True, timeout=60
    )


def declare(name: str, code: str, target: Path, *, what: str = "Letters") -> None:
    """Like `install`, but write the files that pip would write, which saves two seconds."""
    info = target / f"simil_{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (target / f"simil_{name}.py").write_text(code, "utf-8")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: simil-{name}\nVersion: 1.0\n", "utf-8")
    (info / "entry_points.txt").write_text(f"[simil.embedders]\n{name} = simil_{name}:{what}\n", "utf-8")


@pytest.fixture
def simil(tmp_path: Path) -> Simil:
    """Run the command in its own process, with the packages of a folder."""

    def run(packages: Path, *arguments: str, stdin: str = "") -> Ran:
        return subprocess.run(
            [sys.executable, "-W", "error", "-m", "simil", *arguments],
            input=stdin,
            env=os.environ | {"PYTHONPATH": str(packages), "PYTHONDONTWRITEBYTECODE": "1"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run
