"""`simil mcp`: search by meaning for programs that speak the Model Context Protocol."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from simil.cli.options import types as opt
from simil.cli.options.declarations import Argument
from simil.cli.options.groups import ModelFlags, expanded

if TYPE_CHECKING:
    from simil.tasks.embedding import EmbedOptions
    from simil.vectors import VectorBatch

__all__ = ["mcp"]


@expanded
def mcp(
    folders: Annotated[
        list[str] | None,
        Argument(
            metavar="FOLDER",
            help="Folder in which programs may search files and write files of vectors.",
            default="the current folder",
        ),
    ] = None,
    env_file: opt.EnvFile = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
    *,
    model: ModelFlags,
) -> None:
    """Give programs search by meaning, over standard input and output, by the Model Context Protocol.

    simil mcp ~/notes · simil mcp -m bge-base docs src
    """
    from simil.cli.options.run import notes_on_stderr
    from simil.server.allowed_folders import AllowedFolders
    from simil.server.mcp_server import check_installed, serve_on_stdio
    from simil.server.mcp_tools import McpTools

    with notes_on_stderr(quiet=quiet, verbose=verbose):
        settings = model.settings(env_file)
        allowed = AllowedFolders.named(folders or [])
        check_installed()
        if sys.stdin is not None and sys.stdin.isatty() and not quiet:
            sys.stderr.write(
                "simil: waiting for a program that speaks the Model Context Protocol; Ctrl-D ends\n"
            )

        def write(path: Path, batches: Iterator[VectorBatch], stamp: str, made: EmbedOptions) -> None:
            from simil.cli.output.vector_output import vector_target

            target = vector_target(None, path, append=False, offline=settings.offline)
            target.write(batches, stamp, None, made)

        tools = McpTools(settings, allowed, write, dimensions=model.dimensions)
        try:
            serve_on_stdio(tools)
        finally:
            tools.close()
