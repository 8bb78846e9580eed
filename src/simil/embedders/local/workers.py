"""Threads that run a model's batches, one each, while Python prepares the next.

A thread to a core, each with a batch of its own, beats all cores on one batch: nobody waits for
anybody between two layers. Python's lock is free while the engines compute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from threading import Event, Thread
from typing import Generic, TypeVar

__all__ = ["Workers"]

Job = TypeVar("Job")
Result = TypeVar("Result")
_Outcome = tuple[Result | None, BaseException | None]


class Workers(Generic[Job, Result]):
    """`count` threads that apply `run` to jobs, first come, first served."""

    def __init__(self, count: int, run: Callable[[Job], Result]) -> None:
        self._run = run
        self._closed = False
        self._jobs: SimpleQueue[tuple[Job, SimpleQueue[_Outcome[Result]], Event] | None] = SimpleQueue()
        # Daemons: a run that ends without `close` must not wait for them.
        self._threads = [Thread(target=self._work, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def start(self, jobs: Sequence[Job]) -> Iterator[Result]:
        """Begin all `jobs` and return an iterator over their results in the order they get ready.

        An error of a job is raised from the iterator. What has not begun when the iterator ends, by an
        error or because it is closed, is left out.
        """
        results: SimpleQueue[_Outcome[Result]] = SimpleQueue()
        abandoned = Event()
        for job in jobs:
            self._jobs.put((job, results, abandoned))
        return self._ready(len(jobs), results, abandoned)

    def close(self) -> None:
        """End the threads; waits for the jobs that they are at, and drops those that have not begun."""
        self._closed = True
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    @staticmethod
    def _ready(count: int, results: SimpleQueue[_Outcome[Result]], abandoned: Event) -> Iterator[Result]:
        try:
            for _ in range(count):
                result, error = results.get()
                if error is not None:
                    raise error
                yield result  # type: ignore[misc]  # No error, so there is a result.
        finally:
            abandoned.set()

    def _work(self) -> None:
        while (task := self._jobs.get()) is not None:
            job, results, abandoned = task
            if self._closed or abandoned.is_set():
                continue
            try:
                results.put((self._run(job), None))
            except BaseException as exc:  # noqa: BLE001 (raised again in the thread that waits)
                results.put((None, exc))
            del task, job, results, abandoned
