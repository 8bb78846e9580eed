"""PDF, Word and HTML documents: what they are called and begin with, and their text as a source."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import PurePath

from simil.errors import ExtraMissing, InputError
from simil.formats.sources import Source

__all__ = [
    "BrokenDocument",
    "DocumentKind",
    "DocumentSource",
    "can_read_documents",
    "document_in",
    "is_document",
]

_CHUNK = 1 << 16


class BrokenDocument(InputError):
    """A document that cannot be converted: damaged, or protected by a password."""


@dataclass(frozen=True, slots=True)
class DocumentKind:
    """A kind of documents: the suffixes of its files, the first of them its name, and their first bytes."""

    suffixes: tuple[str, ...]
    magic: bytes = b""

    @property
    def suffix(self) -> str:
        """The suffix that names the kind."""
        return self.suffixes[0]


_PDF = DocumentKind((".pdf",), b"%PDF-")
_DOCX = DocumentKind((".docx",), b"PK\x03\x04")
_HTML = DocumentKind((".html", ".htm", ".xhtml"))
_KINDS = {suffix: kind for kind in (_PDF, _DOCX, _HTML) for suffix in kind.suffixes}


@cache
def can_read_documents() -> bool:
    """Return whether markitdown is installed, with what it needs for PDF and Word."""
    from importlib.util import find_spec

    return all(find_spec(name) is not None for name in ("markitdown", "pdfminer", "mammoth"))


def is_document(path: str, head: bytes) -> bool:
    """Return whether a file is called a document and begins as one."""
    return _is_called_one(path) and _kind_of(path, head) is not None


def document_in(source: Source, encoding: str | None, *, or_text: bool) -> DocumentSource | None:
    """Return the text of a document as a source; None for anything else.

    `encoding` is that of HTML that does not say it. With `or_text`, only names tell of documents, and HTML is
    the text that it is where markitdown is not installed. Else that raises `ExtraMissing`.
    """
    if or_text and not _is_called_one(source.path):
        return None  # Of thousands of files, most.
    kind = _kind_of(source.path, source.head(_tells_pdf))
    if kind is None or (or_text and kind is _HTML and not can_read_documents()):
        return None
    if not can_read_documents():
        raise ExtraMissing(
            f"{source.name} needs markitdown to be read, which is not installed", extra="documents"
        )
    return DocumentSource(source, kind, encoding)


class DocumentSource(Source):
    """The text of a document, in UTF-8; it is converted when it is read."""

    def __init__(self, document: Source, kind: DocumentKind, encoding: str | None) -> None:
        """Convert nothing yet."""
        super().__init__(document.path)
        self._document = document
        self._kind = kind
        self._encoding = encoding

    def check(self) -> None:
        """Raise as `Source.check` does."""
        self._document.check()

    def head(self, enough: Callable[[bytes], bool] = bool) -> bytes:
        """Return nothing: the text is known only once the document is converted, and its format is known."""
        return b""

    def chunks(self) -> Iterator[bytes]:
        """Yield the text; raises `BrokenDocument` before the first part, and as `Source.chunks` does.

        A document without any text, such as one of scanned pages, is a blank line.
        """
        from simil.formats.document_conversion import markdown_of

        text = markdown_of(self._document, self._kind.suffix, self._encoding)
        data = text.encode("utf-8", "replace") or b"\n"
        for start in range(0, len(data), _CHUNK):
            yield data[start : start + _CHUNK]


def _kind_of(path: str, head: bytes) -> DocumentKind | None:
    if head.startswith(_PDF.magic):
        return _PDF
    # A file that begins otherwise is not what it is called.
    kind = _KINDS.get(PurePath(path).suffix.lower())
    return kind if kind is not None and head.startswith(kind.magic) else None


def _tells_pdf(head: bytes) -> bool:
    # Waits for more only after what may begin a PDF: a pipe may be slow.
    return bool(head) and (len(head) >= len(_PDF.magic) or not _PDF.magic.startswith(head))


def _is_called_one(path: str) -> bool:
    return PurePath(path).suffix.lower() in _KINDS
