"""Conditions in SQL on the columns of a Lance dataset: checked before anything is searched."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from simil.errors import Place, UsageError
from simil.formats.lance_library import lance_errors

__all__ = ["check_condition", "enclosed", "where_errors"]

# Strings, names in quotes, and comments.
_NO_CODE = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|`[^`]*`|--[^\n]*|/\*.*?\*/", re.DOTALL)
_UNKNOWN = re.compile(r'No field named (?P<quote>"?)(?P<column>.+?)(?P=quote)\.(?:\s|$)')
# What Lance says around the reason: a line of its source, what it parsed, and what it did.
_SOURCE = re.compile(r", /\S+\.rs:\d+:\d+")
_PARSED = re.compile(r"\(sql parser error: (.*)\)")
_DOING = re.compile(r"^(?:Error [a-z ]+: )+")
_PLACEHOLDER = re.compile(r"[$]\w+|(?<!:):\w+|\?")
_FOUND = re.compile(r"found: ([^\s,)]+)")
_SHOWN = 200


def enclosed(where: str) -> str:
    """Return a condition as a part of another; it may end with a comment."""
    return f"({where}\n)"


@contextmanager
def where_errors(place: Place, where: str | None) -> Iterator[None]:
    """Turn what Lance raises about rows that a condition, if any, is asked of into InputError."""
    about = [] if where is None else [f"one of which --where {where!r} can be asked"]
    with lance_errors(place, *about):
        yield


def check_condition(dataset: Any, name: str, where: str, hidden: str | None = None) -> None:
    """Raise UsageError, with one line, for what is no condition as a whole on the columns of a dataset.

    The line names an unknown column, and the columns that there are, but for `hidden`. `name` is that of the
    dataset in messages.
    """
    if open_value := _PLACEHOLDER.search(_NO_CODE.sub(" ", where)):
        # Lance panics at one, and prints a stack.
        raise UsageError(
            f"--where {where!r} leaves a value open: {open_value[0]}",
            hint='write it out, such as "year > 2020"',
        )
    try:
        _parse(dataset, where)
    except (OSError, ValueError, RuntimeError) as exc:
        if unknown := _UNKNOWN.search(str(exc)):
            columns = ", ".join(column for column in dataset.schema.names if column != hidden)
            raise UsageError(
                f"{name} has no column {unknown['column']!r}, which --where names; it has {columns}"
            ) from exc
        raise UsageError(
            f"--where {where!r} is not a condition on {name}: {_reason(exc)}",
            hint='write it in SQL, such as "year > 2020"',
        ) from exc
    rest = _rest(dataset, where)
    if rest is not None:
        # Lance drops what follows a condition: a second statement, a LIMIT.
        raise UsageError(f"--where {where!r} is more than a condition, which ends before {rest!r}")


def _parse(dataset: Any, where: str) -> None:
    # Reads no rows: names and types are checked.
    dataset.scanner(columns=[], with_row_id=True, filter=where, limit=0).to_table()


def _rest(dataset: Any, where: str) -> str | None:
    """Return with which word something follows a condition, None if nothing does."""
    depth = 0
    for character in _NO_CODE.sub(" ", where):
        depth += (character == "(") - (character == ")")
        if depth < 0:
            return ")"
    try:
        _parse(dataset, enclosed(where))
    except (OSError, ValueError, RuntimeError) as exc:
        found = _FOUND.search(str(exc))
        return found[1] if found else "its end"
    return None


def _reason(exc: BaseException) -> str:
    said = _SOURCE.sub("", " ".join(str(exc).split()))
    parsed = _PARSED.search(said)
    return _DOING.sub("", parsed[1] if parsed else said.rpartition("Invalid user input: ")[2])[:_SHOWN]
