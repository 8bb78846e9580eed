"""Opens vector files: which writer and which reader each format has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO

from simil.errors import InputError, Place, UsageError
from simil.formats.delimited import Delimited
from simil.formats.detection import TypedSource
from simil.formats.file_maps import unchanged
from simil.formats.library_errors import library_errors
from simil.formats.passthrough import utf8_mark
from simil.formats.record_stream import FormatOptions
from simil.formats.registry import Format, format_named
from simil.formats.sources import Source
from simil.vectors.collect import VectorFile
from simil.vectors.table_form import TableWriter, read_table
from simil.vectors.vector_formats import COLUMNAR, VectorFormat, sidecar_path
from simil.vectors.writer import VectorWriter

__all__ = ["open_writer", "read_vectors"]

_DEFAULTS = FormatOptions()


def open_writer(
    format: VectorFormat,  # noqa: A002
    stream: BinaryIO,
    *,
    model: str | None,
    sidecar: BinaryIO | None = None,
    types: Mapping[str, Any] | None = None,
) -> VectorWriter:
    """Return a writer of `format`, one of `STREAMED`, onto `stream`.

    `model` made the vectors; None if it is unknown.
    `sidecar` gets the ids, texts and model of an npy file, which holds numbers only; see
    `sidecar_path`. `types` are those of Arrow that fields have, for Parquet and Arrow. Raises `UsageError`
    for a sidecar of any other format.
    """
    if format is VectorFormat.NPY:
        from simil.vectors.npy_form import NpyWriter

        return NpyWriter(stream, model, sidecar)
    if sidecar is not None:
        raise UsageError(f"{format} files hold ids and model themselves and have no file beside them")
    if format in (VectorFormat.PARQUET, VectorFormat.ARROW):
        from simil.vectors.arrow_form import ArrowWriter

        return ArrowWriter(stream, model, format, types or {})
    if table := _table(format):
        return TableWriter(stream, model, table)
    from simil.vectors.json_form import JsonLinesWriter, JsonWriter

    if format is VectorFormat.JSONL:
        return JsonLinesWriter(stream, model)
    return JsonWriter(stream, model, as_base64=format is VectorFormat.BASE64)


def read_vectors(typed: TypedSource, options: FormatOptions = _DEFAULTS) -> VectorFile:
    """Read the vectors of a source; `options` say what its bytes do not.

    Raises `InputError` with the file and, if known, the line and column of whatever is wrong with it, and
    `ModelMismatch` if it mixes models.
    """
    typed.source.check()
    try:
        has_mark = options.keeps_raw and not typed.format.is_binary
        mark = utf8_mark(typed.source) if has_mark else b""
        found = _read(typed.source, typed.format, options)
        if found.raw is not None:
            found.raw.mark(mark)
        return found
    except RecursionError as exc:
        raise InputError("nests lists or objects too deeply", place=Place(typed.source.name)) from exc
    finally:
        typed.source.close()


def _read(source: Source, form: Format, options: FormatOptions) -> VectorFile:
    if form.table is not None:
        return read_table(source.name, source.chunks(), form.table, options)
    if form.name == VectorFormat.LANCE:
        from simil.vectors.lance_form import read_lance

        return read_lance(source)
    if form.name in COLUMNAR:
        from simil.vectors.arrow_form import read_arrow

        return read_arrow(source)
    if form.is_binary:
        return _read_binary(source, form.name, options)
    from simil.vectors.json_form import read_json, read_jsonl

    if form.name == VectorFormat.JSONL:
        return read_jsonl(source.name, source.chunks(), options)
    return read_json(source.name, b"".join(source.document()), options)


def _read_binary(source: Source, form: str, options: FormatOptions) -> VectorFile:
    sound = library_errors(Place(source.name), f"a sound .{form} file", "write it again, or as npy or jsonl")
    with source.file() as stream, unchanged(stream, source.name), sound:
        match form:
            case "npz":
                from simil.vectors.npz_form import read_npz

                return read_npz(source.name, stream)
            case "safetensors":
                from simil.vectors.safetensors_form import read_safetensors

                return read_safetensors(source.name, stream)
            case "sqlite":
                from simil.vectors.sqlite_form import read_sqlite

                return read_sqlite(source.name, stream, options.collection)
            case _:
                from simil.vectors.npy_form import read_npy

                return read_npy(source.name, stream, None if source.is_stdin else sidecar_path(source.path))


def _table(form: VectorFormat) -> Delimited | None:
    return None if form is VectorFormat.BASE64 else format_named(form).table
