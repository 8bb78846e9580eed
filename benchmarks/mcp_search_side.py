"""Answers how long a search by `simil mcp` takes, and the vector of its query alone; see `workers`."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from anyio.from_thread import start_blocking_portal
from mcp import Client, StdioServerParameters, stdio_client
from workers import serve

import simil

__all__ = ["McpSearch"]

_WORDS = (
    "apple",
    "bank",
    "boat",
    "car",
    "cat",
    "dog",
    "house",
    "night",
    "pear",
    "river",
    "sea",
    "stock",
    "tree",
)


class McpSearch:
    """A server with one file, and the same model in this process."""

    def start(self, command: str, path: str, lines: int) -> float:
        """Write the file and start the server; return how long the first search took."""
        file = Path(path)
        file.write_text("".join(f"{_line(number)}\n" for number in range(lines)), "utf-8")
        self._file = file.name
        server = StdioServerParameters(
            command=command,
            args=["mcp", "-m", "minilm", "--no-cache", str(file.parent)],
            env=dict(os.environ),
        )
        self._open = ExitStack()
        portal = self._open.enter_context(start_blocking_portal())
        client = self._open.enter_context(portal.wrap_async_context_manager(Client(stdio_client(server))))
        self._call: Any = lambda query: portal.call(
            client.call_tool, "search", {"query": query, "paths": [self._file]}
        )
        self._model = simil.open("minilm", cache=False)
        self._model.embed(["a query before the clock starts"])
        return self._seconds("what swims")

    def again(self, number: int) -> tuple[float, float]:
        """Return how long one more search takes, and how long the vector of its query."""
        query = f"what is it that {_line(number)} would do"
        began = time.perf_counter()
        self._model.embed([query])
        alone = time.perf_counter() - began
        return self._seconds(query), alone

    def end(self) -> None:
        """End the server."""
        self._open.close()

    def _seconds(self, query: str) -> float:
        began = time.perf_counter()
        result = self._call(query)
        taken = time.perf_counter() - began
        if result.is_error or len(result.structured_content["hits"]) != 10:
            raise RuntimeError(f"{query}: {result}")
        return taken


def _line(number: int) -> str:
    chosen = (_WORDS[number // len(_WORDS) ** place % len(_WORDS)] for place in range(4))
    return f"{' '.join(chosen)} {number}"


if __name__ == "__main__":
    sides = McpSearch()
    serve({"start": sides.start, "again": sides.again, "end": sides.end})
