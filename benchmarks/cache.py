"""The speed of reading and writing vectors in the cache, compared with bare `sqlite3`."""

from __future__ import annotations

from functools import partial

from bench import Bench, Suite
from measure import by_turns
from report import Figure, Row, Value

__all__ = ["SUITES"]

_DIMENSIONS, _AT_ONCE, _LEAST = 384, 1024, 100_000


def cache(bench: Bench) -> list[Row]:
    """Write, then read, all vectors, in turn."""
    with bench.worker("cache_side.py", str(bench.folder / "vectors")) as worker:
        worker.ask("make", number=bench.vectors, dimensions=_DIMENSIONS, at_once=_AT_ONCE)

        def sides(what: str) -> dict[str, partial[float]]:
            return {side: partial(worker.ask, what, side=side) for side in ("peer", "ours")}

        written = by_turns(sides("write"), bench.repeat, warm=False)
        read = by_turns(sides("read"), bench.repeat)
    what = f"{bench.vectors:,} vectors of {_DIMENSIONS}, {_AT_ONCE:,} at a time"
    unit = "vectors/s"
    return [
        Value(f"read {what}", unit, read["ours"], at_least=_LEAST),
        Figure(f"read {what}, to bare sqlite3", unit, read["peer"], read["ours"], "ours/peer"),
        Figure(f"write {what}, to bare sqlite3", unit, written["peer"], written["ours"], "ours/peer"),
    ]


SUITES = {
    "cache": Suite(
        "Cache",
        "`VectorCache.get` and `put`. Peer: a table of keys and blobs, `SELECT ... WHERE key = ?` for each "
        "key, `executemany` and one transaction for each batch, no checksums, no note of use.",
        cache,
    )
}
