"""Which text of a refused request is to blame: its parts are tested by halves."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["Bisection"]


class Bisection:
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
