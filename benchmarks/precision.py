"""From how many texts on each precision is the fastest: whole processes, from a few texts to many."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from bench import Bench, Suite, check_alike, say
from files import last_vector
from measure import MeasurementFailed, Usage, by_turns, run
from report import Figure, LeftOut, Row, Value
from workloads import lines, texts

__all__ = ["SUITES", "crossover"]

_DIMENSIONS = 384
# Of `--texts`: with its default 10, 100, 1,000 and 10,000 lines, and 200 long texts.
_SIZES, _OF = (10, 100, 1_000, 10_000), 2_700
_LONG, _LONG_TEXTS = "230 tokens", 200


@dataclass(frozen=True, slots=True)
class Precision:
    """A precision by one of the engines; a cosine to float32 below `alike` means that it did other work."""

    name: str
    engine: str
    precision: str
    alike: float

    def command(self, bench: Bench, source: Path) -> list[str]:
        """Return the command that embeds the lines of `source`."""
        how = ["--engine", self.engine, "--precision", self.precision, "-o", self.output(bench).name]
        return [bench.simil, "embed", "--no-cache", "-m", "minilm", *how, str(source)]

    def output(self, bench: Bench) -> Path:
        """Return the file that the command writes."""
        return bench.folder / f"{self.engine}-{self.precision}.npy"


_BASE = Precision("float32, ONNX Runtime", "onnx", "float32", 1)
_OTHERS = (
    Precision("float32, OpenVINO", "openvino", "float32", 0.99999),
    Precision("bfloat16, packed", "packed", "bfloat16", 0.999),
    Precision("bfloat16, OpenVINO", "openvino", "bfloat16", 0.999),
    Precision("int8, OpenVINO", "openvino", "int8", 0.8),
)


def precisions(bench: Bench) -> list[Row]:
    """The rows of each size, then the size from which on each precision is faster than float32."""
    sizes = [max(1, size * bench.texts // _OF) for size in _SIZES]
    sources = {size: lines(bench.folder / f"{size}.txt", size) for size in sizes}
    number = max(1, _LONG_TEXTS * bench.texts // _OF)
    long = bench.folder / "long.txt"
    long.write_text("".join(f"{text}\n" for text in texts(_LONG, number)), "utf-8")

    rows: list[Row] = []
    available = [_BASE, *_available(bench, sources[sizes[0]], rows)]
    seconds: dict[Precision, list[float]] = {side: [] for side in available}
    for size, source in sources.items():
        taken = _taken(bench, available, source, f"{size:,} short lines")
        rows += _rows(f"{size:,} short lines", taken)
        for side, usages in taken.items():
            seconds[side].append(median(usage.seconds for usage in usages))
    name = f"{number:,} texts of {_LONG}"
    rows += _rows(name, _taken(bench, available, long, name))
    rows += [_crossed(side, sizes, seconds[_BASE], seconds[side]) for side in available[1:]]
    return rows


def _available(bench: Bench, few: Path, rows: list[Row]) -> Iterator[Precision]:
    """Yield the precisions that this machine has, and prepare them; a row says why one is left out."""
    _embed(bench, _BASE, few)
    for side in _OTHERS:
        try:
            _embed(bench, side, few)
        except MeasurementFailed as exc:
            rows.append(LeftOut(side.name, str(exc).splitlines()[-1]))
        else:
            yield side


def _taken(
    bench: Bench, sides: Sequence[Precision], source: Path, name: str
) -> Mapping[Precision, list[Usage]]:
    say(f"  {name}")
    turns: dict[str, Callable[[], Usage]] = {
        side.name: partial(_embed, bench, side, source) for side in sides
    }
    taken = by_turns(turns, bench.repeat, warm=False)
    expected = last_vector(_BASE.output(bench), _DIMENSIONS)
    for side in sides[1:]:
        check_alike(
            f"{name}, {side.name}", expected, last_vector(side.output(bench), _DIMENSIONS), side.alike
        )
    return {side: taken[side.name] for side in sides}


def _embed(bench: Bench, side: Precision, source: Path) -> Usage:
    return run(side.command(bench, source), env=bench.env, cwd=bench.folder, discard=True)


def _rows(name: str, taken: Mapping[Precision, list[Usage]]) -> Iterator[Row]:
    """Yield time and memory of each side, compared with float32 in ONNX Runtime."""
    seconds = {side: [usage.seconds for usage in usages] for side, usages in taken.items()}
    peaks = {side: [usage.peak_bytes / 1e6 for usage in usages] for side, usages in taken.items()}
    for side in [*taken][1:]:
        what = f"{name}: {side.name}"
        yield Figure(f"{what}, time", "s", seconds[_BASE], seconds[side], "peer/ours")
        yield Figure(f"{what}, peak memory", "MB", peaks[_BASE], peaks[side], "ours/peer")


def _crossed(side: Precision, sizes: Sequence[int], base: Sequence[float], ours: Sequence[float]) -> Row:
    name = f"{side.name}: faster than {_BASE.name}"
    size = crossover(sizes, base, ours)
    if size is None:
        return LeftOut(name, f"not even with {sizes[-1]:,} short lines")
    note = f"{sizes[0]:,} or fewer" if size == sizes[0] else "between the sizes measured, as if on a line"
    return Value(name, "short lines and more", [round(size, -1) or size], note=note)


def crossover(sizes: Sequence[int], base: Sequence[float], ours: Sequence[float]) -> float | None:
    """Return the size from which on `ours` takes less time than `base`; None if it does not at the largest.

    Between two sizes the time is taken to grow by the same amount for each text.
    """
    gains = [theirs - own for theirs, own in zip(base, ours, strict=True)]
    if gains[-1] <= 0:
        return None
    behind = max((index for index, gain in enumerate(gains) if gain <= 0), default=None)
    if behind is None:
        return sizes[0]
    low, high = sizes[behind], sizes[behind + 1]
    return low + (high - low) * -gains[behind] / (gains[behind + 1] - gains[behind])


SUITES = {
    "precision": Suite(
        "Precisions",
        "Whole `simil embed` processes with new texts, MiniLM, prepared: lines of about six words, and long "
        "texts. Peer: float32 in ONNX Runtime, which starts first.",
        precisions,
    )
}
