"""Locks of open files, which end with their process."""

from __future__ import annotations

import os
import sys

__all__ = ["lock"]

# On Windows a locked byte cannot be read by others: take one that no file has.
_FAR_BYTE = 1 << 62


def lock(descriptor: int, *, is_shared: bool = False, wait: bool = False) -> bool:
    """Lock an open file, elsewhere than on Windows also a folder, until it is closed or the process ends.

    Returns whether it can be locked there: some file systems have no locks, and Windows has no shared ones.
    Raises BlockingIOError if another process has locked it, unless that is to be waited for.
    """
    try:
        _lock(descriptor, is_shared=is_shared, wait=wait)
    except BlockingIOError:
        raise
    except OSError:
        return False
    return not (is_shared and sys.platform == "win32")


def _lock(descriptor: int, *, is_shared: bool, wait: bool) -> None:
    if sys.platform == "win32":
        import msvcrt

        if is_shared:
            return
        place = os.lseek(descriptor, 0, os.SEEK_CUR)
        os.lseek(descriptor, _FAR_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        except PermissionError as exc:  # What Windows calls it.
            raise BlockingIOError(*exc.args) from exc
        finally:
            os.lseek(descriptor, place, os.SEEK_SET)
    else:
        import fcntl

        kind = fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX
        fcntl.flock(descriptor, kind if wait else kind | fcntl.LOCK_NB)
