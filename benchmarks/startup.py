"""The start-up cost of a run: two words, two words seen before, imports, a closed pipe."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from typing import IO

from bench import MINILM, Bench, Suite, command, part
from measure import MeasurementFailed, Usage, by_turns, run, undisturbed
from report import Check, Figure, LeftOut, Row

__all__ = ["SUITES", "imported"]

_WORDS = ("Apple", "Orange")
_NOTHING = (sys.executable, "-c", "pass")
_ENGINES = {"onnxruntime", "openvino", "sentence_transformers", "tokenizers", "torch", "transformers"}
# What else a score out of the cache does not need.
_HEAVY = {"numpy", "typer"}
# Short runs are the noisiest.
_OFTEN = 5


def two_words(
    bench: Bench, name: str, model: str, folder: Path, faster: float, memory: float | None
) -> list[Row]:
    """Two words compared by a whole process, compared with the usual script and with `llm`."""
    ours = [bench.simil, "compare", "--no-cache", "-m", model, *_WORDS]
    script = partial(_against_script, bench, name, ours, folder, faster, memory)
    rows = part(f"two words, {name}: to the script", script)
    if not bench.is_pinned:  # It takes long, and tells nothing more.
        rows += part(f"two words, {name}: to llm", lambda: [_against_llm(bench, name, folder, ours)])
    return rows


def _against_script(
    bench: Bench, name: str, ours: Sequence[str], folder: Path, faster: float, memory: float | None
) -> list[Row]:
    peer = bench.script("seed_script.py", str(folder), *_WORDS)
    taken = by_turns({"peer": lambda: _run(bench, peer), "ours": lambda: _run(bench, ours)}, bench.repeat)
    _check_scores(name, taken["peer"][0].stdout, taken["ours"][0].stdout)
    megabytes = {side: [usage.peak_bytes / 1e6 for usage in usages] for side, usages in taken.items()}
    return [
        _faster(f"two words, {name}: time, to the script", taken["peer"], taken["ours"], faster),
        Figure(
            f"two words, {name}: peak memory, to the script",
            "MB",
            megabytes["peer"],
            megabytes["ours"],
            "ours/peer",
            at_most=memory,
        ),
    ]


def _against_llm(bench: Bench, name: str, folder: Path, ours: Sequence[str]) -> Row:
    """The commands of an `llm` user: add one word to a collection, then search it for the other."""
    title = f"two words, {name}: time, to llm"
    home = bench.folder / f"llm-{name}"
    llm = command("llm")
    if not Path(llm).exists():
        return LeftOut(title, "llm is not installed")
    home.mkdir(exist_ok=True)
    # The file that `llm sentence-transformers register --lazy` writes; a folder works as a name.
    (home / "sentence-transformers.json").write_text(json.dumps([{"name": str(folder)}]), "utf-8")
    numbers = count()

    def peer() -> Usage:
        # In an existing database, `llm` would find the word and do nothing.
        database = f"words-{next(numbers)}.db"
        embed = ["embed", "words", "first", "-m", f"sentence-transformers/{folder}", "-d", database]
        env = bench.env | {"LLM_USER_PATH": str(home)}
        begun = run([llm, *embed, "-c", _WORDS[0]], env=env, cwd=home)
        ended = run([llm, "similar", "words", "-d", database, "-c", _WORDS[1]], env=env, cwd=home)
        most = max(begun.peak_bytes, ended.peak_bytes)
        return Usage(begun.seconds + ended.seconds, most, str(json.loads(ended.stdout)["score"]), "")

    taken = by_turns({"peer": peer, "ours": lambda: _run(bench, ours)}, bench.repeat)
    _check_scores(title, taken["peer"][0].stdout, taken["ours"][0].stdout)
    return _faster(title, taken["peer"], taken["ours"], note="llm embed, then llm similar: two processes")


def seen_before(bench: Bench) -> list[Row]:
    """Two words compared a second time, compared with an interpreter that does nothing."""
    ours = [bench.simil, "compare", "-m", "minilm", *_WORDS]
    first = _run(bench, ours)
    probe = _run(bench, [sys.executable, "-X", "importtime", "-m", "simil", *ours[1:]])
    if probe.stdout != first.stdout:
        raise MeasurementFailed("the cache gave another score")
    needless = imported(probe.stderr) & (_ENGINES | _HEAVY)
    note = f"imports {', '.join(sorted(needless))}" if needless else "imports no engine, NumPy or Typer"
    row = _against_pass(bench, "simil compare, second run", ours, 8)
    return [row, Check("simil compare, second run: no engine", [], not needless, "none imported", note)]


def imported(importtime: str) -> set[str]:
    """Return the packages that `python -X importtime` printed to stderr."""
    lines = (line for line in importtime.splitlines() if line.startswith("import time:"))
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


# Checks the prepared files of minilm as a start does, several times, and prints the seconds of each.
_CHECK = """
import json, time
from simil.config import load_settings
from simil.models.graphs.build_once import open_built
from simil.models.graphs.generations import Generation
from simil.models.resolve import resolve
from simil.models.select import find_local

cache = load_settings().cache_dir
generation = Generation.of(find_local(resolve("minilm")), cache)
took = []
for _ in range(9):
    began = time.perf_counter()
    assert generation.is_undisturbed()
    assert all(open_built(target, generation) for target in generation.built())
    took.append(time.perf_counter() - began)
print(json.dumps(took))
"""


def checked(bench: Bench) -> list[Row]:
    """What a start takes to check the prepared files."""
    _run(bench, [bench.simil, "models", "prepare", "minilm"])
    with undisturbed():
        seconds = json.loads(_run(bench, [sys.executable, "-c", _CHECK]).stdout)
    name = "check of the prepared files, MiniLM"
    return [
        Check(name, seconds, median(seconds) < 0.005, "< 5 ms", "states, and a sample of 64 blocks of each")
    ]


def imports(bench: Bench) -> list[Row]:
    """What is imported at start-up, compared with an interpreter that does nothing."""
    rows: list[Row] = [
        _against_pass(bench, "import simil", [sys.executable, "-c", "import simil"]),
        _against_pass(bench, "simil --version", [bench.simil, "--version"], 5),
        _against_pass(bench, "simil --help", [bench.simil, "--help"], 20),
        _against_pass(bench, "simil models", [bench.simil, "models"], 20),
    ]
    openvino = "from simil.models.graphs.openvino_runtime import import_openvino as load; load()"
    try:
        rows.append(_against_pass(bench, "import openvino, as simil does", [sys.executable, "-c", openvino]))
    except MeasurementFailed:
        rows.append(LeftOut("import openvino, as simil does", "openvino is not installed"))
    return rows


def closed_pipe(bench: Bench) -> list[Row]:
    """`yes text | simil embed --format jsonl | head -1`: ends by itself, one line, nothing on stderr."""
    ours = [bench.simil, "embed", "--no-cache", "-m", "minilm", "--format", "jsonl"]
    _run(bench, [*ours, "--text", "warm"])
    runs = by_turns({"pipe": lambda: _closed_pipe(bench, ours)}, bench.repeat, warm=False)["pipe"]
    seconds, quiet = [took for took, _ in runs], all(well for _, well in runs)
    note = "stderr empty, one line, exit code 141" if quiet else "not quiet, or not ended"
    name = "yes text | simil embed | head -1"
    return [Check(name, seconds, quiet and max(seconds) < 2, "< 2 s, quietly", note)]


def _closed_pipe(bench: Bench, ours: Sequence[str]) -> tuple[float, bool]:
    with tempfile.TemporaryFile() as err:
        began = time.perf_counter()
        source = subprocess.Popen(["yes", "text"], stdout=subprocess.PIPE)
        embed = subprocess.Popen(
            ours, stdin=source.stdout, stdout=subprocess.PIPE, stderr=err, env=bench.env, cwd=bench.folder
        )
        head = subprocess.Popen(["head", "-1"], stdin=embed.stdout, stdout=subprocess.PIPE)
        _close(source.stdout, embed.stdout)
        printed = head.communicate()[0]
        try:
            embed.wait(timeout=30)
        except subprocess.TimeoutExpired:
            embed.kill()
        seconds = time.perf_counter() - began
        source.wait(timeout=30)
        return seconds, err.tell() == 0 and printed.count(b"\n") == 1 and embed.wait() == 141


def _close(*streams: IO[bytes] | None) -> None:
    """Close this process's ends of pipes, so that the last reader is the only one."""
    for stream in streams:
        if stream:
            stream.close()


def _run(bench: Bench, command: Sequence[str]) -> Usage:
    return run(command, env=bench.env, cwd=bench.folder)


def _check_scores(name: str, peer: str, ours: str) -> None:
    if abs(float(peer) - float(ours)) > 1e-4:
        raise MeasurementFailed(f"{name}: the sides differ: {peer.strip()} and {ours.strip()}")


def _faster(
    name: str, peer: Sequence[Usage], ours: Sequence[Usage], least: float | None = None, note: str = ""
) -> Figure:
    peers, seconds = ([usage.seconds for usage in usages] for usages in (peer, ours))
    return Figure(name, "s", peers, seconds, "peer/ours", at_least=least, note=note)


def _against_pass(bench: Bench, name: str, ours: Sequence[str], most: float | None = None) -> Row:
    title = f"{name}, to python -c pass"
    return part(title, lambda: [_figure_to_pass(bench, title, ours, most)])[0]


def _figure_to_pass(bench: Bench, title: str, ours: Sequence[str], most: float | None) -> Figure:
    sides = {
        "peer": lambda: _run(bench, _NOTHING).seconds,
        "ours": lambda: _run(bench, ours).seconds,
    }
    taken = by_turns(sides, _OFTEN * bench.repeat)
    return Figure(title, "s", taken["peer"], taken["ours"], "ours/peer", at_most=most)


SUITES = {
    "startup-minilm": Suite(
        "Cold start, MiniLM",
        "Two words compared by a whole process, without the cache. Peers: benchmarks/seed_script.py with "
        "sentence-transformers; `llm` with llm-sentence-transformers. All read the same model folder.",
        lambda bench: two_words(bench, "MiniLM", "minilm", MINILM, 12, 0.4),
        pinned=True,
    ),
    "startup-bge": Suite(
        "Cold start, bge-shaped",
        "The same with a model of bge-base's shape and random weights (see make_bge_shaped.py).",
        lambda bench: two_words(bench, "bge-shaped", str(bench.bge), bench.bge, 15, None),
        pinned=True,
    ),
    "cached": Suite(
        "Cached start",
        "The same two words again, out of the cache. Peer: an interpreter that does nothing.",
        seen_before,
        pinned=True,
    ),
    "checked": Suite("Checks at start", "Prepared files are checked before each use.", checked),
    "imports": Suite(
        "Import times",
        "Whole processes that load and do nothing. Peer: an interpreter that does nothing.",
        imports,
    ),
    "pipe": Suite("Closed pipe", "A reader that has seen enough ends the run.", closed_pipe),
}
