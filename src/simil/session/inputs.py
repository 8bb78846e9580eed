"""What files and standard input hold: looked at once, then read as texts or as vectors."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from simil.errors import InputError, Place, UsageError
from simil.formats.detection import TypedSource
from simil.formats.documents import BrokenDocument
from simil.formats.passthrough import Frame
from simil.formats.remote_paths import check_online
from simil.formats.sources import Source
from simil.texts import InputFormat, Pair, ReadOptions, Record, Text, read_pairs, read_records, read_texts
from simil.texts.read_options import SEPARATED, TABLES, WORKBOOKS

if TYPE_CHECKING:
    from simil.vectors import VectorFile

__all__ = ["InputOpener", "OpenInput", "fitted", "without_fields"]

log = logging.getLogger("simil")


@dataclass(frozen=True, slots=True)
class OpenInput:
    """An input that was looked at: its sources all hold texts, or all hold vectors.

    Each source is read once, as texts, pairs, records or vectors; `reading` says how texts are read, `label`
    is shown beside the progress bar while they are embedded. `on_broken` gets the error of a document that
    cannot be converted, and is left out; without it the error is raised.
    """

    sources: Sequence[TypedSource]
    reading: ReadOptions
    label: str
    holds_vectors: bool
    on_broken: Callable[[BrokenDocument], None] | None = None

    @property
    def formats(self) -> set[str]:
        """The names of the formats of the sources."""
        return {typed.format.name for typed in self.sources}

    @property
    def is_plain(self) -> bool:
        """Whether all of it is plain text, which has no fields."""
        return self.formats <= {InputFormat.TEXT}

    @property
    def column_types(self) -> Mapping[str, Any]:
        """The types of columns by name, if all sources have types; only those in which they agree."""
        of_sources = [typed.format.types(typed.source) for typed in self.sources if typed.format.types]
        if len(of_sources) < len(self.sources):
            return {}
        every = [item for types in of_sources for item in types.items()]
        return {
            name: found
            for name, found in every
            if all(types.get(name, found) == found for types in of_sources)
        }

    @property
    def holds_stored(self) -> bool:
        """Whether a source is a dataset of vectors, which can be searched where it is."""
        return self.holds_vectors and InputFormat.LANCE in self.formats

    def keeping_raw(self) -> OpenInput:
        """Return the input, its records to be read so that they can be written as they came."""
        return replace(self, reading=replace(self.reading, keeps_raw=True))

    def keeping_rows(self) -> OpenInput:
        """Return the input, its blank texts to keep their places as missing ones."""
        return replace(self, reading=replace(self.reading, all_rows=True))

    def vector_files(self) -> list[VectorFile]:
        """Read the vector files; errors as in `read_vectors`."""
        from simil.vectors.vector_files import read_vectors

        return [read_vectors(typed, self.reading) for typed in self.sources]

    def texts(
        self,
        on_blank: Callable[[Place], None] = lambda place: None,
        on_error: Callable[[InputError], None] | None = None,
        on_frame: Callable[[Frame | None], None] = lambda frame: None,
        *,
        keeps_failed: bool = False,
    ) -> Iterator[Text]:
        """Yield the texts as they arrive; errors, callbacks and `keeps_failed` as in `read_texts`."""
        return read_texts(
            self.sources,
            self.reading,
            on_blank=on_blank,
            on_error=on_error,
            on_frame=on_frame,
            on_broken=self.on_broken,
            keeps_failed=keeps_failed,
        )

    def pairs(
        self,
        on_blank: Callable[[Place], None],
        on_error: Callable[[InputError], None] | None,
        *,
        keeps_failed: bool = False,
    ) -> Iterator[Pair]:
        """Yield the pairs of texts of the one source; all else as in `read_pairs`."""
        (source,) = self.sources
        return read_pairs(
            source, self.reading, on_blank=on_blank, on_error=on_error, keeps_failed=keeps_failed
        )

    def records(self, on_error: Callable[[InputError], None] | None) -> Iterator[Record]:
        """Yield the records of the one source; errors and callbacks as in `read_records`."""
        (source,) = self.sources
        return read_records(source, self.reading, on_error=on_error)

    def count(self) -> int | None:
        """Return about how many texts there are, None if unknown."""
        from simil.texts.counting import count_roughly

        return count_roughly(self.sources, self.reading)

    def count_paragraphs(self) -> int | None:
        """Return about how many paragraphs its files have, None if unknown."""
        from simil.texts.counting import count_paragraphs

        return count_paragraphs(self.sources)


def fitted(first: OpenInput, second: OpenInput) -> tuple[OpenInput, OpenInput]:
    """Return both inputs, options taken off the one that they do not apply to where they do to the other."""
    return _without_unfit(first, second), _without_unfit(second, first)


def without_fields(given: OpenInput) -> OpenInput:
    """Return an input, options for fields, tables and sheets taken off it if it has none."""
    return _without_unfit(given, None)


def _without_unfit(given: OpenInput, beside: OpenInput | None) -> OpenInput:
    """Take off options that do not apply to `given`, but do to the input `beside` it, if there is one."""
    reading = given.reading
    if given.is_plain and not (beside and beside.is_plain):
        reading = replace(reading, fields=(), id_field=None)
    if _lacks(given, beside, TABLES):
        reading = replace(reading, header=True)
    if _lacks(given, beside, SEPARATED):
        reading = replace(reading, delimiter=None)
    if _lacks(given, beside, WORKBOOKS):
        reading = replace(reading, sheet=None)
    return replace(given, reading=reading)


def _lacks(given: OpenInput, beside: OpenInput | None, formats: Collection[str]) -> bool:
    """Return whether an input has none of the formats, but the one beside it has, if there is one."""
    return given.formats.isdisjoint(formats) and not (beside and beside.formats.isdisjoint(formats))


class InputOpener:
    """Opens the inputs of one session, and a pipe for one of them only."""

    def __init__(self, on_stdin: Callable[[], None] = lambda: None, *, offline: str = "") -> None:
        """Take a callback for when standard input is about to be read, and what forbids addresses."""
        self._on_stdin = on_stdin
        self._offline = offline
        self._taken: set[tuple[int, int]] = set()

    def open(self, files: Sequence[str], reading: ReadOptions, label: str = "embedding") -> OpenInput:
        """Look at the beginning of each of `files`; "-" or none is stdin.

        Raises `UsageError` where some hold vectors and others texts, for a pipe that is named twice, and for
        an address in offline mode; `InputError` for a source that cannot be read.
        """
        from simil.vectors.sniff import as_vectors

        sources = [Source(name, text_limit=reading.text_limit) for name in files or ("-",)]
        for source in sources:
            self._take(source)
        for source in sources:
            check_online(source.path, offline=self._offline)
            source.check()
        opened = [reading.open(source) for source in sources]
        looked_at = [] if reading.is_literal else [typed for typed in opened if not typed.is_document]
        found = [as_vectors(typed, reading, reading.fields) for typed in looked_at]
        vectors = [typed for typed in found if typed is not None]
        if vectors and len(vectors) < len(opened):
            raise UsageError(
                "some inputs are files of vectors and some are texts", hint="give them to separate runs"
            )
        if vectors and reading.ignored:
            log.warning("%s holds vectors already, so --ignore has no effect on it", vectors[0].source.name)
        return OpenInput(vectors or opened, reading, label, bool(vectors))

    def _take(self, source: Source) -> None:
        identity = source.identity
        if identity in self._taken:
            raise UsageError(f"{source.name} can be read only once", hint="name a file for one of the two")
        if identity is not None:
            self._taken.add(identity)
        if source.is_stdin:
            self._on_stdin()
