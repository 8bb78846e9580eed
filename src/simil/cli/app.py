"""Runs a command line, and is the one place that turns errors into a line on stderr and an exit code."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from simil.cli.command_registry import SIMPLE_COMMANDS, command_named
from simil.cli.completion import INSTRUCTION
from simil.cli.negative_answer import NegativeAnswer
from simil.cli.options.plain_arguments import plain_values
from simil.cli.output.version_line import print_version
from simil.data_stream import reserve_stdout, stdout
from simil.errors import NothingGiven, SimilError, UsageError
from simil.foreign import first_signal

__all__ = ["run"]


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; an error is one line on stderr."""
    try:
        # Without a command, help is printed; a shell that asks for completions passes none either.
        code = 0 if arguments or INSTRUCTION in os.environ else UsageError.exit_code
        try:
            plain = _plain_call(arguments)
            if plain is None:
                from simil.cli.application import run_application

                code = run_application(arguments)
            else:
                command, values = plain
                command(**values)
        except NegativeAnswer:
            code = 1
        stdout().flush()
    except (SimilError, MemoryError, OSError, SystemExit) as exc:
        code, line = _outcome(exc, arguments)
        if line and first_signal() is None:  # C modules turn an interrupt into errors of their own.
            from simil.cli.output.error_line import print_error

            print_error(line)
    return code


def _plain_call(arguments: Sequence[str]) -> tuple[Callable[..., None], Mapping[str, Any]] | None:
    """Return what a plain command line calls, and with which values; None if Typer has to read it."""
    small = _without_command(arguments)
    if small is not None:
        return small
    if not arguments or arguments[0] == "help" or arguments[-1] in ("-h", "--help"):
        from simil.cli.help.shown_help import print_help, wanted_help

        wanted = wanted_help(arguments)
        return None if wanted is None else (print_help, wanted)
    if not arguments or arguments[0] not in SIMPLE_COMMANDS:
        return None
    command = command_named(arguments[0])
    values = plain_values(arguments[1:], command.parameters)
    if values is None:
        return None
    reserve_stdout()
    return command, values


def _without_command(arguments: Sequence[str]) -> tuple[Callable[..., None], Mapping[str, Any]] | None:
    """Return what completion and the options of simil itself call; None for anything else."""
    match arguments:
        case _ if INSTRUCTION in os.environ:
            from simil.cli.completion.answers import print_completion

            return print_completion, {"shell": os.environ[INSTRUCTION]}
        case ["--version" | "-V"]:
            return print_version, {}
        case ["--install-completion", *words]:
            from simil.cli.completion.installation import install_completion

            return install_completion, {"words": words}
        case ["--show-completion", *words]:
            from simil.cli.completion.installation import show_completion

            return show_completion, {"words": words}
    return None


def _outcome(exc: BaseException, arguments: Sequence[str]) -> tuple[int, str]:
    """Return the exit code that an error stands for, and the line that it is worth, empty for none."""
    match exc:
        case NothingGiven():
            from simil.cli.usage_errors import with_example

            return exc.exit_code, with_example(exc, arguments)
        case SimilError():
            return exc.exit_code, str(exc)
        case MemoryError():
            return 2, "there is not enough memory; embed fewer or shorter texts at once"
        case BrokenPipeError() | SystemExit(__context__=BrokenPipeError()):  # Typer exits with 1 for it.
            return 141, ""
        case OSError():
            # Readers, models and files written have translated theirs: what is left is mostly stdout.
            where = f"{exc.filename} cannot be used" if exc.filename else "stdout cannot be written"
            return 2, f"{where}: {exc.strerror or exc}; the output is not complete"
    raise exc
