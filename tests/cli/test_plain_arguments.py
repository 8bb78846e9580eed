"""A command line that is read without Typer means what Typer takes it for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import pytest
import typer
from typer.main import get_command

from simil.cli.command_registry import SIMPLE_COMMANDS, command_named
from simil.cli.options.declarations import Option
from simil.cli.options.fast_typer import Command, typer_function
from simil.cli.options.groups import ExpandedCommand
from simil.cli.options.plain_arguments import plain_values

_LINES = 150
_VALUES = ("a", "", " ", "-", "ä b", "5", "minilm", "a=b", "on", "compare", "@a", "\n", "\udcff")
# What only Typer reads, or nobody.
_OTHERS = ("--", "-qv", "-mminilm", "--model=minilm", "--modell", "-Z", "-1", "--help", "--no-quiet")


class _Recorder(ExpandedCommand):
    """Takes the place of a command, and notes the values that it is called with."""

    def __init__(self, command: ExpandedCommand) -> None:
        self._command = command
        self.__name__, self.__doc__ = command.__name__, ""
        self.given: dict[str, Any] = {}

    def __call__(self, **given: Any) -> None:
        self.given = given

    @property
    def parameters(self) -> Any:
        return self._command.parameters


def _by_typer(arguments: Sequence[str], command: ExpandedCommand) -> dict[str, Any]:
    recorder = _Recorder(command)
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(cls=Command)(typer_function(recorder))
    get_command(app).main([*arguments], standalone_mode=False)
    return recorder.given


def _lines(command: ExpandedCommand) -> Iterator[list[str]]:
    random = Random(command.__name__)
    declared = [parameter.annotation.__metadata__[0] for parameter in command.parameters]
    names = [name for one in declared if isinstance(one, Option) for name in one.names]
    for _ in range(_LINES):
        line = []
        for _ in range(random.randrange(7)):
            line += random.choice([[random.choice(_VALUES)], [random.choice(names), random.choice(_VALUES)]])
        if random.random() < 0.1:
            line.insert(random.randrange(len(line) + 1), random.choice(_OTHERS))
        yield line


@pytest.mark.parametrize("name", SIMPLE_COMMANDS)
def test_what_is_read_without_typer_means_the_same(name: str) -> None:
    command = command_named(name)
    plain = 0
    for line in _lines(command):
        values = plain_values(line, command.parameters)
        if values is not None:
            plain += 1
            assert values == _by_typer(line, command), line
    assert plain > 10 or name == "match"  # Which has two arguments, and leaves them to Typer.


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["Apple", "Orange"], {"texts": ["Apple", "Orange"]}),
        ([], {}),
        (["-"], {"texts": ["-"]}),
        (["-q", "-m", "b", "a", "--offline"], {"texts": ["a"], "quiet": True, "model": "b", "offline": True}),
        (["-t", "a", "-t", "b"], {"text": ["a", "b"]}),
        (["-m", "a", "--model", "b"], {"model": "b"}),
        (["-m", ""], {"model": ""}),
    ],
    ids=["texts", "nothing", "stdin", "options", "a list", "the last counts", "an empty value"],
)  # fmt: skip
def test_plain_lines(arguments: list[str], expected: dict[str, Any]) -> None:
    command = command_named("compare")
    assert plain_values(arguments, command.parameters) == _defaults(command) | expected
    assert _by_typer(arguments, command) == _defaults(command) | expected


@pytest.mark.parametrize(
    "line",
    ["--help", "-h", "-- a", "-mminilm a", "--model=minilm a", "-qv a", "-m", "--threshold 0.5",
     "--threads 2", "-o file", "--nonsense", "-m -q", "-1 a"],
)  # fmt: skip
def test_everything_else_is_left_to_typer(line: str) -> None:
    assert plain_values(line.split(), command_named("compare").parameters) is None


def _defaults(command: ExpandedCommand) -> dict[str, Any]:
    return {parameter.name: parameter.default for parameter in command.parameters}
