"""Reads sources as texts or pairs; blank ones are skipped and reported, bad ones raised or reported."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NoReturn, TypeVar

from simil.errors import InputError, Place, UsageError
from simil.formats.plain_text import plain_records, whole_record
from simil.formats.record_stream import Record, RecordStream
from simil.formats.registry import format_named
from simil.formats.sources import Source, chunks
from simil.texts.building import PairBuilder, PlainBuilder, TextBuilder, record_of
from simil.texts.read_options import InputFormat, ReadOptions
from simil.texts.records import Pair, Text

__all__ = ["read_pairs", "read_records", "read_texts"]

_Made = TypeVar("_Made", Text, Pair, Record)


def read_texts(
    sources: Sequence[str],
    options: ReadOptions,
    *,
    on_blank: Callable[[Place], None],
    on_error: Callable[[InputError], None] | None = None,
    stdin: BinaryIO | None = None,
) -> Iterator[Text]:
    """The texts of all sources in order, each as soon as it has arrived.

    Sources are paths; "-" is standard input, and so is an empty sequence. A text's id is the value of
    `options.id_field`, or of the key or column "id"; else its line number, after the path if there are
    several sources; with `options.whole`, the path. `on_blank` gets the place of each blank text, which is
    skipped. `on_error` gets the error for each record that cannot be read, and reading continues with the
    next; without it the error is raised. `stdin` replaces file descriptor 0: a raw, unbuffered stream whose
    `read(n)` returns what has arrived.

    Raises UsageError, at once, for options that do not fit the sources; InputError, even with `on_error`, for
    a source that cannot be read at all: missing, a directory, in UTF-16, or without the column named.
    """
    if len(options.fields) > 1:
        raise UsageError("a text is in one field", hint="pass --field once")
    opened = [Source(path) for path in sources or ("-",)]
    if sum(source.is_stdin for source in opened) > 1:
        raise UsageError('"-" is given twice, but stdin can be read only once', hint='pass "-" once')
    options.check_for({options.format_for(source.path) for source in opened})
    for source in opened:
        source.check()
    several = len(opened) > 1
    report = on_error or _raise

    def texts() -> Iterator[Text]:
        for source in opened:
            stream = _open_stream(source, options, stdin)
            prefix = f"{source.label}:" if several else ""
            build: Callable[[Record], Text | None]
            if options.whole:
                build = PlainBuilder(whole_id=source.label)
            elif options.format_for(source.path) is InputFormat.TEXT:
                build = PlainBuilder(prefix)
            else:
                build = TextBuilder(stream, options, prefix)
            yield from _settled(stream.records, build, on_blank, report)

    return texts()


def read_pairs(
    source: str,
    options: ReadOptions,
    *,
    on_blank: Callable[[Place], None],
    on_error: Callable[[InputError], None] | None = None,
    stdin: BinaryIO | None = None,
) -> Iterator[Pair]:
    """The pairs of texts in the rows of `source`; a row in which either text is blank is skipped.

    `options.fields` names the two; otherwise the source must have exactly two fields besides its id. Ids,
    `on_blank`, `on_error`, `stdin` and errors are as in `read_texts`; UsageError is also raised for plain
    text, at once, and if it is unclear which two fields are meant.
    """
    if len(options.fields) not in (0, 2):
        raise UsageError("a pair is in two fields", hint="pass --field twice")
    opened = _with_fields(source, options, "pairs need two fields")

    def pairs() -> Iterator[Pair]:
        stream = _open_stream(opened, options, stdin)
        yield from _settled(stream.records, PairBuilder(stream, options), on_blank, on_error or _raise)

    return pairs()


def read_records(
    source: str,
    options: ReadOptions,
    *,
    on_error: Callable[[InputError], None] | None = None,
    stdin: BinaryIO | None = None,
) -> Iterator[Record]:
    """The rows or JSON objects of `source`, each with all its columns or keys, without empty lines.

    `on_error`, `stdin` and errors are as in `read_texts`; UsageError is raised for plain text, at once.
    """
    opened = _with_fields(source, options, "records have fields")

    def records() -> Iterator[Record]:
        stream = _open_stream(opened, options, stdin)
        yield from _settled(stream.records, record_of, lambda place: None, on_error or _raise)

    return records()


def _open_stream(source: Source, options: ReadOptions, stdin: BinaryIO | None) -> RecordStream:
    """The records of `source`; the first row of a table is read at once."""
    name = source.name
    arriving = chunks(source, stdin)
    if options.whole:
        return RecordStream(whole_record(arriving, name), Place(name))
    if options.nul:
        return RecordStream(plain_records(arriving, name, nul=True), Place(name))
    read = format_named(options.format_for(source.path)).read
    if read is None:
        raise UsageError("is in a format without texts", place=Place(name))
    return read(arriving, name, options.header)


def _with_fields(source: str, options: ReadOptions, why: str) -> Source:
    """Return the source, checked; raises UsageError for plain text."""
    opened = Source(source)
    if Path(source).is_dir():  # Without a suffix it would count as plain text.
        opened.check()
    form = options.format_for(source)
    if form is InputFormat.TEXT:
        raise UsageError(
            f"{why}, and plain text has none",
            hint="pass --input-format csv, tsv, json or jsonl",
            place=Place(opened.name),
        )
    options.check_for({form})
    opened.check()
    return opened


def _raise(error: InputError) -> NoReturn:
    raise error


def _settled(
    outcomes: Iterable[Record | InputError],
    build: Callable[[Record], _Made | None],
    on_blank: Callable[[Place], None],
    report: Callable[[InputError], None],
) -> Iterator[_Made]:
    for outcome in outcomes:
        if isinstance(outcome, InputError):
            report(outcome)
            continue
        try:
            made = build(outcome)
        except InputError as error:
            report(error)
            continue
        if made is None:
            on_blank(outcome.place)
        else:
            yield made
