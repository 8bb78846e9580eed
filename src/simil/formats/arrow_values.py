"""Columns of Arrow tables as Python values, and Python values as columns of a type.

Numbers, strings, dates and times become the values of Python that JSON and tables show alike; a time finer
than a microsecond becomes a string in ISO 8601, and comes back from it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, time
from typing import Any

from simil.errors import InputError
from simil.formats.arrow_library import arrow

# The largest finite values of floats of less than 64 bits.
_LARGEST = {16: 65504.0, 32: 3.4028234663852886e38}

__all__ = ["as_column", "as_inferred", "common_type", "inferred_type", "is_text", "python_values"]


def is_text(form: Any) -> bool:
    """Whether values of this type are strings."""
    types = arrow().types
    if types.is_dictionary(form):
        return is_text(form.value_type)
    return bool(types.is_string(form) or types.is_large_string(form) or types.is_string_view(form))


def python_values(column: Any) -> list[Any]:
    """Return the values of an array; raises UnicodeDecodeError for a string that is not UTF-8."""
    pa = arrow()
    form = column.type
    if is_text(form):
        # Many times as fast as `to_pylist`, which makes an object of Arrow's for each value.
        values: list[Any] = column.cast(pa.large_string()).to_numpy(zero_copy_only=False).tolist()
        return values
    if pa.types.is_float32(form):
        # The shortest digits that give the number back, as everywhere else.
        return [None if text is None else float(text) for text in column.cast(pa.string()).to_pylist()]
    if getattr(form, "unit", "") == "ns":
        return _of_nanoseconds(column)
    return list(column.to_pylist())


def as_column(values: Sequence[object], form: Any, name: str) -> Any:
    """Return an array of type `form`; raises InputError, which names the field, for a value that is none.

    One that the type would only hold in part is none: a fraction is no integer, and no key is left out.
    """
    pa = arrow()
    if not (is_text(form) or all(_is_whole(value, form) for value in values)):
        value = next(value for value in values if not _is_whole(value, form))
        raise _unfit(name, form, ValueError(f"{value!r} would not be kept as it is"))
    try:
        return pa.array(values, type=form)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as exc:
        other = _by_detour(values, form)
        if other is None:
            raise _unfit(name, form, exc) from exc
        return other


def as_inferred(values: Sequence[object], form: Any, name: str) -> Any:
    """Like `as_column`, for a type that earlier values were found to have: no number loses its fraction.

    Values that are nan, as the scores of texts that failed, are null.
    """
    pa = arrow()
    try:
        column = pa.array(values, from_pandas=True)
        if not _fits(column.type, form):
            raise pa.ArrowInvalid(f"there are values of type {column.type}")
        return column.cast(form)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as exc:
        raise _unfit(name, form, exc) from exc


def _is_whole(value: object, form: Any) -> bool:
    """Return whether Arrow does not quietly take a part of a value, or another one, where it takes it."""
    types = arrow().types
    if isinstance(value, bool):
        return not types.is_floating(form)
    if isinstance(value, float):
        if types.is_integer(form):
            return value.is_integer()
        limit = _LARGEST.get(form.bit_width) if types.is_floating(form) else None
        return not types.is_temporal(form) and (limit is None or not limit < abs(value) < math.inf)
    if isinstance(value, list):
        return not _is_list(form) or all(_is_whole(item, form.value_type) for item in value)
    if isinstance(value, dict) and types.is_struct(form):
        kinds = {field.name: field.type for field in form}
        return all(key in kinds and _is_whole(item, kinds[key]) for key, item in value.items())
    return True


def _is_list(form: Any) -> bool:
    types = arrow().types
    return bool(types.is_list(form) or types.is_large_list(form) or types.is_fixed_size_list(form))


def common_type(one: Any, other: Any) -> Any:
    """Return a type that holds the values of both types as they are, None if there is none."""
    pa = arrow()
    schemas = [pa.schema([("", form)]) for form in (one, other)]
    try:
        return pa.unify_schemas(schemas, promote_options="permissive").field(0).type
    except pa.ArrowException:
        return None


def inferred_type(values: Sequence[object]) -> Any:
    """Return the type that fits values of no declared one; None if no type fits all of them.

    None fits objects either: a type made of the keys of some would lose the keys of others.
    """
    pa = arrow()
    if any(_holds_object(value) for value in values):
        return None
    try:
        found = pa.array(values, from_pandas=True).type
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return None
    return None if pa.types.is_null(found) else found


def _unfit(name: str, form: Any, why: Exception) -> InputError:
    return InputError(f"the field {name!r} cannot be written as {form}: {why}")


def _fits(found: Any, wanted: Any) -> bool:
    """Return whether values of one type are of another one, too, if they lose nothing."""
    types = arrow().types
    if found == wanted or types.is_null(found):
        return True
    if types.is_list(found) and types.is_list(wanted):
        return _fits(found.value_type, wanted.value_type)
    return all(types.is_integer(form) or types.is_floating(form) for form in (found, wanted))


def _holds_object(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(map(_holds_object, value)))


def _of_nanoseconds(column: Any) -> list[Any]:
    """Return what Python has for them, or else, for the whole column, strings or numbers."""
    pa = arrow()
    form = column.type
    if pa.types.is_timestamp(form):
        coarse = pa.timestamp("us", form.tz)
    else:
        coarse = pa.duration("us") if pa.types.is_duration(form) else pa.time64("us")
    try:
        values: list[Any] = column.cast(coarse).to_pylist()
    except pa.ArrowInvalid:
        if pa.types.is_duration(form):
            return list(column.cast(pa.int64()).to_pylist())
        texts = column.cast(pa.string()).to_pylist()
        return [None if text is None else text.replace(" ", "T", 1) for text in texts]
    return values


def _by_detour(values: Sequence[object], form: Any) -> Any:
    """Return an array of a type that does not take these values at once; None if it does not take them."""
    pa = arrow()
    try:
        if pa.types.is_temporal(form):
            texts = [value.isoformat() if isinstance(value, date | time) else value for value in values]
            if pa.types.is_time(form):  # No string is cast to it.
                texts = [None if text is None else f"1970-01-01T{text}" for text in texts]
                return pa.array(texts, pa.string()).cast(pa.timestamp("ns")).cast(form)
            return pa.array(texts, pa.string()).cast(form)
        if isinstance(form, pa.BaseExtensionType):
            numbers = [int(value) if isinstance(value, bool) else value for value in values]
            return pa.ExtensionArray.from_storage(form, pa.array(numbers, form.storage_type))
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return None
    return None
