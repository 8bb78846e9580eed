"""What `--help` shows on a terminal of ordinary width."""

from __future__ import annotations

import re

import pytest
from support.command import simil

from simil.texts import InputFormat
from simil.vectors import VectorFormat

COMMANDS = (
    "compare", "embed", "search", "classify", "cluster", "outliers", "dedupe", "match", "eval", "serve",
    "mcp", "doctor",
)  # fmt: skip
# The name of an option, and of its value; a value that is too long for its cell goes on in the next row.
VALUE = re.compile(r"^│ --[a-z-]+ +(?:-\w +)?(\S*\|\S*) .*\n│ {12,30}(\S+)", re.MULTILINE)


def shown(command: str) -> str:
    """Return the help of a command as it is wrapped to 80 columns."""
    return simil(command, "--help", env={"COLUMNS": "80"}).out


@pytest.mark.parametrize("command", COMMANDS)
def test_no_list_of_choices_is_broken(command: str) -> None:
    assert VALUE.findall(shown(command)) == []


@pytest.mark.parametrize(("option", "formats"), [("--input-format", InputFormat), ("--format", VectorFormat)])
def test_every_format_is_named(option: str, formats: type[InputFormat | VectorFormat]) -> None:
    _, _, rest = shown("embed").partition(f"│ {option} ")
    description = rest.partition("│ --")[0]
    assert set(formats) <= set(re.findall(r"\w+", description))
