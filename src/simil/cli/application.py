"""The Typer application: reads command lines that are not plain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from simil.cli.command_registry import COMMANDS, GROUPS, command_named, subcommands_of
from simil.cli.help.about_simil import SIMIL
from simil.cli.help.command_texts import TEXTS
from simil.cli.options.fast_typer import Command, Group, typer_function
from simil.cli.output.version_line import print_version
from simil.cli.usage_errors import described

__all__ = ["run_application"]

_EVERY_COMMAND = (*COMMANDS, "help")


def run_application(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; raises `UsageError` for a command line that is wrong."""
    app = _application(_needed(arguments[0] if arguments else ""))
    try:
        result = app(list(arguments), prog_name="simil", standalone_mode=False)
    except typer.TyperException as exc:
        raise described(exc, arguments) from exc
    except typer.Abort:
        return 130
    return result if isinstance(result, int) else 0


def _needed(first: str) -> Sequence[str]:
    """Return the commands that a run needs, by its first argument.

    Typer builds an object for every option of every command, but a run uses those of one.
    """
    return (first,) if first in _EVERY_COMMAND else _EVERY_COMMAND


def _application(names: Sequence[str]) -> typer.Typer:
    """Return the application with these commands."""
    app = typer.Typer(
        name="simil",
        cls=Group,
        help=SIMIL.purpose,
        context_settings={"help_option_names": ["-h", "--help"]},
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_root)
    for name in names:
        if name in GROUPS:
            app.add_typer(_group(name))
        else:
            _add(app, name, name)
    return app


def _group(name: str) -> typer.Typer:
    """Return the application of a command that has subcommands; `simil models` alone lists them."""
    runs_alone = name == "models"
    group = typer.Typer(
        name=name,
        cls=Group,
        help=TEXTS[name].purpose,
        no_args_is_help=not runs_alone,
        invoke_without_command=runs_alone,
    )
    if runs_alone:
        group.callback()(typer_function(command_named(f"{name} list"), runs_alone=True))
    for subcommand in subcommands_of(name):
        _add(group, subcommand, f"{name} {subcommand}")
    return group


def _add(app: typer.Typer, name: str, whole_name: str) -> None:
    add = app.command(name, cls=Command, help=TEXTS[whole_name].purpose)
    if name == "help":
        from simil.cli.commands.help_command import show_help

        add(typer_function(show_help))
    else:
        add(typer_function(command_named(whole_name)))


def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            "-V",
            callback=_print_version,
            is_eager=True,
            help="Show the version and exit.",
        ),
    ] = False,
) -> None:
    pass


def _print_version(wanted: bool) -> None:
    if wanted:
        print_version()
        raise typer.Exit
