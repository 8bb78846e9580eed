"""The input of the benchmarks: texts made of a few words, and a plug-in that costs nothing."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

__all__ = ["LENGTHS", "LONG", "SHORT", "WIDE", "lines", "many", "mixed", "texts", "write_plugin"]

# The dimensions of the plug-in `wide`.
WIDE = 384

# Words per text, minimum and maximum.
LENGTHS = {"2-3 words": (2, 3), "6 words": (5, 7), "12 words": (10, 14)}
# Almost every word is a token, and two tokens are special: the mean, and never over 256 or 512.
LONG = {"230 tokens": (222, 232), "500 tokens": (490, 500)}

# For cards: 16.5 tokens on average.
SHORT = {"16.5 tokens": (10, 19)}

_WORD_LIST = """
a about above across air along among and animal apple around ask at away band bark baby ball beach bear
before behind bicycle bird black blue board boat book bottle bowl box boy bread bridge bright brown brush
building burn bus by camera car carefully cat catch chair child city clean climb close cloud coat coffee
cold colour computer cook corner cross crowd cup cut dance dark dinner dirt dog door down draw dress drink
drive dust ear early eat egg empty engine face fall family farm fast father feed field fight fish floor
flower fly food football forest friend from fruit garden girl give glass grass green grey group guitar
hair hand happy hard hat head heavy high hill hold horse hot house in inside into jump keep kitchen knife
lake large laugh leaf left letter light lightning line little loud machine man market meat metal milk
money morning mother mountain mouth music near new night of off old on onion open orange outside over paint
paper park peel people phone piano picture plane plant plate play potato pull push quickly rain read red
ride right ring river road rock roof room run sand scooter sea seat shirt shoe shop shore show sing sister
sit sky sleep slice slowly small smile snow soft song speak square stage stand station stone storm street
strong sun swim table tail talk tall team the thin three through throw to tomato train tree truck two
under up walk wall warm wash watch water wave white wide wind window with woman wood work write yellow young
"""

_PLUGIN = """\
from zlib import crc32

import numpy as np

from simil.embedders.base import Embedder


class Flat(Embedder):
    dimensions = 64

    def embed_batch(self, texts):
        return np.full((len(texts), 64), 0.125, np.float32)


class Wide(Embedder):
    stamp = "wide@1"
    dimensions = 384

    def __init__(self):
        table = np.random.default_rng(0).standard_normal((4096, 384), np.float32)
        self._table = table / np.linalg.norm(table, axis=1, keepdims=True)

    def embed_batch(self, texts):
        return self._table[[crc32(text.encode()) % 4096 for text in texts]]
"""


def texts(length: str, number: int) -> list[str]:
    """Return `number` distinct texts of a length named in `LENGTHS`, `LONG` or `SHORT`, always the same."""
    return list(islice(_unique(length), number))


def mixed(numbers: Mapping[str, int]) -> list[str]:
    """Return the given number of texts of each length, mixed, the same in every run."""
    mix = [text for length, number in numbers.items() for text in texts(length, number)]
    random.Random("mixed").shuffle(mix)
    return mix


def lines(path: Path, number: int) -> Path:
    """Write `number` distinct lines of about six words to `path`."""
    with path.open("w", encoding="utf-8") as file:
        for index, text in zip(range(number), _endless("6 words"), strict=False):
            file.write(f"{text} {index}\n")
    return path


def many(numbers: Iterable[int]) -> Iterator[str]:
    """Return a distinct text of about six words for each number, without making those before it."""
    words = _WORD_LIST.split()
    for number in numbers:
        chosen = (words[number * step % len(words)] for step in (1, 7, 31, 127, 511, 2047))
        yield f"{' '.join(chosen)} {number}"


def write_plugin(folder: Path) -> str:
    """Write an installed package with plug-ins for PYTHONPATH into `folder`; return the first one's name."""
    info = folder / "simil_flat-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "simil_flat.py").write_text(_PLUGIN, "utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: simil-flat\nVersion: 1.0\n", "utf-8")
    (info / "entry_points.txt").write_text(
        "[simil.embedders]\nflat = simil_flat:Flat\nwide = simil_flat:Wide\n", "utf-8"
    )
    return "plugin:flat"


def _unique(length: str) -> Iterator[str]:
    seen = set()
    for text in _endless(length):
        if text not in seen:
            seen.add(text)
            yield text


def _endless(length: str) -> Iterator[str]:
    least, most = (LENGTHS | LONG | SHORT)[length]
    words = _WORD_LIST.split()
    chance = random.Random(length)
    while True:
        yield " ".join(chance.choices(words, k=chance.randint(least, most)))
