"""Makes Markdown of documents, by the converters of markitdown.

They are called one by one, on bytes: what decides by content which of them to call loads a model, and what
takes addresses fetches them. None of these three follows an address that stands in a document.
"""

from __future__ import annotations

import logging
import os
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from simil.errors import InputError, Place
from simil.formats.archives import check_expansion
from simil.formats.documents import BrokenDocument
from simil.formats.file_maps import unchanged
from simil.formats.library_errors import library_errors
from simil.formats.sources import Source

__all__ = ["markdown_of"]

_END = 2048  # A PDF has its end mark in the last bytes; some have more behind it than the 1,024 allowed.
_AGAIN = "download or save it again"
# A page of a PDF ends with a form feed.
_LINE_ENDS = re.compile(r"[ \t]*(?:\r\n?|[\n\f\v\x85\u2028\u2029])")
_MANY_LINES = re.compile(r"\n{3,}")


def markdown_of(document: Source, suffix: str, encoding: str | None) -> str:
    """Return the text of a document of the kind that has this suffix; `encoding` is that of HTML.

    Raises `BrokenDocument` for one that cannot be converted, other `InputError`s as `Source.file` does.
    """
    place = Place(document.name)
    what, convert = _CONVERTERS[suffix]
    with (
        document.file() as stream,
        unchanged(stream, document.name),
        _broken(place, what),
        _silent("pdfminer"),
    ):
        text = convert(stream, encoding, place)
    return _MANY_LINES.sub("\n\n", _LINE_ENDS.sub("\n", text)).strip()


def _pdf(stream: BinaryIO, encoding: str | None, place: Place) -> str:
    from markitdown.converters import PdfConverter
    from pdfminer.pdfdocument import PDFPasswordIncorrect

    stream.seek(-min(_END, stream.seek(0, os.SEEK_END)), os.SEEK_END)
    if b"%%EOF" not in stream.read():
        # The reader would give the pages that it finds.
        raise InputError("is cut off: the end of the PDF is missing", hint=_AGAIN, place=place)
    stream.seek(0)
    try:
        return _converted(PdfConverter(), stream, ".pdf")
    except PDFPasswordIncorrect as exc:
        hint = "save it without one"
        raise InputError("is protected by a password", hint=hint, place=place) from exc


def _docx(stream: BinaryIO, encoding: str | None, place: Place) -> str:
    from markitdown.converters import DocxConverter

    with zipfile.ZipFile(stream) as archive:
        check_expansion(archive, place)
    stream.seek(0)
    converter: Any = DocxConverter
    return _converted(converter(), stream, ".docx")


def _html(stream: BinaryIO, encoding: str | None, place: Place) -> str:
    from bs4 import XMLParsedAsHTMLWarning
    from markitdown.converters import HtmlConverter

    warnings.filterwarnings("ignore", category=XMLParsedAsHTMLWarning)
    return _converted(HtmlConverter(), stream, ".html", charset=encoding, strict=True)


_CONVERTERS: dict[str, tuple[str, Callable[[BinaryIO, str | None, Place], str]]] = {
    ".pdf": ("a sound PDF", _pdf),
    ".docx": ("a sound Word document", _docx),
    ".html": ("HTML that can be read", _html),
}


def _converted(
    converter: Any, stream: BinaryIO, extension: str, *, charset: str | None = None, **options: Any
) -> str:
    from markitdown import StreamInfo

    info = StreamInfo(extension=extension, charset=charset)
    return str(converter.convert(stream, info, **options).markdown)


@contextmanager
def _broken(place: Place, what: str) -> Iterator[None]:
    """Turn whatever a converter raises into `BrokenDocument`."""
    try:
        with library_errors(place, what, _AGAIN):
            yield
    except InputError as exc:
        raise BrokenDocument(exc.message, hint=exc.hint, place=exc.place) from exc


@contextmanager
def _silent(name: str) -> Iterator[None]:
    """Keep what a library logs, of faults that it gets over, from stderr."""
    logger, handler = logging.getLogger(name), logging.NullHandler()
    propagated, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagated
