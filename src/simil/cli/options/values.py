"""Checks and converts the values of options."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import isnan
from typing import TYPE_CHECKING

from simil.errors import InputError, Place, UsageError

if TYPE_CHECKING:
    from simil.embedders.base import Kind
    from simil.texts import ReadOptions, Text

__all__ = [
    "check_choice",
    "check_threshold",
    "given",
    "kind_named",
    "read_options",
    "refuse_blank",
]

# How people spell a tab, which a shell makes hard to type.
_TAB = ("tab", "\\t")


def check_choice(option: str, value: str, choices: Iterable[str]) -> None:
    """Raise `UsageError` if the value of an option is not one of its choices."""
    known = [*choices]
    if value not in known:
        raise UsageError(f"{option} cannot be {value!r}", hint=f"choose one of {', '.join(known)}")


def check_threshold(threshold: float | None) -> None:
    """Raise `UsageError` for a threshold that is not a number."""
    if threshold is not None and isnan(threshold):
        raise UsageError("--threshold cannot be nan", hint="give a number")


def read_options(
    input_format: str | None,
    fields: list[str] | None,
    id_field: str | None,
    *,
    nul: bool,
    whole: bool,
    header: bool,
    delimiter: str | None,
    encoding: str | None,
    sheet: str | None,
    collection: str | None = None,
    max_text_bytes: int | None = None,
    all_fields: bool = False,
    ignored: Sequence[str] | None = None,
    all_rows: bool = False,
) -> ReadOptions:
    """Return how to read texts, as the options say."""
    from simil.formats.text_limit import MAX_TEXT_BYTES
    from simil.texts import InputFormat, ReadOptions

    if input_format is not None:
        check_choice("--input-format", input_format, InputFormat)
    form = InputFormat(input_format) if input_format else None
    return ReadOptions(
        form,
        tuple(fields or ()),
        id_field,
        whole=whole,
        nul=nul,
        header=header,
        delimiter="\t" if delimiter in _TAB else delimiter,
        encoding=encoding,
        sheet=sheet,
        collection=collection,
        max_text_bytes=MAX_TEXT_BYTES if max_text_bytes is None else max_text_bytes,
        all_fields=all_fields,
        ignored=tuple(ignored or ()),
        all_rows=all_rows,
    )


def kind_named(name: str) -> Kind:
    """Return the kind of text that `--kind` names."""
    from simil.embedders.base import Kind

    check_choice("--kind", name, Kind)
    return Kind(name)


def given(
    texts: Iterable[str],
    source: str,
    on_blank: Callable[[Place], None],
    *,
    first: int = 1,
    keeps_blank: bool = False,
    ignored: Sequence[str] | None = None,
) -> Iterator[Text]:
    """Yield texts from the command line; their ids are numbers from `first`, their places `source:number`.

    What the patterns `ignored` match is not embedded. Blank texts go to `on_blank`, and with `keeps_blank`
    are yielded as missing. Raises `InputError` for bytes that are not UTF-8.
    """
    from simil.texts import Text, is_blank

    for number, text in enumerate(texts, first):
        place = Place(source, number)
        whole = Text(str(number), _checked(text, place), place, {})
        made = None if is_blank(text) else _without(whole, ignored)
        if made is None:
            on_blank(place)
        if made is not None or keeps_blank:
            yield made or whole._replace(is_missing=True)


def _without(text: Text, ignored: Sequence[str] | None) -> Text | None:
    if not ignored:
        return text
    from simil.texts.ignored_parts import text_without

    return text_without(text, ignored)


def refuse_blank(place: Place) -> None:
    """Raise `InputError` for a blank text that cannot be left out."""
    raise InputError("there is no text in it", place=place)


def _checked(text: str, place: Place) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        pass
    else:
        return text
    try:
        # Python decoded it in the encoding of the locale, which need not be that of the text.
        return os.fsencode(text).decode()
    except UnicodeError as exc:
        raise InputError("is not UTF-8", place=place, hint="convert it first, as with iconv") from exc
