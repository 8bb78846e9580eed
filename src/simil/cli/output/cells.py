"""Text for the cells of a terminal table: one line of known width, without control characters."""

from __future__ import annotations

import unicodedata
from pathlib import Path

__all__ = ["end_of", "file_name", "fit", "one_line"]


def one_line(text: str) -> str:
    """Return `text` with runs of white space as single spaces and control characters as �."""
    joined = " ".join(text.split())
    return "".join(
        "�" if unicodedata.category(character) in ("Cc", "Cf", "Cs") else character for character in joined
    )


def fit(text: str, columns: int) -> str:
    """Return the beginning of `text` as one line, padded or cut (with …) to exactly `columns` columns."""
    from rich.cells import cell_len, set_cell_size

    line = one_line(text[: 4 * columns + 4])
    if cell_len(line) <= columns:
        return set_cell_size(line, columns)
    return set_cell_size(line, columns - 1) + "…"


def end_of(place: str, columns: int) -> str:
    """Return `place` in exactly `columns` columns; a long one is cut at the front, before name and line."""
    line = one_line(place)
    return fit(line if len(line) <= columns else "…" + line[len(line) - columns + 1 :], columns)


def file_name(path: str) -> str:
    """Return the last part of `path`; bytes of it that are not UTF-8 are escaped, as in `\\udce9`."""
    return Path(path).name.encode("utf-8", "backslashreplace").decode("utf-8")
