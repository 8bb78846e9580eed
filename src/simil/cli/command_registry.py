"""The commands by their names; each is imported when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simil.cli.options.groups import ExpandedCommand

__all__ = ["COMMANDS", "SIMPLE_COMMANDS", "command_named"]

COMMANDS = (
    "compare", "embed", "search", "classify", "cluster", "outliers", "dedupe", "match", "index", "eval",
    "serve", "mcp", "models", "cache", "config", "doctor",
)  # fmt: skip
SIMPLE_COMMANDS = tuple(name for name in COMMANDS if name not in ("models", "cache", "config"))
"""The commands that have no subcommands."""


def command_named(name: str) -> ExpandedCommand:
    """Return one of the `SIMPLE_COMMANDS`: a function in the module of its name."""
    # Python has a function `eval` of its own.
    function = "evaluate" if name == "eval" else name
    command: ExpandedCommand = getattr(import_module(f"simil.cli.commands.{name}"), function)
    return command
