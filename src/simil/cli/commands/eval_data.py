"""Reads the dataset of `simil eval`: labelled pairs, or queries and documents."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from simil.cli.options.groups import InputFlags
from simil.cli.options.run import note_terminal_input
from simil.errors import InputError, NothingGiven, Place, UsageError

if TYPE_CHECKING:
    from simil.cli.output.notes import Notes
    from simil.session.inputs import InputOpener, OpenInput
    from simil.tasks.evaluation.dataset_columns import DatasetColumns
    from simil.tasks.evaluation.datasets import PairsDataset, RetrievalDataset
    from simil.texts import ReadOptions, Text

__all__ = ["DEMO_POSITIVE_FROM", "Sources", "read_dataset"]

log = logging.getLogger("simil")

# Scores of the demo's pairs run from 0 to 5; pairs of 3 or more mean nearly the same.
DEMO_POSITIVE_FROM = 3.0
_DEMO = Path(__file__).parents[2] / "tasks" / "evaluation" / "demo"


@dataclass(frozen=True, slots=True)
class Sources:
    """The files of a dataset; see the options of `simil eval`.

    Raises `UsageError` for options that contradict each other.
    """

    data: str | None
    queries: str | None
    documents: str | None
    retrieval: bool
    demo: bool

    def __post_init__(self) -> None:
        if self.demo and (self.data or self.queries or self.documents):
            raise UsageError("--demo brings its own data", hint="leave out the files")
        if self.queries is not None and self.documents is None:
            raise UsageError("--queries needs --documents", hint="name the file to search")

    @property
    def path(self) -> str:
        """The file of pairs, or of queries and documents relevant to them."""
        if self.demo:
            return str(_DEMO / ("queries.tsv" if self.retrieval else "pairs.tsv"))
        return self.data or "-"

    @property
    def name(self) -> str:
        """The name of that file in messages and results."""
        return "stdin" if self.path == "-" else "the demo" if self.demo else self.path


def read_dataset(
    sources: Sources, reading: InputFlags, score_field: str | None, notes: Notes
) -> PairsDataset | RetrievalDataset:
    """Return the pairs, or the queries and documents.

    Raises `UsageError` if it is unclear which columns hold what, `InputError` for bad data.
    """
    from simil.session.inputs import InputOpener
    from simil.tasks.evaluation import dataset_columns, datasets

    if sources.data is None and not sources.demo and reading.input_format is None:
        raise NothingGiven("there is no DATA to measure on", hint="name a file (- for stdin), or pass --demo")
    options = reading.options()
    if len(options.fields) not in (0, 2):
        raise UsageError("a pair has two fields", hint="pass --field twice")
    opener = InputOpener(note_terminal_input)
    records = _opened(opener, sources.path, options).records(notes.on_error)
    first = next(records, None)
    if first is None:
        raise InputError("there is nothing in it", place=Place(sources.name))
    every = chain([first], records)
    by_name = not options.fields and dataset_columns.has_query_columns(first)
    if not (sources.retrieval or sources.documents or by_name):
        columns = dataset_columns.find_pair_columns(first, options.fields, score_field)
        _report_columns(columns, "pairs")
        return datasets.read_pairs(
            every, columns, on_blank=notes.blank, on_error=notes.on_error, ignored=options.ignored
        )
    columns = dataset_columns.find_qrels_columns(first, options.fields, score_field)
    _report_columns(columns, "queries and documents")
    sides = (sources.queries, sources.documents)
    asked, given = (_texts(opener, path, reading, notes) if path else None for path in sides)
    return datasets.read_retrieval(
        every,
        columns,
        queries=asked,
        documents=given,
        on_blank=notes.blank,
        on_error=notes.on_error,
        ignored=options.ignored,
    )


def _opened(opener: InputOpener, path: str, options: ReadOptions) -> OpenInput:
    """Open a file; raises `InputError` for vectors without texts."""
    opened = opener.open([path], options)
    (source,) = opened.sources
    # Other files of vectors hold texts too and can be read.
    if opened.holds_vectors and source.format.read is None:
        raise InputError(
            "is a file of vectors", hint="name a file of texts: eval measures models", place=Place(path)
        )
    return opened


def _texts(opener: InputOpener, path: str, reading: InputFlags, notes: Notes) -> Sequence[Text]:
    """Read queries or documents by suffix; the text is in "text" or the only column.

    Ids are in the column that --id-field names, else in "id", or in "_id" as in BEIR.
    """
    from simil.session.inputs import without_fields

    options = replace(reading, field=None).beside(path, all_fields=True)
    opened = without_fields(_opened(opener, path, options))
    texts = opened.texts(notes.blank, notes.on_error)
    return [*texts] if opened.reading.id_field is not None else [*map(_by_own_id, texts)]


def _by_own_id(text: Text) -> Text:
    from simil.texts import IdField

    if "id" in text.fields:
        return text
    own = IdField("_id", required=False).value(text.fields, text.origin)
    return text if own is None else text._replace(id=own)


def _report_columns(columns: DatasetColumns, what: str) -> None:
    score = f", scores from {columns.score!r}" if columns.score else ""
    log.info("%s are read from %r and %r%s", what, columns.left, columns.right, score)
