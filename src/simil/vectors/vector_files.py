"""Opens vector files: which writer and which reader each format has."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

from simil.errors import InputError, Place, UsageError
from simil.formats.delimited import Delimited
from simil.formats.registry import format_named
from simil.vectors.collect import VectorFile
from simil.vectors.sniff import looks_like_vectors, peek
from simil.vectors.table_form import TableWriter, read_table
from simil.vectors.vector_formats import VectorFormat, format_of, sidecar_path
from simil.vectors.writer import VectorWriter

__all__ = ["open_writer", "read_vectors"]

_CHUNK = 1 << 16


def open_writer(
    format: VectorFormat,  # noqa: A002
    stream: BinaryIO,
    *,
    model: str,
    sidecar: BinaryIO | None = None,
) -> VectorWriter:
    """Return a writer of `format` onto `stream`, for vectors made by `model`.

    `sidecar` gets the ids, texts and model of an npy file, which holds numbers only; see
    `sidecar_path`. Raises `UsageError` for a sidecar of any other format.
    """
    if format is VectorFormat.NPY:
        from simil.vectors.npy_form import NpyWriter

        return NpyWriter(stream, model, sidecar)
    if sidecar is not None:
        raise UsageError(f"{format} files hold ids and model themselves and have no file beside them")
    if table := _table(format):
        return TableWriter(stream, model, table)
    from simil.vectors.json_form import JsonLinesWriter, JsonWriter

    if format is VectorFormat.JSONL:
        return JsonLinesWriter(stream, model)
    return JsonWriter(stream, model, as_base64=format is VectorFormat.BASE64)


def read_vectors(
    source: str,
    *,
    stdin: BinaryIO | None = None,
    format: VectorFormat | None = None,  # noqa: A002
) -> VectorFile:
    """Read the vector file `source`, or standard input (`stdin`, if given) for "-".

    Without `format`, the suffix decides, else the first bytes. Raises `InputError` with the file and, if
    known, the line and column of whatever is wrong with it, and `ModelMismatch` if it mixes models.
    """
    if source == "-":
        return _read("stdin", stdin or sys.stdin.buffer, format, None)
    try:
        with Path(source).open("rb") as stream:
            return _read(source, stream, format or format_of(source), sidecar_path(source))
    except OSError as exc:
        raise InputError(f"cannot be read: {exc.strerror or exc}", place=Place(source)) from exc


def _read(source: str, stream: BinaryIO, form: VectorFormat | None, sidecar: Path | None) -> VectorFile:
    if form is None:
        head, stream = peek(stream)
        form = looks_like_vectors(head, "-")
    if form is None:
        raise InputError(
            "does not look like a vector file", hint="say which format it has", place=Place(source)
        )
    if form is VectorFormat.NPY:
        from simil.vectors.npy_form import read_npy

        return read_npy(source, stream, sidecar)
    if table := _table(form):
        return read_table(source, _chunks(stream), table)
    from simil.vectors.json_form import read_json, read_jsonl

    if form is VectorFormat.JSONL:
        return read_jsonl(source, _chunks(stream))
    return read_json(source, stream)


def _table(form: VectorFormat) -> Delimited | None:
    return None if form is VectorFormat.BASE64 else format_named(form).table


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    return iter(partial(stream.read, _CHUNK), b"")
