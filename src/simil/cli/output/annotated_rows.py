"""Rows of the input as they were read, in its order, each with what a command has found about it.

The columns of the input come first, under their names and with their values; ours follow. One of ours whose
name the input has is called `score_2`. This is what commands write as csv, tsv, jsonl, Parquet and Arrow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, BinaryIO

from simil.cli.output.rows import Row, name_in_json, utf8_name, write_columns
from simil.formats.json_values import jsonl_lines
from simil.formats.registry import format_named
from simil.formats.tables import AlikeRows, own_name

if TYPE_CHECKING:
    from simil.tasks.corpus import Corpus
    from simil.texts import Text

__all__ = [
    "Annotated",
    "column_names",
    "columns_of",
    "keeps_rows",
    "record_of",
    "types_of",
    "write_annotated",
    "write_texts",
]

# A row of the input, and the cells that follow it.
Annotated = tuple[Mapping[str, object], Row]

_PLAIN = ("id", "text")


def keeps_rows(form: str) -> bool:
    """Return whether results in `form` are rows of the input."""
    return form not in ("plain", "table", "json")


def record_of(text: Text, *, saved: bool) -> Mapping[str, object]:
    """Return the row that a text was read from; of plain text and saved vectors, id, text and fields."""
    if text.fields and not saved:
        return text.fields
    return {"id": text.id, "text": text.text or None if saved else text.text, **text.fields}


def column_names(texts: Iterable[Text], otherwise: Sequence[str] = (), *, saved: bool) -> list[str]:
    """Return the names of the columns of some texts; without any, those of the table or of plain text."""
    names = dict.fromkeys(chain.from_iterable(record_of(text, saved=saved) for text in texts))
    return [*(names or otherwise or _PLAIN)]


def columns_of(corpus: Corpus) -> list[str]:
    """Return the names of the columns of a corpus."""
    blanks = (text for _, text in corpus.blanks)
    # Each row of a dataset has all columns.
    every = corpus.texts[:1] if corpus.is_on_demand else chain(corpus.texts, blanks)
    return column_names(every, corpus.columns, saved=corpus.saved)


def types_of(types: Mapping[str, Any], *, saved: bool) -> Mapping[str, Any]:
    """Return the types of columns that come back as they were read: ids of saved vectors are text."""
    return {name: found for name, found in types.items() if name not in _PLAIN} if saved else types


def write_texts(
    rows: Iterable[tuple[Text, Row]], form: str, stream: BinaryIO, *, corpus: Corpus, columns: Sequence[str]
) -> None:
    """Write texts of `corpus` with their cells, as `write_annotated` does; several files are named."""
    records = (
        (record_of(text, saved=corpus.saved), {**cells, "file": text.origin.source}) for text, cells in rows
    )
    write_annotated(
        records,
        form,
        stream,
        fields=columns_of(corpus),
        columns=[*columns, "file"] if corpus.sources > 1 else columns,
        types=types_of(corpus.types, saved=corpus.saved),
        alike=corpus.is_on_demand,
    )


def write_annotated(
    rows: Iterable[Annotated],
    form: str,
    stream: BinaryIO,
    *,
    fields: Sequence[str],
    columns: Sequence[str],
    types: Mapping[str, Any],
    alike: bool = False,
) -> None:
    """Write rows to `stream` in a form that keeps rows: the columns `fields` of the input, then `columns`.

    `types` are those of Arrow that fields have in their source; without them, all rows decide what type a
    column has, and only the first ones where rows are `alike`.
    """
    names = {name: own_name(name, fields) for name in columns}
    if form == "jsonl":
        items = ({**record, **_named(cells, names, name_in_json)} for record, cells in rows)
        stream.writelines(jsonl_lines(items, {}))
    else:
        is_typed = format_named(form).types is not None
        empty = dict.fromkeys(fields)
        table: Iterator[Row] = (
            {**empty, **record, **_named(cells, names, utf8_name if is_typed else str)}
            for record, cells in rows
        )
        known = {name: types[name] for name in fields if name in types}
        # Each row has all columns. Types are another matter: a column may be empty for long.
        every = AlikeRows(table) if alike or not is_typed else table
        write_columns(every, form, stream, [*fields, *names.values()], known)
    stream.flush()


def _named(cells: Row, names: Mapping[str, str], as_name: Callable[[str], object]) -> Row:
    """Return all columns of ours under the names that they have here; those without a cell are empty."""
    found = {name: cells.get(column) for column, name in names.items()}
    if "file" in names:
        found[names["file"]] = as_name(str(cells["file"]))
    return found
