"""Reads sources as texts or pairs; blank ones are skipped and reported, bad ones raised or reported."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import NoReturn, TypeVar

from simil.errors import BrokenDocument, InputError, Place, UsageError
from simil.formats.detection import TypedSource, refuse_binary
from simil.formats.documents import DocumentSource
from simil.formats.encoding import check_unmarked
from simil.formats.passthrough import Frame, Layout, utf8_mark
from simil.formats.plain_text import plain_records, whole_record
from simil.formats.record_stream import Record, RecordStream
from simil.formats.text_limit import is_longer, too_long
from simil.texts.building import PairBuilder, PlainBuilder, TextBuilder, record_of
from simil.texts.read_options import InputFormat, ReadOptions
from simil.texts.records import Pair, Text

__all__ = ["read_pairs", "read_records", "read_texts", "texts_of"]

_Made = TypeVar("_Made", Text, Pair, Record)


def read_texts(
    sources: Sequence[TypedSource],
    options: ReadOptions,
    *,
    on_blank: Callable[[Place], None],
    on_error: Callable[[InputError], None] | None = None,
    on_frame: Callable[[Frame | None], None] = lambda frame: None,
    on_broken: Callable[[BrokenDocument], None] | None = None,
    keeps_failed: bool = False,
) -> Iterator[Text]:
    """The texts of all sources in order, each as soon as it has arrived.

    A text's id is the value of `options.id_field`, or of the key or column "id"; else its line number, after
    the path if there are several sources; with `options.whole`, the path. `on_blank` gets the place of each
    blank text, which is skipped. `on_error` gets the error for each record that cannot be read, and reading
    continues with the next; without it the error is raised. With `keeps_failed` a missing text keeps the
    place of each blank or bad one, with `options.all_rows` of each blank one. With `options.keeps_raw`,
    `on_frame` gets what stands around the records of each source, None where they cannot be written as they
    came. `on_broken` gets the error of a document that cannot be converted, and reading continues with the
    next source.

    Raises UsageError, at once, for options that do not fit the sources; InputError, even with `on_error`, for
    a source that cannot be read at all: missing, a directory, or without the column named.
    """
    options.check_field()
    options.check_for({typed.format.name for typed in sources})
    for typed in sources:
        typed.source.check()
    several = len(sources) > 1

    def texts(typed: TypedSource, on_blank: Callable[[Place], None]) -> Iterator[Text]:
        return texts_of(
            typed,
            options,
            several=several,
            on_blank=on_blank,
            on_error=on_error,
            on_frame=on_frame,
            keeps_failed=keeps_failed,
        )

    return chain.from_iterable(
        _texts_of_document(partial(texts, typed), Place(typed.source.name), on_blank, on_broken)
        if typed.is_document
        else texts(typed, on_blank)
        for typed in sources
    )


def _texts_of_document(
    texts: Callable[[Callable[[Place], None]], Iterator[Text]],
    place: Place,
    on_blank: Callable[[Place], None],
    on_broken: Callable[[BrokenDocument], None] | None,
) -> Iterator[Text]:
    """Yield the texts of a document; its blank lines are no news, unless there is nothing else in it."""
    is_empty = True
    try:
        for text in texts(lambda line: None):
            is_empty = False
            yield text
    except BrokenDocument as exc:
        if on_broken is None:
            raise
        on_broken(exc)
    else:
        if is_empty:
            on_blank(place)


def texts_of(
    typed: TypedSource,
    options: ReadOptions,
    *,
    several: bool,
    on_blank: Callable[[Place], None],
    on_error: Callable[[InputError], None] | None = None,
    on_frame: Callable[[Frame | None], None] = lambda frame: None,
    keeps_failed: bool = False,
    last_number: int = 0,
) -> Iterator[Text]:
    """The texts of one source; all else as in `read_texts`, which has checked it.

    `several` says whether there are other sources, so that ids name this one. `last_number` is the line of a
    record before the first one here that has its line number as id, where the source is part of a file.
    """
    has_mark = options.keeps_raw and not typed.format.is_binary
    mark = utf8_mark(typed.source) if has_mark else b""
    stream = _open_stream(typed, options)
    on_frame(stream.frame and replace(stream.frame, head=mark + stream.frame.head))
    label = typed.source.label
    prefix = f"{label}:" if several else ""
    build: PlainBuilder | TextBuilder
    if options.whole:
        build = PlainBuilder(whole_id=label)
    elif typed.format.name == InputFormat.TEXT:
        build = PlainBuilder(prefix, keeps_raw=options.keeps_raw)
    else:
        build = TextBuilder(stream, options, prefix, last_number)
    stand_in = build.stand_in if keeps_failed or options.all_rows else None
    yield from _settled(
        stream.records,
        build,
        options,
        on_blank,
        on_error or _raise,
        stand_in,
        keeps_failed=keeps_failed,
    )


def read_pairs(
    source: TypedSource,
    options: ReadOptions,
    *,
    on_blank: Callable[[Place], None],
    on_error: Callable[[InputError], None] | None = None,
    keeps_failed: bool = False,
) -> Iterator[Pair]:
    """The pairs of texts in the rows of `source`; a row in which either text is blank is skipped.

    `options.fields` names the two; otherwise the source must have exactly two fields besides its id. Ids,
    `on_blank`, `on_error`, `keeps_failed` and errors are as in `read_texts`; UsageError is also raised for
    plain text, at once, and if it is unclear which two fields are meant.
    """
    if len(options.fields) not in (0, 2):
        raise UsageError("a pair is in two fields", hint="pass --field twice")
    _check_fields(source, options, "pairs need two fields")

    def pairs() -> Iterator[Pair]:
        stream = _open_stream(source, options)
        build = PairBuilder(stream, options)
        stand_in = build.stand_in if keeps_failed else None
        yield from _settled(stream.records, build, options, on_blank, on_error or _raise, stand_in)

    return pairs()


def read_records(
    source: TypedSource,
    options: ReadOptions,
    *,
    on_error: Callable[[InputError], None] | None = None,
) -> Iterator[Record]:
    """The rows or JSON objects of `source`, each with all its columns or keys, without empty lines.

    `on_error` and errors are as in `read_texts`; UsageError is raised for plain text, at once.
    """
    _check_fields(source, options, "records have fields")

    def records() -> Iterator[Record]:
        stream = _open_stream(source, options)
        yield from _settled(stream.records, record_of, options, lambda place: None, on_error or _raise)

    return records()


def _open_stream(typed: TypedSource, options: ReadOptions) -> RecordStream:
    """The records of a source; the first row of a table is read at once."""
    source = typed.source
    if isinstance(source, DocumentSource):
        options = replace(options, encoding=None)
    if options.is_literal:
        refuse_binary(source)
    if options.encoding is None and not options.nul and not typed.format.is_binary:
        # Waits for more only after a NUL, which no text begins with.
        head = source.head(lambda head: len(head) >= 4 or (bool(head) and b"\0" not in head[:2]))
        check_unmarked(head, source.name)
    if options.whole:
        return RecordStream(
            whole_record(source.chunks(), source.name, options.encoding, limit=options.text_limit),
            Place(source.name),
        )
    if options.nul:
        records = plain_records(
            source.chunks(), source.name, options.encoding, nul=True, limit=options.text_limit
        )
        return RecordStream(records, Place(source.name), frame=Frame(Layout.NULS))
    if typed.format.read is None:
        raise InputError(
            f"is in the format {typed.format.name}, which contains no texts", place=Place(source.name)
        )
    return typed.format.read(source, options)


def _check_fields(typed: TypedSource, options: ReadOptions, why: str) -> None:
    """Check the source; raises UsageError for plain text."""
    if typed.format.name == InputFormat.TEXT:
        raise UsageError(
            f"{why}, and plain text has none",
            hint="pass --input-format csv, tsv, json or jsonl",
            place=Place(typed.source.name),
        )
    options.check_for({typed.format.name})
    typed.source.check()


def _raise(error: InputError) -> NoReturn:
    raise error


def _settled(
    outcomes: Iterable[Record | InputError],
    build: Callable[[Record], _Made | None],
    options: ReadOptions,
    on_blank: Callable[[Place], None],
    report: Callable[[InputError], None],
    stand_in: Callable[[Place, Record | None], _Made] | None = None,
    *,
    keeps_failed: bool = True,
) -> Iterator[_Made]:
    """Yield what `build` makes of the records; `stand_in` makes what keeps the place of the others.

    Without `keeps_failed`, it is for blank ones alone.
    """
    for outcome in outcomes:
        made, is_blank = None, False
        if isinstance(outcome, InputError):
            report(outcome)
        elif outcome.is_empty and stand_in is not None:
            continue
        else:
            try:
                made = build(outcome)
                _check_length(made, options.text_limit)
                made = _without_ignored(made, options.ignored)
            except InputError as error:
                report(error)
            else:
                if made is None:
                    is_blank = True
                    on_blank(outcome.place)
        keep_place = stand_in if keeps_failed or is_blank else None
        if made is None and keep_place is not None and outcome.place is not None:
            place = outcome.place._replace(column=None)
            made = keep_place(place, outcome if isinstance(outcome, Record) else None)
        if made is not None:
            yield made


def _without_ignored(made: _Made | None, patterns: Sequence[str]) -> _Made | None:
    """Return a text or pair as it is to be embedded; None for one of which nothing is left."""
    if not patterns:
        return made
    from simil.texts.ignored_parts import pair_without, text_without

    if isinstance(made, Text):
        return text_without(made, patterns)
    return pair_without(made, patterns) if isinstance(made, Pair) else made


def _check_length(made: Text | Pair | Record | None, limit: int) -> None:
    """Raise InputError for a text that is too long; most formats have noticed while they read it."""
    match made:
        case Text():
            texts: tuple[object, ...] = (made.text,)
        case Pair():
            texts = (made.left, made.right)
        case Record(value=dict(values)):
            texts = tuple(values.values())
        case _:
            return
    for text in texts:
        if isinstance(text, str) and is_longer(text, limit):
            raise too_long(limit, made.origin if isinstance(made, Text | Pair) else made.place)
