"""Whether an input holds texts or vectors: files of vectors are accepted wherever texts are."""

from __future__ import annotations

import errno
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from simil.errors import InputError, Place, UsageError
from simil.texts import InputFormat, ReadOptions
from simil.vectors import HEAD_BYTES, Rejoined, VectorFile, VectorFormat, looks_like_vectors, read_vectors

__all__ = ["Inputs", "open_inputs", "vector_form"]


@dataclass(frozen=True, slots=True)
class Inputs:
    """Sources that all hold texts, or all hold vectors.

    `stdin` is standard input with what was looked at put back, None where it is no source; `forms` are
    those of the vector files, empty for texts.
    """

    sources: Sequence[str]
    stdin: BinaryIO | None
    forms: Sequence[VectorFormat]

    def vector_files(self) -> list[VectorFile]:
        """Read the files; call it only where there are `forms`."""
        return [
            read_vectors(source, stdin=_buffered(self.stdin), format=form)
            for source, form in zip(self.sources, self.forms, strict=True)
        ]


def open_inputs(sources: Sequence[str], options: ReadOptions) -> Inputs:
    """Look at the beginning of each source; no source is standard input.

    Raises `UsageError` when some hold vectors and others texts.
    """
    names = tuple(sources) or ("-",)
    if options.whole or options.nul or options.format is InputFormat.TEXT:
        return Inputs(names, _raw_stdin() if "-" in names else None, ())
    stdin: BinaryIO | None = None
    found: list[VectorFormat | None] = []
    for name in names:
        if name == "-" and stdin is None:
            head, stdin = _peek_stdin()
            found.append(looks_like_vectors(head, "-"))
        else:
            found.append(vector_form(name))
    forms = [form for form in found if form is not None]
    if forms and len(forms) < len(names):
        raise UsageError(
            "some inputs are files of vectors and some are texts", hint="give them to separate runs"
        )
    return Inputs(names, stdin, forms)


def vector_form(path: str) -> VectorFormat | None:
    """Return the form of a vector file, None for texts and for what cannot be read (its reader will say)."""
    try:
        with Path(path).open("rb", buffering=0) as stream:
            return looks_like_vectors(stream.read(HEAD_BYTES) or b"", path)
    except OSError:
        return None


def _raw_stdin() -> BinaryIO:
    # Unbuffered: what a slow pipe has brought is there at once, and a thread that is blocked in the
    # read holds no lock that the interpreter needs to end.
    try:
        return open(0, "rb", buffering=0, closefd=False)
    except OSError as exc:
        raise _unreadable(exc) from exc


def _peek_stdin() -> tuple[bytes, BinaryIO]:
    """Read as much as it takes to tell vectors from texts, and no more: the pipe may be slow."""
    raw = _raw_stdin()
    head = b""
    while len(head) < HEAD_BYTES:
        try:
            chunk = raw.read(HEAD_BYTES - len(head))
        except OSError as exc:
            raise _unreadable(exc) from exc
        head += chunk or b""
        if not chunk or not _undecided(head):
            break
    return head, Rejoined(head, raw)


def _unreadable(exc: OSError) -> InputError:
    what = "is closed" if exc.errno == errno.EBADF else f"cannot be read: {exc.strerror or exc}"
    return InputError(what, place=Place("stdin"), hint="name a file, or pipe texts in")


def _undecided(head: bytes) -> bool:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if start not in (b"{", b"[") or looks_like_vectors(head, "-"):
        return False
    first_line, newline, _ = head.partition(b"\n")
    return not newline or not _is_json(first_line)


def _is_json(line: bytes) -> bool:
    import orjson

    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True


def _buffered(stream: BinaryIO | None) -> BinaryIO | None:
    return io.BufferedReader(stream) if isinstance(stream, io.RawIOBase) else stream
