"""Parquet: how fast and in how much memory a table of texts becomes one of vectors, compared with .npy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench import Bench, Suite
from measure import MeasurementFailed, Usage, by_turns, run
from report import Figure, Row, Value
from workloads import WIDE, write_plugin

__all__ = ["SUITES", "check_same", "parquet"]

_FORMS = ("npy", "parquet")
_LEAST_RATE = 0.7
_MOST_MB = 500


def parquet(bench: Bench) -> list[Row]:
    """Writing alone, embedding from table to table, and searching what was written."""
    write_plugin(bench.folder / "plugin")
    texts = bench.folder / "texts.parquet"
    run(_side(bench, "texts", texts), env=bench.env, cwd=bench.folder)
    written = by_turns({form: _writing(bench, form) for form in _FORMS}, bench.repeat, warm=False)
    embedded = by_turns({form: _embedding(bench, texts, form) for form in _FORMS}, bench.repeat, warm=False)
    found = by_turns({form: _searching(bench, form) for form in _FORMS}, bench.repeat, warm=False)
    check_same(found)
    for path in bench.folder.glob("embedded.*"):
        path.unlink()
    table = f"{bench.rows:,} x {WIDE}"
    return [
        *_rows(f"{table}: writing", written),
        *_rows(f"{table}: embedding texts of a .parquet, model of no cost", embedded),
        *_rows(f"{table}: one search, whole process", found, is_bounded=False),
    ]


def check_same(found: Mapping[str, Sequence[Usage]]) -> None:
    """Raise `MeasurementFailed` unless all searches printed the same."""
    if len({usage.stdout for usages in found.values() for usage in usages}) > 1:
        raise MeasurementFailed("searches of .parquet and .npy found different rows")


def _rows(name: str, taken: dict[str, list[Usage]], *, is_bounded: bool = True) -> list[Row]:
    seconds = {form: [usage.seconds for usage in taken[form]] for form in _FORMS}
    megabytes = {form: [usage.peak_bytes / 1e6 for usage in taken[form]] for form in _FORMS}
    least, most = (_LEAST_RATE, _MOST_MB) if is_bounded else (None, None)
    return [
        Figure(
            f"{name}, .parquet to .npy", "s", seconds["npy"], seconds["parquet"], "peer/ours", at_least=least
        ),
        Value(f"{name}, .parquet: peak memory", "MB", megabytes["parquet"], at_most=most),
        Value(f"{name}, .npy: peak memory", "MB", megabytes["npy"]),
    ]


def _writing(bench: Bench, form: str) -> Callable[[], Usage]:
    command = _side(bench, form, bench.folder / f"written.{form}")

    def side() -> Usage:
        usage = run(command, env=bench.env, cwd=bench.folder)
        for path in bench.folder.glob("written.*"):
            path.unlink()
        return usage

    return side


def _embedding(bench: Bench, texts: Path, form: str) -> Callable[[], Usage]:
    output = str(_saved(bench, form))
    command = [bench.simil, "embed", "--no-cache", "-m", "plugin:wide", str(texts), "-o", output]
    return lambda: run(command, env=_with_plugin(bench), cwd=bench.folder)


def _searching(bench: Bench, form: str) -> Callable[[], Usage]:
    command = [
        bench.simil,
        "search",
        "-q",
        "-m",
        "plugin:wide",
        "a bird by the lake",
        str(_saved(bench, form)),
    ]
    return lambda: run(command, env=_with_plugin(bench), cwd=bench.folder)


def _saved(bench: Bench, form: str) -> Path:
    return bench.folder / f"embedded.{form}"


def _side(bench: Bench, what: str, path: Path) -> list[str]:
    return bench.script("parquet_side.py", what, str(path), str(bench.rows))


def _with_plugin(bench: Bench) -> dict[str, str]:
    return bench.env | {"PYTHONPATH": str(bench.folder / "plugin")}


SUITES = {
    "parquet": Suite(
        "Parquet",
        "A table of texts becomes a table of vectors, with a plug-in as model that looks vectors up. Peer: "
        "the same with .npy and the JSON beside it. Writing is that of the writers alone, in "
        "benchmarks/parquet_side.py. A search holds all vectors in memory; of .npy it maps them.",
        parquet,
    )
}
