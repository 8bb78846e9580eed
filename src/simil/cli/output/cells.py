"""Text for people: control characters made visible, and table cells, one line of known width."""

from __future__ import annotations

import unicodedata
from pathlib import Path

__all__ = ["end_of", "file_name", "fit", "one_line", "visible"]

# Control, format (which turn the direction of writing), halves of surrogate pairs, separators of lines.
_HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
# Scripts and emoji are written with these, which neither move nor reorder what stands beside them.
_JOINERS = "\u200c\u200d"


def visible(text: str, *, keep: str = "") -> str:
    r"""Return `text` with control and bidi characters as JSON escapes them, as in `\u001b`.

    Those in `keep` stay. A byte of a file's name that is not UTF-8 is shown as Python holds it: `\udcff`.
    """
    if text.isprintable():
        return text
    return "".join(character if character in keep else _shown(character) for character in text)


def _shown(character: str) -> str:
    if character.isprintable() or character in _JOINERS or unicodedata.category(character) not in _HIDDEN:
        return character
    import json

    return json.dumps(character)[1:-1]


def one_line(text: str) -> str:
    """Return `text` with runs of white space as single spaces, and control characters made visible."""
    return visible(" ".join(text.split()))


def fit(text: str, columns: int) -> str:
    """Return the beginning of `text` as one line, padded or cut (with …) to exactly `columns` columns."""
    return _fit(one_line(text[: 4 * columns + 4]), columns)


def end_of(place: str, columns: int) -> str:
    """Return `place` in exactly `columns` columns; a long one is cut at the front, before name and line."""
    line = visible(place)
    return _fit(line if len(line) <= columns else "…" + line[len(line) - columns + 1 :], columns)


def _fit(line: str, columns: int) -> str:
    from rich.cells import cell_len, set_cell_size

    if cell_len(line) <= columns:
        return set_cell_size(line, columns)
    return set_cell_size(line, columns - 1) + "…"


def file_name(path: str) -> str:
    """Return the last part of `path`; bytes of it that are not UTF-8 are escaped, as in `\\udce9`."""
    return Path(path).name.encode("utf-8", "backslashreplace").decode("utf-8")
