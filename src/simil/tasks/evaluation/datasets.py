"""What people have judged: pairs of texts with a score, or queries with the documents that answer them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simil.errors import InputError, Place, UsageError
from simil.texts import Record, Text, column, is_blank, kind_of, missing_field, pair_columns, text_in

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "Columns",
    "LabelledPairs",
    "Retrieval",
    "columns_of_pairs",
    "columns_of_relevance",
    "labelled_pairs",
    "names_queries",
    "retrieval",
]

_SCORES = (
    "score", "label", "relatedness_score", "similarity", "similarity_score", "is_duplicate", "gold", "grade",
)  # fmt: skip
_GRADES = ("score", "grade", "relevance", "label")
_QUERIES = ("query-id", "query_id", "qid", "query", "question")
_DOCUMENTS = (
    "corpus-id", "corpus_id", "document-id", "document_id", "doc-id", "doc_id", "docid",
    "document", "documents", "relevant", "passage", "positive", "answer",
)  # fmt: skip
_WORDS = {"true": 1.0, "false": 0.0}

OnError = Callable[[InputError], None]


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns hold the two texts (or ids) and the score; without one, every row counts 1."""

    left: str
    right: str
    score: str | None


@dataclass(frozen=True, eq=False, slots=True)
class LabelledPairs:
    """Pairs of `texts`, each text once: places int [n] of the left and the right ones, scores float64 [n]."""

    texts: Sequence[Text]
    left: NDArray[np.intp]
    right: NDArray[np.intp]
    scores: NDArray[np.float64]

    def alike(self, positive_from: float | None) -> NDArray[np.bool_] | None:
        """Return which pairs count as alike, bool [n].

        That is from a score of `positive_from` on; without it, 1 where all scores are 0 or 1, else it is not
        known: None.
        """
        import numpy as np

        if positive_from is None and not np.isin(self.scores, (0, 1)).all():
            return None
        return np.asarray(self.scores >= (1 if positive_from is None else positive_from))


@dataclass(frozen=True, eq=False, slots=True)
class Retrieval:
    """Queries, documents, and for each query the rows of those that are relevant, with their grades (> 0)."""

    queries: Sequence[Text]
    documents: Sequence[Text]
    relevant: Sequence[Mapping[int, float]]


def columns_of_pairs(first: Record, fields: Sequence[str], score_field: str | None) -> Columns:
    """Return the columns of labelled pairs, by what was asked for and else by the names in the first row.

    Raises `UsageError` where it is not clear which they are, `InputError` for one that is not there.
    """
    names, place = [*_fields(first)], first.place
    score = None if score_field is None else column(names, score_field, "--score-field", place)
    if fields:
        left, right = (column(names, name, "--field", place) for name in fields)
    else:
        taken = {score, *_SCORES}
        left, right = pair_columns([name for name in names if name not in taken], "id", place)
    if score is not None:
        return Columns(left, right, score)
    others = [name for name in names if name not in (left, right, "id")]
    score = _only([name for name in _SCORES if name in others]) or _only(others)
    if score is None:
        raise _unclear("the score", others, "--score-field", place)
    return Columns(left, right, score)


def names_queries(first: Record) -> bool:
    """Say whether the columns of the first row are named as those of queries and documents are."""
    return all(_known(first, names) is not None for names in (_QUERIES, _DOCUMENTS))


def columns_of_relevance(first: Record, fields: Sequence[str], score_field: str | None) -> Columns:
    """Return the columns of queries and their documents; errors as in `columns_of_pairs`."""
    names, place = [*_fields(first)], first.place
    score = None if score_field is None else column(names, score_field, "--score-field", place)
    if fields:
        left, right = (column(names, name, "--field", place) for name in fields)
    else:
        query, document = (_known(first, known) for known in (_QUERIES, _DOCUMENTS))
        others = [name for name in names if name not in ("id", score, *_GRADES)]
        if query is not None and document is not None:
            left, right = query, document
        elif len(others) == 2:
            left, right = others
        else:
            raise _unclear("the query, and which the document", names, "--field twice", place)
    if score is not None:
        return Columns(left, right, score)
    grades = [name for name in _GRADES if name in names and name not in (left, right)]
    if len(grades) > 1:
        raise _unclear("the grade", grades, "--score-field", place)
    return Columns(left, right, _only(grades))


def labelled_pairs(
    records: Iterable[Record],
    columns: Columns,
    *,
    on_blank: Callable[[Place], None],
    on_error: OnError | None = None,
) -> LabelledPairs:
    """Return the pairs of records; one with a blank text goes to `on_blank`.

    Bad records go to `on_error`; without it `InputError` is raised. Raises it, too, where no pair is left.
    """
    import numpy as np

    texts: dict[str, int] = {}
    kept: list[Text] = []
    rows: list[tuple[int, int, float]] = []

    def place_of(text: str, origin: Place) -> int:
        if text not in texts:
            texts[text] = len(kept)
            kept.append(Text(str(origin.line), text, origin, {}))
        return texts[text]

    for record in records:
        fields, origin = _fields(record), record.place
        try:
            left, right = (text_in(fields, name, origin) for name in (columns.left, columns.right))
            if left is None or right is None:
                on_blank(origin)
                continue
            score = _number(fields, columns.score, origin)
        except InputError as exc:
            _told(exc, on_error)
        else:
            rows.append((place_of(left, origin), place_of(right, origin), score))
    if not rows:
        raise InputError("there are no labelled pairs", hint="give rows with two texts and a score")
    lefts, rights, scores = zip(*rows, strict=True)
    return LabelledPairs(kept, np.array(lefts), np.array(rights), np.array(scores, np.float64))


def retrieval(
    records: Iterable[Record],
    columns: Columns,
    *,
    queries: Sequence[Text] | None = None,
    documents: Sequence[Text] | None = None,
    on_blank: Callable[[Place], None],
    on_error: OnError | None = None,
) -> Retrieval:
    """Return the queries that have relevant documents, and all documents.

    A record holds the ids of texts among `queries` and `documents`; without these it holds the texts
    themselves, and its second field may be an array of them. Errors as in `labelled_pairs`; an id that is
    not known is one, and so is one that two texts have.
    """
    asked, given = _Texts(queries, "query", on_error), _Texts(documents, "document", on_error)
    relevant: dict[int, dict[int, float]] = {}
    for record in records:
        fields, origin = _fields(record), record.place
        try:
            one, many = _values(fields, columns.left, origin), _values(fields, columns.right, origin)
            if len(one) > 1:
                raise InputError(f"field {columns.left!r} is an array", hint="give one query", place=origin)
            if not one or not many:
                on_blank(origin)
                continue
            grade = 1.0 if columns.score is None else _number(fields, columns.score, origin)
            query, found = asked.row(one[0], origin), [given.row(value, origin) for value in many]
        except InputError as exc:
            _told(exc, on_error)
            continue
        if grade > 0:
            relevant.setdefault(query, {}).update(dict.fromkeys(found, grade))
    if not relevant:
        raise InputError("no query has a relevant document", hint="give rows with a query and a document")
    kept = [asked.texts[row] for row in relevant]
    return Retrieval(kept, given.texts, [*relevant.values()])


class _Texts:
    """Texts that records name by id, or that they hold."""

    def __init__(self, known: Sequence[Text] | None, what: str, on_error: OnError | None) -> None:
        self.texts: list[Text] = []
        self._rows: dict[str, int] = {}
        self._open = known is None
        self._what = what
        for text in known or ():
            if text.id in self._rows:
                _told(
                    InputError(f"the {what} with the id {text.id!r} is there twice", place=text.origin),
                    on_error,
                )
                continue
            self._rows[text.id] = len(self.texts)
            self.texts.append(text)

    def row(self, value: str, origin: Place) -> int:
        """Return the place of the text that has this id, or of this text."""
        if value not in self._rows:
            if not self._open:
                raise InputError(f"there is no {self._what} with the id {value!r}", place=origin)
            self._rows[value] = len(self.texts)
            self.texts.append(Text(str(origin.line), value, origin, {}))
        return self._rows[value]


def _fields(record: Record) -> Mapping[str, object]:
    assert isinstance(record.value, Mapping)
    return record.value


def _values(fields: Mapping[str, object], name: str, place: Place) -> list[str]:
    """Return the text or id under `name`, or all of an array of them; blank ones are none."""
    if name not in fields:
        raise missing_field([*fields], name, "--field", place)
    value = fields[name]
    values = value if isinstance(value, list) else [] if value is None else [value]
    for item in values:
        if not isinstance(item, str | int) or isinstance(item, bool):
            raise InputError(f"field {name!r} holds {kind_of(item)}, not a string", place=place)
    return [str(item) for item in values if not is_blank(str(item))]


def _number(fields: Mapping[str, object], name: str | None, place: Place) -> float:
    """Return the score under `name`: a number, or true (1) or false (0)."""
    if name is None or name not in fields:
        raise missing_field([*fields], str(name), "--score-field", place)
    value = fields[name]
    if isinstance(value, str):
        value = _WORDS.get(value.strip().lower(), value)
    # Python's own notation is none of data: 1_0, and digits of other scripts.
    strange = isinstance(value, str) and (not value.strip().isascii() or "_" in value)
    try:
        found = float(value) if isinstance(value, str | int | float) and not strange else math.nan
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        shown = repr(value) if isinstance(value, str | float) else kind_of(value)
        raise InputError(f"the score in {name!r} is {shown}, not a number", place=place)
    return found


def _known(first: Record, names: Sequence[str]) -> str | None:
    """Return the one of `names` that is a column of the record, None where there is none or several."""
    return _only([name for name in names if name in _fields(first)])


def _only(names: Sequence[str]) -> str | None:
    return names[0] if len(names) == 1 else None


def _unclear(what: str, names: Sequence[str], option: str, place: Place) -> UsageError:
    listed = ", ".join(map(repr, names)) or "none"
    return UsageError(f"which field is {what}? There are: {listed}", hint=f"pass {option}", place=place)


def _told(error: InputError, on_error: OnError | None) -> None:
    if on_error is None:
        raise error
    on_error(error)
