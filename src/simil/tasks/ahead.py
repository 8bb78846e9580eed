"""Reading ahead: batches of what has arrived, while the one before is being worked on."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from threading import Condition, Thread

from simil.texts import Text

__all__ = ["batches_ahead"]

# How long a batch that is not full waits for more: long enough for a fast source to fill it, short
# enough that nobody notices it behind a slow one.
_PATIENCE_S = 0.005
# The first batch is small, so that the first vectors are there at once; each may be four times the last.
_FIRST, _GROWTH = 32, 4


def batches_ahead(
    texts: Iterable[Text], *, max_texts: int = 1024, max_characters: int = 1 << 20
) -> Iterator[list[Text]]:
    """Yield `texts` in order, in batches of what a thread has read by then.

    A slow pipe gives small batches at once, a fast one full batches. At most one batch is read ahead,
    so memory is bounded by the two limits, or by one text where it is longer. An error of the reader
    is raised after what came before it.
    """
    ahead = _Ahead(max_texts, max_characters)
    # A daemon: it may be blocked in a read when the program has nothing more to say.
    Thread(target=ahead.fill, args=(texts,), daemon=True).start()
    try:
        yield from ahead
    finally:
        ahead.abandon()


class _Ahead:
    def __init__(self, max_texts: int, max_characters: int) -> None:
        self._max_texts = max_texts
        self._limit = min(_FIRST, max_texts)
        self._max_characters = max_characters
        self._waiting: deque[Text] = deque()
        self._characters = 0
        self._ended = False
        self._abandoned = False
        self._error: BaseException | None = None
        self._changed = Condition()

    def fill(self, texts: Iterable[Text]) -> None:
        try:
            for text in texts:
                with self._changed:
                    while self._full() and not self._abandoned:
                        self._changed.wait()
                    if self._abandoned:
                        return
                    self._waiting.append(text)
                    self._characters += len(text.text)
                    if len(self._waiting) == 1 or self._full():
                        self._changed.notify_all()
        except BaseException as exc:  # noqa: BLE001 (raised again in the thread that asked)
            self._error = exc
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def abandon(self) -> None:
        with self._changed:
            self._abandoned = True
            self._changed.notify_all()

    def __iter__(self) -> Iterator[list[Text]]:
        while batch := self._take():
            yield batch
        if self._error is not None:
            raise self._error

    def _take(self) -> list[Text]:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended)
            self._changed.wait_for(lambda: self._full() or self._ended, timeout=_PATIENCE_S)
            batch = list(self._waiting)
            self._waiting.clear()
            self._characters = 0
            self._limit = min(self._limit * _GROWTH, self._max_texts)
            self._changed.notify_all()
            return batch

    def _full(self) -> bool:
        return len(self._waiting) >= self._limit or self._characters >= self._max_characters
