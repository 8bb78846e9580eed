"""Makes texts and pairs of records.

A builder is called with a record; it returns None for a blank one and raises InputError for a bad one. Its
`stand_in` keeps the place of either, and of what cannot be read, with the id and the fields that are known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from simil.errors import InputError, Place
from simil.formats.json_values import kind_of
from simil.formats.record_stream import Record, RecordStream
from simil.texts.fields import IdField, column, id_field_of, kept, pair_columns, text_column, text_in
from simil.texts.read_options import ReadOptions
from simil.texts.records import Pair, Text, is_blank

__all__ = ["PairBuilder", "PlainBuilder", "TextBuilder", "record_of"]

_LONG = 10  # more digits than line numbers have
_MANY = 100_000  # so many ids are remembered


class PlainBuilder:
    """Makes texts of strings; the id is `prefix` and the line, or `whole_id`."""

    def __init__(self, prefix: str = "", *, whole_id: str | None = None, keeps_raw: bool = False) -> None:
        self._prefix = prefix
        self._keeps_raw = keeps_raw
        self._whole_id = whole_id

    def __call__(self, record: Record) -> Text | None:
        text = record.value
        if not isinstance(text, str) or is_blank(text):
            return None
        raw = record.raw if self._keeps_raw else b""
        return Text(self._id(record.place), text, record.place, {}, raw=raw)

    def stand_in(self, place: Place, record: Record | None) -> Text:
        """The missing text at `place`; `record` is None where nothing could be read."""
        text = record.value if record is not None and isinstance(record.value, str) else ""
        return Text(self._id(place), text, place, {}, is_missing=True)

    def _id(self, place: Place) -> str:
        return f"{self._prefix}{place.line}" if self._whole_id is None else self._whole_id


class TextBuilder:
    """Makes texts of table rows and JSON values; raises InputError if a table lacks the columns asked for."""

    def __init__(self, stream: RecordStream, options: ReadOptions, prefix: str, last_number: int = 0) -> None:
        """Take the records, and as `last_number` the line of one before them that is its id, if any."""
        self._ids = _Ids(prefix, last_number)
        self._columns = stream.columns or ()
        self._all_fields = options.all_fields
        self._keeps_raw = options.keeps_raw
        self._id_field = id_field_of(stream.columns, options.id_field, stream.place)
        wanted = options.fields[0] if options.fields else None
        if not stream.columns:
            self._field = wanted or "text"
        elif wanted is None:
            self._field = text_column(stream.columns, stream.place)
        else:
            self._field = column(stream.columns, wanted, "--field", stream.place)

    def __call__(self, record: Record) -> Text | None:
        value, place = record.value, record.place
        if value is None:
            return None
        values = {self._field: value} if isinstance(value, str) else _object(value, place)
        text = text_in(values, self._field, place)
        if text is None:
            return None
        others = kept(values, self._field)
        # "id" gives the id without being asked for, unless it is the text.
        given = self._id_field.value(values if self._id_field.required else others, place)
        if given is not None:
            others = kept(others, str(self._id_field.name))
        if self._all_fields:
            others = dict(values)
        raw = record.raw if self._keeps_raw else b""
        return Text(self._ids.of(given, place), text, place, others, raw=raw)

    def stand_in(self, place: Place, record: Record | None) -> Text:
        """The missing text at `place`; `record` is None where nothing could be read."""
        values = _known_of(record, self._columns)
        others = kept(values, self._field, self._id_field.name or self._field)
        return Text(
            self._ids.of_missing(self._id_field, record, place, self._field),
            _text_or_nothing(values.get(self._field)),
            place,
            (values or {self._field: None}) if self._all_fields else others,
            is_missing=True,
        )


class PairBuilder:
    """Makes pairs of table rows and JSON objects; unless two fields are named, the first record decides.

    Raises InputError if a table lacks the columns asked for, UsageError if it is unclear which are meant.
    """

    def __init__(self, stream: RecordStream, options: ReadOptions) -> None:
        self._ids = _Ids("")
        self._columns = stream.columns or ()
        self._id_field = id_field_of(stream.columns, options.id_field, stream.place)
        self._fields: tuple[str, str] | None = None
        columns, place = stream.columns, stream.place
        if options.fields:
            left, right = options.fields
            if columns:
                left, right = (column(columns, name, "--field", place) for name in options.fields)
            self._fields = (left, right)
        elif columns:
            self._fields = pair_columns(columns, self._id_field.name, place)

    def __call__(self, record: Record) -> Pair | None:
        value, place = record.value, record.place
        if value is None:
            return None
        values = _object(value, place)
        if self._fields is None:
            self._fields = pair_columns(values, self._id_field.name, place)
        left, right = (text_in(values, name, place) for name in self._fields)
        if left is None or right is None:
            return None
        unasked = values if self._id_field.required else kept(values, *self._fields)
        return Pair(self._ids.of(self._id_field.value(unasked, place), place), left, right, place, values)

    def stand_in(self, place: Place, record: Record | None) -> Pair:
        """The row at `place` of which a text is missing; `record` is None where nothing could be read."""
        values = _known_of(record, self._columns)
        fields = self._fields or ("", "")
        left, right = (_text_or_nothing(values.get(name)) for name in fields)
        name = self._ids.of_missing(self._id_field, record, place, *fields)
        return Pair(name, left, right, place, values, is_missing=True)


def record_of(record: Record) -> Record | None:
    """Return the record as it is; raises InputError if it is not an object."""
    return None if record.value is None else Record(record.place, _object(record.value, record.place))


def _object(value: object, place: Place) -> Mapping[str, object]:
    if isinstance(value, dict):
        return value
    raise InputError(
        f"the record is {kind_of(value)}", hint="give an object with the text in a field", place=place
    )


def _known_of(record: Record | None, columns: Sequence[str]) -> Mapping[str, object]:
    """The fields of a record, null in each column where it could not be read."""
    if record is not None and isinstance(record.value, dict):
        return record.value
    return dict.fromkeys(columns)


def _text_or_nothing(value: object) -> str:
    return value if isinstance(value, str) else ""


class _Ids:
    """Gives records without an id their line number, after `prefix`, and lets none be that of another record.

    A record whose line number is the id of another is named by its place, as in `notes.jsonl:7`.
    """

    def __init__(self, prefix: str, last_number: int = 0) -> None:
        self._prefix = prefix
        self._last_number = last_number
        self._given_ahead: set[int] = set()  # ids that are the numbers of lines to come

    def of(self, given: str | None, place: Place) -> str:
        """The id of the record at `place`, which has the id `given`, if any.

        Raises InputError if a record without one may have that number already.
        """
        line = place.line or 0
        if given is None:
            if line in self._given_ahead or len(self._given_ahead) == _MANY:
                return str(place)
            self._last_number = line
            return f"{self._prefix}{line}"
        number = self._number_in(given)
        if number and number <= self._last_number:
            raise InputError(
                f"the id {given!r} looks like the line number of a record above that has no id",
                hint="give all records an id, or name another field with --id-field",
                place=place,
            )
        self._given_ahead.discard(line)
        if number > line and len(self._given_ahead) < _MANY:
            self._given_ahead.add(number)
        return given

    def of_missing(self, field: IdField, record: Record | None, place: Place, *texts: str) -> str:
        """The id of a record without a text in one of the fields `texts`, or one that could not be read.

        It is the place where the record may have an id that could not be read, so that no other is taken
        for it.
        """
        values = _known_of(record, ())
        try:
            given = field.value(values if field.required else kept(values, *texts), place)
            may_have_one = record is None and field.name is not None
            if may_have_one and not self._last_number:
                return str(place)
            return self.of(given, place)
        except InputError:
            return str(place)

    def _number_in(self, given: str) -> int:
        """The line number that a record without an id would have to have for this one; 0 if there is none."""
        text = given.removeprefix(self._prefix)
        is_number = text.isascii() and text.isdigit() and len(text) < _LONG and text[0] != "0"
        return int(text) if is_number else 0
