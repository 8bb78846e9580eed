"""Prefetching: a thread reads the next batch while the current one is processed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from threading import Condition, Thread
from typing import Generic, TypeVar

__all__ = ["Prefetcher", "prefetch_batches"]

T = TypeVar("T")

# How long a batch that is not full waits for more: long enough for a fast source to fill it, too short
# to be noticed with a slow one.
_FILL_TIMEOUT_S = 0.005
# The first batch is small, so that the first results come at once; each can be four times the last.
_FIRST, _GROWTH = 32, 4


def prefetch_batches(
    items: Iterable[T], characters: Callable[[T], int], *, most: int = 1024, most_characters: int = 1 << 20
) -> Prefetcher[T]:
    """Return `items` in order, in batches of what a thread has read so far.

    A slow source gives small batches at once, a fast one full batches: `most` items, or items that hold
    `most_characters` together. At most one batch is read ahead, so memory is bounded by the two limits,
    or by one item if it is longer. An error of the source is raised after the items before it.
    """
    return Prefetcher(items, characters, most, most_characters)


class Prefetcher(Generic[T]):
    """An iterator over batches; see `prefetch_batches`."""

    def __init__(
        self, items: Iterable[T], characters: Callable[[T], int], most: int, most_characters: int
    ) -> None:
        self._characters_of = characters
        self._most = most
        self._limit = min(_FIRST, most)
        self._most_characters = most_characters
        self._waiting: deque[T] = deque()
        self._characters = 0
        self._ended = False
        self._abandoned = False
        self._error: BaseException | None = None
        self._changed = Condition()
        # A daemon, since it may be blocked in a read when the program ends.
        Thread(target=self._fill, args=(items,), daemon=True).start()

    @property
    def has_more(self) -> bool:
        """Whether part of the next batch has already been read."""
        return bool(self._waiting)

    def allow(self, most: int, most_characters: int) -> None:
        """Change how much a batch may hold from the next one on."""
        with self._changed:
            self._most, self._most_characters = most, most_characters

    def _fill(self, items: Iterable[T]) -> None:
        try:
            for item in items:
                with self._changed:
                    while self._full() and not self._abandoned:
                        self._changed.wait()
                    if self._abandoned:
                        return
                    self._waiting.append(item)
                    self._characters += self._characters_of(item)
                    if len(self._waiting) == 1 or self._full():
                        self._changed.notify_all()
        except BaseException as exc:  # noqa: BLE001 (raised again in the consuming thread)
            self._error = exc
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def __iter__(self) -> Iterator[list[T]]:
        try:
            while batch := self._take():
                yield batch
            if self._error is not None:
                raise self._error
        finally:
            with self._changed:
                self._abandoned = True
                self._changed.notify_all()

    def _take(self) -> list[T]:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended)
            self._changed.wait_for(lambda: self._full() or self._ended, timeout=_FILL_TIMEOUT_S)
            batch = list(self._waiting)
            self._waiting.clear()
            self._characters = 0
            self._limit = min(self._limit * _GROWTH, self._most)
            self._changed.notify_all()
            return batch

    def _full(self) -> bool:
        return len(self._waiting) >= self._limit or self._characters >= self._most_characters
