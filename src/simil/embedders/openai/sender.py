"""Requests under way: some at a time, each packed when there is room, each sent again while that may help."""

from __future__ import annotations

import logging
import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Condition, Thread
from typing import TYPE_CHECKING

from simil.embedders.openai.clock import Clock
from simil.embedders.openai.pacing import Pacer, Permit
from simil.embedders.openai.packing import AIM_TOKENS, MAX_INPUTS, Ratio, packed
from simil.embedders.openai.retries import Failed, Retries
from simil.embedders.openai.splitting import Trial
from simil.embedders.usage import Usage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Answer", "Job", "Sender"]

log = logging.getLogger("simil")

# The first request goes alone and is small: its answer says what the server allows.
_FIRST_TOKENS = 32_768
# How long requests under way are waited for at the end: they are paid for.
_LAST_WAIT_S = 10.0


@dataclass(frozen=True, eq=False, slots=True)
class Answer:
    """The vectors of one request, float32 [texts, dimensions], its headers, and the tokens it counted."""

    vectors: NDArray[np.float32]
    headers: Mapping[str, str]
    tokens: int | None


class Job(ABC):
    """Texts that were begun together. Its methods are called by the threads that send.

    `texts` and their `sizes` in tokens may grow, places do not change; `is_exact` says whether sizes are
    counts or upper bounds.
    """

    texts: list[str]
    sizes: list[int]
    is_exact: bool
    is_over: bool = False

    @property
    @abstractmethod
    def surely_fits(self) -> int | None:
        """The tokens that a text may have for sure, None where only the server knows."""

    @abstractmethod
    def deliver(self, places: Sequence[int], vectors: NDArray[np.float32]) -> None:
        """Take the vectors of some texts; the next request is sent when this returns."""

    @abstractmethod
    def refuse(self, place: int, failed: Failed) -> Sequence[int]:
        """Take in that the server refuses a text; returns the places of what is sent in its stead."""

    @abstractmethod
    def fail(self, error: BaseException) -> None:
        """Take in that nothing more will come."""


@dataclass(eq=False, slots=True)
class _Todo:
    """Texts of a job that are still to be sent, as they are if `is_whole`; not before `due`."""

    job: Job
    places: Sequence[int]
    is_whole: bool = False
    trial: Trial | None = None
    tries: int = 0
    due: float = -math.inf
    first_sent: float | None = None


@dataclass(eq=False, slots=True)
class _Culprit:
    """A text that was refused when the server had not taken any yet: it may be something else."""

    job: Job
    place: int
    failed: Failed


@dataclass(eq=False)
class Sender:
    """Sends the texts of jobs, up to `concurrency` requests at a time; `ask` is one of them.

    A request keeps its place until its vectors were delivered. `random` gives numbers in [0, 1).
    """

    ask: Callable[[Sequence[str]], Answer]
    clock: Clock
    random: Callable[[], float]
    retries: Retries
    concurrency: int
    usage: Usage
    _queue: deque[_Todo] = field(default_factory=deque)
    _jobs: list[Job] = field(default_factory=list)
    _pacer: Pacer = field(default_factory=Pacer)
    _ratio: Ratio = field(default_factory=Ratio)
    _changed: Condition = field(default_factory=Condition)
    _most_inputs: int = MAX_INPUTS
    _threads: int = 0
    _under_way: int = 0
    _doubtful: _Culprit | None = None
    _has_passed: bool = False
    _is_closed: bool = False

    def begin(self, job: Job) -> None:
        """Begin to send the texts of `job`."""
        with self._changed:
            self._jobs = [each for each in self._jobs if not each.is_over]
            self._jobs.append(job)
            self._add(_Todo(job, range(len(job.texts))))

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
            self._queue.clear()
            end = self.clock.now() + _LAST_WAIT_S
            while self._under_way and self.clock.now() < end:
                self.clock.wait(self._changed, end - self.clock.now())
            self._is_closed = True
            self._changed.notify_all()

    def _add(self, *todos: _Todo, first: bool = False) -> None:
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
                self._told(todo, permit, answer)
                todo.job.deliver(todo.places, answer.vectors)
            except Failed as exc:
                self._failed(todo, permit, exc)
            except BaseException as exc:  # noqa: BLE001 (raised again where the vectors are waited for)
                with self._changed:
                    self._under_way -= 1
                    self._give_up(exc)
            else:
                with self._changed:
                    self._under_way -= 1
                    self._passed(todo)
                    self._changed.notify_all()

    def _take(self) -> tuple[_Todo, Permit] | None:
        """Wait until a request may go, and return it."""
        with self._changed:
            while not self._is_closed:
                now = self.clock.now()
                taken = self._next(now)
                if taken is not None:
                    return taken
                self.clock.wait(self._changed, self._idle(now))
        return None

    def _next(self, now: float) -> tuple[_Todo, Permit] | None:
        while self._queue and self._queue[0].job.is_over:
            self._queue.popleft()
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
            count = packed(sizes, inputs=self._most_inputs, tokens=min(room, AIM_TOKENS))
        tokens = sum(sizes[:count])
        if tokens > room and not (self._pacer.is_whole(now) and room > 0):
            return None
        self._queue.remove(todo)
        rest = _Todo(job, todo.places[count:])
        todo.places = todo.places[:count]
        self._under_way += 1
        self.usage.begin(now, again=todo.tries > 0)
        todo.first_sent = now if todo.first_sent is None else todo.first_sent
        self._add(rest, first=True)
        return todo, self._pacer.reserve(tokens * scale, now)

    def _idle(self, now: float) -> float | None:
        """Return the seconds until something may be sent; None where something has to happen before."""
        waits = [todo.due - now for todo in self._queue if todo.due > now]
        informed = self._pacer.is_informed or not self._under_way
        if informed and any(todo.due <= now for todo in self._queue):
            wait = self._pacer.wait(now)
            waits += [] if wait is None else [wait]
        return min(waits, default=None)

    def _told(self, todo: _Todo, permit: Permit, answer: Answer) -> None:
        with self._changed:
            now = self.clock.now()
            self._pacer.learn(permit, answer.headers, now)
            self.usage.end(now, answer.tokens)
            if answer.tokens and not todo.job.is_exact:
                self._ratio.learn(sum(todo.job.sizes[place] for place in todo.places), answer.tokens)
            self._changed.notify_all()

    def _failed(self, todo: _Todo, permit: Permit, failed: Failed) -> None:
        with self._changed:
            self._under_way -= 1
            now = self.clock.now()
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
                log.info("%s; again in %.3g s", failed.error.message, wait)
                todo.is_whole, todo.due = True, now + wait
                if failed.is_limit:
                    self._pacer.pause(todo.due)
                self._add(todo, first=True)
            elif failed.blame is not None:
                self._refused(todo, failed)
            else:
                self._give_up(failed.error)
            self._changed.notify_all()

    def _passed(self, todo: _Todo) -> None:
        culprit, self._doubtful = self._doubtful, None
        self._has_passed = True
        if culprit is not None:
            self._refuse(culprit)
        if todo.trial is not None:
            todo.trial.passed()
            self._go_on(todo, None)

    def _refused(self, todo: _Todo, failed: Failed) -> None:
        """Split a request that the server refuses for one of its texts, or for being too large."""
        blame = failed.blame
        assert blame is not None
        if todo.trial is not None:
            todo.trial.refused()
            self._go_on(todo, failed)
        elif len(todo.places) == 1:
            self._blame(_Culprit(todo.job, todo.places[0], failed))
        elif blame.most_inputs is not None and blame.most_inputs < len(todo.places):
            self._most_inputs = min(self._most_inputs, blame.most_inputs)
            self._add(_Todo(todo.job, todo.places), first=True)
        else:
            places, first = list(todo.places), None
            if blame.is_length:
                places.sort(key=lambda place: -todo.job.sizes[place])
                first = _count_longer(todo.job, places)
            todo.trial = Trial(places, is_size=blame.is_size, first=first)
            self._go_on(todo, failed)

    def _go_on(self, todo: _Todo, failed: Failed | None) -> None:
        """Send the next test of a trial, or end it."""
        job, trial = todo.job, todo.trial
        assert trial is not None
        if not trial.is_over:
            self._add(_Todo(job, trial.test, is_whole=True, trial=trial), first=True)
            return
        if trial.culprit is None and trial.is_size:
            self._most_inputs = min(self._most_inputs, trial.most_passed)
        self._add(_Todo(job, trial.rest, is_whole=not trial.is_size), first=True)
        if trial.culprit is not None and failed is not None:
            self._blame(_Culprit(job, trial.culprit, failed))

    def _blame(self, culprit: _Culprit) -> None:
        blame = culprit.failed.blame
        is_sure = self._has_passed or (blame is not None and blame.is_length)
        if is_sure:
            self._refuse(culprit)
        elif self._doubtful is None and self._is_busy():
            self._doubtful = culprit
        else:
            # Nothing was ever taken: it is not the texts that the server does not like.
            self._give_up(culprit.failed.error)

    def _is_busy(self) -> bool:
        return bool(self._under_way) or any(not todo.job.is_over for todo in self._queue)

    def _refuse(self, culprit: _Culprit) -> None:
        instead = culprit.job.refuse(culprit.place, culprit.failed)
        self._add(_Todo(culprit.job, list(instead)), first=True)

    def _give_up(self, error: BaseException) -> None:
        self._queue.clear()
        self._doubtful = None
        jobs, self._jobs = self._jobs, []
        for job in jobs:
            job.fail(error)
        self._changed.notify_all()


def _count_longer(job: Job, places: Sequence[int]) -> int | None:
    """Return how many of some texts may be too long, None where that tells nothing."""
    if job.surely_fits is None:
        return None
    count = sum(job.sizes[place] > job.surely_fits for place in places)
    return count if 0 < count < len(places) else None
