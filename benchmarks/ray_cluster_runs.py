"""`simil embed --on ray` on this machine compared with one process that has the same cores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from bench import Bench, Suite
from measure import MeasurementFailed, Usage, by_turns, run
from report import Figure, LeftOut, Row, Value

__all__ = ["SUITES", "ray_overhead"]

# Of the lines from file to file, which are 20,000 by default.
_TIMES = 10
# Whole runs of a minute or more: two rounds tell what they take.
_ROUNDS = 2
_OVERHEAD = 1.2
_WORDS = "6 words"


def ray_overhead(bench: Bench) -> list[Row]:
    """Whole runs over many texts and over one, from a table of texts to tables of vectors."""
    texts = bench.lines * _TIMES
    name = f"{texts:,} texts of {_WORDS}, Parquet to Parquet"
    if find_spec("ray") is None:
        return [LeftOut(name, "Ray is not installed")]
    many, one = (_written(bench, rows) for rows in (texts, 1))
    sides = {"process": _one_process, "ray": _on_ray}
    starts = by_turns({side: how(bench, one) for side, how in sides.items()}, bench.repeat)
    runs = by_turns(
        {side: how(bench, many) for side, how in sides.items()}, min(bench.repeat, _ROUNDS), warm=False
    )
    _check_identical(bench)
    start = [least(starts["ray"]) - least(starts["process"])]
    whole = {side: [usage.seconds for usage in usages] for side, usages in runs.items()}
    beyond = [seconds - start[0] for seconds in whole["ray"]]
    return [
        Figure(f"{name}: beyond Ray's start", "s", whole["process"], beyond, "ours/peer", at_most=_OVERHEAD),
        Figure(f"{name}: whole runs", "s", whole["process"], whole["ray"], "ours/peer"),
        Value("Ray's start: what one text takes longer", "s", start),
    ]


def least(usages: Sequence[Usage]) -> float:
    """Return the shortest time: a start is the same work each time, and anything else adds to it."""
    return min(usage.seconds for usage in usages)


def _written(bench: Bench, rows: int) -> Path:
    path = bench.folder / f"ray-texts-{rows}.parquet"
    run(
        bench.script("ray_cluster_side.py", "write", str(path), str(rows), _WORDS),
        env=bench.env,
        cwd=bench.folder,
    )
    return path


def _one_process(bench: Bench, texts: Path) -> Callable[[], Usage]:
    return _embedding(bench, texts, _single(bench))


def _on_ray(bench: Bench, texts: Path) -> Callable[[], Usage]:
    return _embedding(bench, texts, _parts(bench), "--on", "ray")


def _embedding(bench: Bench, texts: Path, output: Path, *options: str) -> Callable[[], Usage]:
    command = [bench.simil, "embed", "-q", "--no-cache", "-m", "minilm", str(texts), "-o", str(output)]
    clear = bench.script("ray_cluster_side.py", "remove", str(output))
    # Without an address, Ray starts here, with all cores of the machine, and ends with the run.
    env = {name: value for name, value in bench.env.items() if name != "RAY_ADDRESS"}

    def side() -> Usage:
        run(clear, env=bench.env, cwd=bench.folder)
        return run([*command, *options], env=env, cwd=bench.folder)

    return side


def _check_identical(bench: Bench) -> None:
    """Raise `MeasurementFailed` unless both wrote the same rows and the same bits."""
    compare = bench.script("ray_cluster_side.py", "compare", str(_single(bench)), str(_parts(bench)))
    said = run(compare, env=bench.env, cwd=bench.folder).stdout.strip()
    if said != "identical":
        raise MeasurementFailed(f"one process and Ray wrote different vectors: {said}")


def _single(bench: Bench) -> Path:
    return bench.folder / "ray-one.parquet"


def _parts(bench: Bench) -> Path:
    return bench.folder / "ray-parts"


SUITES = {
    "ray": Suite(
        "Ray on one machine",
        "A table of texts becomes tables of vectors of MiniLM, with `--on ray`, which starts Ray with all "
        "cores and ends it. Peer: one process with the same cores. Ray's start is what a run over one text "
        "takes longer. Both must write the same rows and bits.",
        ray_overhead,
    )
}
