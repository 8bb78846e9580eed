"""How long one text may be, so that a line, a cell or a file without an end does not take all memory."""

from __future__ import annotations

from simil.errors import InputError, Place

__all__ = ["ALL_LINES", "DOCUMENT", "MAX_TEXT_BYTES", "is_longer", "too_long"]

MAX_TEXT_BYTES = 64_000_000
# A line of JSON that may hold many texts or vectors is longer than a text by this factor, at most.
DOCUMENT = 4
# And all lines of a document from a pipe, which is read as a whole.
ALL_LINES = 64


def too_long(limit: int, place: Place) -> InputError:
    """The error for a text at `place` that is longer than `limit` bytes."""
    return InputError(
        f"a text is longer than {limit:,} bytes, or never ends",
        hint="if it is meant to be that long, pass a larger --max-text-bytes",
        place=place,
    )


def is_longer(text: str, limit: int) -> bool:
    """Whether `text` takes more than `limit` bytes in UTF-8, in which a character has at most 4."""
    return 4 * len(text) > limit and len(text.encode("utf-8", "surrogatepass")) > limit
