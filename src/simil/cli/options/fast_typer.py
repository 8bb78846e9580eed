"""Commands whose plain options cost nothing to read, and whose help is ours."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from simil.cli.options.declarations import REQUIRED, Option, Parameter, ParameterDeclaration
from simil.cli.options.groups import ExpandedCommand
from simil.cli.usage_errors import unknown_command
from simil.data_stream import reserve_stdout
from simil.errors import UsageError

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
        self._arguments = [*args]
        parsed: list[str] = super().parse_args(ctx, args)  # type: ignore[misc]
        return parsed

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print help and leave, with the exit code of a wrong call where nothing is asked at all."""
        from simil.cli.help.shown_help import print_help

        print_help(ctx.command_path.removeprefix("simil").strip(), full="--help" in self._arguments)
        raise typer.Exit(0 if self._arguments else UsageError.exit_code)


class Command(_PlainOptions, TyperCommand):
    """A command with plain options."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the options of one run; from here on, code of others may run and print."""
        parsed = super().parse_args(ctx, args)
        reserve_stdout()
        return parsed


class Group(_PlainOptions, TyperGroup):
    """A group of commands with plain options before a command's name."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Return the command that `args` begin with, and what follows its name; see `TyperGroup`."""
        known = self.list_commands(ctx)
        if args[0] in known or args[0].startswith("-"):
            found: tuple[str | None, Any, list[str]] = super().resolve_command(ctx, args)
            return found
        raise unknown_command(args[0], known, f"{ctx.command_path} -h")


def _pass_plain_values(params: Iterable[Any]) -> None:
    for param in params:
        param.process_value = partial(_process_value, param, param.process_value)


def _process_value(param: Any, process: Callable[[Any, Any], Any], ctx: Any, value: Any) -> Any:
    if value is None or value is param.default:
        plain = not param.required
    else:
        plain = getattr(getattr(param, "type_descriptor", None), "annotation", None) in _TEXT
    if not plain:
        try:
            return process(ctx, value)
        except typer.BadParameter as exc:
            if value is None or value == ():  # It is missing.
                raise
            raise _wrong_value(param, value) from exc
    return value if param.callback is None else param.callback(ctx, param, value)


def _wrong_value(param: Any, value: Any) -> UsageError:
    """Return the error for a value that is no number, or one out of range."""
    name = max(param.opts, key=len)
    descriptor = param.type_descriptor
    kind = "a number" if descriptor.annotation in (float, float | None) else "a whole number"
    least = descriptor.parameter_info.min
    given = " ".join(value) if isinstance(value, list | tuple) else value
    from_on = "" if least is None else f" of at least {least}"
    return UsageError(f"{name} cannot be {given!r}", hint=f"give {kind}{from_on}")


def typer_function(command: ExpandedCommand, *, runs_alone: bool = False) -> Callable[..., None]:
    """Return a function that runs `command`, with the signature from which Typer reads its parameters.

    With `runs_alone` it is that of a group, and runs only where no subcommand is named.
    """

    def call(**given: Any) -> None:
        context = given.pop(_CONTEXT.name, None)
        if context is None or context.invoked_subcommand is None:
            command(**given)
        elif any(value not in (None, False) for value in given.values()):
            raise UsageError(f"options go after {context.invoked_subcommand}", hint="move them there")

    parameters = [_CONTEXT] * runs_alone + [_typer_parameter(parameter) for parameter in command.parameters]
    call.__name__ = command.__name__
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return call


_CONTEXT = inspect.Parameter(
    "typer_context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
)


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
    # Typer takes brackets for markup.
    shown = declared.help.replace("[", "\\[")
    said = declare(*declared.names, help=shown, metavar=declared.metavar or None, **declared.told)
    return Annotated[annotation.__origin__, said]
