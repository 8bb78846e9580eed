"""Bytes to text: UTF-8 only; the error for anything else says how to convert it."""

from __future__ import annotations

import codecs
import shlex
from collections.abc import Iterator

from simil.errors import InputError, Place

__all__ = ["bad_byte", "bad_byte_in_lines", "decoded", "document", "head_as_utf8", "without_bom"]

# The little-endian UTF-32 mark begins with the UTF-16 one, so it comes first.
_FOREIGN = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_MARKS = (codecs.BOM_UTF8, *_FOREIGN)


def bad_byte(raw: bytes, exc: UnicodeDecodeError, place: Place) -> InputError:
    """The error for the first byte of `raw` that is not UTF-8; `place` names the line that `raw` is.

    The column counts characters from 1, as editors do.
    """
    column = len(raw[: exc.start].decode("utf-8")) + 1
    return InputError(
        f"byte 0x{raw[exc.start]:02x} is not UTF-8",
        hint=_convert("latin1", place.source),
        place=Place(place.source, place.line, column),
    )


def bad_byte_in_lines(raw: bytes, exc: UnicodeDecodeError, place: Place) -> InputError:
    """The error for the first byte that is not UTF-8 in `raw`, one or more lines; `place` is the first."""
    start = raw.rfind(b"\n", 0, exc.start) + 1
    line = (place.line or 1) + raw.count(b"\n", 0, start)
    exc.start -= start
    return bad_byte(raw[start:], exc, Place(place.source, line))


def head_as_utf8(head: bytes) -> bytes:
    """The beginning of a source as UTF-8, without its byte order mark and a character that is cut off."""
    for mark, encoding in _FOREIGN.items():
        if head.startswith(mark):
            return head.decode(encoding, "ignore").removeprefix("\ufeff").encode("utf-8", "ignore")
    return head.removeprefix(codecs.BOM_UTF8)


def document(data: bytes, name: str) -> bytes:
    """A whole document without its byte order mark; raises InputError on a UTF-16 or UTF-32 one."""
    if error := _foreign(data, name):
        raise error
    return data.removeprefix(codecs.BOM_UTF8)


def decoded(data: bytes, name: str) -> str:
    """A whole document as text, without its byte order mark; raises InputError with line and column."""
    data = document(data, name)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise bad_byte_in_lines(data, exc, Place(name, 1)) from exc


def without_bom(chunks: Iterator[bytes], name: str) -> Iterator[bytes]:
    """The chunks without a UTF-8 byte order mark; raises InputError on a UTF-16 or UTF-32 one.

    Waits for more bytes only while those that have arrived could be the start of a mark.
    """
    head = b""
    for chunk in chunks:
        head += chunk
        if not any(len(head) < len(mark) and mark.startswith(head) for mark in _MARKS):
            break
    if error := _foreign(head, name):
        raise error
    if head := head.removeprefix(codecs.BOM_UTF8):
        yield head
    yield from chunks


def _convert(encoding: str, name: str) -> str:
    file = "" if name == "stdin" else f" {shlex.quote(name)}"
    return f"convert it, e.g. iconv -f {encoding} -t utf-8{file}"


def _foreign(head: bytes, name: str) -> InputError | None:
    """The error for a source that begins with a UTF-16 or UTF-32 byte order mark, else None."""
    for mark, encoding in _FOREIGN.items():
        if head.startswith(mark):
            return InputError(
                f"the text is {encoding}, not UTF-8",
                hint=_convert(encoding.lower(), name),
                place=Place(name, 1, 1),
            )
    return None
