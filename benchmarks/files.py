"""From a file of real lines to a file of vectors, first computed, then from the cache."""

from __future__ import annotations

import filecmp
import subprocess
from array import array
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from bench import MINILM, Bench, Suite, check_alike
from measure import MeasurementFailed, Usage, by_turns, run
from report import Figure, LeftOut, Row

__all__ = ["SUITES", "last_vector", "real_lines"]

_DIMENSIONS = 384
_FASTER = 25
_NAME = "lines file to file"


def file_to_file(bench: Bench) -> list[Row]:
    """The first and the second run, into a file and into nothing, and a script that does the first."""
    source = bench.folder / "real.txt"
    number = real_lines(source, bench.lines, bench.given_lines)
    if number < bench.lines:
        return [LeftOut(f"{bench.lines:,} {_NAME}", f"only {number:,} lines of real text; give --lines FILE")]
    taken = _taken(bench, source)
    _check(bench)
    what = f"{bench.lines:,} {_NAME}"
    seconds = {side: [usage.seconds for usage in usages] for side, usages in taken.items()}
    megabytes = {side: [usage.peak_bytes / 1e6 for usage in usages] for side, usages in taken.items()}

    def figure(name: str, peer: str, ours: str, least: float | None = None) -> Figure:
        return Figure(f"{what}: {name}", "s", seconds[peer], seconds[ours], "peer/ours", at_least=least)

    return [
        figure("first run, npy, to the script", "script", "first npy"),
        figure("second run, npy, to the first", "first npy", "second npy", _FASTER),
        figure("second run, json to /dev/null, to the first", "first json", "second json", _FASTER),
        Figure(
            f"{what}: peak memory, first run, npy, to the script",
            "MB",
            megabytes["script"],
            megabytes["first npy"],
            "ours/peer",
        ),
        Figure(
            f"{what}: peak memory, second run, npy, to the first",
            "MB",
            megabytes["first npy"],
            megabytes["second npy"],
            "ours/peer",
        ),
    ]


def real_lines(target: Path, number: int, given: Path | None) -> int:
    """Write the first `number` distinct non-blank lines to `target`; return how many there are.

    They are descriptions of Debian packages, or lines of the file `given`.
    """
    source = given.read_text("utf-8").split("\n") if given is not None else _packages()
    lines = [*islice(dict.fromkeys(line for line in source if line.strip()), number)]
    target.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return len(lines)


def _packages() -> list[str]:
    """Return the output of `apt-cache search .`; searching names only, it takes a second, not minutes."""
    command = ["apt-cache", "search", "--names-only", "."]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError:
        return []
    return done.stdout.decode("utf-8", "replace").split("\n")


def last_vector(path: Path, dimensions: int) -> Sequence[float]:
    """Return the last row of a float32 .npy file, without importing NumPy into this process."""
    with path.open("rb") as file:
        file.seek(-4 * dimensions, 2)
        return array("f", file.read())


def _taken(bench: Bench, source: Path) -> dict[str, list[Usage]]:
    """Run all sides in turn, after a warm-up on a few lines."""
    few = bench.folder / "few.txt"
    with source.open("rb") as lines:
        few.write_bytes(b"".join(islice(lines, 10)))

    def script(lines: Path) -> Usage:
        return _run(bench, bench.script("peer_file.py", str(MINILM), str(lines), "script.npy"))

    def ours(*output: str, lines: Path = source, forget: bool) -> Usage:
        if forget:
            _run(bench, [bench.simil, "cache", "clear", "--quiet"])
        return _run(bench, [bench.simil, "embed", "-m", "minilm", str(lines), *output])

    script(few)
    ours("-o", "few.npy", lines=few, forget=True)
    sides = {
        "script": lambda: script(source),
        "first npy": lambda: ours("-o", "first.npy", forget=True),
        "second npy": lambda: ours("-o", "second.npy", forget=False),
        "first json": lambda: ours("-f", "json", forget=True),
        "second json": lambda: ours("-f", "json", forget=False),
    }
    return by_turns(sides, bench.repeat, warm=False)


def _check(bench: Bench) -> None:
    """Raise `MeasurementFailed` unless all sides gave the same vectors, the cache bit for bit."""
    script, first, second = (bench.folder / f"{side}.npy" for side in ("script", "first", "second"))
    check_alike(_NAME, last_vector(script, _DIMENSIONS), last_vector(first, _DIMENSIONS))
    if not filecmp.cmp(first, second, shallow=False):
        raise MeasurementFailed("the second run gave other vectors than the first")


def _run(bench: Bench, command: Sequence[str]) -> Usage:
    return run(command, env=bench.env, cwd=bench.folder, discard=True)


SUITES = {
    "files": Suite(
        "File to file",
        "Whole processes, MiniLM, lines of real text: Debian's descriptions of its packages (`apt-cache "
        "search .`) or a file that was given. The first run begins with an empty cache. Peers: "
        "benchmarks/peer_file.py, which is sentence-transformers and `np.save`; simil's own first run.",
        file_to_file,
    )
}
