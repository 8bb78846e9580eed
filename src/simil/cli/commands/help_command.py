"""`simil help`: the help of a command by its name."""

from __future__ import annotations

from typing import Annotated

from simil.cli.help.command_texts import TEXTS
from simil.cli.options.declarations import Argument
from simil.cli.options.groups import expanded
from simil.errors import UsageError
from simil.near_names import close_matches, did_you_mean

__all__ = ["show_help"]


@expanded
def show_help(
    command: Annotated[
        list[str] | None,
        Argument(
            metavar="[COMMAND]",
            help="A command, or a command and its subcommand.",
            default="simil itself",
        ),
    ] = None,
) -> None:
    """Print all help on a command, or on simil itself."""
    from simil.cli.help.shown_help import print_help

    name = " ".join(command or ())
    if name and name not in TEXTS:
        meant = did_you_mean(close_matches(name, TEXTS)[:1])
        raise UsageError(f"there is no command {name!r}", hint=meant or "simil help lists them")
    print_help(name, full=True)
