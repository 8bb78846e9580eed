"""Requests that arrive together share batches: a thread owns a model, and takes what waits when it is free.

What a text gets does not depend on its batch, so neither do answers.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Condition, Thread
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from simil.errors import SimilError
from simil.frozen import Frozen
from simil.server.api_errors import ApiError, of_simil_error

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.embedders.pieces import TextRejected

__all__ = ["BatchLimits", "BatchModel", "Computed", "SharedBatches"]

log = logging.getLogger("simil")

_LONGEST_RETRY_S = 60


class Computed(NamedTuple):
    """What a model gives for the items of a batch: a row of `values` each, and how many `tokens` it has.

    `rejected` are the items that it refuses, by their places.
    """

    values: NDArray[np.float32]
    tokens: Sequence[int]
    rejected: Mapping[int, TextRejected]


class BatchModel(Protocol):
    """A model as one thread runs it."""

    def compute(self, form: Hashable, items: Sequence[Any]) -> Computed:
        """Return the results of `items`, which are wanted in one `form`; there is at least one."""

    def size(self, item: Any) -> int:
        """Return the number of characters of an item."""


class BatchLimits(Frozen):
    """How much may wait, how much of it is computed at a time, and how long an end waits for that.

    A batch is small enough that a request does not wait long for others, and large enough that it is not
    faster in larger ones.
    """

    waiting_items: int = 16_384
    waiting_characters: int = 64_000_000
    batch_items: int = 256
    batch_characters: int = 32_768
    end_s: float = 5


@dataclass(eq=False, slots=True)
class _Request:
    """Items of a request that waits or is being computed; `next` is the first one that no batch has taken."""

    form: Hashable
    items: Sequence[Any]
    sizes: Sequence[int]
    done: asyncio.Future[Computed]
    next: int = 0
    parts: list[Computed] = field(default_factory=list)

    def take(self, items: int, characters: int) -> tuple[int, int]:
        """Take items for a batch, at least one; return the range of their places."""
        first = self.next
        for size in self.sizes[first : first + items]:
            characters -= size
            if characters < 0 and self.next > first:
                break
            self.next += 1
        return first, self.next

    def add(self, first: int, part: Computed) -> bool:
        """Add the results of items from place `first` on; return whether they are the last ones."""
        rejected = {first + place: exc for place, exc in part.rejected.items()}
        self.parts.append(part._replace(rejected=rejected))
        return first + len(part.values) == len(self.items)

    def joined(self) -> Computed:
        """Return the results of all items."""
        if len(self.parts) == 1:
            return self.parts[0]
        import numpy as np

        return Computed(
            np.concatenate([part.values for part in self.parts]),
            [count for part in self.parts for count in part.tokens],
            {place: exc for part in self.parts for place, exc in part.rejected.items()},
        )


class SharedBatches:
    """The queue in front of a model. It is used by one event loop, and `close` ends its thread."""

    def __init__(
        self,
        model: BatchModel,
        limits: BatchLimits,
        *,
        on_batch: Callable[[int, float], None] = lambda items, seconds: None,
    ) -> None:
        """Start the thread; `on_batch` is called there with the items of each batch and its seconds."""
        self._model = model
        self._limits = limits
        self._on_batch = on_batch
        self._changed = Condition()
        self._queue: deque[_Request] = deque()
        self._waiting_characters = 0
        self._seconds_per_item = 0.01
        self._is_closing = False
        self.waiting = 0
        self._thread = Thread(target=self._work, name="simil-batches", daemon=True)
        self._thread.start()

    async def compute(self, form: Hashable, items: Sequence[Any]) -> Computed:
        """Return what the model gives for `items`, as `BatchModel.compute`.

        Raises `ApiError` if too much waits already, and for what the model refuses. Items of a call that is
        cancelled are not computed, except those of the batch at work.
        """
        loop = asyncio.get_running_loop()
        request = _Request(form, items, [self._model.size(item) for item in items], loop.create_future())
        with self._changed:
            self._admit(request)
            self._queue.append(request)
            self._changed.notify()
        try:
            computed = await request.done
        except asyncio.CancelledError:
            self._drop(request)
            raise
        for place, exc in computed.rejected.items():
            raise ApiError(400, f"text {place}: {exc}", param="input")
        return computed

    def close(self) -> None:
        """End the thread; what is still waiting is computed, unless its calls were cancelled.

        A batch that takes longer, as one of a server that does not answer, is left to itself.
        """
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join(self._limits.end_s)

    def _admit(self, request: _Request) -> None:
        items, characters = len(request.items), sum(request.sizes)
        # What is larger than the bound waits for an empty queue.
        is_too_much = (
            self.waiting + items > self._limits.waiting_items
            or self._waiting_characters + characters > self._limits.waiting_characters
        )
        if self._is_closing or (self.waiting and is_too_much):
            seconds = math.ceil(self.waiting * self._seconds_per_item)
            retry = str(min(max(seconds, 1), _LONGEST_RETRY_S))
            said = f"{self.waiting:,} texts are waiting already; ask again in {retry} s"
            raise ApiError(503, said, code="overloaded", headers={"retry-after": retry})
        self.waiting += items
        self._waiting_characters += characters

    def _work(self) -> None:
        while batch := self._next():
            started = time.monotonic()
            finished = [outcome for outcome in self._outcomes(batch) if outcome is not None]
            seconds, items = time.monotonic() - started, sum(stop - first for _, first, stop in batch)
            # Recent batches count most.
            self._seconds_per_item += 0.1 * (seconds / items - self._seconds_per_item)
            self._on_batch(items, seconds)
            if finished:
                with suppress(RuntimeError):  # The loop has ended, and with it all who waited.
                    finished[0][0].done.get_loop().call_soon_threadsafe(_hand_out, finished)

    def _next(self) -> list[tuple[_Request, int, int]]:
        """Wait for requests, and take a batch of them: as much of each, in one form; empty at the end."""
        with self._changed:
            while not self._queue and not self._is_closing:
                self._changed.wait()
            if not self._queue:
                return []
            form = self._queue[0].form
            alike = [request for request in self._queue if request.form == form]
            alike = alike[: self._limits.batch_items]
            items = self._limits.batch_items // len(alike)
            characters = self._limits.batch_characters // len(alike)
            batch = [(request, *request.take(items, characters)) for request in alike]
            for request, first, stop in batch:
                self.waiting -= stop - first
                self._waiting_characters -= sum(request.sizes[first:stop])
            taken = set(map(id, alike))
            others = [request for request in self._queue if id(request) not in taken]
            # Those of which something is left come last, so that each has its turn.
            left = [request for request in alike if request.next < len(request.items)]
            self._queue = deque([*others, *left])
            return batch

    def _outcomes(self, batch: Sequence[tuple[_Request, int, int]]) -> Iterable[_Outcome | None]:
        """Compute a batch, and return the outcome of each request that it completes or ends."""
        items = [item for request, first, stop in batch for item in request.items[first:stop]]
        try:
            computed = self._model.compute(batch[0][0].form, items)
        except Exception as exc:  # noqa: BLE001 (the server goes on)
            if len(batch) == 1:
                return [self._failed(batch[0][0], exc)]
            # Whose fault it is shows when each is computed by itself.
            return [outcome for one in batch for outcome in self._outcomes([one])]
        return self._split(batch, computed)

    def _split(
        self, batch: Sequence[tuple[_Request, int, int]], computed: Computed
    ) -> Iterable[_Outcome | None]:
        start = 0
        for request, first, stop in batch:
            end = start + stop - first
            rejected = {
                place - start: exc for place, exc in computed.rejected.items() if start <= place < end
            }
            part = Computed(computed.values[start:end], computed.tokens[start:end], rejected)
            yield (request, request.joined()) if request.add(first, part) else None
            start = end

    def _drop(self, request: _Request) -> None:
        """Let the rest of a request wait no longer."""
        with self._changed:
            if request in self._queue:
                self._queue.remove(request)
                self.waiting -= len(request.items) - request.next
                self._waiting_characters -= sum(request.sizes[request.next :])

    def _failed(self, request: _Request, exc: Exception) -> _Outcome:
        """Return how a request ends for which the model fails; the rest of it is not computed."""
        self._drop(request)
        if isinstance(exc, SimilError):
            return request, of_simil_error(exc)
        log.error("a request failed: %s: %s", type(exc).__name__, exc)
        return request, ApiError(500, "the server failed; its log says why")


_Outcome = tuple[_Request, Computed | ApiError]


def _hand_out(finished: Sequence[_Outcome]) -> None:
    """Give each request its outcome, in the event loop; a client may have gone meanwhile."""
    for request, outcome in finished:
        if request.done.done():
            continue
        if isinstance(outcome, ApiError):
            request.done.set_exception(outcome)
        else:
            request.done.set_result(outcome)
