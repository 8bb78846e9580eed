"""Requests under way: some at a time, each packed when there is room, each sent again while that may help."""

from __future__ import annotations

import logging
import math
import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Condition, Thread

from simil.embedders.openai.clock import Clock
from simil.embedders.openai.packing import AIM_TOKENS, MAX_INPUTS, Ratio, packed
from simil.embedders.openai.rate_limits import Pacer, Permit
from simil.embedders.openai.requests import EmbeddingReply, EmbeddingRequest, Todo
from simil.embedders.openai.retries import LONGEST_WAIT_S, Failed, Retries
from simil.embedders.openai.splitting import Splitter
from simil.embedders.usage import Usage
from simil.errors import ProviderError, RateLimited

__all__ = ["Sender"]

log = logging.getLogger("simil")

# The first request goes alone and is small: its answer says what the server allows.
_FIRST_TOKENS = 32_768
# How long requests under way are waited for at the end: they are paid for.
_LAST_WAIT_S = 10.0


@dataclass(eq=False)
class Sender:
    """Sends the texts of jobs, up to `concurrency` requests at a time; `ask` is one of them.

    A request keeps its place until its vectors were delivered. `random` gives numbers in [0, 1).
    """

    ask: Callable[[Sequence[str]], EmbeddingReply]
    clock: Clock
    random: Callable[[], float]
    retries: Retries
    concurrency: int
    usage: Usage
    _queue: deque[Todo] = field(default_factory=deque)
    _jobs: list[EmbeddingRequest] = field(default_factory=list)
    _failure: tuple[list[EmbeddingRequest], BaseException] | None = None
    _pacer: Pacer = field(default_factory=Pacer)
    _ratio: Ratio = field(default_factory=Ratio)
    _changed: Condition = field(default_factory=Condition)
    _splitter: Splitter = field(default_factory=Splitter)
    _threads: int = 0
    _under_way: int = 0
    _is_closed: bool = False

    def begin(self, job: EmbeddingRequest) -> None:
        """Begin to send the texts of `job`."""
        with self._changed:
            if self._is_closed:
                raise ProviderError("the embedder was closed")
            failure, self._failure = self._failure, None
            if failure is not None and not any(each.has_told for each in failure[0]):
                # Who begins this does not know yet that the one before has failed.
                job.fail(failure[1])
                return
            self._jobs = [each for each in self._jobs if not each.is_over]
            self._jobs.append(job)
            self._add(Todo(job, range(len(job.texts))))

    def trust(self) -> None:
        """Take in that the server has taken texts before: what it refuses now is a text's fault."""
        with self._changed:
            self._splitter.has_passed = True

    def status(self) -> str:
        """Return what is waited for, in words; empty while requests are under way or nothing is to do."""
        with self._changed:
            now = self.clock.now()
            if self._under_way or not self._queue:
                return ""
            seconds = self._idle(now)
            failing = any(todo.tries for todo in self._queue) and self._pacer.room(now) > 0
        what = "the server fails" if failing else "rate limited"
        return f"{what}, {math.ceil(seconds)} s" if seconds and seconds > 1 else ""

    def close(self) -> None:
        """Send nothing more, and wait a little for what is under way."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
            # Who has gone away, or wants to, is not kept waiting.
            leaves = isinstance(sys.exception(), KeyboardInterrupt | BrokenPipeError)
            end = self.clock.now() + (0.0 if leaves else _LAST_WAIT_S)
            while self._under_way and self.clock.now() < end:
                self.clock.wait(self._changed, end - self.clock.now())
            self._give_up(ProviderError("the embedder was closed"))

    def _add(self, *todos: Todo, first: bool = False) -> None:
        todos = tuple(todo for todo in todos if todo.places)
        if first:
            self._queue.extendleft(reversed(todos))
        else:
            self._queue.extend(todos)
        if todos and self._threads < self.concurrency:
            self._threads += 1
            Thread(target=self._work, daemon=True).start()
        self._changed.notify_all()

    def _work(self) -> None:
        while (taken := self._take()) is not None:
            todo, permit = taken
            try:
                answer = self.ask([todo.job.texts[place] for place in todo.places])
            except Failed as exc:
                self._failed(todo, permit, exc)
            except BaseException as exc:  # noqa: BLE001 (raised again where the vectors are waited for)
                self._failed(todo, permit, Failed(exc))
            else:
                self._told(todo, permit, answer)
                self._deliver(todo, answer)

    def _deliver(self, todo: Todo, answer: EmbeddingReply) -> None:
        try:
            todo.job.deliver(todo.places, answer.vectors)
        except BaseException as exc:  # noqa: BLE001 (raised again where the vectors are waited for)
            failure: BaseException | None = exc
        else:
            failure = None
        with self._changed:
            self._under_way -= 1
            if failure is not None:
                self._give_up(failure)
            else:
                self._add(*self._splitter.passed(todo), first=True)

    def _take(self) -> tuple[Todo, Permit] | None:
        """Wait until a request may go, and return it."""
        with self._changed:
            while not self._is_closed:
                now = self.clock.now()
                taken = self._next(now)
                if taken is not None:
                    return taken
                wait = self._idle(now)
                if wait is not None and wait > LONGEST_WAIT_S and not self._under_way:
                    limited = f"{self.usage.host} lets no more through for {wait:,.0f} s"
                    self._give_up(RateLimited(limited, hint="run it again then: what was embedded is kept"))
                    continue
                self.clock.wait(self._changed, None if wait is None else min(wait, LONGEST_WAIT_S))
        return None

    def _next(self, now: float) -> tuple[Todo, Permit] | None:
        if any(todo.job.is_over for todo in self._queue):
            self._queue = deque(todo for todo in self._queue if not todo.job.is_over)
        todo = next((todo for todo in self._queue if todo.due <= now), None)
        if todo is None or (self._under_way and not self._pacer.is_informed):
            return None
        job = todo.job
        scale = 1.0 if job.is_exact else self._ratio.value
        room = self._pacer.room(now) / scale
        if not self._pacer.is_informed:
            room = min(room, _FIRST_TOKENS)
        # At most so many go into a request: the rest of a long queue need not be looked at.
        sizes = [job.sizes[place] for place in todo.places[: None if todo.is_whole else MAX_INPUTS]]
        if todo.is_whole:
            count = len(sizes)
        else:
            count = packed(sizes, inputs=self._splitter.most_inputs, tokens=min(room, AIM_TOKENS))
        tokens = sum(sizes[:count])
        if tokens > room and not (self._pacer.is_whole(now) and room > 0):
            return None
        self._queue.remove(todo)
        rest = Todo(job, todo.places[count:])
        todo.places = todo.places[:count]
        self._under_way += 1
        self.usage.begin(now, retry=todo.tries > 0)
        todo.first_sent = now if todo.first_sent is None else todo.first_sent
        self._add(rest, first=True)
        return todo, self._pacer.reserve(tokens * scale)

    def _idle(self, now: float) -> float | None:
        """Return the seconds until something may be sent; None where something has to happen before."""
        waits = [todo.due - now for todo in self._queue if todo.due > now]
        informed = self._pacer.is_informed or not self._under_way
        if informed and any(todo.due <= now for todo in self._queue):
            wait = self._pacer.wait(now)
            waits += [] if wait is None else [wait]
        return min(waits, default=None)

    def _told(self, todo: Todo, permit: Permit, answer: EmbeddingReply) -> None:
        with self._changed:
            now = self.clock.now()
            self._pacer.learn(permit, answer.headers, now)
            self.usage.answered(answer.tokens)
            self.usage.end(now)
            if answer.tokens and not todo.job.is_exact:
                self._ratio.learn(todo.tokens, answer.tokens)
            self._changed.notify_all()

    def _failed(self, todo: Todo, permit: Permit, failed: Failed) -> None:
        with self._changed:
            self._under_way -= 1
            now = self.clock.now()
            self.usage.end(now)
            if failed.headers:
                self._pacer.learn(permit, failed.headers, now)
            else:
                self._pacer.forget(permit, now)
            todo.tries += 1
            wait = None
            if failed.may_be_retried:
                spent = now - (now if todo.first_sent is None else todo.first_sent)
                wait = self.retries.wait(todo.tries, failed.asked_wait, self.random(), spent)
            if wait is not None:
                log.info("%s; again in %.3g s", failed.what, wait)
                todo.due = now + wait
                if failed.is_limit:
                    # What was more than the limit that is known now is packed anew.
                    self._pacer.pause(todo.due)
                else:
                    todo.is_whole = True
                self._add(todo, first=True)
            else:
                is_last = not self._under_way and all(each.job.is_over for each in self._queue)
                instead = self._splitter.refused(todo, failed, is_last=is_last)
                if instead is None:
                    self._give_up(failed.finally_after(todo.tries))
                else:
                    self._add(*instead, first=True)

    def _give_up(self, error: BaseException) -> None:
        self._queue.clear()
        self._splitter.forget()
        jobs, self._jobs = [each for each in self._jobs if not each.is_over], []
        self._failure = (jobs, error) if jobs else None
        for job in jobs:
            job.fail(error)
        self._changed.notify_all()
