"""Lance datasets, in a folder or an object store: found, opened, and read batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from simil.errors import InputError, Place
from simil.formats.arrow_schemas import hash_column
from simil.formats.lance_library import lance, lance_errors, storage_options
from simil.formats.lance_paths import is_lance
from simil.formats.remote_paths import is_remote

__all__ = ["LanceTable", "find_dataset", "open_dataset"]

# Rows that become Python values at a time.
_BATCH = 4096
_READ_AHEAD = 64 << 20  # bytes


def open_dataset(path: str) -> Any:
    """Return the newest version of a dataset, a `lance.LanceDataset`; raises InputError if there is none."""
    found = find_dataset(path)
    if found is None:
        hint = "check the address" if is_remote(path) else "name one that simil or Lance wrote"
        raise InputError("there is no Lance dataset", hint=hint, place=Place(path))
    return found


def find_dataset(path: str) -> Any:
    """Return the newest version of a dataset, None if there is none; errors as in `lance_errors`."""
    library = lance()
    if not is_remote(path) and not is_lance(path):
        return None
    with lance_errors(Place(path)):
        try:
            return library.dataset(path, storage_options=storage_options(path))
        except (OSError, ValueError) as exc:
            if is_remote(path) and "was not found" in str(exc):
                return None
            raise


class LanceTable:
    """The rows of one version of a dataset, as `ArrowTable` gives those of files.

    Attributes:
        place: the path, for messages.
        schema: names and types of the columns, but for that of hashes, and the metadata of the dataset.
        count: the number of rows.
    """

    def __init__(self, path: str) -> None:
        """Open the newest version; errors as in `open_dataset`."""
        self.place = Place(path)
        self._dataset = open_dataset(path)
        with lance_errors(self.place):
            schema = self._dataset.schema
            hashes = hash_column(schema)
            self.schema = schema if hashes is None else schema.remove(schema.get_field_index(hashes))
            self.count: int | None = self._dataset.count_rows()

    def batches(self, columns: Sequence[str] | None = None, rows: range | None = None) -> Iterator[Any]:
        """Yield record batches of a few thousand rows with these columns, by default all of them.

        `rows` are those that are wanted, counted from 0; by default all.
        """
        names = list(self.schema.names) if columns is None else list(columns)
        with lance_errors(self.place):
            yield from self._dataset.scanner(
                columns=names,
                offset=None if rows is None else rows.start,
                limit=None if rows is None else len(rows),
                batch_size=_BATCH,
                scan_in_order=True,
                # By default, Lance reads up to 2 GB ahead.
                io_buffer_size=_READ_AHEAD,
                fragment_readahead=2,
            ).to_batches()
