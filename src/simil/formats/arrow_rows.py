"""Rows of values as columns of Arrow, and as the bytes of a Parquet or Arrow file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from itertools import chain, islice
from typing import Any

from simil.errors import InputError
from simil.formats.arrow_files import ArrowSink
from simil.formats.arrow_library import arrow
from simil.formats.arrow_values import as_column, as_inferred, inferred_type
from simil.formats.json_values import text_of
from simil.formats.tables import AlikeRows

__all__ = ["FieldColumns", "arrow_rows"]

_GROUP = 16_384  # rows


class FieldColumns:
    """The columns of rows that have their keys as names: types that are given, or that fit the first rows.

    A column of no single type holds text, as a table in csv does.
    """

    def __init__(
        self, form: str, first: Sequence[Mapping[str, object]], types: Mapping[str, Any], names: Sequence[str]
    ) -> None:
        """Take the first rows of a file in the format `form`; `names` are for a file without any."""
        found = list(dict.fromkeys(chain.from_iterable(first))) or list(names)
        self._form = form
        self._declared = frozenset(types)
        self._types = {
            name: _storable(name, types[name], form)
            if name in types
            else inferred_type([row.get(name) for row in first])
            for name in found
        }

    @property
    def fields(self) -> list[tuple[str, Any]]:
        """Names and types of the columns."""
        return [(name, found or arrow().string()) for name, found in self._types.items()]

    def arrays(self, rows: Sequence[Mapping[str, object]]) -> list[Any]:
        """Return the columns of some rows; a missing value is null.

        Raises InputError for a value that the type of its column does not hold, and for a new column.
        """
        known = self._types.keys()
        if not all(row.keys() <= known for row in rows):
            new = next(name for row in rows for name in row if name not in known)
            raise InputError(
                f"the field {new!a} is not among the columns written so far to the {self._form} file",
                hint="write jsonl, where each item has its own fields",
            )
        return [self._array(name, [row.get(name) for row in rows]) for name in self._types]

    def _array(self, name: str, values: Sequence[object]) -> Any:
        found = self._types[name]
        if found is not None:
            return (as_column if name in self._declared else as_inferred)(values, found, name)
        texts = [None if value is None else text_of(value) for value in values]
        return as_column(texts, arrow().string(), name)


def arrow_rows(
    form: str,
    rows: Iterable[Mapping[str, object]],
    columns: Sequence[str] = (),
    types: Mapping[str, Any] | None = None,
) -> Iterator[bytes]:
    """The bytes of a file in the format `form`, "parquet" or "arrow", that holds all rows.

    `columns` are those of a file without rows; `types` those of Arrow that columns have in their source.
    """
    # Of rows that come one by one, the first ones decide.
    waiting = iter(rows)
    every = [*islice(waiting, _GROUP)] if isinstance(rows, AlikeRows) else [*waiting]
    found = FieldColumns(form, every, types or {}, columns)
    schema = arrow().schema(found.fields)
    stream = BytesIO()
    sink = ArrowSink(form, stream, schema)
    following = chain(every, waiting)
    while part := [*islice(following, _GROUP)]:
        sink.write(arrow().Table.from_arrays(found.arrays(part), schema=schema))
        yield stream.getvalue()
        stream.seek(0)
        stream.truncate()
    sink.close()
    yield stream.getvalue()


def _storable(name: str, form: Any, kind: str) -> Any:
    """Return the type in which a file of this kind keeps values of type `form`.

    An Arrow file has one dictionary for all its batches, which is not known before the last of them.
    """
    if kind == "lance":
        from simil.formats.lance_types import lance_type

        return lance_type(name, form)
    types = arrow().types
    if types.is_run_end_encoded(form) or (kind == "arrow" and types.is_dictionary(form)):
        return _storable(name, form.value_type, kind)
    return form
