"""A whole tree searched by paragraphs for the first time, compared with embedding the same paragraphs."""

from __future__ import annotations

import shutil
import subprocess
from functools import partial
from pathlib import Path

from bench import HERE, Bench, Suite, say
from measure import Usage, by_turns, run
from report import Check, Figure, LeftOut, Row, Value

__all__ = ["SUITES", "copy_tracked"]

_SLOWER = 1.25
_SEARCH = ("search", "-q", "-m", "minilm", "-r", "may I put my name on it?", ".", "--chunk", "paragraphs")


def search_tree(bench: Bench) -> list[Row]:
    """The first search and `simil embed` of what it embedded, in turn; then the search again.

    Both take a minute or more, so there is one round.
    """
    tree = bench.folder / "tree"
    files = copy_tracked(HERE.parent, tree)
    if not files:
        return [LeftOut("search -r . --chunk paragraphs", "this is not a checkout of the repository")]
    say(f"  {files:,} files")
    search = partial(_simil, bench, tree, *_SEARCH)
    listed = bench.folder / "paragraphs.jsonl"
    search("-k", "1000000", "-o", str(listed))
    with listed.open("rb") as lines:
        paragraphs = sum(1 for _ in lines)
    embed = (
        "embed",
        "-q",
        "-m",
        "minilm",
        str(listed),
        "--field",
        "content",
        "-o",
        str(listed.with_suffix(".npy")),
    )

    def cold(command: partial[Usage]) -> Usage:
        _simil(bench, tree, "cache", "clear", "-q")
        return command()

    sides = {"peer": partial(cold, partial(_simil, bench, tree, *embed)), "ours": partial(cold, search)}
    taken = by_turns(sides, 1, warm=False)
    again = by_turns({"again": search}, bench.repeat, warm=False)["again"]
    name = f"search -r . --chunk paragraphs, {files:,} files, {paragraphs:,} paragraphs"
    peer, ours = ([usage.seconds for usage in taken[side]] for side in ("peer", "ours"))
    return [
        Figure(f"{name}: empty cache, to embedding alone", "s", peer, ours, "ours/peer", at_most=_SLOWER),
        Value(f"{name}: empty cache", "texts/s", [paragraphs / seconds for seconds in ours]),
        Value(f"{name}: empty cache, peak memory", "MB", [usage.peak_bytes / 1e6 for usage in taken["ours"]]),
        Value(f"{name}: again", "s", [usage.seconds for usage in again]),
        Check(f"{name}: the same answer", [], again[0].stdout == taken["ours"][0].stdout, "the same lines"),
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
        "embed` of the same paragraphs from one file, with an empty cache, too: what the model itself takes.",
        search_tree,
    )
}
