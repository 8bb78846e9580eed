"""Reads plain command lines without Typer, whose import takes longer than comparing two words.

Plain are arguments, flags, and options with a text, each of them by its whole name and apart from its value:
what Typer passes on as it stands. Everything else is Typer's: other ways to write an option, values that are
to be converted, mistakes, help. tests/cli/test_plain_arguments.py holds both to the same values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from simil.cli.options.declarations import REQUIRED, Option, Parameter

__all__ = ["plain_values"]

_TEXT, _TEXTS = (str, str | None), (list[str], list[str] | None)


def plain_values(arguments: Sequence[str], parameters: Iterable[Parameter]) -> dict[str, Any] | None:
    """Return the values of the `parameters` of a command by their names; None if Typer has to read them."""
    options: dict[str, Parameter] = {}
    positional: list[Parameter] = []
    values: dict[str, Any] = {}
    for parameter in parameters:
        values[parameter.name] = parameter.default
        declared = parameter.annotation.__metadata__[0]
        if isinstance(declared, Option):
            options |= dict.fromkeys(declared.names, parameter)
        else:
            positional.append(parameter)
    given = _given(arguments, options, values)
    if given is None or not _takes(positional, given, values):
        return None
    return None if REQUIRED in values.values() else values


def _given(
    arguments: Sequence[str], options: dict[str, Parameter], values: dict[str, Any]
) -> list[str] | None:
    """Put the options that are given into `values`; return the other arguments, None if one is not plain."""
    others: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument == "-" or not argument.startswith("-"):
            others.append(argument)
        elif argument not in options or not _read(options[argument], rest, values):
            return None
    return others


def _read(option: Parameter, rest: Iterator[str], values: dict[str, Any]) -> bool:
    """Put an option into `values`, with its value from the `rest`; return whether it is plain."""
    kind = option.annotation.__origin__
    if kind is bool:
        values[option.name] = True
        return True
    value = next(rest, "-")
    if value.startswith("-"):
        return False
    if kind in _TEXTS:
        values[option.name] = [*(values[option.name] or ()), value]
    else:
        values[option.name] = value
    return kind in _TEXT or kind in _TEXTS


def _takes(positional: Sequence[Parameter], given: list[str], values: dict[str, Any]) -> bool:
    """Put the arguments without a name into `values`; return whether they are plain: all in one list."""
    if not given:
        return True
    if len(positional) != 1 or positional[0].annotation.__origin__ not in _TEXTS:
        return False
    values[positional[0].name] = given
    return True
