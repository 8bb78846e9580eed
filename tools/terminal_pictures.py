"""Run the commands of the pictures in the documentation on a terminal, and draw what they print as SVG.

python tools/terminal_pictures.py            all pictures, into docs/pictures
python tools/terminal_pictures.py readme     one of them
"""

from __future__ import annotations

import io
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pexpect
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "pictures"
_COLUMNS = 88
_TIMEOUT_S = 120
# A line of progress that has been erased.
_ERASED = re.compile(r"[^\n]*\n?(?:\x1b\[\?25h)?\r(?:\x1b\[1A)?\x1b\[2K")


@dataclass(frozen=True)
class Picture:
    """What a reader types, line by line, and the title above it."""

    title: str
    commands: tuple[str, ...]


PICTURES: Mapping[str, Picture] = {
    "readme": Picture(
        "simil",
        (
            'simil compare "The cat sat on the mat." "A kitten is resting on the rug."',
            'simil search "play chess against the computer" packages.tsv --field summary -k 3',
            "simil cluster packages.tsv --field summary -n 5",
        ),
    ),
    "matrix": Picture(
        "More than two texts give a matrix",
        ('simil compare "How do I reset my password?" "I can\'t log in" "What is the weather like?"',),
    ),
    "clusters": Picture("Groups of similar rows", ("simil cluster packages.tsv --field summary -n 10",)),
    "outliers": Picture(
        "Texts that fit in least, with their nearest neighbours",
        ("simil outliers packages.tsv --field summary -n 5",),
    ),
    "error": Picture(
        "An error says what is wrong, where, and what to do",
        ('simil search "chess" packages.tsv --field sumary',),
    ),
}

# Rich's own frame loads a font from another site.
_FRAME = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
  font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px;
  line-height: {line_height}px;
  font-variant-east-asian: full-width;
}}
.{unique_id}-title {{
  font-size: 18px; font-weight: bold; font-family: system-ui, sans-serif;
}}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def drawn(name: str) -> str:
    """Run the commands of a picture, and return it as SVG."""
    console = Console(record=True, width=_COLUMNS, file=io.StringIO(), force_terminal=True)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(ROOT / "tests/data/packages.tsv", folder)
        for number, command in enumerate(PICTURES[name].commands):
            console.print(
                Text(("\n" if number else "") + "$ ", style="green") + Text(command, style="bold white")
            )
            for line in Text.from_ansi(_shown(command, Path(folder)).rstrip("\n")).split("\n"):
                for piece in line.divide(range(_COLUMNS, len(line), _COLUMNS)):
                    console.print(piece, overflow="crop", no_wrap=True)
    return console.export_svg(title=PICTURES[name].title, code_format=_FRAME, unique_id=f"terminal-{name}")


def _shown(command: str, folder: Path) -> str:
    """Return what a terminal shows of a command, with its colours."""
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "HF_HUB_OFFLINE": "1",
        "SIMIL_MODEL": "minilm",
        "TERM": "xterm-256color",
    }
    child = pexpect.spawn(
        "/bin/sh",
        ["-c", command],
        dimensions=(40, _COLUMNS),
        cwd=str(folder),
        env=environment,
        encoding="utf-8",
        timeout=_TIMEOUT_S,
    )
    child.expect(pexpect.EOF)
    child.close()
    return _ERASED.sub("", child.before).replace("\r\n", "\n")


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name in sys.argv[1:] or PICTURES:
        (FOLDER / f"{name}.svg").write_text(drawn(name), "utf-8")


if __name__ == "__main__":
    main()
