"""The Typer application: reads command lines that are not plain, prints help, completes words in a shell."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Annotated

import typer

from simil.cli.command_registry import COMMANDS, command_named
from simil.cli.options.completion import INSTRUCTION, part_at_colon
from simil.cli.options.fast_typer import Command, Group, typer_function
from simil.cli.output.version_line import print_version
from simil.errors import UsageError

__all__ = ["run_application"]


def run_application(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; raises `UsageError` for a command line that is wrong."""
    if INSTRUCTION in os.environ:
        part_at_colon(os.environ)
    app = _application(_needed(arguments[0] if arguments else ""))
    try:
        result = app(list(arguments), prog_name="simil", standalone_mode=False)
    except typer.TyperException as exc:
        raise _usage_error(exc) from exc
    except typer.Abort:
        return 130
    return result if isinstance(result, int) else 0


def _needed(first: str) -> Sequence[str]:
    """Return the commands that a run needs, by its first argument.

    Typer builds an object for every option of every command, but a run uses those of one.
    """
    return (first,) if first in COMMANDS else COMMANDS


def _application(names: Sequence[str]) -> typer.Typer:
    """Return the application with these commands."""
    app = typer.Typer(
        name="simil",
        cls=Group,
        help="Compare, search and group texts by meaning, with a model on this machine or behind an API.",
        context_settings={"help_option_names": ["-h", "--help"]},
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    app.callback()(_root)
    for name in names:
        if name == "cache":
            from simil.cli.commands.cache import cache

            app.add_typer(cache)
        elif name == "batch":
            from simil.cli.commands.batch import batch

            app.add_typer(batch)
        elif name == "config":
            from simil.cli.commands.config_trust import config

            app.add_typer(config)
        elif name == "models":
            from simil.cli.commands.models import models

            app.add_typer(models)
        else:
            app.command(name, cls=Command)(typer_function(command_named(name)))
    return app


def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
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


def _usage_error(exc: typer.TyperException) -> UsageError:
    context = getattr(exc, "ctx", None)
    message = " ".join(exc.format_message().split()).rstrip(".")
    # `simil` alone: its help was asked for, and is printed.
    return UsageError(message, hint=f"see {context.command_path} --help" if message and context else "")
