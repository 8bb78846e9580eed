"""Which text of a refused request is to blame, found with few requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simil.embedders.openai.bisection import Bisection
from simil.embedders.openai.packing import MAX_INPUTS
from simil.embedders.openai.requests import EmbeddingRequest, Todo
from simil.embedders.openai.retries import Failed

__all__ = ["Splitter"]

# So many texts, one after the other, are not all bad.
_MOST_IN_A_ROW = 32


class Splitter:
    """Decides what is sent in place of requests that the server refuses for what is in them.

    `most_inputs` is how many texts the server takes at once, as far as that is known; `has_passed` that it
    has ever taken any.
    """

    def __init__(self) -> None:
        self.most_inputs = MAX_INPUTS
        self.has_passed = False
        self._doubtful: list[_Culprit] = []
        self._in_a_row = 0

    def passed(self, todo: Todo) -> list[Todo]:
        """Take in that a request was answered; returns what is to be sent next."""
        self.has_passed = True
        self._in_a_row = 0
        doubtful, self._doubtful = self._doubtful, []
        next_ones = [todo for culprit in doubtful for todo in culprit.refuse()]
        if todo.bisection is not None:
            todo.bisection.passed()
            next_ones += self._next(todo.job, todo.bisection)
        return next_ones

    def refused(self, todo: Todo, failed: Failed, *, is_last: bool) -> list[Todo] | None:
        """Take in that a request was refused; returns what is to be sent next.

        That is None where no text can be blamed. `is_last` says that nothing else is under way or to be sent.
        """
        blame = failed.blame
        bisection = todo.bisection
        if blame is None:
            return None
        if bisection is None and blame.most_inputs is not None and blame.most_inputs < len(todo.places):
            self.most_inputs = min(self.most_inputs, blame.most_inputs)
            return [Todo(todo.job, todo.places)]
        if bisection is None and len(todo.places) == 1:
            return self._blamed(_Culprit(todo.job, todo.places[0], failed), is_last=is_last)
        if bisection is None:
            places, first = list(todo.places), None
            if blame.is_length:
                places.sort(key=lambda place: -todo.job.sizes[place])
                first = _count_longer(todo.job, places)
            bisection = Bisection(places, is_size=blame.is_size, first=first)
        else:
            bisection.refused()
        next_ones = self._next(todo.job, bisection)
        if bisection.culprit is None:
            return next_ones
        blamed = self._blamed(
            _Culprit(todo.job, bisection.culprit, failed), is_last=is_last and not next_ones
        )
        return None if blamed is None else blamed + next_ones

    def forget(self) -> None:
        """Take in that the run failed."""
        self._doubtful = []

    def _next(self, job: EmbeddingRequest, bisection: Bisection) -> list[Todo]:
        """Return the next test of a bisection, or at its end what was not tested."""
        if not bisection.is_over:
            return [Todo(job, bisection.test, is_whole=True, bisection=bisection)]
        if bisection.culprit is None:
            self.most_inputs = min(self.most_inputs, bisection.most_passed)
        is_whole = not bisection.is_size and bisection.culprit is not None
        return [Todo(job, bisection.rest, is_whole=is_whole)] if bisection.rest else []

    def _blamed(self, culprit: _Culprit, *, is_last: bool) -> list[Todo] | None:
        blame = culprit.failed.blame
        if blame is not None and blame.is_length:
            return culprit.refuse()
        self._in_a_row += 1
        if self._in_a_row > _MOST_IN_A_ROW:
            # Nothing is taken any more: it is not the texts that the server does not like.
            return None
        if self.has_passed:
            return culprit.refuse()
        if is_last:
            return None
        self._doubtful.append(culprit)
        return []


@dataclass(frozen=True, eq=False, slots=True)
class _Culprit:
    """A text that was refused when it was alone."""

    job: EmbeddingRequest
    place: int
    failed: Failed

    def refuse(self) -> list[Todo]:
        """Tell the job; returns what is sent in place of the text."""
        instead = self.job.refuse(self.place, self.failed)
        return [Todo(self.job, list(instead))] if instead else []


def _count_longer(job: EmbeddingRequest, places: Sequence[int]) -> int | None:
    """Return how many of some texts may be too long, None where that tells nothing."""
    if job.surely_fits is None:
        return None
    count = sum(job.sizes[place] > job.surely_fits for place in places)
    return count if 0 < count < len(places) else None
