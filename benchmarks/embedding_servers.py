"""`simil serve` beside infinity-emb: the same model, asked by the same clients."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from bench import Bench, Suite, check_alike
from http_servers import MODEL, environment, free_port, infinity, simil_serve
from measure import by_turns
from report import Check, Figure, Row, Value
from workers import Worker

__all__ = ["SUITES"]

_CLIENTS, _SECONDS = (1, 8, 64), 5
_MINUTES, _FLAT = 5, 1.1
_SAME_TEXT = "The same model gives the same vector."


def serving(bench: Bench) -> list[Row]:
    """Requests a second and the 95th percentile; the servers run side by side, and are asked in turns."""
    ports = {"peer": free_port(), "ours": free_port(), "cacheless": free_port()}
    python = environment(bench, "infinity")
    with (
        infinity(bench, python, ports["peer"]).running(),
        simil_serve(bench, ports["ours"]).running(),
        simil_serve(bench, ports["cacheless"], "--no-cache").running(),
        bench.worker("request_load_side.py") as worker,
    ):
        vectors = [worker.ask("vector", port=port, model=MODEL, text=_SAME_TEXT) for port in ports.values()]
        check_alike("servers", vectors[0], vectors[1], least=0.999)
        return [row for clients in _CLIENTS for row in _with_clients(bench, worker, ports, clients)]


def _with_clients(bench: Bench, worker: Worker, ports: dict[str, int], clients: int) -> Iterator[Row]:
    given = {"model": MODEL, "clients": clients, "seconds": _SECONDS}
    sides = {side: partial(worker.ask, "load", port=port, **given) for side, port in ports.items()}
    taken = by_turns(sides, bench.repeat)
    rates = {side: [one["rate"] for one in each] for side, each in taken.items()}
    p95s = {side: [one["p95"] for one in each] for side, each in taken.items()}
    what = f"{clients} client{'s' if clients > 1 else ''}, short texts"
    for ours, note in (("ours", "with its cache, which has none of them"), ("cacheless", "--no-cache")):
        name = f"{what}{', --no-cache' if ours == 'cacheless' else ''}"
        yield Figure(
            f"{name}: requests", "1/s", rates["peer"], rates[ours], "ours/peer", at_least=1, note=note
        )
        yield Figure(f"{name}: 95th percentile", "ms", p95s["peer"], p95s[ours], "peer/ours", at_least=1)


def mixed_load(bench: Bench, minutes: int = _MINUTES) -> list[Row]:
    """Right and wrong requests and clients that hang up; memory is compared a minute after the start."""
    server = simil_serve(bench, port := free_port())
    memory: list[float] = []
    wrong: dict[str, int] = {}
    requests = 0
    with server.running(), bench.worker("mixed_load_side.py") as worker:
        for minute in range(minutes):
            done = worker.ask("mixed", port=port, model=MODEL, seconds=60, seed=1000 * minute)
            requests += done["requests"]
            wrong |= done["wrong"]
            memory.append(server.rss())
    what = f"{minutes} min of mixed load"
    return [
        Value(f"{what}: requests", "", [requests]),
        Check(
            f"{what}: each has the status that it ought to have", [], not wrong, "all", note=str(wrong or "")
        ),
        Value(
            f"{what}: memory at the end, to that after a minute",
            "",
            [memory[-1] / memory[0]],
            at_most=_FLAT,
            note=f"{memory[0]:.0f} to {memory[-1]:.0f} MB",
        ),
    ]


SUITES = {
    "serve-load": Suite(
        "simil serve under mixed load",
        "24 clients ask for embeddings, similarities, models and metrics; every sixth request is wrong, "
        "and one in twenty hangs up in the middle.",
        mixed_load,
        on_request=True,
    ),
    "serve": Suite(
        "simil serve",
        "all-MiniLM-L6-v2 behind HTTP, asked by 1, 8 and 64 clients on kept connections, each sending a text "
        "of six words that was never sent before as soon as its last is answered, for "
        f"{_SECONDS} s in turn. Peer: infinity-emb 0.0.78 with torch on the CPU. SIMIL_BENCH_INFINITY names "
        "its environment; without it, pip makes one.",
        serving,
        on_request=True,
    ),
}
