"""Finds out which format a source has: by what the user says, else by its bytes and the suffix of its name.

Content that is JSON is never read as prose, whatever the file is called; `--input-format text` reads it so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from simil.errors import InputError, Place
from simil.formats.binary_marks import may_be_cut
from simil.formats.documents import DocumentSource
from simil.formats.encoding import head_as_utf8
from simil.formats.lance_paths import is_lance
from simil.formats.part_files import part_files
from simil.formats.registry import Format, format_named, sniffed_binary, suffix_format
from simil.formats.sources import Source

__all__ = ["TypedSource", "is_foreign", "refuse_binary", "typed"]

# What no prose begins with: an object with a member, or a list of objects, of lists or of several numbers.
_STRING = rb'"(?:[^"\\]|\\.)*"'
# Python writes a number that is none as NaN, which other readers refuse.
_NUMBER = rb"(?:-?[0-9][0-9.eE+\-]*|NaN|-?Infinity)"
_SURELY_JSON = re.compile(
    rb"\{\s*STRING\s*:|\[\s*\{\s*(?:STRING\s*:|\})"
    rb"|\[\s*\[\s*(?:[\"\[\]]|NUMBER)|\[\s*NUMBER\s*,\s*NUMBER".replace(b"STRING", _STRING).replace(
        b"NUMBER", _NUMBER
    ),
    re.DOTALL,
)
# The parser places the fault of a value that is cut off at most so far before its end.
_CUT = 12

# Files that people have beside their texts, by their first bytes.
_FOREIGN = {
    b"\x1f\x8b": ("compressed by gzip", "unpack it with gunzip, or pipe it: zcat FILE | simil …"),
    b"BZh": ("compressed by bzip2", "unpack it with bunzip2"),
    b"\xfd7zXZ\0": ("compressed by xz", "unpack it with unxz"),
    b"\x28\xb5\x2f\xfd": ("compressed by zstd", "unpack it with unzstd"),
    b"PK\x03\x04": ("a ZIP archive", "unpack it; --input-format xlsx reads a workbook"),
    b"PK\x05\x06": ("an empty ZIP archive", "name another file"),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", "unpack it"),
    b"%PDF-": ("a PDF document", "leave out --input-format, to read its text"),
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": (
        "an old Office document",
        "save it as txt; --input-format xlsx reads a workbook",
    ),
    b"\x89PNG": ("a PNG image", "name a file of texts"),
    b"\xff\xd8\xff": ("a JPEG image", "name a file of texts"),
    b"\x89HDF": ("an HDF5 file", "write it as npy, jsonl or csv"),
    b"\x7fELF": ("a program", "name a file of texts"),
}


@dataclass(frozen=True, slots=True)
class TypedSource:
    """A source, and the format that it is read in."""

    source: Source
    format: Format

    @property
    def is_document(self) -> bool:
        """Whether the text of a document is read, and not its bytes."""
        return isinstance(self.source, DocumentSource)


def typed(source: Source, wanted: str | None = None, encoding: str | None = None) -> TypedSource:
    """Return `source` with its format: the one called `wanted`, or else what it is.

    `encoding` is that of its text if it has no byte order mark; None is UTF-8. Looks at the source, as far as
    it takes and no further, unless the format is `wanted`. Raises InputError if it cannot be read, or is of a
    kind that holds neither texts nor vectors.
    """
    if wanted is not None:
        return TypedSource(source, format_named(wanted))
    table = format_of_folder(source.path)
    if table is not None:
        return TypedSource(source, table)
    head = source.head(_tells_binary)
    binary = sniffed_binary(head)
    if binary is not None:
        return TypedSource(source, binary)
    named = suffix_format(source.path)
    if named is not None and named.is_binary:
        return TypedSource(source, named)  # Its reader says what is wrong with it.
    _refuse_foreign(head, source)
    if named is not None and named.name in ("json", "jsonl"):
        return TypedSource(source, named)
    return TypedSource(source, _json_format(source, encoding) or named or format_named("text"))


def format_of_folder(path: str) -> Format | None:
    """Return the format of a folder, or an address, that is one table; None for anything else."""
    if is_lance(path):
        return format_named("lance")
    return None if part_files(path) is None else format_named("parquet")


def refuse_binary(source: Source) -> None:
    """Raise InputError, which names it, if `source` is of a kind that holds no text."""
    head = source.head(_tells_binary)
    known = sniffed_binary(head)
    if known is not None:
        raise InputError(
            f"is in the format {known.name}, not text",
            hint="name a file of texts",
            place=Place(source.name),
        )
    _refuse_foreign(head, source)


def is_foreign(head: bytes) -> bool:
    """Return whether a file that begins so is one that `refuse_binary` refuses."""
    return sniffed_binary(head) is not None or head.startswith((*_FOREIGN,))


def _refuse_foreign(head: bytes, source: Source) -> None:
    for magic, (kind, hint) in _FOREIGN.items():
        if head.startswith(magic):
            raise InputError(f"is {kind}, not text", hint=hint, place=Place(source.name))


def _tells_binary(head: bytes) -> bool:
    # Waits for more only while what has come could be the start of a mark; no text begins with one.
    is_cut = any(len(head) < len(magic) and magic.startswith(head) for magic in _FOREIGN)
    return bool(head) and not is_cut and not may_be_cut(head)


def _json_format(source: Source, encoding: str | None) -> Format | None:
    """Return JSON or JSON Lines if the content is that by its structure, else None."""

    def look(enough: Callable[[bytes], bool]) -> bytes:
        found = source.head(lambda head: enough(head_as_utf8(head, encoding).lstrip()))
        return head_as_utf8(found, encoding).lstrip()

    head = look(lambda text: _is_json(text) is not None)
    is_json = _is_json(head)
    if is_json is None:  # That was all of it.
        return _format_of_all(head)
    if not is_json:
        return None
    value = _parsed(look(lambda text: b"\n" in text).partition(b"\n")[0])
    items = value.get("data") if isinstance(value, dict) else value
    if isinstance(items, list):  # One line can be a document, or the first of several.
        return format_named("jsonl" if _has_two_lines(look(_has_two_lines)) else "json")
    return format_named("json" if value is None else "jsonl")


def _is_json(text: bytes) -> bool | None:
    """Return whether a source that begins so is JSON; None if only more of it can tell."""
    if not text:
        return None
    if text[:1] not in (b"{", b"["):
        return False
    if _SURELY_JSON.match(text):
        return True
    characters = text.decode("utf-8", "ignore")
    try:
        _, end = json.JSONDecoder().raw_decode(characters)
    except json.JSONDecodeError as exc:
        is_cut = "Unterminated string" in exc.msg or exc.pos >= len(characters) - _CUT
        return None if is_cut else False
    except (ValueError, RecursionError) as exc:
        # A number has more digits than Python reads; its reader says so.
        return isinstance(exc, ValueError)
    return False if characters[end:].partition("\n")[0].strip() else None


def _format_of_all(text: bytes) -> Format | None:
    if _parsed(text) is not None:
        return format_named("json")
    lines = [line for line in text.split(b"\n") if line.strip()]
    return format_named("jsonl") if lines and all(_parsed(line) is not None for line in lines) else None


def _parsed(text: bytes) -> dict[str, object] | list[object] | None:
    """Return the JSON object or array that `text` is, else None."""
    import orjson

    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            value = json.loads(text)  # It may be what only Python reads: NaN, half of a surrogate pair.
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, dict | list) else None


def _has_two_lines(text: bytes) -> bool:
    return bool(text.partition(b"\n")[2].strip())
