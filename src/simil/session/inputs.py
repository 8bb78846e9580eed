"""What files and standard input hold: looked at once, then read as texts or as vectors."""

from __future__ import annotations

import errno
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from simil.errors import InputError, Place, UsageError
from simil.texts import InputFormat, ReadOptions, Text, count_roughly, read_texts
from simil.vectors import HEAD_BYTES, Rejoined, VectorFile, VectorFormat, looks_like_vectors, read_vectors

__all__ = ["Input", "InputOpener", "OpenInput", "fitted", "form_of_file"]


@dataclass(frozen=True, slots=True)
class Input:
    """What a user names as one input: files, where "-" or none is stdin, and how their texts are read.

    `label` is shown beside the progress bar while the texts are embedded.
    """

    files: Sequence[str]
    reading: ReadOptions
    label: str = "embedding"

    @property
    def is_plain(self) -> bool:
        """Whether all of it is plain text, which has no fields."""
        formats = {self.reading.format_for(path) for path in self.files or ["-"]}
        return formats <= {InputFormat.TEXT}


def fitted(first: Input, second: Input) -> tuple[Input, Input]:
    """Return both inputs, options for fields taken off the one that is plain text where the other is not."""
    if first.is_plain == second.is_plain:
        return first, second
    return _without_fields(first), _without_fields(second)


def _without_fields(given: Input) -> Input:
    if not given.is_plain:
        return given
    return replace(given, reading=replace(given.reading, fields=(), id_field=None, header=True))


@dataclass(frozen=True, slots=True)
class OpenInput:
    """An input that was looked at: its sources all hold texts, or all hold vectors.

    `stdin` is standard input with what was looked at put back, None where it is no source; `forms` are
    those of the vector files, empty for texts.
    """

    sources: Sequence[str]
    reading: ReadOptions
    label: str
    stdin: BinaryIO | None
    forms: Sequence[VectorFormat]

    @property
    def holds_vectors(self) -> bool:
        """Whether the sources are vector files."""
        return bool(self.forms)

    def vector_files(self) -> list[VectorFile]:
        """Read the vector files; errors as in `read_vectors`."""
        stdin = io.BufferedReader(self.stdin) if isinstance(self.stdin, io.RawIOBase) else self.stdin
        return [
            read_vectors(source, stdin=stdin, format=form)
            for source, form in zip(self.sources, self.forms, strict=True)
        ]

    def texts(
        self,
        on_blank: Callable[[Place], None] = lambda place: None,
        on_error: Callable[[InputError], None] | None = None,
    ) -> Iterator[Text]:
        """Yield the texts as they arrive; errors and callbacks as in `read_texts`."""
        return read_texts(self.sources, self.reading, on_blank=on_blank, on_error=on_error, stdin=self.stdin)

    def count(self) -> int | None:
        """Return about how many texts there are, None if unknown."""
        return count_roughly(self.sources, self.reading)


class InputOpener:
    """Opens the inputs of one session, and standard input for one of them only."""

    def __init__(self, on_stdin: Callable[[], None] = lambda: None) -> None:
        """Take a callback for when standard input is about to be read."""
        self._on_stdin = on_stdin
        self._stdin_taken = False

    def open(self, given: Input) -> OpenInput:
        """Look at the beginning of each source.

        Raises `UsageError` where some hold vectors and others texts, and for a second input from stdin.
        """
        names = tuple(given.files) or ("-",)
        if "-" in names:
            if self._stdin_taken:
                raise UsageError("stdin can be read only once", hint="name a file for one of the two")
            self._stdin_taken = True
            self._on_stdin()
        stdin, forms = _look(names, given.reading)
        return OpenInput(names, given.reading, given.label, stdin, forms)


def form_of_file(path: str) -> VectorFormat | None:
    """Return the form of a vector file, None for texts and for what cannot be read (its reader will say)."""
    try:
        with Path(path).open("rb", buffering=0) as stream:
            return looks_like_vectors(stream.read(HEAD_BYTES) or b"", path)
    except OSError:
        return None


def _look(names: Sequence[str], reading: ReadOptions) -> tuple[BinaryIO | None, Sequence[VectorFormat]]:
    """Return standard input, with what was looked at put back, and the forms of vector files."""
    if reading.whole or reading.nul or reading.format is InputFormat.TEXT:
        return _raw_stdin() if "-" in names else None, ()
    stdin: BinaryIO | None = None
    found: list[VectorFormat | None] = []
    for name in names:
        if name == "-" and stdin is None:
            head, stdin = _peek_stdin()
            found.append(looks_like_vectors(head, "-"))
        else:
            found.append(form_of_file(name))
    forms = [form for form in found if form is not None]
    if forms and len(forms) < len(names):
        raise UsageError(
            "some inputs are files of vectors and some are texts", hint="give them to separate runs"
        )
    return stdin, forms


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
