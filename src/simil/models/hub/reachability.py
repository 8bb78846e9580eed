"""Remembering for a while that the hub could not be reached, so that the next runs need not find out."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from simil.models.hub.snapshots import endpoint, public_name

__all__ = ["FORGET_AFTER_S", "forget", "remember", "remembered"]

FORGET_AFTER_S = 600.0


def remembered(cache_dir: Path, now: float) -> bool:
    """Return whether this endpoint was unreachable less than ten minutes before `now`.

    `now` is in seconds, as `time.time()` gives it. A note from the future, another endpoint's, or
    one that cannot be read does not count.
    """
    import json

    try:
        note = json.loads(_note(cache_dir).read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    if not isinstance(note, dict) or note.get("endpoint") != public_name(endpoint()):
        return False
    at = note.get("at")
    return isinstance(at, int | float) and 0 <= now - at < FORGET_AFTER_S


def remember(cache_dir: Path, now: float) -> None:
    """Note that this endpoint could not be reached at `now`; a folder that cannot be written is let be."""
    import json

    note = _note(cache_dir)
    draft = note.with_name(f"{note.name}.{os.urandom(4).hex()}.tmp")
    with suppress(OSError):
        note.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps({"endpoint": public_name(endpoint()), "at": now}), "utf-8")
        draft.replace(note)
    with suppress(OSError):
        draft.unlink(missing_ok=True)


def forget(cache_dir: Path) -> None:
    """Drop the note, as after the hub answered."""
    with suppress(OSError):
        _note(cache_dir).unlink(missing_ok=True)


def _note(cache_dir: Path) -> Path:
    return cache_dir / "hub-unreachable.json"
