"""Where texts come from: lines, whole files, JSON, JSON Lines, CSV, TSV, standard input.

Everything streams: a text comes out as soon as its last byte has arrived. The one exception is `.json`,
a single document that has no part before its end.
"""

from simil.texts.counting import count_roughly
from simil.texts.options import InputFormat, ReadOptions, format_of
from simil.texts.reading import read_pairs, read_texts
from simil.texts.records import Pair, Text, is_blank

__all__ = [
    "InputFormat",
    "Pair",
    "ReadOptions",
    "Text",
    "count_roughly",
    "format_of",
    "is_blank",
    "read_pairs",
    "read_texts",
]
