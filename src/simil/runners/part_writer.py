"""Writes one part of the output: a Parquet file that appears complete or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from simil.errors import Place, UsageError

__all__ = ["TEMPORARY", "open_part", "remove_drafts", "written_parts"]

# How names of unfinished files begin: those who read the folder as a table leave them out.
TEMPORARY = ".simil-part-"


@contextmanager
def open_part(folder: str, name: str) -> Iterator[BinaryIO]:
    """Yield a stream to the file `name` in a folder; it replaces the file only if the block succeeds.

    Raises `UsageError` where it cannot be written.
    """
    path = Path(folder, name)
    draft = path.with_name(f"{TEMPORARY}{name}-{os.urandom(8).hex()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
    except OSError as exc:
        raise UsageError(
            f"cannot be written: {exc.strerror or exc}", place=Place(str(path)), hint="check -o"
        ) from exc
    finally:
        with suppress(OSError):
            draft.unlink()


def remove_drafts(folder: str) -> None:
    """Remove the unfinished files of workers that were lost; for when no part is left to write."""
    for draft in Path(folder).glob(f"{TEMPORARY}*"):
        with suppress(OSError):
            draft.unlink()


def written_parts(folder: str) -> set[str]:
    """Return the names of the files of a folder."""
    return {path.name for path in Path(folder).iterdir()}
