"""Build the wheel, install it in a separate environment without PyTorch, and use it outside of the source."""

from __future__ import annotations

import email
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

from linked_environment import link_environment, read_requirements
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wheel = built(folder)
        check_contents(wheel)
        python = installed(wheel, folder / "env")
        check_place(python, folder)
        check_use(folder / "env/bin/simil", folder)
        check_manual(folder / "env/share/man/man1")
    print(
        f"wheel: {wheel.name} holds the embedded model, and works outside the source tree and without PyTorch"
    )


def built(folder: Path) -> Path:
    """Build the wheel in a folder that holds none, and return its path."""
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    return wheel


def installed(wheel: Path, environment: Path, others: Iterable[str] = ()) -> Path:
    """Install the wheel by pip into an environment of its own, and return that environment's Python.

    The wheel must ask for what this environment has. There are links to those of these packages that an
    installation without PyTorch has, and to `others`, and none to the source tree.
    """
    light = read_requirements(ROOT / "requirements-light.txt")
    python = link_environment(environment, [*light, *map(Requirement, others)])
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python)
    run(*pip, "install", "-q", "--no-deps", wheel, cwd=environment)
    with zipfile.ZipFile(wheel) as archive:
        (facts,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        asked = email.message_from_bytes(archive.read(facts)).get_all("Requires-Dist")
    if sorted(asked or ()) != sorted(importlib.metadata.requires("simil-cli") or ()):
        raise SystemExit("the wheel asks for other packages than are installed here; run: make install")
    return python


def check_place(python: Path, folder: Path) -> None:
    """The package that is used must be the installed one."""
    found = run(python, "-c", "import simil; print(simil.__file__)", cwd=folder).strip()
    if not found.startswith(str(folder)):
        raise SystemExit(f"simil is not used from the wheel, but from {found}")


def check_contents(wheel: Path) -> None:
    """Check that every file in the model's list of checksums is in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        inside = "simil/models/minilm/"
        listed = json.loads(archive.read(f"{inside}origin.json"))["sha256"]
    missing = {f"{inside}{name}" for name in (*listed, "LICENSE")} | {
        "simil/py.typed",
        "simil/models/catalog.toml",
        "simil/tasks/evaluation/demo/pairs.tsv",
        "simil/tasks/evaluation/demo/queries.tsv",
    }
    missing -= names
    if missing:
        raise SystemExit(f"the wheel lacks {', '.join(sorted(missing))}")


def check_use(simil: Path, folder: Path) -> None:
    """Compare two words, embed two lines and run the doctor, offline and without any cache."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "HF_HUB_OFFLINE": "1"}
    version = run(simil, "--version", cwd=folder, env=environment)
    score = float(run(simil, "compare", "-m", "minilm", "Apple", "Orange", cwd=folder, env=environment))
    lines = run(
        simil,
        "embed",
        "-m",
        "minilm",
        "-t",
        "Apple",
        "-t",
        "Orange",
        "-f",
        "jsonl",
        cwd=folder,
        env=environment,
    )
    first, second = (json.loads(line)["embedding"] for line in lines.splitlines())
    product = sum(left * right for left, right in zip(first, second, strict=True))
    if not version.startswith("simil ") or abs(score - product) > 1e-5 or len(first) != 384:
        raise SystemExit(
            f"the installed wheel gives {version!r}, {score}, {product}, {len(first)} dimensions"
        )
    said = run(simil, "doctor", "--offline", cwd=folder, env=environment)
    if "note\tsentence-transformers\tis not installed" not in said:
        raise SystemExit(f"the doctor does not miss sentence-transformers:\n{said}")


def check_manual(folder: Path) -> None:
    """Check that the manual pages are where `man` looks for them, beside the folder of the command."""
    for name in ("simil.1", "simil-search.1", "simil-models-pull.1"):
        if not folder.joinpath(name).is_file():
            raise SystemExit(f"the wheel installs no manual page {name}")


def run(*command: object, cwd: Path, env: dict[str, str] | None = None) -> str:
    return subprocess.run(
        [str(part) for part in command], cwd=cwd, env=env, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


if __name__ == "__main__":
    main()
