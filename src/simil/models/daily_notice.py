"""Notices that one sees once a day on a machine, and not with every command."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from simil.private_files import make_private, write_private

__all__ = ["is_first_of_day"]

_DAY_S = 24 * 3600.0


def is_first_of_day(name: str, cache_dir: Path) -> bool:
    """Return whether nobody asked this of `name` within the last 24 hours, and remember that someone did.

    Where nothing can be remembered, every time is the first. A time in the future does not count.
    """
    path = cache_dir / f"{name}.noticed"
    with suppress(OSError):
        if 0 <= time.time() - path.stat().st_mtime < _DAY_S:
            return False
    with suppress(OSError):
        make_private(cache_dir)
        write_private(path, b"")
    return True
