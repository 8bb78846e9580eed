"""Datasets for evaluation: pairs of texts with scores, or queries with their relevant documents."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simil.errors import InputError, Place
from simil.tasks.evaluation.dataset_columns import DatasetColumns, fields_of
from simil.texts import Record, Text, is_blank, kind_of, missing_field, text_in
from simil.texts.ignored_parts import rest_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["PairsDataset", "RetrievalDataset", "read_pairs", "read_retrieval"]

_BOOLEANS = {"true": 1.0, "false": 0.0}

OnError = Callable[[InputError], None]


@dataclass(frozen=True, eq=False, slots=True)
class PairsDataset:
    """Pairs of texts, each distinct text once in `texts`.

    `left` and `right` int [n] are the rows of a pair's texts, `scores` float64 [n] the gold scores.
    """

    texts: Sequence[Text]
    left: NDArray[np.intp]
    right: NDArray[np.intp]
    scores: NDArray[np.float64]

    def positives(self, positive_from: float | None) -> NDArray[np.bool_] | None:
        """Return which pairs are positive, bool [n]: those that score at least `positive_from`.

        Without it, those that score 1 if every score is 0 or 1, else None: unknown.
        """
        import numpy as np

        if positive_from is None and not np.isin(self.scores, (0, 1)).all():
            return None
        return np.asarray(self.scores >= (1 if positive_from is None else positive_from))


@dataclass(frozen=True, eq=False, slots=True)
class RetrievalDataset:
    """Queries, documents and relevance judgements.

    `qrels` has one mapping per query, from the rows of its relevant documents to their grades (> 0).
    """

    queries: Sequence[Text]
    documents: Sequence[Text]
    qrels: Sequence[Mapping[int, float]]


def read_pairs(
    records: Iterable[Record],
    columns: DatasetColumns,
    *,
    on_blank: Callable[[Place], None],
    on_error: OnError | None = None,
    ignored: Sequence[str] = (),
) -> PairsDataset:
    """Return the pairs of records; those with a blank text go to `on_blank`.

    What the patterns `ignored` match is not embedded; a text of which nothing else is left is blank.
    Bad records go to `on_error`; without it, they raise `InputError`. Also raises it if no pair is left.
    """
    import numpy as np

    texts: dict[str, int] = {}
    kept: list[Text] = []
    rows: list[tuple[int, int, float]] = []

    def row_of(text: str, origin: Place) -> int:
        if text not in texts:
            texts[text] = len(kept)
            kept.append(Text(str(origin.line), text, origin, {}, rest=rest_of(text, ignored)))
        return texts[text]

    for record in records:
        fields, origin = fields_of(record), record.place
        try:
            left, right = (text_in(fields, name, origin) for name in (columns.left, columns.right))
            if (
                left is None
                or right is None
                or any(is_blank(rest_of(text, ignored)) for text in (left, right))
            ):
                on_blank(origin)
                continue
            score = _number(fields, columns.score, origin)
        except InputError as exc:
            _report(exc, on_error)
        else:
            rows.append((row_of(left, origin), row_of(right, origin), score))
    if not rows:
        raise InputError("there are no labelled pairs", hint="give rows with two texts and a score")
    lefts, rights, scores = zip(*rows, strict=True)
    return PairsDataset(kept, np.array(lefts), np.array(rights), np.array(scores, np.float64))


def read_retrieval(
    records: Iterable[Record],
    columns: DatasetColumns,
    *,
    queries: Sequence[Text] | None = None,
    documents: Sequence[Text] | None = None,
    on_blank: Callable[[Place], None],
    on_error: OnError | None = None,
    ignored: Sequence[str] = (),
) -> RetrievalDataset:
    """Return the queries that have relevant documents, and all documents.

    A record holds the ids of texts in `queries` and `documents`; if these are None, it holds the texts
    themselves, `ignored` as in `read_pairs`, and its second field may be an array of them. Errors as in
    `read_pairs`; unknown and duplicate ids are errors too.
    """
    query_index = _TextIndex(queries, "query", on_error, ignored)
    document_index = _TextIndex(documents, "document", on_error, ignored)
    qrels: dict[int, dict[int, float]] = {}
    for record in records:
        fields, origin = fields_of(record), record.place
        try:
            one = query_index.values(fields, columns.left, origin)
            many = document_index.values(fields, columns.right, origin)
            if len(one) > 1:
                raise InputError(f"field {columns.left!r} is an array", hint="give one query", place=origin)
            if not one or not many:
                on_blank(origin)
                continue
            grade = 1.0 if columns.score is None else _number(fields, columns.score, origin)
            query = query_index.row(one[0], origin)
            relevant = [document_index.row(value, origin) for value in many]
        except InputError as exc:
            _report(exc, on_error)
            continue
        if grade > 0:
            qrels.setdefault(query, {}).update(dict.fromkeys(relevant, grade))
    if not qrels:
        raise InputError("no query has a relevant document", hint="give rows with a query and a document")
    kept = [query_index.texts[row] for row in qrels]
    return RetrievalDataset(kept, document_index.texts, [*qrels.values()])


class _TextIndex:
    """Texts by their ids; or, if none are given, texts that records hold, by themselves."""

    def __init__(
        self, known: Sequence[Text] | None, what: str, on_error: OnError | None, ignored: Sequence[str]
    ) -> None:
        self.texts: list[Text] = []
        self._ignored = ignored if known is None else ()
        self._rows: dict[str, int] = {}
        self._grows = known is None
        self._what = what
        for text in known or ():
            if text.id in self._rows:
                error = InputError(f"the {what} id {text.id!r} occurs twice", place=text.origin)
                _report(error, on_error)
                continue
            self._rows[text.id] = len(self.texts)
            self.texts.append(text)

    def row(self, value: str, origin: Place) -> int:
        """Return the row of the text with this id, or of this text."""
        if value not in self._rows:
            if not self._grows:
                raise InputError(f"there is no {self._what} with the id {value!r}", place=origin)
            self._rows[value] = len(self.texts)
            self.texts.append(Text(str(origin.line), value, origin, {}, rest=rest_of(value, self._ignored)))
        return self._rows[value]

    def values(self, fields: Mapping[str, object], name: str, place: Place) -> list[str]:
        """Return the text or id under `name`, or all of an array of them, without blank ones."""
        if name not in fields:
            raise missing_field([*fields], name, "--field", place)
        value = fields[name]
        values = value if isinstance(value, list) else [] if value is None else [value]
        for item in values:
            if not isinstance(item, str | int) or isinstance(item, bool):
                raise InputError(f"field {name!r} holds {kind_of(item)}, not a string", place=place)
        return [str(item) for item in values if not is_blank(rest_of(str(item), self._ignored))]


def _number(fields: Mapping[str, object], name: str | None, place: Place) -> float:
    """Return the score under `name`: a number, or true (1) or false (0)."""
    if name is None or name not in fields:
        raise missing_field([*fields], str(name), "--score-field", place)
    value = fields[name]
    if isinstance(value, str):
        value = _BOOLEANS.get(value.strip().lower(), value)
    # `float` also accepts Python's own notation (1_0) and digits of other scripts, which are not data.
    strange = isinstance(value, str) and (not value.strip().isascii() or "_" in value)
    try:
        found = float(value) if isinstance(value, str | int | float) and not strange else math.nan
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        shown = repr(value) if isinstance(value, str | float) else kind_of(value)
        raise InputError(f"the score in {name!r} is {shown}, not a number", place=place)
    return found


def _report(error: InputError, on_error: OnError | None) -> None:
    if on_error is None:
        raise error
    on_error(error)
