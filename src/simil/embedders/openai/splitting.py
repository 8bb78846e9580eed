"""What to send in place of a request that the server refuses because of its texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simil.embedders.openai.bisection import Bisection
from simil.embedders.openai.packing import MAX_INPUTS
from simil.embedders.openai.requests import EmbeddingRequest
from simil.embedders.openai.retries import RequestFailed
from simil.embedders.openai.text_batch import TextBatch

__all__ = ["Splitter"]

# That many refused texts in a row are unlikely to be the texts' fault.
_MOST_IN_A_ROW = 32


class Splitter:
    """Splits refused requests until the text at fault is alone.

    `most_inputs` is how many texts the server accepts in a request, as far as known; `has_passed` says
    whether it has ever accepted any.
    """

    def __init__(self) -> None:
        self.most_inputs = MAX_INPUTS
        self.has_passed = False
        self._doubtful: list[_Culprit] = []
        self._in_a_row = 0

    def passed(self, request: EmbeddingRequest) -> list[EmbeddingRequest]:
        """Record that a request was answered, and return the requests to send next."""
        self.has_passed = True
        self._in_a_row = 0
        doubtful, self._doubtful = self._doubtful, []
        next_ones = [instead for culprit in doubtful for instead in culprit.refuse()]
        if request.bisection is not None:
            request.bisection.passed()
            next_ones += self._next(request.batch, request.bisection)
        return next_ones

    def refused(
        self, request: EmbeddingRequest, failed: RequestFailed, *, is_last: bool
    ) -> list[EmbeddingRequest] | None:
        """Record that a request was refused, and return the requests to send next.

        Returns None if no text is to blame. `is_last` says that no other request is waiting or in flight.
        """
        blame = failed.blame
        batch, bisection = request.batch, request.bisection
        if blame is None:
            return None
        if blame.is_answered:
            return self._unanswered(request, failed, is_last=is_last)
        if bisection is None and blame.most_inputs is not None and blame.most_inputs < len(request.places):
            self.most_inputs = min(self.most_inputs, blame.most_inputs)
            return [EmbeddingRequest(batch, request.places)]
        if bisection is None and len(request.places) == 1:
            return self._blamed(_Culprit(batch, request.places[0], failed), is_last=is_last)
        if bisection is None:
            places, first = list(request.places), None
            if blame.is_length:
                places.sort(key=lambda place: -batch.sizes[place])
                first = _count_over_limit(batch, places)
            bisection = Bisection(places, is_size=blame.is_size, first=first)
        else:
            bisection.refused()
        next_ones = self._next(batch, bisection)
        if bisection.culprit is None:
            return next_ones
        culprit = _Culprit(batch, bisection.culprit, failed)
        blamed = self._blamed(culprit, is_last=is_last and not next_ones)
        return None if blamed is None else blamed + next_ones

    def _unanswered(
        self, request: EmbeddingRequest, failed: RequestFailed, *, is_last: bool
    ) -> list[EmbeddingRequest] | None:
        """Blame each text of a request whose answer has no right vector; sent again, it would cost again."""
        next_ones: list[EmbeddingRequest] = []
        if request.bisection is not None:
            request.bisection.passed()
            next_ones = self._next(request.batch, request.bisection)
        for place in request.places:
            culprit = _Culprit(request.batch, place, failed)
            blamed = self._blamed(culprit, is_last=is_last and not next_ones)
            if blamed is None:
                return None
            next_ones = blamed + next_ones
        return next_ones

    def forget(self) -> None:
        """Drop what was found out about the texts of a run that has failed."""
        self._doubtful = []

    def _next(self, batch: TextBatch, bisection: Bisection) -> list[EmbeddingRequest]:
        """Return the next test of a bisection, or once it is over, the texts that it did not test."""
        if not bisection.is_over:
            return [EmbeddingRequest(batch, bisection.test, is_whole=True, bisection=bisection)]
        if bisection.culprit is None:
            self.most_inputs = min(self.most_inputs, bisection.most_passed)
        is_whole = not bisection.is_size and bisection.culprit is not None
        return [EmbeddingRequest(batch, bisection.rest, is_whole=is_whole)] if bisection.rest else []

    def _blamed(self, culprit: _Culprit, *, is_last: bool) -> list[EmbeddingRequest] | None:
        blame = culprit.failed.blame
        if blame is not None and blame.is_length:
            return culprit.refuse()
        self._in_a_row += 1
        if self._in_a_row > _MOST_IN_A_ROW:
            return None
        if self.has_passed:
            return culprit.refuse()
        if is_last:
            return None
        # A server that has not accepted anything yet may refuse everything: wait for the next answer.
        self._doubtful.append(culprit)
        return []


@dataclass(frozen=True, eq=False, slots=True)
class _Culprit:
    """A text that the server refused when it was sent alone."""

    batch: TextBatch
    place: int
    failed: RequestFailed

    def refuse(self) -> list[EmbeddingRequest]:
        """Refuse the text, and return what is sent in its place."""
        instead = self.batch.refuse(self.place, self.failed)
        return [EmbeddingRequest(self.batch, list(instead))] if instead else []


def _count_over_limit(batch: TextBatch, places: Sequence[int]) -> int | None:
    """Return how many of some texts may be too long; None if their sizes do not tell."""
    if batch.token_limit is None:
        return None
    count = sum(batch.sizes[place] > batch.token_limit for place in places)
    return count if 0 < count < len(places) else None
