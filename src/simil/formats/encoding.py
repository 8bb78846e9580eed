"""Bytes in any encoding to UTF-8, and the errors for bytes that are not in their encoding."""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Iterator
from itertools import chain

from simil.errors import InputError, Place, UsageError

__all__ = [
    "Utf8Chunks",
    "bad_byte",
    "bad_byte_in_lines",
    "check_encoding",
    "check_unmarked",
    "document",
    "head_as_utf8",
]

_UTF8 = "utf-8"
# The little-endian UTF-32 mark begins with the UTF-16 one, so it comes first.
_MARKS = {
    codecs.BOM_UTF8: _UTF8,
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
# Which of the first bytes are NUL if a source begins with two letters of ASCII.
_UNMARKED = {"utf-16-le": [False, True, False, True], "utf-16-be": [True, False, True, False]}
# Codecs of Python that give text, but are no encodings of files.
_NO_ENCODINGS = {"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"}

# A byte that cannot be decoded becomes 0xFF, which UTF-8 never has, and the character of this number plus its
# own. So the reader of lines finds it where it is, and only the record that holds it is refused.
_BAD = "\udcff"
_FIRST = 0x100
_KEEP_BAD = "simil.keep_bad"

# Each is listed if it can be the encoding of a line: all its bytes are characters that can be seen.
_WESTERN = ("cp1252", "latin1")
_DOS = ("cp850",)
_LONG = 4  # more letters beyond ASCII in a row than Western languages have
_OTHERS = ("cp1251", "shift_jis", "gb18030", "euc_kr")
_LOOK = 1 << 16
_ASCII_AS_SPACE = bytes([*b" " * 0x80, *range(0x80, 0x100)])
_CONTROLS = "\t\n\r\f\x1b"  # those that texts have
_UNSEEN = ("Cc", "Cn", "Co")


class Utf8Chunks(Iterator[bytes]):
    """The chunks of a source in UTF-8, without a byte order mark.

    A mark decides which encoding the source has, else `encoding`, else it is UTF-8. The first bytes are read
    at once, and no more are waited for than a mark or a character needs. `bad_byte` is the error for a byte
    that cannot be decoded; none is raised here.

    Attributes:
        encoding: that of the source.
    """

    def __init__(self, chunks: Iterator[bytes], encoding: str | None = None) -> None:
        self.encoding = _canonical(encoding)
        self._parts = self._decoded(chunks)

    def __next__(self) -> bytes:
        return next(self._parts)

    def _decoded(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        head = b""
        for chunk in chunks:
            head += chunk
            if not any(len(head) < len(mark) and mark.startswith(head) for mark in _MARKS):
                break
        head, self.encoding = _without_mark(head, self.encoding)
        rest = filter(None, chain([head], chunks))
        return rest if self.encoding == _UTF8 else _transcoded(rest, self.encoding)


def check_encoding(name: str) -> None:
    """Raise UsageError if there is no encoding of this name."""
    try:
        b"a".decode(name, "replace")
        if codecs.lookup(name).name.replace("_", "-") not in _NO_ENCODINGS:
            return
    except (LookupError, ValueError, UnicodeError):
        pass
    raise UsageError(
        f"there is no encoding {name!r}", hint="name one such as cp1252, latin1, utf-16, shift_jis or gb18030"
    )


def document(data: bytes, encoding: str | None = None) -> bytes:
    """A whole document in UTF-8, without its byte order mark; the encoding is found as by `Utf8Chunks`."""
    return b"".join(Utf8Chunks(iter([data]), encoding))


def head_as_utf8(head: bytes, encoding: str | None = None) -> bytes:
    """The beginning of a source in UTF-8, without its byte order mark and a character that is cut off."""
    head, known = _without_mark(head, _canonical(encoding))
    return codecs.getincrementaldecoder(known)("ignore").decode(head).encode()


def check_unmarked(head: bytes, name: str) -> None:
    """Raise InputError if a source begins as UTF-16 without a byte order mark does: every second byte is NUL.

    Read as UTF-8 it would be text with a NUL after each letter.
    """
    zeros = [byte == 0 for byte in head[:4]]
    for encoding, pattern in _UNMARKED.items():
        if zeros == pattern:
            raise InputError(
                f"the text seems to be {encoding[:6].upper()} without a byte order mark",
                hint=f"say so with --encoding {encoding}",
                place=Place(name, 1, 1),
            )


def bad_byte(raw: bytes, exc: UnicodeDecodeError, place: Place, encoding: str = _UTF8) -> InputError:
    """The error for the first byte of a line that is not in its `encoding`.

    `raw` is the line as `Utf8Chunks` gives it, and `place` names it. The column counts characters from 1, as
    editors do.
    """
    column = len(raw[: exc.start].decode(_UTF8)) + 1
    if encoding == _UTF8:
        problem, names = f"byte 0x{raw[exc.start]:02x} is not UTF-8", _likely(raw[exc.start :][:_LOOK])
        options = " or ".join(f"--encoding {name}" for name in names)
        hint = f"name its encoding, e.g. {options}" if names else "if it is text, name its --encoding"
    else:
        number = ord(raw[exc.start + 1 :].decode(_UTF8, "ignore")[0]) - _FIRST
        problem = f"byte 0x{number:02x} is not {encoding}"
        if encoding.startswith(("utf-16", "utf-32")):
            problem = f"the bytes are not {encoding[:6].upper()}"
        hint = "name its encoding with --encoding"
    return InputError(problem, hint=hint, place=Place(place.source, place.line, column))


def bad_byte_in_lines(raw: bytes, exc: UnicodeDecodeError, place: Place, encoding: str = _UTF8) -> InputError:
    """As `bad_byte`, for `raw` that is one or more lines; `place` is the first."""
    start = raw.rfind(b"\n", 0, exc.start) + 1
    line = (place.line or 1) + raw.count(b"\n", 0, start)
    end = raw.find(b"\n", exc.start)
    exc.start -= start
    return bad_byte(raw[start : end if end > 0 else None], exc, Place(place.source, line), encoding)


def _canonical(encoding: str | None) -> str:
    name = codecs.lookup(encoding or _UTF8).name
    return _UTF8 if name == "utf-8-sig" else name


def _without_mark(head: bytes, encoding: str) -> tuple[bytes, str]:
    """The first bytes without a byte order mark, and the encoding that it tells, else `encoding`."""
    mark = next((mark for mark in _MARKS if head.startswith(mark)), b"")
    return head[len(mark) :], _MARKS.get(mark, encoding)


def _transcoded(chunks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)(_KEEP_BAD)
    for chunk in chunks:
        if text := decoder.decode(chunk):
            yield text.encode(_UTF8, "surrogateescape")
    if text := decoder.decode(b"", final=True):
        yield text.encode(_UTF8, "surrogateescape")


def _keep_bad(exc: UnicodeError) -> tuple[str, int]:
    if not isinstance(exc, UnicodeDecodeError):
        raise exc
    return f"{_BAD}{chr(_FIRST + exc.object[exc.start])}", exc.end


codecs.register_error(_KEEP_BAD, _keep_bad)


def _likely(raw: bytes) -> tuple[str, ...]:
    """The encodings that a line is likely to have, the likeliest first.

    In Western languages a letter beyond ASCII stands alone or beside another. cp1252 is latin1 with
    punctuation in place of control characters, so those tell which it is.
    """
    longest = max(len(run) for run in raw.translate(_ASCII_AS_SPACE).split())
    names = _WESTERN if longest < _LONG else _OTHERS
    return tuple(name for name in names if _can_be(raw, name)) or tuple(
        name for name in _DOS if _can_be(raw, name)
    )


def _can_be(raw: bytes, encoding: str) -> bool:
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        return False
    return all(char in _CONTROLS or unicodedata.category(char) not in _UNSEEN for char in text)
