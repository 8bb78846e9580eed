"""Measure the packed engine on a graphics card: all of its figures in one run.

    python benchmarks/gpu.py
    python benchmarks/gpu.py --sick sick-test.tsv --results benchmarks/RESULTS.md
    python benchmarks/gpu.py --device cpu --quick               this script itself, where there is no card

Needs a machine with a card that PyTorch can use, PyTorch's build for it, and nothing else at work on it. The
results are kept in the file of --json, as those of run.py; --results and --speeds write the pages anew. The
exit code is 1 if a bar is missed, 3 if none is but some figure was not measured, else 0.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from bench import MINILM, Bench, check_alike, part, say, whole
from machine_load import cpu_time
from measure import by_turns, run
from option_types import existing, positive
from report import Check, Figure, LeftOut, Row, Section, Value, machine, table
from run_output import add_output_options, allow_load, check_output_options, exit_code, keep, run_facts
from workers import Worker
from workloads import texts

__all__ = ["main"]

_SHORT, _LONG = "16.5 tokens", "230 tokens"
_BATCHES = (256, 1024)
# So many texts open both sides; each rate is measured once before it counts.
_WARM = 16
_ABOUT = (
    "Warm processes on the same card, measured in turn. Texts of 16.5 and of 230 tokens on average. Peers: "
    "`SentenceTransformer.encode` with its defaults (float32, batches of 32), and the faster one of its "
    "batches of 256 and 1,024 in bfloat16. Ours is from strings to vectors in memory; the card's own rate is "
    "that of the same texts, tokenized and packed before and already on the card."
)
_CARD = """
import json, torch
if torch.cuda.is_available():
    of = torch.cuda.get_device_properties(0)
    memory = f"{of.total_memory / 1e9:.0f} GB"
    print(json.dumps({"card": of.name, "card's memory": memory, "cuda": torch.version.cuda}))
else:
    print("null")
"""
_TOUCH = "import torch; print(torch.ones(2, device={device!r}).sum().item())"


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many texts of each length each side embeds, how many are compared, and how many embedded alone."""

    ours: Mapping[str, int]
    peer: Mapping[str, int]
    compared: Mapping[str, int]
    alone: Mapping[str, int]


_FULL = Sizes(
    ours={_SHORT: 200_000, _LONG: 20_000},
    peer={_SHORT: 10_000, _LONG: 2_000},
    compared={_SHORT: 800, _LONG: 300},
    alone={_SHORT: 2_400, _LONG: 900},
)
_QUICK = Sizes(*({_SHORT: short, _LONG: long} for short, long in ((8, 1), (4, 1), (3, 1), (3, 1))))


@dataclass(frozen=True, slots=True)
class Bars:
    """The least speed-ups over the peer with its defaults and at its best, for short and for long texts."""

    default: Mapping[str, float]
    best: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Model:
    """A model as both sides name it, and its bars."""

    name: str
    ours: str
    folder: Path
    bars: Bars | None


@dataclass(frozen=True, slots=True)
class Card:
    """What is measured on: a card, or the processor to try this script."""

    device: str
    sizes: Sizes

    @property
    def is_real(self) -> bool:
        """Whether figures of it are worth a bar."""
        return self.device != "cpu"

    def bar(self, value: float) -> float | None:
        return value if self.is_real else None

    @property
    def precision(self) -> str:
        return "float16" if self.is_real else "float32"


def main() -> int:
    given = _parsed(sys.argv[1:])
    allow_load(given)
    card = Card(given.device, _QUICK if given.quick else _FULL)
    before = cpu_time()
    with tempfile.TemporaryDirectory(prefix="simil-gpu-") as folder:
        bench = Bench(
            Path(folder), repeat=given.repeat, given_bge=given.bge, sick=given.sick, uses_card=card.is_real
        )
        found = _card(bench) if card.is_real else None
        if card.is_real and found is None:
            sys.exit(
                "PyTorch finds no CUDA device here: run this on a machine with a card and PyTorch's build "
                "for it; --device cpu --quick tries the script itself"
            )
        models = [Model("MiniLM", "minilm", MINILM, None)]
        if not given.quick:
            bars = Bars({_SHORT: 22, _LONG: 10}, {_SHORT: 5, _LONG: 3.2})
            models.insert(0, Model("bge-shaped", str(bench.bge), bench.bge, bars))
        rows = [row for model in models for row in whole(model.name, partial(_model, bench, card, model))]
        rows += whole("start", partial(_start, bench, card))
    section = Section("Graphics card", _ABOUT, rows, run_facts(before))
    print(table([section]))
    keep(given, {"gpu": section}, machine() | (found or {}))
    return exit_code([section])


def _model(bench: Bench, card: Card, model: Model) -> Iterator[Row]:
    """Yield the rows of one model: rates, then what the vectors are worth."""
    with ExitStack() as stack:
        device = ("--device", card.device)
        peer = stack.enter_context(bench.worker("gpu_side.py", "peer", "--model", str(model.folder), *device))
        how = ("--model", model.ours, "--precision", card.precision, *device)
        ours = stack.enter_context(bench.worker("gpu_side.py", "ours", *how))
        peer.ask("warm", number=_WARM)
        cannot = ours.ask("warm", number=_WARM)
        if cannot:
            yield LeftOut(model.name, cannot)
            return
        for length in (_SHORT, _LONG):
            yield from part(
                f"{length}, {model.name}", partial(_rates, bench, card, model, length, peer, ours)
            )
        yield from _quality(bench, card, model, peer, ours)
    if card.is_real:
        yield from part(f"file to file, {model.name}", partial(_file_to_file, bench, card, model))


def _rates(bench: Bench, card: Card, model: Model, length: str, peer: Worker, ours: Worker) -> Iterator[Row]:
    say(f"  texts of {length}, {model.name}")
    few, many = ({"length": length, "number": of[length]} for of in (card.sizes.peer, card.sizes.ours))
    bfloat16 = [f"bfloat16, batches of {size:,}" for size in _BATCHES]
    turns: dict[str, Callable[[], Any]] = {
        "default": partial(peer.ask, "rate", **few),
        **{
            name: partial(peer.ask, "bfloat16_rate", batch=size, **few)
            for name, size in zip(bfloat16, _BATCHES, strict=True)
        },
        "ours": partial(ours.ask, "rate", **many),
        "card": partial(ours.ask, "rate_on_card", **many),
    }
    taken = by_turns(turns, bench.repeat, warm=card.is_real)
    check_alike(model.name, taken["default"][0]["vectors"][0], taken["ours"][0]["vectors"][0])
    rates = {name: [one["texts_per_s"] for one in answers] for name, answers in taken.items()}
    best = max(bfloat16, key=lambda name: median(rates[name]))
    what = f"texts of {length}, {model.name}"

    def figure(to: str, side: str, bar: float | None) -> Figure:
        return Figure(f"{what}: {to}", "texts/s", rates[side], rates["ours"], "ours/peer", at_least=bar)

    bars = model.bars if card.is_real else None
    yield figure("to float32, batches of 32", "default", bars.default[length] if bars else None)
    yield figure(f"to {best}", best, bars.best[length] if bars else None)
    yield figure("share of the card's own rate", "card", card.bar(0.7))


def _file_to_file(bench: Bench, card: Card, model: Model) -> Iterator[Row]:
    """Yield the rate of `simil embed` as a whole process, its start included."""
    number = card.sizes.ours[_SHORT]
    source = bench.folder / "short.txt"
    source.write_text("".join(f"{text}\n" for text in texts(_SHORT, number)), "utf-8")
    command = [
        bench.simil,
        "embed",
        "-q",
        "--no-cache",
        "-m",
        model.ours,
        "--device",
        card.device,
        str(source),
    ]
    embed = partial(run, [*command, "-o", "short.npy"], env=bench.env, cwd=bench.folder)
    taken = by_turns({"ours": embed}, bench.repeat)["ours"]
    name = f"{number:,} lines of {_SHORT}, {model.name}: file to file, whole process"
    yield Value(name, "texts/s", [number / usage.seconds for usage in taken])


def _quality(bench: Bench, card: Card, model: Model, peer: Worker, ours: Worker) -> Iterator[Row]:
    say(f"  vectors, {model.name}")
    peers, mine = (str(bench.folder / f"{model.name}-{side}.npy") for side in ("peer", "ours"))
    compared, alone = dict(card.sizes.compared), dict(card.sizes.alone)
    peer.ask("save", path=peers, numbers=compared)
    ours.ask("save", path=mine, numbers=compared)
    cosine = ours.ask("compare", one=peers, other=mine)
    name = f"{model.name}: cosine to the peer's float32, worst of {sum(compared.values()):,} texts"
    yield Value(name, "", [cosine], at_least=0.99999)
    differing = ours.ask("differing", numbers=alone)
    name = f"{model.name}: {sum(alone.values()):,} texts alone, in a batch, and shuffled three times"
    yield Check(name, [], differing == 0, "the same bits", f"{differing} differ" if differing else "")
    if bench.sick and model.name == "MiniLM":
        theirs, points = (side.ask("spearman", path=str(bench.sick)) for side in (peer, ours))
        yield Value(
            f"{model.name}: Spearman on {bench.sick.stem}, to the peer's float32",
            "points",
            [round(points - theirs, 3)],
            at_least=-0.05,
            at_most=0.05,
            note=f"{points:.3f} against {theirs:.3f}",
        )


def _start(bench: Bench, card: Card) -> Iterator[Row]:
    """Yield what a comparison of two words takes, to a script that imports PyTorch and uses the card once."""
    touch = [sys.executable, "-c", _TOUCH.format(device=card.device)]
    ours = [
        bench.simil,
        "compare",
        "--no-cache",
        "-m",
        "minilm",
        "--engine",
        "packed",
        "--device",
        card.device,
    ]
    commands = {"peer": touch, "ours": [*ours, "Apple", "Orange"]}
    turns = {
        side: partial(run, command, env=bench.env, cwd=bench.folder) for side, command in commands.items()
    }
    taken = by_turns(turns, bench.repeat, warm=card.is_real)
    peer, mine = ([usage.seconds for usage in taken[side]] for side in ("peer", "ours"))
    name = (
        f"compare --device {card.device}, two words, whole process, to importing PyTorch and using the device"
    )
    yield Figure(name, "s", peer, mine, "ours/peer", at_most=card.bar(1.3))


def _card(bench: Bench) -> dict[str, str] | None:
    """Return what PyTorch says of the card, None if it finds none."""
    done = run([sys.executable, "-c", _CARD], env=bench.env, cwd=bench.folder)
    found: dict[str, str] | None = json.loads(done.stdout.splitlines()[-1])
    return found


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", default="cuda", metavar="NAME", help="as simil takes it (cuda)")
    parser.add_argument("--quick", action="store_true", help="few texts and MiniLM alone, to try the script")
    parser.add_argument(
        "--repeat", type=positive, default=3, metavar="N", help="how often all is measured (3)"
    )
    parser.add_argument("--bge", type=existing, metavar="DIR", help="a bge-shaped folder made before")
    parser.add_argument(
        "--sick", type=existing, metavar="FILE", help="pairs that people have scored, see run.py"
    )
    add_output_options(parser)
    given = parser.parse_args(arguments)
    check_output_options(parser, given)
    return given


if __name__ == "__main__":
    sys.exit(main())
