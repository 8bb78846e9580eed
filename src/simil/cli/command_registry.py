"""The commands by their names; each is imported when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simil.cli.options.groups import ExpandedCommand

__all__ = ["COMMANDS", "GROUPS", "SIMPLE_COMMANDS", "command_named", "subcommands_of"]

COMMANDS = (
    "compare", "embed", "search", "classify", "cluster", "outliers", "dedupe", "match", "index", "eval",
    "serve", "mcp", "models", "cache", "batch", "config", "doctor",
)  # fmt: skip
GROUPS = ("models", "cache", "batch", "config")
"""The commands that have subcommands. `simil models` alone is `simil models list`."""
SIMPLE_COMMANDS = tuple(name for name in COMMANDS if name not in GROUPS)


def command_named(name: str) -> ExpandedCommand:  # noqa: PLR0912 (an import to each, which a test reads)
    """Return a command by its name, a subcommand by two words such as `models show`."""
    group, _, subcommand = name.partition(" ")
    if subcommand:
        return subcommands_of(group)[subcommand]
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
        case "index":
            from simil.cli.commands.index import index as command
        case "eval":
            from simil.cli.commands.eval import evaluate as command
        case "serve":
            from simil.cli.commands.serve import serve as command
        case "mcp":
            from simil.cli.commands.mcp import mcp as command
        case "doctor":
            from simil.cli.commands.doctor import doctor as command
    return command


def subcommands_of(group: str) -> Mapping[str, ExpandedCommand]:
    """Return the subcommands of one of the `GROUPS` by their names, in the order of its help."""
    match group:
        case "models":
            from simil.cli.commands.models import SUBCOMMANDS
        case "cache":
            from simil.cli.commands.cache import SUBCOMMANDS
        case "batch":
            from simil.cli.commands.batch import SUBCOMMANDS
        case "config":
            from simil.cli.commands.config_trust import SUBCOMMANDS
    return SUBCOMMANDS
