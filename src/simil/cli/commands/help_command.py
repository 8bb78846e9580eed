"""`simil help`: the help of a command by its name."""

from __future__ import annotations

from typing import Annotated

from simil.cli.help.command_texts import TEXTS
from simil.cli.options.declarations import Argument
from simil.cli.options.groups import expanded
from simil.cli.usage_errors import unknown_command

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
        alike = [other for other in TEXTS if other.count(" ") == name.count(" ")]
        raise unknown_command(name, alike, "simil help")
    print_help(name, full=True)
