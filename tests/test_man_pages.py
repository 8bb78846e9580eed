"""The manual pages: one for each command, of all that the help says, without mistakes."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import man_pages
import pytest

import simil
from simil.cli.help.command_page import page_names, page_of

_MACROS = {"TH", "SH", "SS", "PP", "TP", "br", "nf", "fi", "RS", "RE"}
_SECTIONS = [
    "NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "ARGUMENTS", "OPTIONS", "EXAMPLES", "ENVIRONMENT",
    "EXIT STATUS", "SEE ALSO",
]  # fmt: skip
# What roff stands for, the other way round.
_UNESCAPED = {"\\-": "-", "\\(aq": "'", "\\(ga": "`", "\\(ha": "^", "\\(ti": "~", "\\&": "", "\\e": "\\"}
_LINTERS = [["mandoc", "-T", "lint", "-W", "error"], ["groff", "-man", "-ww", "-z", "-Tutf8"]]
FOUND = [command for command in _LINTERS if shutil.which(command[0])]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages as they are written when a wheel is built: by a Python that has no packages."""
    folder = tmp_path_factory.mktemp("man")
    command = [sys.executable, "-S", "-W", "error", man_pages.__file__, str(folder)]
    subprocess.run(command, env={"PYTHONPATH": str(Path(simil.__file__).parents[1])}, check=True)
    return folder


def test_there_is_a_page_for_each_command(folder: Path) -> None:
    assert {file.name for file in folder.iterdir()} == {
        f"{page_of(name).title.replace(' ', '-')}.1" for name in page_names()
    }


@pytest.mark.parametrize("name", page_names())
def test_a_page_holds_all_of_the_help(folder: Path, name: str) -> None:
    page = page_of(name)
    source = folder.joinpath(f"{page.title.replace(' ', '-')}.1").read_text("ascii")
    requests = re.findall(r"^[.'](\w*)", source, re.MULTILINE)
    sections = re.findall(r"^\.SH (.*)", source, re.MULTILINE)
    words = _as_read(source)

    assert {*requests} <= _MACROS
    assert sections == [section for section in _SECTIONS if section in sections]
    assert {"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES", "EXIT STATUS"} <= {*sections}
    for entry in (*page.arguments, *(entry for group in page.groups for entry in group.entries)):
        notes = "".join(f" [{note}]" for note in entry.notes)
        assert f"\n{entry.label}\n{entry.help}{notes}\n" in words
    for part in (*page.usage, *page.description, *(example.command for example in page.examples)):
        assert f"\n{part}\n" in words


def _as_read(source: str) -> str:
    """Return the lines of a page as its reader sees them, not yet filled."""
    source = re.sub(r"\\f[BIR]", "", source)
    return re.sub(r"\\(?:\(\w\w|.)", lambda escape: _UNESCAPED[escape[0]], source)


@pytest.mark.parametrize("linter", [["true"], *FOUND], ids=lambda command: command[0])
def test_linters_find_nothing(folder: Path, linter: list[str]) -> None:
    done = subprocess.run([*linter, *sorted(folder.iterdir())], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_roff_would_take_for_its_own_is_escaped() -> None:
    page = page_of("models path").replaced(purpose="Print C:\\new, `it's` -x ^ ~.", usage=("simil 'a' .b",))
    source = man_pages.man_page(page.replaced(description=(".hidden is 'shown'", "'so is this")))

    assert "Print C:\\new, `it's` -x ^ ~.\n" in _as_read(source)
    assert "\n.hidden is 'shown'\n" in _as_read(source)
    assert not re.search(r"^(\.hidden|')", source, re.MULTILINE)
