"""The words that tell groups of texts apart: class-based tf-idf."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from math import log

__all__ = ["distinctive_words", "words"]

_CURLY = "\N{RIGHT SINGLE QUOTATION MARK}"


def distinctive_words(groups: Sequence[Iterable[str]], count: int = 5) -> list[list[str]]:
    """Return for each group of texts its `count` most telling words, the most telling first.

    A word's weight in a group is tf · log(1 + A / f): tf its share of the group's words, A the mean number
    of words of a group, f how often all groups use it (class-based tf-idf: Grootendorst, BERTopic, 2022,
    arXiv:2203.05794). Words that one text of several uses come after those that more share. English
    stop words, by scikit-learn's list, are left out. Of equal weights the word that comes first in the
    alphabet is first. A group without words has none.
    """
    used, shared = zip(*map(_counted, groups), strict=True) if groups else ((), ())
    total = sum(used, Counter[str]())
    mean = total.total() / max(len(used), 1)
    weights = {word: log(1 + mean / frequency) for word, frequency in total.items()}
    # Within a group, shares order words as their numbers do.
    return [
        sorted(counter, key=lambda word: (word not in common, -counter[word] * weights[word], word))[:count]
        for counter, common in zip(used, shared, strict=True)
    ]


def _counted(texts: Iterable[str]) -> tuple[Counter[str], set[str]]:
    """Return how often the texts use each word, and the words that more than one of them uses."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    used, found_in = Counter[str](), Counter[str]()
    for text in texts:
        counter = Counter(words(text))
        used.update(counter)
        found_in.update(counter.keys())
    for word in used.keys() & ENGLISH_STOP_WORDS:
        del used[word]
    return used, {word for word, number in found_in.items() if number > 1}


def words(text: str) -> list[str]:
    """Return the words of `text` in order, in lower case: two letters or digits or more, at least one letter.

    An apostrophe joins, but for English endings: "user's" is "user", "don't" is nothing.
    """
    found = []
    for match in _pattern().finditer(unicodedata.normalize("NFC", text).lower()):
        word = match.group().replace(_CURLY, "'")
        if word.endswith("n't"):
            continue
        word = word.removesuffix("'s")
        if len(word) > 1 and not word.isdecimal():
            found.append(word)
    return found


@cache
def _pattern() -> re.Pattern[str]:
    # Vowel signs of Indian scripts and accents that do not join are marks, which \w leaves out.
    marks = "".join(chr(code) for code in range(0x300, 0x1C00) if unicodedata.category(chr(code))[0] == "M")
    letter = rf"[^\W_{marks}][{marks}]*"
    return re.compile(rf"(?:{letter})+(?:['{_CURLY}](?:{letter})+)*")
