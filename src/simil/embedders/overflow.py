"""What happens to a text that is longer than a model reads."""

from __future__ import annotations

from enum import StrEnum

from simil.embedders.base import TextRejected

__all__ = ["Overflow", "nothing_read", "too_long"]


class Overflow(StrEnum):
    """What happens to a text with more tokens than the model reads.

    `warn` and `truncate` embed its beginning (the command line then says so, or does not), `error`
    refuses it, `chunk` gives the mean of the vectors of its windows, weighted by their tokens.
    """

    WARN = "warn"
    TRUNCATE = "truncate"
    ERROR = "error"
    CHUNK = "chunk"


def nothing_read(index: int, model: str) -> TextRejected:
    """Return the error of a text in which there is nothing that `model` knows."""
    return TextRejected(index, f"the text has nothing that {model} reads")


def too_long(index: int, model: str, limit: int | None, overflow: Overflow) -> TextRejected:
    """Return the error of a text that is longer than the model's `limit` of tokens, None where not known."""
    what = f"the {limit} tokens that {model} reads" if limit else f"{model} reads"
    hint = "use --overflow truncate or chunk" if overflow is Overflow.ERROR else ""
    return TextRejected(index, f"the text is longer than {what}", hint=hint)
