"""Remembers for a while that the hub could not be reached, so that the next runs need not try."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from simil.models.hub.snapshots import endpoint, public_name
from simil.private_files import make_private, write_private

__all__ = ["FORGET_AFTER_S", "forget", "remember", "remembered"]

FORGET_AFTER_S = 600.0


def remembered(cache_dir: Path, now: float) -> bool:
    """Return whether this endpoint was unreachable less than ten minutes before `now`.

    `now` is in seconds since 1970. A note from the future, for another endpoint or that cannot be read
    does not count.
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
    """Note that this endpoint could not be reached at `now`; do nothing if the folder is not writable."""
    import json

    with suppress(OSError):
        make_private(cache_dir)
        note = json.dumps({"endpoint": public_name(endpoint()), "at": now})
        write_private(_note(cache_dir), note.encode())


def forget(cache_dir: Path) -> None:
    """Delete the note, as after the hub has answered."""
    with suppress(OSError):
        _note(cache_dir).unlink(missing_ok=True)


def _note(cache_dir: Path) -> Path:
    return cache_dir / "hub-unreachable.json"
