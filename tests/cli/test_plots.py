"""`--plot` of the commands: real files, looked into, and the terminal."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from matplotlib import image
from support.command import on_terminal, simil

TEXTS = ["Apple", "Orange", "Lightning", "$5 & <script>alert(1)</script>", "雷と稲妻"]
TOPICS = [
    f"{what} number {number}"
    for what in ("a red apple", "a fast car", "rain and thunder")
    for number in range(8)
]


def is_picture(path: Path) -> bool:
    """Whether the file is a png in which something is drawn."""
    data = path.read_bytes()
    pixels = np.asarray(image.imread(io.BytesIO(data)))
    return data.startswith(b"\x89PNG") and pixels.ndim == 3 and len(np.unique(pixels)) > 20


def test_a_comparison_is_a_heat_map(tmp_path: Path) -> None:
    result = simil("compare", *TEXTS, "--plot", "m.png", cwd=tmp_path)
    assert (result.code, result.err) == (0, "")
    assert result.out.count("\n") == len(TEXTS) + 1
    assert is_picture(tmp_path / "m.png")


def test_the_same_comparison_is_the_same_picture(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg", "a.png", "b.png"):
        assert simil("compare", *TEXTS, "--plot", name, "-q", cwd=tmp_path).code == 0
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    root = ET.parse(tmp_path / "a.svg").getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert b"<script" not in (tmp_path / "a.svg").read_bytes()


@pytest.mark.parametrize("command", [["cluster", "-n", "3"], ["outliers", "-n", "2"]])
@pytest.mark.parametrize("name", ["map.png", "map.svg", "map.html"])
def test_a_map_of_texts(command: list[str], name: str, tmp_path: Path) -> None:
    texts = [*TOPICS, *TEXTS]
    result = simil(*command, "--plot", name, stdin="\n".join(texts).encode(), cwd=tmp_path)
    assert result.code == 0, result.err
    assert result.out
    if name.endswith("png"):
        assert is_picture(tmp_path / name)
        return
    drawn = (tmp_path / name).read_text("utf-8")
    if name.endswith("svg"):
        assert ET.fromstring(drawn).tag.endswith("svg")
        return
    # All of it is in the file, and a text is no part of the page.
    assert not re.search(r"<(script|link|img)[^>]* (src|href)=", drawn)
    assert "alert(1)</script>" not in drawn
    assert "a red apple number 3" in drawn


def test_umap_draws_a_map(tmp_path: Path) -> None:
    stdin = "\n".join(TOPICS).encode()
    command = ("cluster", "-n", "3", "--plot", "u.png", "--projection", "umap")
    # UMAP as Python runs it: to compile it, as tests of the projection do, takes longer than all the rest.
    result = simil(*command, stdin=stdin, cwd=tmp_path, env={"NUMBA_DISABLE_JIT": "1"})
    assert (result.code, result.err) == (0, "")
    assert is_picture(tmp_path / "u.png")


@pytest.mark.parametrize("columns", [40, 80])
def test_the_terminal_is_drawn_on(columns: int, tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("\n".join(TOPICS), "utf-8")
    result = on_terminal("NO_COLOR=1 simil cluster -n 3 --plot - t.txt", columns, cwd=tmp_path)
    assert result.code == 0
    lines = result.out.replace("\r", "").splitlines()
    assert lines[0].startswith("Clusters")
    assert max(map(len, lines)) <= columns
    assert len(lines) > 12
    assert "\x1b" not in result.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a", "b", "--plot", "x.pdf"], "--plot cannot be 'x.pdf'"),
        (["a", "b", "--plot", "none/x.png"], "its folder does not exist"),
        (["--pairs", "x.tsv", "--plot", "x.png"], "--pairs has no matrix"),
    ],
)
def test_what_cannot_be_drawn_is_said_before_any_work(arguments: list[str], said: str) -> None:
    result = simil("compare", *arguments, env={"SIMIL_MODEL": "org/none", "HF_HUB_OFFLINE": "1"})
    assert result.code == 2
    assert said in result.error_line


def test_an_unknown_projection() -> None:
    result = simil("cluster", "--plot", "x.png", "--projection", "tsne", stdin=b"a\nb\n")
    assert result.code == 2
    assert "--projection" in result.error_line


def test_a_missing_library_is_named(tmp_path: Path) -> None:
    # Nothing is found under these names: as where the extra is not installed.
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nfor name in ('matplotlib', 'plotext'):\n    sys.modules[name] = None\n",
        "utf-8",
    )
    env = {"PYTHONPATH": str(tmp_path)}
    result = simil("compare", "a", "b", "--plot", "x.png", env=env)
    assert result.code == 4
    assert "pip install 'simil-cli[plot]'" in result.error_line
    result = simil("compare", "a", "b", "--plot", "x.html", env=env, cwd=tmp_path)
    assert result.code == 0
    assert (tmp_path / "x.html").stat().st_size < 30_000
