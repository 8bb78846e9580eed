"""Many texts in the engines, compared with `SentenceTransformer.encode`: speed and quality.

Every side is a long-lived process (`engine_side.py`), so that all are warm and measured in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench import MINILM, Bench, Suite, check_alike, part, say
from measure import by_turns
from report import Figure, LeftOut, Row, Value
from workers import Worker
from workloads import LENGTHS

__all__ = ["ENGINES", "SUITES", "Engine", "Model"]

_230, _500 = "230 tokens", "500 tokens"


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine and precision, and its bars.

    `short` and `long` are the minimum speed-ups over the peer on short texts and on texts of 230 tokens,
    `share` the minimum share of sgemm's speed on short texts, `float32` the minimum speed-up over the first
    of all engines, `cosine` that of the worst vector and the peer's, `points` the maximum difference of
    Spearman to float32. A cosine below `alike` means that it did different work than the peer.
    """

    name: str
    engine: str
    precision: str
    short: float | None = None
    long: float | None = None
    share: float | None = None
    float32: float | None = None
    cosine: float | None = None
    points: float | None = None
    alike: float = 0.99999


ENGINES = (
    Engine("float32, ONNX Runtime", "onnx", "float32", cosine=0.99999),
    Engine("float32, OpenVINO", "auto", "float32", short=2.5, long=1.6, share=0.8, cosine=0.99999),
    Engine("bfloat16, PyTorch", "packed", "bfloat16", float32=1.8, cosine=0.9999, alike=0.999),
    Engine("bfloat16", "auto", "bfloat16", short=4.4, long=3, cosine=0.9999, alike=0.999),
    Engine("int8", "auto", "int8", short=7, points=0.3, alike=0.8),
)


@dataclass(frozen=True, slots=True)
class Model:
    """A model as both sides name it, and the share of `--texts` for each length."""

    name: str
    ours: str
    folder: Path
    parts: Mapping[str, float]
    engines: tuple[Engine, ...]

    def numbers(self, texts: int) -> dict[str, int]:
        """Return how many texts of each length are timed."""
        return {length: max(2, round(texts * part)) for length, part in self.parts.items()}

    def mix(self, texts: int) -> dict[str, int]:
        """Return how many texts of each length measure the quality of vectors: a few hundred in all."""
        return {length: max(2, texts // (27 if length in LENGTHS else 90)) for length in self.parts}


@dataclass(frozen=True, slots=True)
class Sides:
    """The processes of one model: sgemm, the peer, and each available engine."""

    sgemm: Worker
    peer: Worker
    ours: Mapping[Engine, Worker]


def minilm() -> Model:
    """Return the embedded model, which reads at most 256 tokens."""
    parts = {**dict.fromkeys(LENGTHS, 1.0), _230: 1 / 20}
    return Model("MiniLM", "minilm", MINILM, parts, ENGINES)


def bge(folder: Path) -> Model:
    """Return the larger model; its weights are random, which says nothing about int8."""
    parts = {**dict.fromkeys(LENGTHS, 1 / 2), _230: 1 / 40, _500: 1 / 80}
    return Model("bge-shaped", str(folder), folder, parts, ENGINES[:-1])


def bulk(bench: Bench, model: Model) -> list[Row]:
    """Return the rows of one model: the speed for each length and engine, then the quality of the vectors."""
    rows: list[Row] = []
    with ExitStack() as stack:
        sides = _open(bench, model, stack, rows)
        for length, number in model.numbers(bench.texts).items():
            say(f"  {number} texts of {length}, {model.name}")
            name = f"{number} texts of {length}, {model.name}"
            rows += part(name, partial(_rates, bench, model, sides, length, number))
        say(f"  quality of vectors, {model.name}")
        rows += _quality(bench, model, sides)
        if bench.sick and model.name == "MiniLM":
            rows += _spearman(bench.sick, sides)
    return rows


def _open(bench: Bench, model: Model, stack: ExitStack, rows: list[Row]) -> Sides:
    """Start the processes; one that is not available here becomes a row that says so."""
    sgemm = stack.enter_context(bench.worker("limits_side.py"))
    peer = stack.enter_context(bench.worker("engine_side.py", "peer", "--model", str(model.folder)))
    peer.ask("warm")
    ours = {}
    for engine in model.engines:
        how = ("--model", model.ours, "--engine", engine.engine, "--precision", engine.precision)
        worker = stack.enter_context(bench.worker("engine_side.py", "ours", *how))
        # Without OpenVINO, `auto` is ONNX Runtime, which has its own row.
        without = engine.engine == "auto" and find_spec("openvino") is None
        cannot = "OpenVINO is not installed" if without else worker.ask("warm")
        if cannot:
            rows.append(LeftOut(f"{model.name}, {engine.name}", cannot))
        else:
            ours[engine] = worker
    return Sides(sgemm, peer, ours)


def _rates(bench: Bench, model: Model, sides: Sides, length: str, number: int) -> Iterator[Row]:
    """Yield the rows of one length, with all sides measured in turn."""
    asked: dict[str, Any] = {"length": length, "number": number}
    gflops = sides.peer.ask("gflops_a_text", **asked)
    turns: dict[str, Callable[[], Any]] = {
        "sgemm": lambda: {"gflops": sides.sgemm.ask("sgemm")},
        "peer": lambda: sides.peer.ask("rate", **asked),
    }
    for engine, worker in sides.ours.items():
        turns[engine.name] = partial(worker.ask, "rate", **asked)
    taken = by_turns(turns, bench.repeat, warm=False)
    sgemm = [one["gflops"] for one in taken["sgemm"]]
    peers = [one["texts_per_s"] for one in taken["peer"]]
    for engine in sides.ours:
        for theirs, vector in zip(taken["peer"][0]["vectors"], taken[engine.name][0]["vectors"], strict=True):
            check_alike(f"{model.name}, {length}, {engine.name}", theirs, vector, engine.alike)
        rates = [one["texts_per_s"] for one in taken[engine.name]]
        name = f"{number} texts of {length}, {model.name}, {engine.name}"
        bar = engine.short if length in LENGTHS else engine.long if length == _230 else None
        yield Figure(name, "texts/s", peers, rates, "ours/peer", at_least=bar)
        if engine.float32 and ENGINES[0] in sides.ours:
            base = [one["texts_per_s"] for one in taken[ENGINES[0].name]]
            title = f"{name}: to {ENGINES[0].name}"
            yield Figure(title, "texts/s", base, rates, "ours/peer", at_least=engine.float32)
        if engine.share and length in LENGTHS:
            reached = [rate * gflops for rate in rates]
            yield Figure(
                f"{name}: share of sgemm", "GFLOP/s", sgemm, reached, "ours/peer", at_least=engine.share
            )


def _quality(bench: Bench, model: Model, sides: Sides) -> Iterator[Row]:
    """Yield the worst cosine to the peer's vectors, and to those of the same texts alone."""
    mix = model.mix(bench.texts)
    note = f"{sum(mix.values())} texts, all lengths mixed"
    reference = str(bench.folder / f"{model.name}-peer.npy")
    sides.peer.ask("save", path=reference, numbers=mix)
    for engine, worker in sides.ours.items():
        path = str(bench.folder / f"{model.name}-{engine.engine}-{engine.precision}.npy")
        worker.ask("save", path=path, numbers=mix)
        cosine = worker.ask("compare", one=reference, other=path)
        alone = worker.ask("alone", path=path, numbers=mix)
        which = f"worst text, {model.name}, {engine.name}"
        yield Value(f"cosine to the peer's float32, {which}", "", [cosine], at_least=engine.cosine, note=note)
        yield Value(f"cosine alone against in a batch, {which}", "", [alone], at_least=0.999999, note=note)


def _spearman(sick: Path, sides: Sides) -> Iterator[Row]:
    """Yield the quality of the engines' vectors, compared with float32."""
    points = {engine: worker.ask("spearman", path=str(sick)) for engine, worker in sides.ours.items()}
    float32 = next((value for engine, value in points.items() if engine.precision == "float32"), None)
    for engine, value in points.items():
        if engine.precision == "float32" or float32 is None:
            name = f"Spearman on {sick.stem}, MiniLM, {engine.name}"
            yield Value(name, "points", [value], note=f"{value:.2f}")
            continue
        least, most = (None, None) if engine.points is None else (-engine.points, engine.points)
        yield Value(
            f"Spearman on {sick.stem}, MiniLM, {engine.name}, to float32",
            "points",
            [round(value - float32, 3)],
            at_least=least,
            at_most=most,
            note=f"{value:.2f} against {float32:.2f}",
        )


_ABOUT = (
    "Warm processes that are measured by turns. Peer: `SentenceTransformer.encode` with its defaults. "
    "The share of sgemm counts the products with the model's weights alone, no padding, no attention."
)
SUITES = {
    "bulk-minilm": Suite("Bulk, MiniLM", _ABOUT, lambda bench: bulk(bench, minilm()), pinned=True),
    "bulk-bge": Suite(
        "Bulk, bge-shaped",
        f"{_ABOUT} The model has bge-base's shape and random weights.",
        lambda bench: bulk(bench, bge(bench.bge)),
    ),
}
