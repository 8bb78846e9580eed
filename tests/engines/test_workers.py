"""Worker threads: every result arrives, errors are raised in their place, and the threads end."""

from __future__ import annotations

import threading
from threading import Event

import pytest

from simil.embedders.local.workers import Workers


def test_all_results_come() -> None:
    workers: Workers[int, int] = Workers(3, lambda job: job * job)
    first, second = workers.start(range(200)), workers.start([7])

    assert list(second) == [49]
    assert sorted(first) == [job * job for job in range(200)]
    workers.close()


def test_as_many_run_at_a_time_as_there_are_threads() -> None:
    meeting = threading.Barrier(3, timeout=60)
    workers: Workers[int, int] = Workers(3, lambda job: meeting.wait() * 0 + job)

    # Each of the three waits for the other two, so fewer threads would never finish.
    assert sorted(workers.start([1, 2, 3])) == [1, 2, 3]
    workers.close()


def test_an_error_is_raised_where_results_are_taken_and_the_rest_is_left_out() -> None:
    ran = []
    begun, go_on = Event(), Event()

    def work(job: int) -> int:
        ran.append(job)
        begun.set()
        go_on.wait(60)
        if job == 0:
            raise ValueError("job 0")
        return job

    workers: Workers[int, int] = Workers(1, work)
    results, after = workers.start([0, 1, 2]), workers.start([3])
    begun.wait(60)
    go_on.set()
    with pytest.raises(ValueError, match="job 0"):
        next(results)

    assert list(after) == [3]
    workers.close()
    # Another item may have started before the error was taken.
    assert ran[0] == 0
    assert ran[-1] == 3


def test_closing_drops_what_has_not_begun() -> None:
    ran = []
    begun, go_on = Event(), Event()

    def work(job: int) -> int:
        ran.append(job)
        begun.set()
        go_on.wait(60)
        return job

    threads = threading.active_count()
    workers: Workers[int, int] = Workers(1, work)
    results = workers.start(range(100))
    begun.wait(60)
    closing = threading.Thread(target=workers.close)
    closing.start()
    go_on.set()
    closing.join(60)

    assert not closing.is_alive()
    assert threading.active_count() == threads
    assert len(ran) < 100
    assert next(results) == 0
