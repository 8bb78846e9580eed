"""Which fields of a record hold the text, the two texts of a pair, and the id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from simil.errors import InputError, Place, UsageError
from simil.formats.json_values import kind_of, text_of
from simil.formats.tables import has_name, is_twin, numbered
from simil.near_names import name_one_with
from simil.texts.records import is_blank

__all__ = [
    "IdField",
    "column",
    "id_field_of",
    "kept",
    "missing_field",
    "pair_columns",
    "text_column",
    "text_in",
]

_EXACT_INTEGERS = 2**53

# The usual columns of SICK, STS benchmark, PAWS, Quora's questions, MRPC and others.
_PAIRS = (
    ("sentence_A", "sentence_B"),
    ("sentence_a", "sentence_b"),
    ("sentence1", "sentence2"),
    ("sentence_1", "sentence_2"),
    ("text1", "text2"),
    ("text_1", "text_2"),
    ("text_a", "text_b"),
    ("question1", "question2"),
)


def column(columns: Sequence[str], wanted: str, option: str, place: Place) -> str:
    """The column named `wanted`, or else the one with that number, from 1.

    Raises InputError, which lists the columns, if there is neither.
    """
    if wanted in columns:
        return wanted
    if (at := numbered(wanted, len(columns))) is not None:
        return columns[at]
    raise missing_field(columns, wanted, option, place)


def text_column(columns: Sequence[str], place: Place) -> str:
    """The column of the text if none was named: "text", or the only one with a name.

    Raises InputError if there is neither.
    """
    if "text" in columns:
        return "text"
    match _with_names(columns) or columns:
        case [only]:
            return only
    raise missing_field(columns, "text", "--field", place)


def pair_columns(columns: Iterable[str], id_field: str | None, place: Place) -> tuple[str, str]:
    """The two columns that hold a pair if none were named.

    They are those with a name other than the id's, if there are two, or those that data sets usually have,
    such as "sentence1" and "sentence2". Otherwise raises UsageError, which lists the columns.
    """
    names = list(columns)
    match [name for name in _with_names(names) if name != id_field]:
        case [left, right]:
            return left, right
    match [pair for pair in _PAIRS if set(pair) <= set(names)]:
        case [pair]:
            return pair
    raise UsageError(
        f"which two fields are the pair? There are: {_listed(names)}", hint="pass --field twice", place=place
    )


def text_in(record: Mapping[str, object], field: str, place: Place) -> str | None:
    """The text in `field`, None if null or blank; raises InputError if it is missing or not a string."""
    if field not in record:
        raise missing_field(list(record), field, "--field", place)
    value = record[field]
    if value is None:
        return None
    if not isinstance(value, str):
        raise InputError(f"field {field!r} is {kind_of(value)}, not a string", place=place)
    return None if is_blank(value) else value


@dataclass(frozen=True, slots=True)
class IdField:
    """The field that holds ids; `required` if it was asked for, `name` None if there is none."""

    name: str | None
    required: bool

    def value(self, record: Mapping[str, object], place: Place) -> str | None:
        """The id of the record, or None if it has none and need not have one.

        It may be any string, number or boolean, and is written as in JSON; anything else raises InputError.
        """
        if self.name is None:
            return None
        if self.name not in record:
            if self.required:
                raise missing_field(list(record), self.name, "--id-field", place)
            return None
        found = record[self.name]
        if isinstance(found, str):
            return found
        if found is None or isinstance(found, list | dict):
            raise InputError(
                f"id field {self.name!r} is {kind_of(found)}",
                hint="give a string or a number, or name another field with --id-field",
                place=place,
            )
        if isinstance(found, float) and abs(found) >= _EXACT_INTEGERS:
            # Two such ids could be the same float.
            raise InputError(
                f"id field {self.name!r} is a number too large to be exact", hint="give a string", place=place
            )
        return str(found) if type(found) is int else text_of(found)


def id_field_of(columns: Sequence[str] | None, wanted: str | None, place: Place) -> IdField:
    """The field that holds ids: the one asked for, else "id" if there is one.

    Raises InputError if the table has no such column.
    """
    if wanted is None:
        return IdField("id" if columns is None or "id" in columns else None, required=False)
    return IdField(column(columns, wanted, "--id-field", place) if columns else wanted, required=True)


def kept(record: Mapping[str, object], *without: str) -> dict[str, object]:
    """The record without some of its fields, in the same order."""
    return {name: value for name, value in record.items() if name not in without}


def missing_field(names: Sequence[str], wanted: str, option: str, place: Place | None = None) -> InputError:
    """Return the error for a record without the field `wanted`; it lists the fields, and suggests one.

    `option` is the option that names a field.
    """
    twins = [name for number, name in enumerate(names, 1) if is_twin(name, wanted, number)]
    if len(twins) > 1:
        return InputError(
            f"{len(twins)} columns are named {wanted!r}",
            hint=f"name one with {option}: {' or '.join(map(repr, twins))}",
            place=place,
        )
    return InputError(
        f"no field {wanted!r}; there are: {_listed(names)}",
        hint=name_one_with(option, wanted, names),
        place=place,
    )


def _with_names(columns: Sequence[str]) -> list[str]:
    return [name for number, name in enumerate(columns, 1) if has_name(name, number)]


def _listed(names: Sequence[str]) -> str:
    shown = [repr(name) for name in names[:20]]
    more = [f"and {len(names) - 20} more"] if len(names) > 20 else []
    return ", ".join(shown + more) or "none"
