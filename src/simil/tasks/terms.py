"""Distinctive words of groups of texts: class-based tf-idf."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from math import log

from simil.tasks.stop_words import ENGLISH_STOP_WORDS

__all__ = ["distinctive_words", "words"]

_CURLY = "\N{RIGHT SINGLE QUOTATION MARK}"


def distinctive_words(groups: Sequence[Iterable[str]], count: int = 5) -> list[list[str]]:
    """Return the `count` most distinctive words of each group of texts, most distinctive first.

    The weight of a word in a group is tf · log(1 + A / f), where tf is its share of the group's words, A the
    mean number of words per group, and f its frequency in all groups (class-based tf-idf: Grootendorst,
    BERTopic, 2022, arXiv:2203.05794). Words of a single text of a group come after words that several texts
    share. English stop words (`stop_words`) are left out. Ties are in alphabetical order.
    """
    used, shared = zip(*map(_counted, groups), strict=True) if groups else ((), ())
    total = sum(used, Counter[str]())
    mean = total.total() / max(len(used), 1)
    weights = {word: log(1 + mean / frequency) for word, frequency in total.items()}
    # Within a group, counts give the same order as shares.
    return [
        sorted(counter, key=lambda word: (word not in common, -counter[word] * weights[word], word))[:count]
        for counter, common in zip(used, shared, strict=True)
    ]


def _counted(texts: Iterable[str]) -> tuple[Counter[str], set[str]]:
    """Return the count of each word, and the words that occur in more than one text."""
    used, found_in = Counter[str](), Counter[str]()
    for text in texts:
        counter = Counter(words(text))
        used.update(counter)
        found_in.update(counter.keys())
    for word in used.keys() & ENGLISH_STOP_WORDS:
        del used[word]
    return used, {word for word, number in found_in.items() if number > 1}


def words(text: str) -> list[str]:
    """Return the words of `text` in order, in lower case: at least two letters or digits, one of them a
    letter.

    An apostrophe joins parts of a word, except English endings: "user's" gives "user", "don't" gives nothing.
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
    # Vowel signs of Indian scripts and combining accents are marks, which \w does not match.
    marks = "".join(chr(code) for code in range(0x300, 0x1C00) if unicodedata.category(chr(code))[0] == "M")
    letter = rf"[^\W_{marks}][{marks}]*"
    return re.compile(rf"(?:{letter})+(?:['{_CURLY}](?:{letter})+)*")
