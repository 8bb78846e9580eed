"""A whole tree searched by paragraphs for the first time, compared with embedding the same paragraphs."""

from __future__ import annotations

import filecmp
import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench import HERE, Bench, Suite
from measure import Usage, by_turns, run
from report import Check, Figure, LeftOut, Row, Value

__all__ = ["SUITES", "copy_tracked"]

_SLOWER = 1.25
_QUERY = "may I put my name on it?"


def search_tree(bench: Bench, checkout: Path = HERE.parent) -> list[Row]:
    """The first search, `simil embed` of the paragraphs that it found, and the search again.

    The first two take a minute or more, so there is one round.
    """
    tree = bench.folder / "tree"
    files = copy_tracked(checkout, tree)
    if not files:
        return [LeftOut("search -r . --chunk paragraphs", "this is not a checkout of the repository")]
    simil = partial(_simil, bench, tree)
    simil("models", "prepare", "minilm")
    found, listed = bench.folder / "found.jsonl", bench.folder / "first.jsonl"
    command = ("search", "-q", "-m", "minilm", "-r", _QUERY, ".", "--chunk", "paragraphs", "-k", "1000000")
    search = partial(simil, *command, "-o", str(found))
    alone = str(bench.folder / "alone.npy")
    embed = ("embed", "-q", "--no-cache", "-m", "minilm", "--field", "content", str(listed), "-o", alone)

    def first() -> Usage:
        simil("cache", "clear", "-q")
        usage = search()
        found.rename(listed)
        return usage

    sides: dict[str, Callable[[], Usage]] = {"ours": first, "peer": partial(simil, *embed)}
    taken = by_turns(sides, 1, warm=False)
    again = by_turns({"again": search}, bench.repeat)["again"]
    with listed.open("rb") as lines:
        paragraphs = sum(1 for _ in lines)
    name = f"search -r . --chunk paragraphs, {files:,} files, {paragraphs:,} paragraphs"
    peer, ours = ([usage.seconds for usage in taken[side]] for side in ("peer", "ours"))
    same = filecmp.cmp(listed, found, shallow=False)
    return [
        Figure(f"{name}: empty cache, to embedding alone", "s", peer, ours, "ours/peer", at_most=_SLOWER),
        Value(f"{name}: empty cache", "texts/s", [paragraphs / seconds for seconds in ours]),
        Value(f"{name}: empty cache, peak memory", "MB", [usage.peak_bytes / 1e6 for usage in taken["ours"]]),
        Value(f"{name}: again", "s", [usage.seconds for usage in again]),
        Check(f"{name}: again, the same answer", [], same, "the same lines"),
    ]


def copy_tracked(checkout: Path, target: Path) -> int:
    """Copy the files that Git tracks into a new folder; return how many they are, 0 outside of a checkout."""
    command = ["git", "-C", str(checkout), "ls-files", "-z"]
    try:
        listed = subprocess.run(command, capture_output=True, check=False).stdout.decode().split("\0")
    except OSError:
        return 0
    tracked = [name for name in listed if name and (checkout / name).is_file()]
    for name in tracked:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(checkout / name, target / name)
    return len(tracked)


def _simil(bench: Bench, tree: Path, *arguments: str) -> Usage:
    return run([bench.simil, *arguments], env=bench.env, cwd=tree)


SUITES = {
    "search-tree": Suite(
        "Search of a tree",
        "The files of this repository that Git tracks, copied, and searched by a whole process. Peer: `simil "
        "embed --no-cache` of the same paragraphs from one file: what the model itself takes.",
        search_tree,
    )
}
