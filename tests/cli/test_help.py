"""What `-h` and `--help` show, on terminals of three widths, and that what they say is so.

`UPDATE_CASES=1 pytest tests/cli/test_help.py` writes what is shown now into the files under `help`; read the
difference before it is kept. They hold each part once: what commands share stands where it comes first. On 40
and 120 columns they hold some commands; all of them show the same words on any terminal.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from support.command import on_terminal, shell, simil
from typer.main import get_command

from simil.cli.command_registry import COMMANDS, GROUPS, command_named
from simil.cli.help.about_simil import HEADINGS
from simil.cli.help.command_page import page_names, page_of
from simil.cli.help.help_text import full_help, short_help
from simil.cli.options.fast_typer import Command, typer_function
from simil.cli.options.groups import ExpandedCommand
from simil.config import VARIABLES, load_settings
from simil.formats.text_limit import MAX_TEXT_BYTES
from simil.index.word_tokens import DEFAULT_LANGUAGE
from simil.tasks.reranking import CANDIDATES
from simil.tasks.retrieval import TOP_K

GOLDEN, ROOT = Path(__file__).with_name("help"), Path(__file__).parents[2]
PAGES = {name: page_of(name) for name in page_names()}
DOCUMENTS = (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"))
# Commands in the documentation that are not run there; the others are, by `test_readme.py`.
NOT_RUN = {
    line
    for page in DOCUMENTS
    for block in re.findall(r"```sh\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    for line in re.findall(r"^simil [a-z](?!.*(?:\[OPTIONS\]|\[COMMAND\])).*", block, re.MULTILINE)
}
EXAMPLES = sorted({example.command for page in PAGES.values() for example in page.examples} | NOT_RUN)
ENTRIES = [
    (page.title, entry)
    for page in PAGES.values()
    for entry in (*page.arguments, *(entry for group in page.groups for entry in group.entries))
]
SOME = ("", " classify", " search", " cache prune")
# Runs every command with -h and --help in one process, on the terminal that it is started on.
_PROGRAM = """
from simil.cli.app import run
from simil.cli.help.command_page import page_names
for name in page_names():
    for option in ("-h", "--help"):
        print("$", " ".join(["simil", *name.split(), option]), flush=True)
        run([*name.split(), option])
"""


@cache
def shown(columns: int) -> dict[str, str]:
    """Return what a terminal of so many columns shows, by the command line."""
    command = shlex.join([sys.executable, "-c", _PROGRAM])
    result = on_terminal(command, columns, env={"NO_COLOR": "1"})
    assert result.code == 0, result.out
    answers = re.split(r"^\$ (.*)\n", result.out, flags=re.MULTILINE)[1:]
    return dict(zip(answers[::2], answers[1::2], strict=True))


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_help_on_a_terminal(columns: int) -> None:
    golden = GOLDEN / f"{columns}.txt"
    answers = shown(columns)
    if columns != 80:
        answers = {f"simil{name} --help": answers[f"simil{name} --help"] for name in SOME}
    found = _without_repetitions(answers)
    if os.environ.get("UPDATE_CASES"):
        golden.write_text(found)

    assert found == golden.read_text()


def _without_repetitions(answers: dict[str, str]) -> str:
    """Return all answers in one text, without the parts that came before."""
    seen: set[str] = set()
    lines = []
    for command, answer in answers.items():
        parts = [part for part in answer.strip("\n").split("\n\n") if part not in seen]
        seen.update(parts)
        lines.append("\n\n".join([f"$ {command}", *parts]))
    return "\n\n\n".join(lines) + "\n"


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_nothing_is_cut_and_no_line_is_too_long(columns: int) -> None:
    answers = shown(columns)
    for page in PAGES.values():
        for option, render in (("-h", short_help), ("--help", full_help)):
            answer = answers[f"{page.title} {option}"]
            assert max(map(len, answer.splitlines())) <= min(columns, 100)
            assert _words(answer) == _words(render(page, 10_000))
            assert answer.isascii()
        for _, entry in ((title, entry) for title, entry in ENTRIES if title == page.title):
            assert re.search(rf"^ +{re.escape(entry.label)}(  |$)", answer, re.MULTILINE), entry.label


def _words(text: str) -> list[str]:
    # At the end of a line, a backslash continues an example.
    return [word.lstrip("#") for word in text.split() if word.strip("\\#")]


def test_a_summary_fits_on_a_screen() -> None:
    for page in PAGES.values():
        assert len(page.common) <= 10
        assert len(page.examples) <= 3
        assert len(short_help(page, 80).splitlines()) <= 60


def test_headings_and_names_have_colours_on_a_terminal_that_shows_them() -> None:
    shown_in_colours = on_terminal("simil cache clear -h", 80).out
    plain = short_help(PAGES["cache clear"], 80)

    assert "\x1b[1mOptions:\x1b[0m\n  \x1b[36m-q, --quiet\x1b[0m  Print" in shown_in_colours
    assert re.sub(r"\x1b\[\d+m", "", shown_in_colours) == plain
    assert on_terminal("simil cache clear -h", 80, env={"TERM": "dumb"}).out == plain
    assert simil("cache", "clear", "-h").out == plain


@pytest.mark.parametrize(
    ("line", "page", "full"),
    [
        ("", "", False),
        ("help", "", True),
        ("help search", "search", True),
        ("help models pull", "models pull", True),
        ("search needle -k 3 -h", "search", False),
        ("search --help needle", "search", True),
        ("models show -h", "models show", False),
        ("cache", "cache", False),
    ],
)
def test_the_ways_to_ask(line: str, page: str, full: bool) -> None:
    render = full_help if full else short_help
    assert simil(*line.split(), env={"NO_COLOR": "1"}).out == render(PAGES[page], 80)


def test_a_text_may_be_called_like_the_option() -> None:
    assert simil("embed", "-f", "csv", "--text", "-h").out.startswith("id,text,model,")


def test_an_unknown_command_has_no_help() -> None:
    result = simil("help", "serch")
    assert result.code == 2
    assert result.error_line == "there is no command 'serch'; did you mean search?"
    assert (
        simil("help", "models", "pul").error_line
        == "there is no command 'models pul'; did you mean models pull?"
    )


def test_the_version_by_either_name() -> None:
    assert simil("-V").out == simil("--version").out


def test_every_command_stands_under_a_heading() -> None:
    assert sorted(name for names in HEADINGS.values() for name in names) == sorted([*COMMANDS, "help"])


class _Unrun(ExpandedCommand):
    """Takes the options of a command, and does nothing."""

    def __init__(self, command: ExpandedCommand) -> None:
        self._command = command
        self.__name__ = command.__name__

    def __call__(self, **given: Any) -> None:
        pass

    @property
    def parameters(self) -> Any:
        return self._command.parameters


@pytest.mark.parametrize("line", EXAMPLES)
def test_every_example_is_a_command_line_that_simil_takes(line: str) -> None:
    command, _, _ = re.sub(r'.*"\$\((.*)\)"', r"\1", line).partition(" > ")
    words = shlex.split(command)
    if words[0] == "curl" or words[1] == "help":
        return
    del words[0]
    name = " ".join(words[: 1 + (words[0] in GROUPS and words[1:2] != [] and words[1][0] != "-")])
    app = typer.Typer(add_completion=False)
    app.command(cls=Command)(
        typer_function(_Unrun(command_named(name if name != "models" else "models list")))
    )
    get_command(app).main(words[len(name.split()) :], standalone_mode=False)


@pytest.mark.parametrize("variable", [name for name in VARIABLES if name.startswith("SIMIL_")])
def test_every_variable_is_named(variable: str) -> None:
    named = {entry.variable for _, entry in ENTRIES} | {one.name for one in PAGES[""].variables}
    assert variable in named


def test_no_other_variable_is_named() -> None:
    others = {"RAY_ADDRESS", "SIMIL_SERVE_API_KEY", ""}
    assert {entry.variable for _, entry in ENTRIES} <= {*VARIABLES, *others}


def test_defaults_are_those_that_hold() -> None:
    settings = load_settings(environ={}, directory=Path(__file__).parent)
    held = {
        ("search", "--top-k"): TOP_K,
        ("search", "--candidates"): CANDIDATES,
        ("search", "--language"): DEFAULT_LANGUAGE,
        ("search", "--max-text-bytes"): MAX_TEXT_BYTES,
        ("search", "--engine"): settings.engine,
        ("search", "--precision"): settings.precision,
        ("search", "--overflow"): settings.overflow,
        ("search", "--concurrency"): settings.concurrency,
        ("search", "--retries"): settings.retries,
        ("search", "--base-url"): settings.openai.base_url,
    }
    for (command, option), value in held.items():
        (entry,) = (one for title, one in ENTRIES if title == f"simil {command}" and option in one.names)
        assert entry.default.partition(";")[0] == str(value)


# A command line for each option that has choices, which the value `nonsense` makes wrong.
WRONG_CHOICES = (
    "compare --metric", "compare --format", "compare --engine", "compare --device", "compare --precision",
    "compare --overflow", "embed --format", "embed --kind", "embed --input-format", "embed --on-error",
    "search --on-error", "search --chunk", "outliers --method", "dedupe --show", "index --kind",
    "models --for", "models --format", "cache info --format",
)  # fmt: skip
GIVEN = {"compare": "a b", "search": "a -", "index": "a.lance"}


def test_choices_are_those_that_are_taken() -> None:
    lines = [f"simil {line} nonsense {GIVEN.get(line.split()[0], '')}" for line in WRONG_CHOICES]
    said = shell("\n".join(f"{line} < /dev/null" for line in lines)).err.splitlines()

    for line, answer in zip(WRONG_CHOICES, said, strict=True):
        title, option = f"simil {line.rpartition(' ')[0]}", line.rpartition(" ")[2]
        (entry,) = (entry for owner, entry in ENTRIES if owner == title and option in entry.names)
        _, _, hint = answer.partition("; choose ")
        allowed = re.split(", or |, | or ", hint.removeprefix("one of ").removesuffix(" as in tokens:256/32"))
        assert sorted(allowed) == sorted(entry.choices), answer
