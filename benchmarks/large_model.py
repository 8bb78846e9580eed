"""A model larger than protobuf allows a message to be: prepared once, in bounded memory."""

from __future__ import annotations

import shutil
import sys
from functools import partial
from pathlib import Path

from bench import Bench, Suite, say
from measure import by_turns, run
from process_tree import run_tree
from report import Check, Figure, LeftOut, Row, Value

__all__ = ["SUITES", "large_model"]

# Of equally many tokens, so that they share a batch, as "Apple" and "Orange" do in a real vocabulary.
_WORDS = ("Apple", "Music")
_SMALL = "qwen3"


def large_model(bench: Bench) -> list[Row]:
    """Preparation, and a start beside that of a small model of the same architecture."""
    if not sys.platform.startswith("linux"):
        return [LeftOut("2.4 GB in float32", "memory of a process tree is read from /proc")]
    folder = bench.folder / "large-model"
    folder.mkdir()
    try:
        return _measured(bench, folder)
    finally:
        shutil.rmtree(folder)


def _measured(bench: Bench, folder: Path) -> list[Row]:
    large, small = folder / "large", folder / _SMALL
    say("making the large model")
    run(bench.script("make_large_model.py", str(large)), env=bench.env, cwd=folder)
    run(bench.script("architectures_side.py", "build", str(folder), _SMALL), env=bench.env, cwd=folder)
    size = sum(path.stat().st_size for path in large.rglob("*") if path.is_file())
    env = bench.env | {"SIMIL_CACHE_DIR": str(folder / "cache")}
    commands = {
        name: [bench.simil, "compare", "-v", "--no-cache", "-m", str(path), *_WORDS]
        for name, path in (("peer", small), ("ours", large))
    }
    prepared = run_tree(commands["ours"], env=env, cwd=folder)
    again = run_tree(commands["ours"], env=env, cwd=folder)
    name = f"{size / 1e9:.2f} GB in float32"
    once = "preparing" not in again.stderr and "sentence-transformers" not in again.stderr
    taken = by_turns(
        {side: partial(run, command, env=env, cwd=folder) for side, command in commands.items()},
        2 * bench.repeat,
    )
    seconds = {side: [usage.seconds for usage in usages] for side, usages in taken.items()}
    return [
        Value(f"{name}: time of preparation", "s", [prepared.seconds]),
        _ratio(f"{name}: memory of preparation, to the folder", size, prepared.resident, 2),
        _ratio(f"{name}: the same without mapped files, to the folder", size, prepared.anonymous, None),
        Check(f"{name}: second run", [again.seconds], once, "nothing is prepared again", again.stderr[-200:]),
        Figure(
            f"{name}: start, to a small one", "s", seconds["peer"], seconds["ours"], "ours/peer", at_most=2
        ),
    ]


def _ratio(name: str, peer: int, ours: int, most: float | None) -> Figure:
    return Figure(name, "MB", [peer / 1e6], [ours / 1e6], "ours/peer", at_most=most)


SUITES = {
    "large-model": Suite(
        "A large model",
        "A folder of the shape of Qwen3-Embedding-0.6B in float32, with random weights (see "
        "benchmarks/make_large_model.py): two words compared by a whole process, which prepares the model at "
        "the first time. Memory is that of all processes together. Peer: the folder's size; the start with a "
        "tiny model of the same architecture.",
        large_model,
        on_request=True,
    )
}
