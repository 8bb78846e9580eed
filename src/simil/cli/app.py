"""The Typer application, and the one place that turns errors into a line on stderr and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, TypeGuard

import typer

from simil._version import __version__
from simil.cli.options.completion import INSTRUCTION, part_at_colon
from simil.cli.options.fast_typer import Command, Group
from simil.cli.output.error_line import print_error
from simil.data_stream import stdout
from simil.errors import SimilError
from simil.foreign import first_signal

__all__ = ["COMMANDS", "run"]

COMMANDS = (
    "compare", "embed", "search", "classify", "cluster", "outliers", "dedupe", "match", "eval", "models",
    "cache", "config", "doctor",
)  # fmt: skip


def _needed(first: str) -> Sequence[str]:
    """Return the commands that a run needs, by its first argument.

    Typer builds an object for every option of every command, but a run uses those of one.
    """
    if first == "--version":
        return ()
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
        elif name == "config":
            from simil.cli.commands.config_trust import config

            app.add_typer(config)
        elif name == "models":
            from simil.cli.commands.models import models

            app.add_typer(models)
        else:
            app.command(name, cls=Command)(_function(name))
    return app


def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_version,
            is_eager=True,
            help="Show the version and exit.",
        ),
    ] = False,
) -> None:
    pass


def _version(wanted: bool) -> None:
    if wanted:
        stdout().write(f"simil {__version__}\n")
        raise typer.Exit


def _function(name: str) -> Callable[..., None]:
    match name:
        case "compare":
            from simil.cli.commands.compare import compare as command
        case "embed":
            from simil.cli.commands.embed import embed as command
        case "search":
            from simil.cli.commands.search import search as command
        case "classify":
            from simil.cli.commands.classify import classify as command
        case "cluster":
            from simil.cli.commands.cluster import cluster as command
        case "outliers":
            from simil.cli.commands.outliers import outliers as command
        case "dedupe":
            from simil.cli.commands.dedupe import dedupe as command
        case "match":
            from simil.cli.commands.match import match as command
        case "eval":
            from simil.cli.commands.eval import evaluate as command
        case "doctor":
            from simil.cli.commands.doctor import doctor as command
    return command


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; an error is one line on stderr."""
    if INSTRUCTION in os.environ:
        part_at_colon(os.environ)
    app = _application(_needed(arguments[0] if arguments else ""))
    try:
        result = app(list(arguments), prog_name="simil", standalone_mode=False)
        stdout().flush()
    except (SimilError, typer.Abort, typer.TyperException, MemoryError, OSError, SystemExit) as exc:
        if _ends_completion(exc):
            return int(exc.code or 0)
        code, line = _outcome(exc)
        if line and first_signal() is None:  # C modules turn an interrupt into errors of their own.
            print_error(line)
        return code
    return result if isinstance(result, int) else 0


def _ends_completion(exc: BaseException) -> TypeGuard[SystemExit]:
    """Return whether Typer leaves after it has completed or installed completion: no command has begun."""
    begun = sys.stdout is not stdout()
    return isinstance(exc, SystemExit) and not begun and not isinstance(exc.__context__, BrokenPipeError)


def _outcome(exc: BaseException) -> tuple[int, str]:
    """Return the exit code that an error stands for, and the line that it is worth, empty for none."""
    match exc:
        case SimilError():
            return exc.exit_code, str(exc)
        case typer.TyperException():
            return exc.exit_code, _usage_line(exc)
        case MemoryError():
            return 2, "there is not enough memory; embed fewer or shorter texts at once"
        case typer.Abort():
            return 130, ""
        case BrokenPipeError() | SystemExit(__context__=BrokenPipeError()):  # Typer exits with 1 for it.
            return 141, ""
        case OSError():
            # Readers, models and files written have translated theirs: what is left is mostly stdout.
            where = f"{exc.filename} cannot be used" if exc.filename else "stdout cannot be written"
            return 2, f"{where}: {exc.strerror or exc}; the output is not complete"
    raise exc


def _usage_line(exc: typer.TyperException) -> str:
    context = getattr(exc, "ctx", None)
    message = " ".join(exc.format_message().split()).rstrip(".")
    # `simil` alone: its help was asked for, and is printed.
    return f"{message}; see {context.command_path} --help" if message and context else message
