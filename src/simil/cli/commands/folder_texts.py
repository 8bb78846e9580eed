"""Files of which each is one text, by themselves or in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from simil.errors import InputError, Place

if TYPE_CHECKING:
    from simil.cli.output.notes import LeftOutFiles
    from simil.session.inputs import OpenInput
    from simil.session.session import Session
    from simil.texts import ReadOptions

__all__ = ["as_one_text", "is_json", "no_text_in", "open_file", "text_files"]


def text_files(session: Session, path: str, reading: ReadOptions, left_out: LeftOutFiles) -> Iterator[str]:
    """Yield the text files below a folder in the order of their names, or `path` itself if it is none.

    Other files, and those with JSON or vectors, are noted in `left_out`.
    """
    if not Path(path).is_dir():
        yield path
        return
    from simil.formats.documents import can_read_documents
    from simil.texts.trees import LeftOut, files_in

    for name in files_in(
        path,
        encoding=reading.encoding,
        text_limit=reading.text_limit,
        whole=True,
        on_left_out=left_out.add,
        documents=can_read_documents(),
    ):
        opened = open_file(session, name, reading, in_folder=True)
        if opened.holds_vectors or is_json(opened):
            left_out.add(name, LeftOut.DATA)
        else:
            yield name


def open_file(session: Session, path: str, reading: ReadOptions, *, in_folder: bool = False) -> OpenInput:
    """Open a file that is one text, or holds vectors; one `in_folder` need not be read as a document."""
    from simil.texts import ReadOptions

    plain = ReadOptions(
        reading.format,
        encoding=reading.encoding,
        max_text_bytes=reading.max_text_bytes,
        ignored=reading.ignored,
        documents=in_folder,
    )
    return session.open([path], plain)


def as_one_text(opened: OpenInput) -> OpenInput:
    """Return an open file as one that is one text."""
    return replace(opened, reading=replace(opened.reading, format=None, whole=True))


def is_json(opened: OpenInput) -> bool:
    """Return whether a file holds JSON, which is no prose."""
    from simil.texts import InputFormat

    return not opened.formats.isdisjoint({InputFormat.JSON, InputFormat.JSONL})


def no_text_in(folder: str) -> InputError:
    """Return the error of a folder in which no file is a text."""
    hint = "name files, or a folder of them"
    return InputError("there is no text in this folder", hint=hint, place=Place(folder))
