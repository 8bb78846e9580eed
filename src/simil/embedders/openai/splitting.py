"""Which text of a refused request is to blame, found with few requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simil.embedders.openai.jobs import Job, Todo
from simil.embedders.openai.packing import MAX_INPUTS
from simil.embedders.openai.retries import Failed

__all__ = ["Splitter", "Trial"]

# So many texts, one after the other, are not all bad.
_MOST_IN_A_ROW = 32


class Trial:
    """Tests parts of a refused request, each sent as a request of its own, until the culprit is alone.

    A refused part holds a culprit, so what was beside it need not be tested (`rest`; it is sent on at the
    end). Where one text is to blame and a part passes, the culprit is among the others: they are
    halved at once. That takes at most 13 requests more for one culprit among 2,048. Where the request
    may just have been too large, the others are sent whole: if they pass, there is no culprit.
    """

    def __init__(self, places: Sequence[int], *, is_size: bool = False, first: int | None = None) -> None:
        """Take the places of the texts that were refused together, two at least.

        The `first` ones are suspected more than others, and are tested together.
        """
        self.is_size = is_size
        self._suspects = list(places)
        self.test = self._suspects[: first or len(self._suspects) // 2]
        self.rest: list[int] = []
        self.culprit: int | None = None
        self.most_passed = 0

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to test: there is a culprit, or all parts passed."""
        return not self.test

    def passed(self) -> None:
        """Take in that the server took the tested part."""
        self.most_passed = max(self.most_passed, len(self.test))
        cleared = set(self.test)
        self._suspects = [place for place in self._suspects if place not in cleared]
        whole = self.is_size or len(self._suspects) < 2
        self.test = self._suspects if whole else self._suspects[: len(self._suspects) // 2]

    def refused(self) -> None:
        """Take in that the server refused the tested part."""
        tested = set(self.test)
        self.rest += [place for place in self._suspects if place not in tested]
        self._suspects = self.test
        if len(self._suspects) == 1:
            self.culprit = self._suspects[0]
            self.test = []
        else:
            self.test = self._suspects[: len(self._suspects) // 2]


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
        if todo.trial is not None:
            todo.trial.passed()
            next_ones += self._next(todo.job, todo.trial)
        return next_ones

    def refused(self, todo: Todo, failed: Failed, *, is_last: bool) -> list[Todo] | None:
        """Take in that a request was refused; returns what is to be sent next.

        That is None where no text can be blamed. `is_last` says that nothing else is under way or to be sent.
        """
        blame = failed.blame
        trial = todo.trial
        if blame is None:
            return None
        if trial is None and blame.most_inputs is not None and blame.most_inputs < len(todo.places):
            self.most_inputs = min(self.most_inputs, blame.most_inputs)
            return [Todo(todo.job, todo.places)]
        if trial is None and len(todo.places) == 1:
            return self._blamed(_Culprit(todo.job, todo.places[0], failed), is_last=is_last)
        if trial is None:
            places, first = list(todo.places), None
            if blame.is_length:
                places.sort(key=lambda place: -todo.job.sizes[place])
                first = _count_longer(todo.job, places)
            trial = Trial(places, is_size=blame.is_size, first=first)
        else:
            trial.refused()
        next_ones = self._next(todo.job, trial)
        if trial.culprit is None:
            return next_ones
        blamed = self._blamed(_Culprit(todo.job, trial.culprit, failed), is_last=is_last and not next_ones)
        return None if blamed is None else blamed + next_ones

    def forget(self) -> None:
        """Take in that the run failed."""
        self._doubtful = []

    def _next(self, job: Job, trial: Trial) -> list[Todo]:
        """Return the next test of a trial, or at its end what was not tested."""
        if not trial.is_over:
            return [Todo(job, trial.test, is_whole=True, trial=trial)]
        if trial.culprit is None:
            self.most_inputs = min(self.most_inputs, trial.most_passed)
        is_whole = not trial.is_size and trial.culprit is not None
        return [Todo(job, trial.rest, is_whole=is_whole)] if trial.rest else []

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

    job: Job
    place: int
    failed: Failed

    def refuse(self) -> list[Todo]:
        """Tell the job; returns what is sent in place of the text."""
        instead = self.job.refuse(self.place, self.failed)
        return [Todo(self.job, list(instead))] if instead else []


def _count_longer(job: Job, places: Sequence[int]) -> int | None:
    """Return how many of some texts may be too long, None where that tells nothing."""
    if job.surely_fits is None:
        return None
    count = sum(job.sizes[place] > job.surely_fits for place in places)
    return count if 0 < count < len(places) else None
