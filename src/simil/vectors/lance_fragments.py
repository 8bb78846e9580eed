"""Parts of a Lance dataset, which nobody sees until one commit makes all of them visible."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any

from simil.errors import Place
from simil.formats.arrow_library import arrow
from simil.formats.lance_library import lance, lance_write_errors, storage_options
from simil.formats.remote_paths import is_remote

# Rows of a fragment, as Lance's own writer makes them.
_FRAGMENT = 1 << 20

__all__ = ["FragmentWriter", "write_fragments"]


def write_fragments(uri: str, table: Any, *, append: bool = False) -> list[str]:
    """Write rows below `uri`, and return what `commit_fragments` takes: nobody sees them before.

    Any number of processes may write at once. With `append`, they are to be added to a dataset, whose columns
    they must have.
    """
    writer = FragmentWriter(uri, table.schema, append=append)
    try:
        writer.write(table)
        return [json.dumps(fragment.to_json()) for fragment in writer.finish()]
    except BaseException:
        writer.discard()
        raise


class FragmentWriter:
    """Writes rows below a path or address, in a thread, while the next ones are computed."""

    def __init__(self, path: str, schema: Any, *, append: bool) -> None:
        """Begin; with `append`, the rows are to be added to a dataset, whose columns they must have."""
        self._path = path
        self._schema = schema
        self._mode = "append" if append else "overwrite"
        self._waiting: Queue[Any] = Queue(1)
        self._has_more = True
        self._written: list[Any] = []
        self._error: BaseException | None = None
        # A daemon: it must not keep a process from ending.
        self._thread = Thread(target=self._write_all, daemon=True)
        self._thread.start()

    def write(self, table: Any) -> None:
        """Append rows; raises what kept those before from being written."""
        self._waiting.put(table)
        if self._error is not None:
            self._end()

    def finish(self) -> list[Any]:
        """Return the fragments, once all rows are on disk; errors as in `lance_write_errors`."""
        self._waiting.put(None)
        self._end()
        return self._written

    def discard(self) -> None:
        """Stop, and remove what was written; in an object store it stays, and nobody sees it."""
        if self._thread.is_alive():
            self._waiting.put(_Discarded())
            self._thread.join()
        if not is_remote(self._path):
            self._remove_files()

    def _end(self) -> None:
        self._thread.join()
        if self._error is not None:
            with lance_write_errors(Place(self._path)):
                raise self._error

    def _write_all(self) -> None:
        try:
            while self._has_more:
                self._written += self._write_one()
        except BaseException as exc:  # noqa: BLE001 (raised again by whoever writes)
            self._error = exc
            with suppress(Empty):  # Whoever waits for room goes on, and meets the error.
                self._waiting.get_nowait()

    def _write_one(self) -> list[Any]:
        """Write one fragment; Lance removes its file if that fails."""
        written: list[Any] = lance().fragment.write_fragments(
            arrow().RecordBatchReader.from_batches(self._schema, self._batches()),
            self._path,
            schema=self._schema,
            mode=self._mode,
            storage_options=storage_options(self._path),
        )
        return written

    def _batches(self) -> Iterator[Any]:
        rows = 0
        while rows < _FRAGMENT:
            table = self._waiting.get()
            if isinstance(table, _Discarded):
                raise table
            if table is None:
                self._has_more = False
                return
            yield from table.to_batches()
            rows += table.num_rows

    def _remove_files(self) -> None:
        data = Path(self._path, "data")
        with suppress(OSError):
            for fragment in self._written:
                for file in fragment.files:
                    (data / file.path).unlink(missing_ok=True)
            # Only if they are empty: another run may write there.
            data.rmdir()
            data.parent.rmdir()


class _Discarded(Exception):
    pass
