"""Sends requests, several at a time: packs each when there is room, and retries it while that may help."""

from __future__ import annotations

import logging
import math
import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Condition, Thread

from simil.embedders.openai.clock import Clock
from simil.embedders.openai.packing import MAX_INPUTS, TokenRatio, count_fitting
from simil.embedders.openai.rate_limits import RateLimits, Reservation
from simil.embedders.openai.request_sizes import RequestSizes, Sending
from simil.embedders.openai.requests import EmbeddingReply, EmbeddingRequest
from simil.embedders.openai.retries import LONGEST_WAIT_S, RequestFailed, Retries
from simil.embedders.openai.splitting import Splitter
from simil.embedders.openai.text_batch import TextBatch
from simil.embedders.usage import Usage
from simil.errors import ProviderError, RateLimited

__all__ = ["Sender"]

log = logging.getLogger("simil")

_Taken = tuple[EmbeddingRequest, Reservation, Sending]
# The first request goes alone and is small: its answer reports the server's limits.
_FIRST_TOKENS = 32_768
# How long to wait at the end for requests in flight: they are paid for.
_LAST_WAIT_S = 10.0


@dataclass(eq=False)
class Sender:
    """Sends the texts of batches, in up to `concurrency` requests at a time; `ask` sends one.

    A request counts as in flight until its vectors are delivered. `random` returns numbers in [0, 1).
    """

    ask: Callable[[Sequence[str]], EmbeddingReply]
    clock: Clock
    random: Callable[[], float]
    retries: Retries
    concurrency: int
    usage: Usage
    sizes: RequestSizes
    _queue: deque[EmbeddingRequest] = field(default_factory=deque)
    _batches: list[TextBatch] = field(default_factory=list)
    _failure: tuple[list[TextBatch], BaseException] | None = None
    _limits: RateLimits = field(default_factory=RateLimits)
    _ratio: TokenRatio = field(default_factory=TokenRatio)
    _changed: Condition = field(default_factory=Condition)
    _splitter: Splitter = field(default_factory=Splitter)
    _threads: int = 0
    _in_flight: int = 0
    _has_served: bool = False
    _is_away: bool = False
    _is_closed: bool = False

    def begin(self, batch: TextBatch) -> None:
        """Begin to send the texts of `batch`."""
        with self._changed:
            if self._is_closed:
                raise ProviderError("the embedder was closed")
            failure, self._failure = self._failure, None
            if failure is not None and not any(each.has_raised for each in failure[0]):
                # The caller does not know yet that the previous batch failed.
                batch.fail(failure[1])
                return
            self._batches = [each for each in self._batches if not each.is_over]
            self._batches.append(batch)
            self._add(EmbeddingRequest(batch, range(len(batch.texts))))

    def trust(self) -> None:
        """Note that the server has accepted texts before: what it refuses now is the text's fault."""
        with self._changed:
            self._splitter.has_passed = True

    def status(self) -> str:
        """Return in words what the work waits for; empty while requests are in flight, or without work."""
        with self._changed:
            now = self.clock.now()
            if self._in_flight or not self._queue:
                return ""
            seconds = self._seconds_to_wait(now)
            is_limited = not self._limits.room(now) and not self._is_away
            failing = any(request.tries for request in self._queue) and not is_limited
        what = "server error" if failing else "rate limited"
        return f"{what}, {math.ceil(seconds)} s" if seconds and seconds > 1 else ""

    def close(self) -> None:
        """Send no more, and wait briefly for requests in flight."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
            # A user who interrupted, or a reader who left, is not kept waiting.
            leaves = isinstance(sys.exception(), KeyboardInterrupt | BrokenPipeError)
            end = self.clock.now() + (0.0 if leaves else _LAST_WAIT_S)
            while self._in_flight and self.clock.now() < end:
                self.clock.wait(self._changed, end - self.clock.now())
            self._give_up(ProviderError("the embedder was closed"))

    def _add(self, *requests: EmbeddingRequest, first: bool = False) -> None:
        requests = tuple(request for request in requests if request.places)
        if first:
            self._queue.extendleft(reversed(requests))
        else:
            self._queue.extend(requests)
        if requests and self._threads < self.concurrency:
            self._threads += 1
            Thread(target=self._work, daemon=True).start()
        self._changed.notify_all()

    def _work(self) -> None:
        while (taken := self._take()) is not None:
            request = taken[0]
            try:
                reply = self.ask([request.batch.texts[place] for place in request.places])
            except RequestFailed as exc:
                self._handle_failure(*taken, exc)
            except BaseException as exc:  # noqa: BLE001 (raised again where the vectors are waited for)
                self._handle_failure(*taken, RequestFailed(exc))
            else:
                self._record(*taken, reply)
                self._deliver(request, reply)

    def _deliver(self, request: EmbeddingRequest, reply: EmbeddingReply) -> None:
        try:
            right = [row for row in range(len(request.places)) if row not in reply.faults]
            request.batch.deliver([request.places[row] for row in right], reply.vectors[right])
            for row, fault in reply.faults.items():
                request.batch.refuse(request.places[row], RequestFailed(fault))
        except BaseException as exc:  # noqa: BLE001 (raised again where the vectors are waited for)
            failure: BaseException | None = exc
        else:
            failure = None
        with self._changed:
            self._in_flight -= 1
            if failure is not None:
                self._give_up(failure)
            else:
                self._add(*self._splitter.passed(request), first=True)

    def _take(self) -> _Taken | None:
        """Wait until a request may be sent, and return it; None after `close`."""
        with self._changed:
            while not self._is_closed:
                now = self.clock.now()
                taken = self._next(now)
                if taken is not None:
                    return taken
                wait = self._seconds_to_wait(now)
                if wait is not None and wait > LONGEST_WAIT_S and not self._in_flight:
                    limited = f"{self.usage.host} accepts no more requests for {wait:,.0f} s"
                    self._give_up(RateLimited(limited, hint="run again then"))
                    continue
                self.clock.wait(self._changed, None if wait is None else min(wait, LONGEST_WAIT_S))
        return None

    def _next(self, now: float) -> _Taken | None:
        """Return the next request if it may be sent now; what does not fit into it stays in the queue."""
        if any(request.batch.is_over for request in self._queue):
            self._queue = deque(request for request in self._queue if not request.batch.is_over)
        request = next((request for request in self._queue if request.due <= now), None)
        if request is None or (self._in_flight and not self._limits.is_informed):
            return None
        batch = request.batch
        scale = 1.0 if batch.is_exact else self._ratio.value
        room = self._limits.room(now) / scale
        if not self._limits.is_informed:
            room = min(room, _FIRST_TOKENS)
        # No more texts fit into a request, so there is no need to look at all of a long queue.
        sizes = [batch.sizes[place] for place in request.places[: None if request.is_whole else MAX_INPUTS]]
        if request.is_whole:
            count = len(sizes)
        else:
            most = self.sizes.texts(sum(len(each.places) for each in self._queue))
            inputs = min(most, self._splitter.most_inputs)
            count = count_fitting(sizes, inputs=inputs, tokens=min(room, self.sizes.tokens))
        tokens = sum(sizes[:count])
        if tokens > room and not (self._limits.is_full(now) and room > 0):
            return None
        if not self.sizes.has_room(count, tokens):
            return None
        self._queue.remove(request)
        rest = EmbeddingRequest(batch, request.places[count:])
        request.places = request.places[:count]
        self._in_flight += 1
        self.usage.begin(now, retry=request.tries > 0)
        request.first_sent = now if request.first_sent is None else request.first_sent
        self._add(rest, first=True)
        return request, self._limits.reserve(tokens * scale), self.sizes.send(count, tokens, now)

    def _seconds_to_wait(self, now: float) -> float | None:
        """Return the seconds until a request may be sent; None if it has to wait for an answer or a batch."""
        waits = [request.due - now for request in self._queue if request.due > now]
        informed = self._limits.is_informed or not self._in_flight
        if informed and any(request.due <= now for request in self._queue):
            wait = self._limits.wait(now)
            waits += [] if wait is None else [wait]
        return min(waits, default=None)

    def _record(
        self, request: EmbeddingRequest, reservation: Reservation, sending: Sending, reply: EmbeddingReply
    ) -> None:
        """Update limits, sizes and usage from a successful reply."""
        with self._changed:
            now = self.clock.now()
            self.sizes.answer(sending, now)
            self._has_served, self._is_away = True, False
            self._limits.learn(reservation, reply.headers, now)
            self.usage.answered(reply.tokens)
            self.usage.end(now)
            if reply.tokens and not request.batch.is_exact:
                self._ratio.learn(request.tokens, reply.tokens)
            self._changed.notify_all()

    def _handle_failure(
        self,
        request: EmbeddingRequest,
        reservation: Reservation,
        sending: Sending,
        failed: RequestFailed,
    ) -> None:
        """Send a failed request again, split it, or give up."""
        with self._changed:
            self._in_flight -= 1
            now = self.clock.now()
            self.usage.end(now)
            self._is_away = failed.is_down
            if failed.headers:
                self._limits.learn(reservation, failed.headers, now)
            else:
                self._limits.release(reservation, now)
            request.is_whole = self._stays_whole(request, sending, failed)
            request.tries += 1
            wait = self._wait_after(request, failed, now)
            if wait is not None:
                log.info("%s; again in %.3g s", failed.message, wait)
                # The server may be computing a late one, and the others are as large as it was.
                request.due = now if failed.is_late and not request.is_whole else now + wait
                if failed.is_limit or failed.is_down:
                    self._limits.pause(request.due)
                self._add(request, first=True)
            else:
                is_last = not self._in_flight and all(each.batch.is_over for each in self._queue)
                instead = self._splitter.refused(request, failed, is_last=is_last)
                if instead is None:
                    self._give_up(failed.final_error(request.tries))
                else:
                    self._add(*instead, first=True)

    def _stays_whole(self, request: EmbeddingRequest, sending: Sending, failed: RequestFailed) -> bool:
        """Learn the right size from a failure; return whether the request keeps its own in the next try."""
        is_divisible = request.bisection is None and len(request.places) > 1
        if failed.is_late:
            return not (self.sizes.miss(sending) and is_divisible)
        self.sizes.fail(sending)
        if failed.is_limit:
            # It may exceed the limit that is known now, so it is packed anew.
            if failed.is_too_large and is_divisible:
                self.sizes.refuse(sending)
            return request.bisection is not None
        return True

    def _wait_after(self, request: EmbeddingRequest, failed: RequestFailed, now: float) -> float | None:
        """Return the seconds before a failed request is sent again; None if it is not."""
        if not failed.may_be_retried:
            return None
        spent = now - (now if request.first_sent is None else request.first_sent)
        # A server that has served this run is being started again; one that never has may not be there.
        request.absences += failed.is_down and self._has_served and self.retries.most > 0
        return self.retries.wait(
            request.tries, failed.retry_after, self.random(), spent, absences=request.absences
        )

    def _give_up(self, error: BaseException) -> None:
        self._queue.clear()
        self._splitter.forget()
        batches, self._batches = [each for each in self._batches if not each.is_over], []
        self._failure = (batches, error) if batches else None
        for batch in batches:
            batch.fail(error)
        self._changed.notify_all()
