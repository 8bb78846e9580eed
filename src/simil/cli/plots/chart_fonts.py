"""Fonts for the letters of a picture, and what to install for those that no font has."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

__all__ = ["families_for", "missing_font_note"]

_FIRST = "DejaVu Sans"
# This font comes with matplotlib, and draws a box for each letter there is.
_BOXES = "Last Resort"
# Where several fonts have a letter, one of these draws it.
_PREFERRED = (
    "Noto Sans", "Noto Sans CJK JP", "Noto Sans CJK SC", "Hiragino Sans", "PingFang SC",
    "Apple SD Gothic Neo", "Yu Gothic", "Microsoft YaHei", "Malgun Gothic",
    "Nirmala UI", "Noto Emoji", "Symbola",
)  # fmt: skip
_CJK, _OTHERS, _SYMBOLS = "fonts-noto-cjk", "fonts-noto-core", "fonts-symbola"
# What a letter's Unicode name begins with: its script in words. The rest are called as Unicode calls them.
_SCRIPTS = {
    "CJK": "Chinese", "BOPOMOFO": "Chinese", "HIRAGANA": "Japanese", "KATAKANA": "Japanese",
    "HANGUL": "Korean", "DEVANAGARI": "Hindi (Devanagari)",
}  # fmt: skip
_CJK_SCRIPTS = ("Chinese", "Japanese", "Korean")


def families_for(texts: Iterable[str]) -> tuple[list[str], set[str]]:
    """Return the families of installed fonts that draw these texts, and the letters that none of them has."""
    from matplotlib import font_manager

    letters = {letter for text in texts for letter in text if _is_drawn(letter)}
    manager = font_manager.fontManager
    letters -= _letters_of(manager.findfont(_FIRST), letters)
    if not letters:
        return [_FIRST], letters
    # matplotlib remembers which fonts there were when it first ran.
    for path in {*font_manager.findSystemFonts()} - {entry.fname for entry in manager.ttflist}:
        _add_font(path)
    families = {entry.name: entry.fname for entry in manager.ttflist if not entry.name.startswith(_BOXES)}
    chosen = [_FIRST]
    for name in sorted(families, key=_rank):
        found = _letters_of(families[name], letters)
        if found:
            chosen.append(name)
            letters -= found
        if not letters:
            break
    return chosen, letters


def missing_font_note(letters: Iterable[str]) -> str:
    """Return one line about letters that no font has, and the packages with fonts for them."""
    scripts = {_script_of(letter): _package_of(letter) for letter in sorted(letters)}
    packages = " ".join(sorted({*scripts.values()}))
    return (
        f"no installed font has letters for {', '.join(scripts)}, which are drawn as boxes: install fonts"
        f" (Debian, Ubuntu: apt install {packages}), or draw to .html"
    )


def _is_drawn(letter: str) -> bool:
    """Whether a letter is more than a mark on another one or a space."""
    return letter > "~" and unicodedata.category(letter)[0] not in "CMZ"


def _rank(family: str) -> tuple[int, bool, str]:
    place = _PREFERRED.index(family) if family in _PREFERRED else len(_PREFERRED)
    return place, not family.startswith("Noto Sans"), family


def _add_font(path: str) -> None:
    from matplotlib import font_manager

    try:
        font_manager.fontManager.addfont(path)
    except (RuntimeError, OSError, ValueError):
        # Fonts of pictures and damaged files are of no use here.
        return


def _letters_of(path: str, wanted: set[str]) -> set[str]:
    """Return which of the letters a font file has."""
    from matplotlib import font_manager

    try:
        known = font_manager.get_font(path).get_charmap()
    except (RuntimeError, OSError):
        return set()
    return {letter for letter in wanted if ord(letter) in known}


def _script_of(letter: str) -> str:
    if unicodedata.category(letter)[0] == "S":
        return "symbols"
    name = unicodedata.name(letter, "other").partition(" ")[0]
    return _SCRIPTS.get(name, name.capitalize())


def _package_of(letter: str) -> str:
    script = _script_of(letter)
    if script == "symbols":
        return _SYMBOLS
    return _CJK if script in _CJK_SCRIPTS else _OTHERS
