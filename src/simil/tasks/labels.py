"""Labels: those in the fields of texts, and descriptions of labels."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from simil.errors import InputError, UsageError
from simil.tasks.corpus import Corpus
from simil.texts import Text, is_blank, kind_of, missing_field

__all__ = ["LabelDescription", "corpus_with_labels", "label_of", "parse_descriptions", "with_labels"]


@dataclass(frozen=True, slots=True)
class LabelDescription:
    """A text that describes a label."""

    label: str
    text: str


def parse_descriptions(options: Iterable[str]) -> list[LabelDescription]:
    """Return the descriptions in options `NAME` and `NAME=description`; a label can have several.

    Raises `UsageError` if a name or description is blank, or if two labels have the same description.
    """
    found: dict[str, str] = {}
    for option in options:
        name, equals, text = (part.strip() for part in option.partition("="))
        if not name:
            raise UsageError(f"--label {option!r} has no name", hint="write NAME or NAME=description")
        if equals and not text:
            raise UsageError(
                f"--label {option!r} has no description", hint=f"write one after =, or --label {name} alone"
            )
        owner = found.setdefault(text or name, name)
        if owner != name:
            raise UsageError(
                f"the labels {owner!r} and {name!r} have the same description",
                hint="say how they differ",
            )
    return [LabelDescription(name, text) for text, name in found.items()]


def label_of(fields: Mapping[str, object], field: str) -> str:
    """Return the label in `field`; a number or boolean is written as in JSON.

    Raises `InputError`, without a place, if the field is missing, blank, or a list or object.
    """
    if field not in fields:
        raise missing_field([*fields], field, "--label-field")
    value = fields[field]
    if value is None or (isinstance(value, str) and is_blank(value)):
        raise InputError(f"the label in {field!r} is empty", hint="give it one, or leave it out")
    if isinstance(value, list | dict):
        raise InputError(f"the label in {field!r} is {kind_of(value)}", hint="give a string")
    return value.strip() if isinstance(value, str) else json.dumps(value)


def with_labels(
    texts: Iterable[Text],
    field: str,
    *,
    on_error: Callable[[InputError], None] | None = None,
    table: bool = False,
) -> Iterator[Text]:
    """Yield the texts that have a label in `field`.

    Others go to `on_error`; without it, or if a `table` has no such column, they raise `InputError`.
    """
    for text in texts:
        try:
            label_of(text.fields, field)
        except InputError as exc:
            error = InputError(exc.message, hint=exc.hint, place=text.origin)
            if on_error is None or (table and field not in text.fields):
                raise error from exc
            on_error(error)
        else:
            yield text


def corpus_with_labels(
    corpus: Corpus, field: str, *, on_error: Callable[[InputError], None] | None = None
) -> Corpus:
    """Return the saved vectors that have a label in `field`; errors as in `with_labels`."""
    rows: list[int] = []
    texts: list[Text] = []
    for row, text in enumerate(corpus.texts):
        for kept in with_labels([text], field, on_error=on_error):
            rows.append(row)
            texts.append(kept)
    vectors = corpus.vectors if len(rows) == len(corpus) else corpus.vectors[rows]
    return replace(corpus, texts=texts, vectors=vectors)
