"""Shows the vector cache: what is in it, and what was checked or forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simil.cli.output.cells import visible
from simil.cli.output.rows import name_in_json

if TYPE_CHECKING:
    from simil.embedders.cache.maintenance import CacheInfo, Pruned, Space, Verified

__all__ = ["cleared_text", "info_json", "info_text", "pruned_text", "verified_text"]


def info_json(found: CacheInfo) -> str:
    """Return the facts about the cache as one JSON object."""
    import orjson

    named = orjson.dumps(found, option=orjson.OPT_INDENT_2, default=lambda path: name_in_json(str(path)))
    return f"{named.decode()}\n"


def info_text(found: CacheInfo, *, kept: bool) -> str:
    """Return the facts about the cache as lines; `kept` is whether runs use it now."""
    lines = [
        f"file     {visible(str(found.path))}",
        f"vectors  {found.vectors:,}",
        f"size     {_bytes(found.size)} of {_bytes(found.max_bytes)} at most"
        + ("" if kept else "; not used now (SIMIL_CACHE=0)"),
    ]
    if found.spaces:
        width = max(len(visible(space.model)) for space in found.spaces)
        lines += ["", *(_space(space, width) for space in sorted(found.spaces, key=lambda one: -one.vectors))]
    lines += [
        f"damaged  {visible(str(path))} was set aside; simil cache clear removes it"
        for path in found.set_aside
    ]
    return "\n".join(lines) + "\n"


def verified_text(result: Verified) -> str:
    """Return what a check of the vectors found, as one line."""
    if result.faults:
        found = f"{result.path} is damaged and not used any more"
    else:
        found = f"{_many(result.dropped, 'damaged one')} dropped" if result.dropped else "none damaged"
    return f"{_many(result.checked, 'vector')} checked, {found}\n"


def pruned_text(result: Pruned) -> str:
    """Return how much was forgotten, as one line."""
    freed = _bytes(max(result.before - result.after, 0))
    return f"{_many(result.dropped, 'vector')} forgotten, {freed} freed\n"


def cleared_text(freed: int) -> str:
    """Return how many bytes were freed, as one line."""
    return f"all vectors forgotten, {_bytes(freed)} freed\n"


def _space(space: Space, width: int) -> str:
    from datetime import datetime

    # Uses are recorded at most once an hour.
    day = datetime.fromtimestamp(space.used).astimezone().date().isoformat()
    return f"{visible(space.model):{width}}  {space.vectors:>11,} vectors  last used {day}"


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _bytes(count: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"
