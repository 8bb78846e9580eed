"""Build the wheel, install it in a separate environment, and use it outside the source tree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
        (wheel,) = folder.glob("*.whl")
        check_contents(wheel)
        venv.create(folder / "env", with_pip=True)
        python = folder / "env/bin/python"
        constraints = ROOT / "constraints.txt"
        run(
            python,
            "-m",
            "pip",
            "install",
            "-q",
            "--disable-pip-version-check",
            "-c",
            constraints,
            wheel,
            cwd=folder,
        )
        check_use(folder / "env/bin/simil", folder)
    print(f"wheel: {wheel.name} holds the embedded model and works outside the source tree")


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
    """Compare two words and embed two lines, offline and without any cache."""
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


def run(*command: object, cwd: Path, env: dict[str, str] | None = None) -> str:
    return subprocess.run(
        [str(part) for part in command], cwd=cwd, env=env, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


if __name__ == "__main__":
    main()
