"""What is said of a command line that is wrong: in our words, with a suggestion or an example."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from simil.cli.help.command_texts import TEXTS
from simil.errors import NothingGiven, UsageError
from simil.near_names import close_matches, did_you_mean

if TYPE_CHECKING:
    import typer

__all__ = ["described", "unknown_command", "with_example"]

_MOST = 2
_EXTRA = re.compile(r"Got unexpected extra argument\(s\) \((?P<arguments>.*)\)", re.DOTALL)


def described(exc: typer.TyperException, arguments: Sequence[str]) -> UsageError:
    """Return Typer's error about these arguments as one of ours."""
    context = getattr(exc, "ctx", None)
    see_help = f"see simil {_command_in(arguments)} --help".replace("  ", " ")
    match type(exc).__name__:
        case "NoSuchOption":
            wanted = getattr(exc, "option_name", "")
            meant = did_you_mean(close_matches(wanted, _option_names(context))[:_MOST])
            return UsageError(f"there is no option {wanted}", hint=meant or see_help)
        case "MissingParameter":
            return NothingGiven(f"{_name_of(getattr(exc, 'param', None))} is missing")
        case "BadOptionUsage":
            said = "needs a value" if "requires" in exc.format_message() else "takes no value"
            return UsageError(f"{getattr(exc, 'option_name', '')} {said}", hint=see_help)
    message = " ".join(exc.format_message().split()).rstrip(".")
    if extra := _EXTRA.fullmatch(message):
        return UsageError(f"unexpected argument: {extra['arguments']}", hint=see_help)
    # Without a command, help is printed instead.
    return UsageError(f"{message[:1].lower()}{message[1:]}", hint=see_help if message else "")


def unknown_command(name: str, known: Sequence[str], where: str) -> UsageError:
    """Return the error for a name that is none of the `known` commands; `where` lists them."""
    meant = did_you_mean(close_matches(name, known)[:_MOST])
    return UsageError(f"there is no command {name!r}", hint=meant or f"{where} lists them")


def with_example(exc: NothingGiven, arguments: Sequence[str]) -> str:
    """Return the line of an error, with an example of the command that these arguments name."""
    text = TEXTS.get(_command_in(arguments))
    example = f"for example: {text.examples[0].command}" if text and text.examples else ""
    return (", " if exc.hint else "; ").join(part for part in (str(exc), example) if part)


def _command_in(arguments: Sequence[str]) -> str:
    """Return the command that a command line begins with, or its subcommand; empty if there is none."""
    names = (" ".join(arguments[:count]) for count in (2, 1))
    return next((name for name in names if name in TEXTS), "")


def _option_names(context: Any) -> list[str]:
    return [name for param in context.command.get_params(context) for name in param.opts] if context else []


def _name_of(param: Any) -> str:
    return "an argument" if param is None else param.metavar or max(param.opts, key=len)
