"""A search that a program asks `simil mcp` for once more, by the protocol's own client."""

from __future__ import annotations

from bench import Bench, Suite
from report import Row, Value

__all__ = ["SUITES"]

_LINES = 10_000
_MOST = 0.05


def mcp_search(bench: Bench) -> list[Row]:
    """The second search of a file, with a new query each time, less what the query's own vector takes."""
    path = bench.folder / "mcp-lines.txt"
    with bench.worker("mcp_search_side.py") as worker:
        first = float(worker.ask("start", command=bench.simil, path=str(path), lines=_LINES))
        taken = [worker.ask("again", number=number) for number in range(5 * bench.repeat)]
        worker.ask("end")
    path.unlink()
    searches = [search for search, _ in taken]
    queries = [query for _, query in taken]
    beyond = [search - query for search, query in taken]
    what = f"search of {_LINES:,} lines"
    return [
        Value(f"first {what}", "s", [first], note="embeds all lines"),
        Value(f"second {what}, as the client sees it", "s", searches),
        Value("vector of its query, in Python", "s", queries),
        Value(f"second {what}, beyond its query", "s", beyond, at_most=_MOST),
    ]


SUITES = {
    "mcp": Suite(
        "Programs: simil mcp",
        "The client of the SDK, over pipes; minilm, without the vector cache, a new query for each search.",
        mcp_search,
    )
}
