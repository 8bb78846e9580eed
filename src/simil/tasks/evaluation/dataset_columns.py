"""Which columns of a dataset hold the texts, ids and scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simil.errors import Place, UsageError
from simil.texts import Record, column, pair_columns

__all__ = ["DatasetColumns", "fields_of", "find_pair_columns", "find_qrels_columns", "has_query_columns"]

_SCORES = (
    "score", "label", "relatedness_score", "similarity", "similarity_score", "is_duplicate", "gold", "grade",
)  # fmt: skip
_GRADES = ("score", "grade", "relevance", "label")
_QUERIES = ("query-id", "query_id", "qid", "query", "question")
_DOCUMENTS = (
    "corpus-id", "corpus_id", "document-id", "document_id", "doc-id", "doc_id", "docid",
    "document", "documents", "relevant", "passage", "positive", "answer",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class DatasetColumns:
    """The columns of the two texts (or ids) and of the score; without a score column, every row scores 1."""

    left: str
    right: str
    score: str | None


def find_pair_columns(first: Record, fields: Sequence[str], score_field: str | None) -> DatasetColumns:
    """Return the columns of labelled pairs: those asked for, else those recognized in the first row.

    Raises `UsageError` if the columns are ambiguous, `InputError` if one is missing.
    """
    names, place = [*fields_of(first)], first.place
    score = None if score_field is None else column(names, score_field, "--score-field", place)
    if fields:
        left, right = (column(names, name, "--field", place) for name in fields)
    else:
        taken = {score, *_SCORES}
        left, right = pair_columns([name for name in names if name not in taken], "id", place)
    if score is not None:
        return DatasetColumns(left, right, score)
    others = [name for name in names if name not in (left, right, "id")]
    score = _only([name for name in _SCORES if name in others]) or _only(others)
    if score is None:
        raise _ambiguous("the score", others, "--score-field", place)
    return DatasetColumns(left, right, score)


def has_query_columns(first: Record) -> bool:
    """Return whether the first row has columns with the usual names of queries and documents."""
    return all(_known(first, names) is not None for names in (_QUERIES, _DOCUMENTS))


def find_qrels_columns(first: Record, fields: Sequence[str], score_field: str | None) -> DatasetColumns:
    """Return the columns of queries and relevant documents; errors as in `find_pair_columns`."""
    names, place = [*fields_of(first)], first.place
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
            raise _ambiguous("the query, and which the document", names, "--field twice", place)
    if score is not None:
        return DatasetColumns(left, right, score)
    grades = [name for name in _GRADES if name in names and name not in (left, right)]
    if len(grades) > 1:
        raise _ambiguous("the grade", grades, "--score-field", place)
    return DatasetColumns(left, right, _only(grades))


def fields_of(record: Record) -> Mapping[str, object]:
    """Return the fields of a record of a table or of JSON."""
    assert isinstance(record.value, Mapping)
    return record.value


def _known(first: Record, names: Sequence[str]) -> str | None:
    """Return the one of `names` that is a column of the record; None if there is none, or several."""
    return _only([name for name in names if name in fields_of(first)])


def _only(names: Sequence[str]) -> str | None:
    return names[0] if len(names) == 1 else None


def _ambiguous(what: str, names: Sequence[str], option: str, place: Place) -> UsageError:
    listed = ", ".join(map(repr, names)) or "none"
    return UsageError(f"which field is {what}? There are: {listed}", hint=f"pass {option}", place=place)
