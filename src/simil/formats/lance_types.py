"""Which columns a Lance dataset can hold: their names, and the types of their values."""

from __future__ import annotations

from typing import Any

from simil.errors import InputError
from simil.formats.arrow_library import arrow

__all__ = ["check_column_name", "lance_type"]

# Lance's own columns.
_RESERVED = ("_rowid", "_rowaddr", "_rowoffset")


def check_column_name(name: str) -> None:
    """Raise InputError for a field that Lance has no column for: it could be written, but not read."""
    if not name or "." in name or "`" in name or name in _RESERVED:
        raise InputError(
            f"the field {name!a} cannot be a column of a Lance dataset",
            hint="rename it: a name is not empty, holds no dot and no backquote, and is none of Lance's own",
        )


def lance_type(name: str, form: Any) -> Any:
    """Return the type in which Lance keeps values of type `form`; raises InputError for the field `name`.

    Lists of any kind become plain ones, but for arrays of numbers of one length.
    """
    pa = arrow()
    types = pa.types
    if types.is_run_end_encoded(form):
        return lance_type(name, form.value_type)
    if types.is_nested(form) and not types.is_union(form):
        return _nested(name, form)
    if types.is_union(form) or types.is_interval(form):
        raise _unfit(name, form)
    return form


def _nested(name: str, form: Any) -> Any:
    pa = arrow()
    types = pa.types
    if types.is_map(form):
        return pa.map_(lance_type(name, form.key_type), lance_type(name, form.item_type))
    if types.is_struct(form):
        if not form.num_fields:
            raise _unfit(name, form)
        return pa.struct([field.with_type(lance_type(name, field.type)) for field in form.fields])
    if types.is_fixed_size_list(form) and types.is_primitive(form.value_type):
        return form
    is_large = types.is_large_list(form) or types.is_large_list_view(form)
    return (pa.large_list if is_large else pa.list_)(lance_type(name, form.value_type))


def _unfit(name: str, form: Any) -> InputError:
    return InputError(f"the field {name!a} is {form}, which a Lance dataset cannot hold")
