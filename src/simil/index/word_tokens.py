"""Words: which terms a text is found by.

Case, accents and width do not count. A word with punctuation inside gives its parts and itself, so that
"RX-7" is found by "RX-7", by "RX7" and by "RX 7", best by the first. Scripts that put no spaces between
words give overlapping pairs of characters, as in Lucene's CJKAnalyzer. There are no stop words: what
occurs everywhere weighs next to nothing in BM25, and "The Who" and "to be or not to be" are found.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from simil.errors import ExtraMissing, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "DEFAULT_LANGUAGE",
    "NO_LANGUAGE",
    "Terms",
    "Tokenizer",
    "check_language",
    "codes",
    "compounds",
    "languages",
    "split_words",
    "word_parts",
]

DEFAULT_LANGUAGE = "english"
NO_LANGUAGE = "none"
_OLD_STEMMERS = ("porter", "dutch_porter")

# Chinese, Japanese and Korean; Korean has spaces, but hangs particles on its words.
_CJK = (
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff"
    "\U00020000-\U000323af"
)
# Thai, Lao, Myanmar, Khmer.
_ALPHABETS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
_DROPPED = "-\u2010\u2011\u2013'\u2019"
_KEPT = "._/:@&"
_FOLDED = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th"})
_WITHOUT_DROPPED = str.maketrans(dict.fromkeys(_DROPPED))
# Shorter numbers are in many texts.
_LEAST_CODE = 3
_BLOCK = 8192
_PIECES_KEPT = 2_000_000


@dataclass(frozen=True, eq=False, slots=True)
class Terms:
    """The terms of texts, one text after another.

    `numbers` int32 [sum of lengths] are those of the terms in `vocabulary`, `lengths` int64 [n] how many
    each text has.
    """

    numbers: NDArray[np.int32]
    lengths: NDArray[np.int64]
    vocabulary: dict[str, int]


def languages() -> list[str]:
    """Return the languages that words can be stemmed in; raises ExtraMissing without the extra."""
    return [name for name in _stemmers().algorithms() if name not in _OLD_STEMMERS]


def check_language(language: str) -> None:
    """Raise UsageError for a language that there is no stemmer for, ExtraMissing without the extra."""
    if language != NO_LANGUAGE and language not in languages():
        raise UsageError(
            f"there is no stemmer for {language!r}",
            hint=f"--language none, or one of {', '.join(languages())}",
        )


def split_words(text: str) -> list[str]:
    """Return the words of a text, and runs of scripts without spaces, as they are written."""
    return [match.group() for match in _words().finditer(unicodedata.normalize("NFKC", text))]


def compounds(text: str) -> list[str]:
    """Return the words of a text that have punctuation inside, such as "RX-7" and "v2.3.1"."""
    return [word for word in split_words(text) if _PARTS.search(word)]


def word_parts(word: str) -> list[str]:
    """Return what the punctuation inside of a word separates."""
    return _PARTS.split(word)


def codes(text: str) -> list[str]:
    """Return the words of a text that are a number of three digits or more, or a code such as "RX-7"."""
    return [word for word in split_words(text) if len(word) >= _LEAST_CODE and any(map(str.isdigit, word))]


class Tokenizer:
    """Turns texts into terms, with words stemmed in a language."""

    def __init__(self, language: str = DEFAULT_LANGUAGE) -> None:
        """Take the name of a stemmer, or "none"; errors as in `check_language`."""
        check_language(language)
        self._stem: Callable[[str], str] = (
            str if language == NO_LANGUAGE else _stemmers().Stemmer(language).stemWord
        )

    def terms(self, text: str) -> list[str]:
        """Return the terms of a text, in order."""
        return [*chain.from_iterable(map(self._terms_of, text.split()))]

    def tokenize(self, texts: Iterable[str], on_done: Callable[[int], None] = lambda number: None) -> Terms:
        """Return the terms of all texts; `on_done` is called with numbers of texts as they are done."""
        import numpy as np

        vocabulary = _Numbers()
        numbers, lengths = [np.empty(0, np.int32)], [np.empty(0, np.int64)]
        pieces = _Pieces(self._terms_of, vocabulary)
        for block in _blocks(texts):
            split = [text.split() for text in block]
            found, counts = pieces.expanded(split)
            numbers.append(found)
            lengths.append(counts)
            on_done(len(block))
            if len(pieces.numbers) > _PIECES_KEPT:
                pieces = _Pieces(self._terms_of, vocabulary)
        return Terms(np.concatenate(numbers), np.concatenate(lengths), vocabulary)

    def _terms_of(self, piece: str) -> Iterator[str]:
        """Yield the terms of what stands between two spaces."""
        if piece.isascii() and piece.isalpha():
            yield self._stem(piece.lower())
            return
        for match in _words().finditer(unicodedata.normalize("NFKC", piece).casefold()):
            if match["unspaced"]:
                yield from _grams(match["unspaced"])
            else:
                yield from self._terms_of_word(match["word"])

    def _terms_of_word(self, word: str) -> Iterator[str]:
        """Yield the parts of a word, and if there are several, the word."""
        # The English genitive; and a version, which may have a letter before it.
        word = _TRIMMED.sub("", word)
        parts = _PARTS.split(word)
        if len(parts) > 1 and all(len(part) == 1 and part.isalpha() for part in parts):
            yield _fold("".join(parts))  # U.S.A.
            return
        elided = _APOSTROPHE.search(word)
        for part in parts:
            # The letters that an apostrophe cuts off, as in "l'eau", "O'Brien" and "I'd", say nothing.
            if len(part) > 1 or not elided:
                yield self._term(part.rstrip("+#"))
            if part[-1] in "+#" and part != word:
                yield _fold(part)
        if len(parts) > 1 or word[-1] in "+#":
            yield _fold(word.translate(_WITHOUT_DROPPED))

    def _term(self, part: str) -> str:
        return _fold(self._stem(part) if part.isalpha() else part)


_TRIMMED = re.compile(r"['\u2019]s$|^v(?=\d+\.\d)")
_PARTS = re.compile(rf"[{_DROPPED}{_KEPT},]")
_APOSTROPHE = re.compile(r"['\u2019]")


def _fold(term: str) -> str:
    if term.isascii():
        return term
    decomposed = unicodedata.normalize("NFD", term)
    bare = "".join(char for char in decomposed if not "\u0300" <= char <= "\u036f")
    return unicodedata.normalize("NFC", bare).translate(_FOLDED)


def _grams(run: str) -> Iterator[str]:
    """Yield the characters of a run, and each two neighbours; of an alphabet, twos and threes."""
    clusters = _clusters().findall(run)
    sizes = (1, 2) if _IS_CJK.match(run) else (2, 3)
    if len(clusters) < sizes[0]:
        yield run
    for size in sizes:
        for start in range(len(clusters) - size + 1):
            yield "".join(clusters[start : start + size])


_IS_CJK = re.compile(f"[{_CJK}]")


@cache
def _marks() -> str:
    """The vowel signs of Indian scripts and combining accents, which \\w does not match."""
    return "".join(chr(code) for code in range(0x300, 0x1C00) if unicodedata.category(chr(code))[0] == "M")


@cache
def _clusters() -> re.Pattern[str]:
    return re.compile(f".[{_marks()}]*")


@cache
def _words() -> re.Pattern[str]:
    marks = _marks()
    letter = rf"[^\W_{marks}{_CJK}{_ALPHABETS}][{marks}]*"
    # C++, C#
    part = rf"(?:{letter})+(?:(?<=[^\W\d_])(?:\+\+?|#)(?!\w))?"
    joiner = rf"(?:[{_DROPPED}{_KEPT}]|(?<=\d),(?=\d))"
    cjk, alphabets = f"[{_CJK}][{_CJK}{marks}]*", f"[{_ALPHABETS}]+"
    return re.compile(rf"(?P<unspaced>{cjk}|{alphabets})|(?P<word>{part}(?:{joiner}{part})*)")


class _Numbers(dict[str, int]):
    """Numbers terms in the order in which they are asked for."""

    def __missing__(self, term: str) -> int:
        number = self[term] = len(self)
        return number


class _Pieces:
    """The terms of each piece that was met, found once."""

    def __init__(self, terms_of: Callable[[str], Iterable[str]], vocabulary: _Numbers) -> None:
        self._terms_of = terms_of
        self._vocabulary = vocabulary
        self._flat, self._ends = array("i"), array("q")
        self.numbers = _OnMissing(self._add)

    def _add(self, piece: str) -> int:
        self._flat.extend(self._vocabulary[term] for term in self._terms_of(piece))
        self._ends.append(len(self._flat))
        return len(self._ends) - 1

    def expanded(self, split: list[list[str]]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Return the terms of texts that were split into pieces, and how many each text has."""
        import numpy as np

        counts = np.fromiter(map(len, split), np.int64, len(split))
        given = chain.from_iterable(split)
        numbers = np.fromiter(map(self.numbers.__getitem__, given), np.int64, int(counts.sum()))
        ends = np.array(self._ends, np.int64)
        flat = np.array(self._flat, np.int32)
        starts = np.concatenate(([0], ends[:-1])) if len(ends) else ends
        lengths = (ends - starts)[numbers]
        shifts = np.repeat(starts[numbers] - (np.cumsum(lengths) - lengths), lengths)
        terms = flat[shifts + np.arange(len(shifts))]
        edges = np.concatenate(([0], np.cumsum(lengths)))[np.concatenate(([0], np.cumsum(counts)))]
        return terms, np.diff(edges)


class _OnMissing(dict[str, int]):
    def __init__(self, add: Callable[[str], int]) -> None:
        super().__init__()
        self._add = add

    def __missing__(self, piece: str) -> int:
        number = self[piece] = self._add(piece)
        return number


def _blocks(texts: Iterable[str]) -> Iterator[list[str]]:
    remaining = iter(texts)
    while block := [*islice(remaining, _BLOCK)]:
        yield block


def _stemmers() -> Any:
    try:
        import Stemmer
    except ImportError as exc:
        raise ExtraMissing("search by words needs PyStemmer, which is not installed", extra="words") from exc
    return Stemmer
