"""Measure simil against what people use today: start-up, bulk, memory, pipes.

    python benchmarks/spine.py                                  everything, three times, and keep it as JSON
    python benchmarks/spine.py --only startup-minilm --repeat 10
    python benchmarks/spine.py --only bulk-bge --bge DIR --texts 500

Run it with the Python of an environment that simil is installed in, on a machine that does nothing
else. Every figure is a ratio of two sides measured by turns in this run: the median of the repeats, its
least and most, and the bar it must reach. The exit code is 1 when one is missed. Both sides run on the
CPU, offline, with a cache of their own that is thrown away; simil's is prepared before the clock starts.
The bge-shaped model (440 MB) is made when it is needed, or taken from --bge (see make_bge_shaped.py).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import sqrt
from pathlib import Path
from typing import Any

from measure import MeasurementFailed, by_turns, run
from report import Check, Figure, machine, table, to_dict
from workloads import LENGTHS, lines, write_plugin

import simil.models

HERE = Path(__file__).resolve().parent
KEPT = HERE / "results" / "spine.json"
MINILM = Path(simil.models.__file__).resolve().parent / "minilm"

Row = Figure | Check


@dataclass(frozen=True)
class Bench:
    """What every measurement needs: a folder to work in, how often to repeat, how many texts are bulk."""

    folder: Path
    repeat: int
    texts: int
    given_bge: Path | None

    @cached_property
    def env(self) -> dict[str, str]:
        """The environment of both sides: the user's, without their settings for simil."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("SIMIL_", "OPENAI_"))}
        return kept | {
            "SIMIL_CACHE_DIR": str(self.folder / "cache"),
            "SIMIL_CONFIG": os.devnull,
            "HF_HUB_OFFLINE": "1",
            "CUDA_VISIBLE_DEVICES": "",
        }

    @cached_property
    def simil(self) -> str:
        """The installed command."""
        return str(Path(sys.executable).parent / "simil")

    @cached_property
    def bge(self) -> Path:
        """The bge-shaped folder, made on first use."""
        if self.given_bge:
            return self.given_bge
        folder = self.folder / "bge-shaped"
        _say("making the bge-shaped model")
        self.python("make_bge_shaped.py", str(folder))
        return folder

    def python(self, script: str, *arguments: str) -> str:
        """Run one of the scripts beside this one; return what it prints."""
        return run([sys.executable, str(HERE / script), *arguments], env=self.env, cwd=self.folder).stdout


def startup(
    bench: Bench, name: str, model: str, folder: Path, faster: float, memory: float | None
) -> list[Row]:
    """Two words compared by a whole process, against the script that people write today."""
    script = [sys.executable, str(HERE / "seed_script.py"), str(folder), "Apple", "Orange"]
    command = [bench.simil, "compare", "-m", model, "Apple", "Orange"]
    peer, ours = by_turns(
        lambda: run(script, env=bench.env, cwd=bench.folder),
        lambda: run(command, env=bench.env, cwd=bench.folder),
        bench.repeat,
    )
    if abs(float(peer[0].stdout) - float(ours[0].stdout)) > 1e-4:
        raise MeasurementFailed(
            f"{name}: the sides differ: {peer[0].stdout.strip()} and {ours[0].stdout.strip()}"
        )
    return [
        Figure(
            f"compare two words, {name}: time",
            "s",
            [usage.seconds for usage in peer],
            [usage.seconds for usage in ours],
            "peer/ours",
            at_least=faster,
        ),
        Figure(
            f"compare two words, {name}: peak memory",
            "MB",
            [usage.peak_bytes / 1e6 for usage in peer],
            [usage.peak_bytes / 1e6 for usage in ours],
            "ours/peer",
            at_most=memory,
        ),
    ]


def help_and_version(bench: Bench) -> list[Row]:
    """What the command costs before it does anything, against an interpreter that does nothing."""
    return [_against_pass(bench, "--version", 10), _against_pass(bench, "--help", 20)]


def _against_pass(bench: Bench, option: str, most: float) -> Figure:
    nothing, command = [sys.executable, "-c", "pass"], [bench.simil, option]
    peer, ours = by_turns(
        lambda: run(nothing, env=bench.env, cwd=bench.folder).seconds,
        lambda: run(command, env=bench.env, cwd=bench.folder).seconds,
        5 * bench.repeat,  # Short runs are the noisiest.
    )
    return Figure(f"simil {option}, to python -c pass", "s", peer, ours, "ours/peer", at_most=most)


def bulk(bench: Bench, name: str, model: str, folder: Path) -> list[Row]:
    """Many short texts inside the engine, against `SentenceTransformer.encode`; a process for each side."""
    number = ("--texts", str(bench.texts))

    def side(which: str, target: str) -> dict[str, Any]:
        result: dict[str, Any] = json.loads(bench.python("bulk.py", which, "--model", target, *number))
        return result

    roofs = [side("roof", str(folder))]
    peer, ours = by_turns(
        lambda: side("peer", str(folder)), lambda: side("ours", model), bench.repeat, warm=False
    )
    roofs.append(side("roof", str(folder)))
    roof = max(roofs, key=lambda one: float(one["gflops"]))
    rows: list[Row] = []
    for length in LENGTHS:
        _check_alike(f"{name}, {length}", peer[0][length]["vectors"], ours[0][length]["vectors"])
        peers, rates = ([one[length]["texts_per_s"] for one in results] for results in (peer, ours))
        shares = [100 * max(values) / roof["texts_per_s"][length] for values in (peers, rates)]
        note = f"best: {shares[0]:.0f} % and {shares[1]:.0f} % of sgemm, {roof['gflops']:.0f} GFLOP/s"
        title = f"{bench.texts} texts of {length}, {name}"
        rows.append(Figure(title, "texts/s", peers, rates, "ours/peer", at_least=2.3, note=note))
    return rows


def bounded_memory(bench: Bench) -> list[Row]:
    """`simil embed` of ten times as many lines; the model is a plug-in that does nothing."""
    model = write_plugin(bench.folder / "plugin")
    env = bench.env | {"PYTHONPATH": str(bench.folder / "plugin")}
    short = lines(bench.folder / "20k.txt", 20_000)
    long = lines(bench.folder / "200k.txt", 200_000)

    def megabytes(path: Path) -> float:
        command = [bench.simil, "embed", "-m", model, str(path)]
        return run(command, env=env, cwd=bench.folder, discard=True).peak_bytes / 1e6

    peer, ours = by_turns(lambda: megabytes(short), lambda: megabytes(long), bench.repeat, warm=False)
    name = "peak memory, 200,000 lines to 20,000"
    return [Figure(name, "MB", peer, ours, "ours/peer", at_least=0.85, at_most=1.15)]


def closed_pipe(bench: Bench) -> list[Row]:
    """`yes text | simil embed --format jsonl | head -1`: ends by itself, one line, nothing on stderr."""
    command = [bench.simil, "embed", "-m", "minilm", "--format", "jsonl"]
    run([*command, "--text", "warm"], env=bench.env, cwd=bench.folder)
    seconds, quiet = [], True
    for _ in range(bench.repeat):
        with tempfile.TemporaryFile() as err:
            began = time.perf_counter()
            source = subprocess.Popen(["yes", "text"], stdout=subprocess.PIPE)
            ours = subprocess.Popen(
                command,
                stdin=source.stdout,
                stdout=subprocess.PIPE,
                stderr=err,
                env=bench.env,
                cwd=bench.folder,
            )
            head = subprocess.Popen(["head", "-1"], stdin=ours.stdout, stdout=subprocess.PIPE)
            for stream in (source.stdout, ours.stdout):
                if stream:
                    stream.close()
            printed = head.communicate()[0]
            try:
                ours.wait(timeout=30)
            except subprocess.TimeoutExpired:
                ours.kill()
            seconds.append(time.perf_counter() - began)
            source.wait(timeout=30)
            quiet &= err.tell() == 0 and printed.count(b"\n") == 1 and ours.wait() == 141
    note = "stderr empty, one line, exit code 141" if quiet else "not quiet, or not ended"
    return [
        Check("yes text | simil embed | head -1", seconds, quiet and max(seconds) < 2, "< 2 s, quietly", note)
    ]


MEASUREMENTS: dict[str, Callable[[Bench], list[Row]]] = {
    "startup-minilm": lambda bench: startup(bench, "MiniLM", "minilm", MINILM, 12, 0.4),
    "startup-bge": lambda bench: startup(bench, "bge-shaped", str(bench.bge), bench.bge, 15, None),
    "help": help_and_version,
    "bulk-minilm": lambda bench: bulk(bench, "MiniLM", "minilm", MINILM),
    "bulk-bge": lambda bench: bulk(bench, "bge-shaped", str(bench.bge), bench.bge),
    "memory": bounded_memory,
    "pipe": closed_pipe,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--only", nargs="+", choices=MEASUREMENTS, metavar="NAME", help=", ".join(MEASUREMENTS)
    )
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="how often (default: 3)")
    parser.add_argument("--texts", type=int, default=2700, metavar="N", help="texts of bulk (default: 2700)")
    parser.add_argument("--bge", type=Path, metavar="DIR", help="a bge-shaped folder made before")
    parser.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="default without --only: results/spine.json beside this script",
    )
    arguments = parser.parse_args()
    kept = arguments.json or (None if arguments.only else KEPT)
    where = machine()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="simil-bench-") as folder:
        given = arguments.bge.resolve(strict=True) if arguments.bge else None
        bench = Bench(Path(folder), max(arguments.repeat, 1), max(arguments.texts, 1), given)
        for name in arguments.only or MEASUREMENTS:
            _say(f"measuring {name}")
            try:
                rows += MEASUREMENTS[name](bench)
            except MeasurementFailed as exc:
                _say(str(exc))
                rows.append(Check(name, [], holds=False, bar="", note="failed, see stderr"))
    print("\n".join(f"{key}: {_plain(value)}" for key, value in where.items()))
    print(f"\n{table(rows)}")
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        record = {"machine": where, "repeat": bench.repeat, "figures": [to_dict(row) for row in rows]}
        kept.write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    return int(any(row.holds is False for row in rows))


def _check_alike(name: str, peer: Sequence[Sequence[float]], ours: Sequence[Sequence[float]]) -> None:
    """Stop unless both sides gave the same vectors: else they were not asked for the same work."""
    for left, right in zip(peer, ours, strict=True):
        dot = sum(a * b for a, b in zip(left, right, strict=True))
        cosine = dot / sqrt(sum(a * a for a in left) * sum(b * b for b in right))
        if cosine < 0.99999:
            raise MeasurementFailed(f"{name}: the sides' vectors differ, cosine {cosine:.6f}")


def _plain(value: Any) -> str:
    return ", ".join(f"{key} {one}" for key, one in value.items()) if isinstance(value, dict) else str(value)


def _say(what: str) -> None:
    print(f"{what} …", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
