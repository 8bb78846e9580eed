"""Prints help on standard output, and finds the command lines that ask for nothing else."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

from simil.cli.help.command_texts import TEXTS
from simil.data_stream import stdout, terminal_size

__all__ = ["print_help", "wanted_help"]


def wanted_help(arguments: Sequence[str]) -> dict[str, Any] | None:
    """Return what `print_help` takes, for a command line that is empty, `help …`, `… -h` or `… --help`.

    None if it has more than the name of a command: Typer knows the option from the value of another.
    """
    match arguments:
        case ["help", "-h" | "--help" as option]:
            words = ["help"]
        case ["help", *words]:
            option = "--help"
        case [*words, option]:
            pass
        case _:
            words, option = [], "-h"
    name = " ".join(words)
    return {"name": name, "full": option == "--help"} if not name or name in TEXTS else None


def print_help(name: str, *, full: bool) -> None:
    """Print the help of a command, of simil by an empty name, as wide as the terminal."""
    from simil.cli.help.command_page import page_of
    from simil.cli.help.help_text import full_help, short_help
    from simil.cli.output.terminal_stream import unfiltered

    render = full_help if full else short_help
    text = render(page_of(name), terminal_size().columns, styled=_is_styled())
    unfiltered(stdout()).write(text)  # It holds nothing but our own words, and colours.


def _is_styled() -> bool:
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    # The old console of Windows would print the codes.
    shows_colours = stdout().isatty() and (sys.platform != "win32" or "WT_SESSION" in os.environ)
    return shows_colours or bool(os.environ.get("FORCE_COLOR"))
