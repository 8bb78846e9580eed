"""Nearest neighbours among many vectors, compared with a bare product, a NumPy script and faiss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from bench import Bench, Suite
from measure import by_turns
from report import Figure, LeftOut, Row
from workers import Worker

__all__ = ["SUITES"]

_DIMENSIONS, _K, _QUERIES = 384, 10, 256
_SLOWER, _SHARE = 1.3, 0.7


def search(bench: Bench) -> list[Row]:
    """One query, then many; all sides in one process, in turn."""
    with bench.worker("search_side.py") as worker:
        path = str(bench.folder / "matrix.npy")
        faiss = worker.ask("make", path=path, rows=bench.rows, dimensions=_DIMENSIONS, queries=_QUERIES)
        peers = ("numpy", "faiss") if faiss else ("numpy",)
        rows = [*_one(bench, worker, peers), *_many(bench, worker, peers)]
    (bench.folder / "matrix.npy").unlink()
    if not faiss:
        rows.append(LeftOut("faiss-cpu IndexFlatIP", "faiss-cpu is not installed"))
    return rows


def _one(bench: Bench, worker: Worker, peers: tuple[str, ...]) -> list[Row]:
    sides = ("product", "simil", "mapped product", "mapped simil", *peers)
    taken = by_turns(_asking(worker, sides, queries=1, k=_K), bench.repeat)
    what = f"1 query, {bench.rows:,} x {_DIMENSIONS}"
    size = 4 * bench.rows * _DIMENSIONS
    note = f"the product reads {size / min(taken['product']) / 1e9:.0f} GB/s"

    def figure(name: str, peer: str, ours: str, ratio: str, most: float | None, said: str = "") -> Figure:
        return Figure(f"{what}: {name}", "s", taken[peer], taken[ours], ratio, at_most=most, note=said)

    return [
        figure("to matrix @ query", "product", "simil", "ours/peer", _SLOWER, note),
        figure("mapped .npy, to its @ query", "mapped product", "mapped simil", "ours/peer", _SLOWER),
        *(figure(f"to {_PEERS[peer]}", peer, "simil", "peer/ours", None) for peer in peers),
    ]


def _many(bench: Bench, worker: Worker, peers: tuple[str, ...]) -> list[Row]:
    asking = _asking(worker, ("simil", "mapped simil", *peers), queries=_QUERIES, k=_K)
    taken = by_turns({"sgemm": lambda: float(worker.ask("sgemm")), **asking}, bench.repeat)
    what = f"{_QUERIES} queries, {bench.rows:,} x {_DIMENSIONS}"
    flops = 2 * _QUERIES * bench.rows * _DIMENSIONS

    def share(name: str, side: str) -> Figure:
        reached = [flops / seconds / 1e9 for seconds in taken[side]]
        title = f"{what}: {name}share of sgemm"
        return Figure(title, "GFLOP/s", taken["sgemm"], reached, "ours/peer", at_least=_SHARE)

    return [
        share("", "simil"),
        share("mapped .npy, ", "mapped simil"),
        *(
            Figure(f"{what}: to {_PEERS[peer]}", "s", taken[peer], taken["simil"], "peer/ours")
            for peer in peers
        ),
    ]


def _asking(
    worker: Worker, sides: tuple[str, ...], *, queries: int, k: int
) -> Mapping[str, Callable[[], float]]:
    return {side: partial(_seconds, worker, side, queries, k) for side in sides}


def _seconds(worker: Worker, side: str, queries: int, k: int) -> float:
    return float(worker.ask("seconds", side=side, queries=queries, k=k))


_PEERS = {"numpy": "a bare numpy script", "faiss": "faiss-cpu IndexFlatIP"}

SUITES = {
    "search": Suite(
        "Search",
        f"`simil.similarity.top_k`, k = {_K}, unit vectors in memory or in a mapped .npy file, all in one "
        "process. Peers: the bare `matrix @ query`; a script that adds argpartition and a sort; faiss-cpu's "
        "exact IndexFlatIP; one large sgemm.",
        search,
    )
}
