"""The handling of texts that are longer than a model reads."""

from __future__ import annotations

from enum import StrEnum

from simil.embedders.pieces import TextRejected

__all__ = ["Overflow", "nothing_to_embed", "same_result", "too_long"]


class Overflow(StrEnum):
    """What happens to a text with more tokens than the model reads.

    `warn` and `truncate` embed its beginning, with and without a warning; `error` rejects it; `chunk` embeds
    it in windows and takes the mean of their vectors, weighted by their tokens.
    """

    WARN = "warn"
    TRUNCATE = "truncate"
    ERROR = "error"
    CHUNK = "chunk"


def nothing_to_embed(index: int, model: str) -> TextRejected:
    """Return the error for a text that has no tokens for `model`."""
    return TextRejected(index, f"the text contains nothing that {model} reads")


def too_long(index: int, model: str, limit: int | None, overflow: Overflow) -> TextRejected:
    """Return the error for a text that is longer than the model's `limit` of tokens, None if unknown."""
    what = f"the {limit} tokens that {model} reads" if limit else f"{model} reads"
    hint = "use --overflow truncate or chunk" if overflow is Overflow.ERROR else ""
    return TextRejected(index, f"the text is longer than {what}", hint=hint)


def same_result(overflow: Overflow) -> Overflow:
    """Return the setting with which a model's results are the same: a warning changes none."""
    return Overflow.TRUNCATE if overflow is Overflow.WARN else overflow
