"""Reads texts: lines, whole files, JSON, JSON Lines, CSV, TSV, Parquet, Arrow, workbooks and standard input.

Everything streams: a text is available as soon as its last byte has arrived. The one exception is `.json`,
which is read as a whole.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from simil.formats.json_values import kind_of
    from simil.formats.record_stream import Record
    from simil.texts.fields import IdField, column, missing_field, pair_columns, text_in
    from simil.texts.read_options import InputFormat, ReadOptions, format_of
    from simil.texts.reading import read_pairs, read_records, read_texts
    from simil.texts.records import Pair, Text, is_blank

__all__ = [
    "IdField",
    "InputFormat",
    "Pair",
    "ReadOptions",
    "Record",
    "Text",
    "column",
    "format_of",
    "is_blank",
    "kind_of",
    "missing_field",
    "pair_columns",
    "read_pairs",
    "read_records",
    "read_texts",
    "text_in",
]


def __getattr__(name: str) -> object:
    # Two texts of the command line are compared without any reader of files.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from simil.texts import records

    if name in vars(records):
        found = vars(records)[name]
    else:
        from simil.texts import fields, read_options, reading

        parts = (fields, read_options, reading)
        found = next(vars(part)[name] for part in parts if name in vars(part))
    globals()[name] = found
    return found
