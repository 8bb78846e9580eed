"""Commands whose plain options cost nothing to read, and whose help leaves out the types of flags."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable
from contextlib import redirect_stdout
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from simil.cli.options.declarations import REQUIRED, Option, Parameter, ParameterDeclaration
from simil.cli.options.groups import ExpandedCommand, expanded
from simil.cli.output.terminal_stream import unfiltered
from simil.data_stream import reserve_stdout

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Command", "Group", "typer_function"]

_TEXT = (str, list[str])


class _PlainOptions:
    """A command that takes strings and defaults as they are.

    Typer 0.29 builds a pydantic adapter for every option of a run, even for strings and for options that
    were not given, and importing pydantic takes longer than comparing two words. Here only options that
    are given and hold something else go through it. Should a later Typer process values elsewhere, this
    has no effect, and tests/test_lazy_imports.py says so.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the options of one run; see `TyperCommand`."""
        _pass_plain_values(ctx.command.get_params(ctx))
        parsed: list[str] = super().parse_args(ctx, args)  # type: ignore[misc]
        return parsed

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help; see `TyperCommand`."""
        _hide_obvious_types(ctx.command.get_params(ctx))
        # It holds nothing but our own words, and colours.
        with redirect_stdout(unfiltered(sys.stdout)):
            super().format_help(ctx, formatter)  # type: ignore[misc]


class Command(_PlainOptions, TyperCommand):
    """A command with plain options."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the options of one run; from here on, code of others may run and print."""
        parsed = super().parse_args(ctx, args)
        if not ctx.resilient_parsing:  # Completion prints after it has read the options.
            reserve_stdout()
        return parsed


class Group(_PlainOptions, TyperGroup):
    """A group of commands with plain options before a command's name."""


def _pass_plain_values(params: Iterable[Any]) -> None:
    for param in params:
        param.process_value = partial(_process_value, param, param.process_value)


def _process_value(param: Any, process: Callable[[Any, Any], Any], ctx: Any, value: Any) -> Any:
    if value is None or value is param.default:
        plain = not param.required
    else:
        plain = getattr(getattr(param, "type_descriptor", None), "annotation", None) in _TEXT
    if not plain:
        return process(ctx, value)
    return value if param.callback is None else param.callback(ctx, param, value)


def _hide_obvious_types(params: Iterable[Any]) -> None:
    """Leave out <bool> of flags, and the types of arguments: their names and help say enough."""
    for param in params:
        if getattr(param, "is_flag", False) or param.param_type_name == "argument":
            param.display_type_rich = lambda ctx: None


def typer_function(command: Callable[..., None] | ExpandedCommand) -> Callable[..., None]:
    """Return a function that runs `command`, with the signature from which Typer reads its parameters."""
    source = command if isinstance(command, ExpandedCommand) else expanded(command)

    def call(**given: Any) -> None:
        source(**given)

    parameters = [_typer_parameter(parameter) for parameter in source.parameters]
    call.__name__, call.__doc__ = source.__name__, source.__doc__
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return call


def _typer_parameter(parameter: Parameter) -> inspect.Parameter:
    default = inspect.Parameter.empty if parameter.default is REQUIRED else parameter.default
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    annotation = _typer_annotation(parameter.annotation)
    return inspect.Parameter(parameter.name, kind, default=default, annotation=annotation)


def _typer_annotation(annotation: Any) -> Any:
    """Return the annotation of a parameter with Typer's declaration in place of ours."""
    (declared,) = getattr(annotation, "__metadata__", (None,))
    if not isinstance(declared, ParameterDeclaration):
        return annotation
    declare = typer.Option if isinstance(declared, Option) else typer.Argument
    return Annotated[annotation.__origin__, declare(*declared.names, **declared.told)]
