"""Threads that each run one of a model's batches, while Python prepares the next ones.

One batch per core is faster than all cores on one batch, since no core waits for another after each
layer. The engines release Python's lock while they compute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from threading import Event, Thread
from typing import Generic, TypeVar

__all__ = ["Workers"]

Item = TypeVar("Item")
Result = TypeVar("Result")
_Outcome = tuple[Result | None, BaseException | None]


class Workers(Generic[Item, Result]):
    """`count` threads that apply `run` to items, in the order in which they were started."""

    def __init__(self, count: int, run: Callable[[Item], Result]) -> None:
        self._run = run
        self._closed = False
        self._queue: SimpleQueue[tuple[Item, SimpleQueue[_Outcome[Result]], Event] | None] = SimpleQueue()
        # Daemons, so that a run that ends without `close` does not wait for them.
        self._threads = [Thread(target=self._work, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def start(self, items: Sequence[Item]) -> Iterator[Result]:
        """Start all `items` and return an iterator over their results in the order in which they get ready.

        The iterator raises the first exception of `run`. When it ends, by an error or because it is closed,
        items that have not started yet are dropped.
        """
        results: SimpleQueue[_Outcome[Result]] = SimpleQueue()
        abandoned = Event()
        for item in items:
            self._queue.put((item, results, abandoned))
        return self._ready(len(items), results, abandoned)

    def close(self) -> None:
        """End the threads: wait for the items in progress, and drop those that have not started yet."""
        self._closed = True
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    @staticmethod
    def _ready(count: int, results: SimpleQueue[_Outcome[Result]], abandoned: Event) -> Iterator[Result]:
        try:
            for _ in range(count):
                result, error = results.get()
                if error is not None:
                    raise error
                yield result  # type: ignore[misc]  # Without an error there is a result.
        finally:
            abandoned.set()

    def _work(self) -> None:
        while (entry := self._queue.get()) is not None:
            item, results, abandoned = entry
            if self._closed or abandoned.is_set():
                continue
            try:
                results.put((self._run(item), None))
            except BaseException as exc:  # noqa: BLE001 (raised again in the thread that waits)
                results.put((None, exc))
            del entry, item, results, abandoned  # A waiting thread must not keep them alive.
