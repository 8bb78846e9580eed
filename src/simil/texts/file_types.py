"""Types of files by name, as `rg --type-list` of ripgrep prints them, and some more names.

`file_types.txt` is the output of ripgrep 13.0.0 (github.com/BurntSushi/ripgrep, MIT or Unlicense).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from simil.errors import UsageError

__all__ = ["file_types", "globs_of_types"]

_LIST = Path(__file__).with_name("file_types.txt")
# How people look for them; what --type names can only be searched if it is text, or a document.
_MORE = {
    "docx": ("*.docx",),
    "javascript": ("*.js", "*.jsx", "*.vue", "*.cjs", "*.mjs"),
    "python": ("*.py", "*.pyi"),
    "typescript": ("*.ts", "*.tsx", "*.cts", "*.mts"),
}


@cache
def file_types() -> Mapping[str, Sequence[str]]:
    """Return the patterns of the names of each type, types in alphabetical order."""
    lines = (line.partition(": ") for line in _LIST.read_text("ascii").splitlines())
    listed: dict[str, Sequence[str]] = {name: globs.split(", ") for name, _, globs in lines}
    return dict(sorted({**listed, **_MORE}.items()))


def globs_of_types(names: Sequence[str]) -> list[str]:
    """Return the patterns of all types with these names; raises `UsageError` for a name of none."""
    known = file_types()
    for name in names:
        if name not in known:
            near = get_close_matches(name.lower().lstrip(".*"), known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}? " if near else ""
            raise UsageError(f"there is no type {name!r}", hint=f"{hint}--type-list prints all of them")
    return [glob for name in names for glob in known[name]]
