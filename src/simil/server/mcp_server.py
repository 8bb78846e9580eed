"""The Model Context Protocol over standard input and output, on its own SDK."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from contextlib import redirect_stdout
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TextIO

from simil._version import __version__
from simil.data_stream import stdout
from simil.errors import ExtraMissing, SimilError, UsageError
from simil.foreign import what_was_raised
from simil.server.mcp_tool_schemas import TOOLS
from simil.server.mcp_tools import CallStopped, McpTools, ToolAnswer

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server
    from mcp.types import CallToolResult, ListToolsResult

__all__ = ["check_installed", "serve_on_stdio"]

log = logging.getLogger("simil")

_INSTRUCTIONS = (
    "Search files by meaning, compare texts, and save their vectors, with an embedding model of the user's "
    "choice. Paths are below the folders that the user has named."
)


def check_installed() -> None:
    """Raise `ExtraMissing` where the SDK is not installed."""
    try:
        import mcp.server.lowlevel  # noqa: F401 (what it takes is imported where it is used)
    except ImportError as exc:
        raise ExtraMissing("simil mcp needs the package mcp, which is not installed", extra="mcp") from exc


def serve_on_stdio(tools: McpTools) -> None:
    """Answer the program at the other end until it closes our standard input.

    Nothing but the protocol goes to standard output. What a pipe of the other end raises is raised as it is.
    """
    import anyio

    try:
        anyio.run(_serve, tools)
    except BaseExceptionGroup as group:
        raise _first_of(group) from group


async def _serve(tools: McpTools) -> None:
    from contextlib import AsyncExitStack

    from mcp.server.stdio import stdio_server

    server = _server_of(tools)
    async with AsyncExitStack() as stack:
        # The SDK takes the stream that it finds here; by then, `sys.stdout` leads to stderr again.
        with redirect_stdout(stdout()):
            streams = stdio_server(stdin=_InputLines(_taken_stdin()))
            reading, writing = await stack.enter_async_context(streams)
        await server.run(reading, writing, server.create_initialization_options())


def _taken_stdin() -> TextIO:
    """Return standard input by a descriptor of its own; what else reads it finds nothing."""
    if sys.stdin is None:
        raise UsageError("standard input is closed", hint="a program starts simil mcp with pipes")
    own, nothing = os.dup(0), os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return open(own, encoding="utf-8", errors="replace")  # noqa: PTH123 (open to the end)


class _InputLines:
    """The lines of a stream; a server that ends for another reason does not wait for the next one."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        from anyio import to_thread

        line = await to_thread.run_sync(self._stream.readline, abandon_on_cancel=True)
        if not line:
            raise StopAsyncIteration
        return _without_halves(line)


def _without_halves(line: str) -> str:
    """Return a message in which half characters, such as `\\ud83d` alone, are marks of replacement.

    The SDK would not read it, and its sender would wait for ever. Bytes that are no UTF-8 are read as marks,
    too.
    """
    if r"\ud" not in line.lower():
        return line
    try:
        content = json.dumps(json.loads(line), ensure_ascii=False)
    except (ValueError, RecursionError):  # Not JSON: the SDK says so.
        return line
    return content.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _server_of(tools: McpTools) -> Server[Any]:
    from mcp.server.lowlevel import Server

    async def listed(context: Any, params: Any) -> ListToolsResult:
        return _listed()

    async def called(context: Any, params: Any) -> CallToolResult:
        return await _called(tools, params.name, params.arguments or {})

    return Server(
        "simil",
        version=__version__,
        title="simil",
        instructions=_INSTRUCTIONS,
        on_list_tools=listed,
        on_call_tool=called,
    )


def _listed() -> ListToolsResult:
    from mcp.types import ListToolsResult, Tool, ToolAnnotations

    return ListToolsResult(
        tools=[
            Tool(
                name=name,
                title=tool.title,
                description=tool.description,
                input_schema=dict(tool.takes),
                output_schema=dict(tool.answers),
                annotations=ToolAnnotations(read_only_hint=not tool.writes, open_world_hint=False),
            )
            for name, tool in TOOLS.items()
        ]
    )


async def _called(tools: McpTools, name: str, arguments: dict[str, Any]) -> CallToolResult:
    """Return what a tool answers; what the user can mend is an answer, too.

    Raises an error of the protocol for a tool that does not exist, and for a fault of ours.
    """
    import anyio
    import anyio.to_thread
    from mcp import MCPError
    from mcp.types import INTERNAL_ERROR, INVALID_PARAMS

    if name not in TOOLS:
        raise MCPError(INVALID_PARAMS, f"there is no tool {name[:80]!a}")
    stop = threading.Event()
    try:
        answer = await anyio.to_thread.run_sync(
            partial(tools.call, name, arguments, stop), abandon_on_cancel=True
        )
    except anyio.get_cancelled_exc_class():
        stop.set()
        raise
    except CallStopped as exc:
        raise MCPError(INTERNAL_ERROR, str(exc)) from exc
    except (SimilError, MemoryError, OSError) as exc:
        return _refused(str(exc) or "there is not enough memory")
    except Exception as exc:
        log.error("%s failed: %s", name, what_was_raised(exc), exc_info=log.isEnabledFor(logging.INFO))
        raise MCPError(INTERNAL_ERROR, f"{name} failed: {type(exc).__name__}") from exc
    return _answered(answer)


def _answered(answer: ToolAnswer) -> CallToolResult:
    from mcp.types import CallToolResult, TextContent

    return CallToolResult(
        content=[TextContent(type="text", text=answer.text)], structured_content=dict(answer.data)
    )


def _refused(line: str) -> CallToolResult:
    from mcp.types import CallToolResult, TextContent

    return CallToolResult(content=[TextContent(type="text", text=line)], is_error=True)


def _first_of(group: BaseExceptionGroup[Any]) -> BaseException:
    first = group.exceptions[0]
    return _first_of(first) if isinstance(first, BaseExceptionGroup) else first
