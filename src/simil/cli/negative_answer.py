"""The end of a run whose answer is no."""

from __future__ import annotations

__all__ = ["NegativeAnswer"]


class NegativeAnswer(Exception):
    """The run did what was asked, and the answer is no: below a threshold, nothing found. It is no error."""
