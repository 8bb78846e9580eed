"""Finding the text that made the server refuse a request, by testing halves of it."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["Bisection"]


class Bisection:
    """Narrows a refused request down to one culprit; each `test` is sent as a request of its own.

    A refused part contains a culprit, so the texts beside it need no test: they go to `rest` and are
    sent at the end. If one text must be to blame and a part passes, the culprit is among the others,
    which are halved at once. One culprit among 2,048 texts costs at most 13 extra requests. If the
    request may simply have been too large, the others are sent whole: if they pass, there is no culprit.
    """

    def __init__(self, places: Sequence[int], *, is_size: bool = False, first: int | None = None) -> None:
        """Start with the places of at least two texts that were refused together.

        The `first` of them are the likeliest culprits and are tested together.
        """
        self.is_size = is_size
        self._suspects = list(places)
        self.test = self._suspects[: first or len(self._suspects) // 2]
        self.rest: list[int] = []
        self.culprit: int | None = None
        self.most_passed = 0

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to test: a culprit was found, or all parts passed."""
        return not self.test

    def passed(self) -> None:
        """Record that the server accepted the tested part."""
        self.most_passed = max(self.most_passed, len(self.test))
        cleared = set(self.test)
        self._suspects = [place for place in self._suspects if place not in cleared]
        whole = self.is_size or len(self._suspects) < 2
        self.test = self._suspects if whole else self._suspects[: len(self._suspects) // 2]

    def refused(self) -> None:
        """Record that the server refused the tested part."""
        tested = set(self.test)
        self.rest += [place for place in self._suspects if place not in tested]
        self._suspects = self.test
        if len(self._suspects) == 1:
            self.culprit = self._suspects[0]
            self.test = []
        else:
            self.test = self._suspects[: len(self._suspects) // 2]
