"""How large a request may be, and how much may wait at the server at once, by the speed that it shows.

A server may compute 20 texts a second or 20,000, one request after the other or many at a time. A request
that it does not finish in time is lost, though it has computed it or still does, so sizes begin small and
grow with what it has done.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simil.embedders.openai.packing import AIM_TOKENS, MAX_INPUTS

if TYPE_CHECKING:
    from simil.embedders.openai.transport import Timeout

__all__ = ["RequestSizes", "Sending"]

FIRST_TEXTS = 32
# Of 32 texts of a page each, a slow server would not answer all in time.
_FIRST_TOKENS = 8_192
# In so many seconds an answer is to come, what waits at the server before it included.
_AIM_S = 5.0
# The aim is at most this share of the time after which a request is given up.
_AIM_SHARE = 1 / 8
# With requests of a fixed size, or of one text, no more are sent at a time than are answered in this share.
_WAIT_SHARE = 2 / 3
# One size is at most so many times the one before.
_GROWTH = 4


@dataclass(frozen=True, eq=False, slots=True)
class Sending:
    """A request under way: its size, when it was sent, and how much had been answered by then."""

    texts: int
    tokens: float
    at: float
    texts_before: float
    tokens_before: float


class RequestSizes:
    """Says how large the next request may be and whether it may be sent; its owner holds a lock.

    The speed is measured both in texts and in tokens: long texts after short ones take longer.
    """

    def __init__(
        self, concurrency: int, timeout: Timeout, *, fixed: int | None = None, is_paced: bool = True
    ) -> None:
        """Follow the speed, but for requests of a `fixed` number of texts.

        A server that is not `is_paced` says by its rate limits how much it takes, and is quick.
        """
        self._is_paced = is_paced
        fixed = fixed if is_paced else min(fixed or MAX_INPUTS, MAX_INPUTS)
        given_up = min(timeout.read, timeout.total)
        aim_s = min(_AIM_S, _AIM_SHARE * given_up) / concurrency
        self._concurrency = concurrency
        self._longest_s = _WAIT_SHARE * given_up
        self._is_fixed = fixed is not None
        texts = (fixed, fixed) if fixed is not None else (FIRST_TEXTS, MAX_INPUTS)
        tokens = (AIM_TOKENS, AIM_TOKENS) if fixed is not None else (_FIRST_TOKENS, AIM_TOKENS)
        self._texts = _Pace(*texts, aim_s)
        self._tokens = _Pace(*tokens, aim_s)

    @property
    def tokens(self) -> float:
        """The most tokens of the next request."""
        return self._tokens.size

    def texts(self, queued: int) -> int:
        """Return the most texts of the next request, when so many are `queued`.

        The last ones are shared among the requests that may be under way.
        """
        if self._is_fixed:
            return self._texts.size
        return min(self._texts.size, max(FIRST_TEXTS, math.ceil(queued / self._concurrency)))

    def has_room(self, texts: int, tokens: float) -> bool:
        """Return whether one more request is answered in time, after those that are under way."""
        if not self._is_paced or not self._texts.under_way:
            return True
        return max(self._texts.seconds(texts), self._tokens.seconds(tokens)) <= self._longest_s

    def send(self, texts: int, tokens: float, now: float) -> Sending:
        """Record that a request is sent."""
        sending = Sending(texts, tokens, now, self._texts.answered, self._tokens.answered)
        self._texts.under_way += texts
        self._tokens.under_way += tokens
        return sending

    def answer(self, sending: Sending, now: float) -> None:
        """Learn from an answer."""
        self._end(sending)
        seconds = now - sending.at
        self._texts.learn(sending.texts, sending.texts_before, seconds, is_fixed=self._is_fixed)
        self._tokens.learn(sending.tokens, sending.tokens_before, seconds, is_fixed=self._is_fixed)

    def fail(self, sending: Sending) -> None:
        """Record that a request got no answer, for reasons other than its size."""
        self._end(sending)

    def miss(self, sending: Sending) -> bool:
        """Record that no answer came in time, and return whether its texts are to be sent in smaller ones.

        The server may still be computing them, so the next request goes alone, until one is answered.
        """
        self._end(sending)
        self._texts.speed = self._tokens.speed = None
        return not self._is_fixed and self._texts.halve(sending.texts) | self._tokens.halve(sending.tokens)

    def refuse(self, sending: Sending) -> None:
        """Record that the server refused a request as too large; it has been recorded as failed, too."""
        self._tokens.most = self._tokens.size = max(1, int(sending.tokens) // 2)

    def _end(self, sending: Sending) -> None:
        self._texts.under_way -= sending.texts
        self._tokens.under_way -= sending.tokens


class _Pace:
    """The size of the next request in one unit, and the server's speed in it: `texts` or `tokens`."""

    def __init__(self, size: int, most: int, aim_s: float) -> None:
        self.size, self.most = size, most
        self.speed: float | None = None
        self.answered, self.under_way = 0.0, 0.0
        self._aim_s = aim_s

    def seconds(self, more: float) -> float:
        """Return how long an answer for so many `more` takes if the server does one after the other."""
        if self.speed is None:
            return math.inf
        return (self.under_way + more) / self.speed if self.speed else math.inf

    def learn(self, sent: float, before: float, seconds: float, *, is_fixed: bool) -> None:
        """Learn the speed: all that was answered in the `seconds` from sending to the answer, itself too."""
        self.answered += sent
        self.speed = (self.answered - before) / seconds if seconds > 0 else math.inf
        if not is_fixed:
            largest = max(self.size, _GROWTH * sent)
            self.size = max(1, int(min(self.speed * self._aim_s, largest, self.most)))

    def halve(self, sent: float) -> bool:
        """Make requests at most half as large as one that was too large; return whether that is possible."""
        self.size = max(1, min(self.size, int(sent) // 2))
        return self.size < sent
