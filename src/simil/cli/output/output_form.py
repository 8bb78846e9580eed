"""Which form an output has: a table on a terminal, plain lines in a pipe, or a format of the registry."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from simil.cli.options.values import check_choice
from simil.cli.output.output_file import is_terminal
from simil.errors import UsageError

__all__ = ["check_binary", "form_of", "form_of_suffix"]


def _forms() -> Sequence[str]:
    """Return the names of the formats that rows are written in."""
    from simil.formats.registry import FORMATS

    return [form.name for form in FORMATS if form.write]


def form_of(name: str | None, output: Path | None) -> str:
    """Return the form that `--format` names, or else the one for the place of the output.

    That is "table" on a terminal, "plain" in a pipe, and by the suffix of a file. Raises `UsageError` for an
    unknown one.
    """
    if name is not None:
        check_choice("--format", name, _forms())
        check_binary(name, output)
        return name
    if output is not None:
        found = form_of_suffix(output, [*_forms(), "text"])
        return "plain" if found == "text" else found
    return "table" if is_terminal() else "plain"


def check_binary(name: str, output: Path | None) -> None:
    """Raise `UsageError` if a format is no text and would go to a terminal."""
    from simil.formats.registry import FORMATS

    if output is None and is_terminal() and any(form.name == name and form.is_binary for form in FORMATS):
        raise UsageError(
            f"{name} is binary and stdout is a terminal", hint=f"use -o FILE.{name} or redirect it"
        )


def form_of_suffix(output: Path, names: Sequence[str]) -> str:
    """Return which of the formats with these names the suffix of `output` means; raises `UsageError`."""
    from simil.formats.registry import known_suffixes, suffix_format

    form = suffix_format(output)
    if form is None or form.name not in names:
        raise UsageError(
            f"{output} has no suffix that names a format ({known_suffixes(names)})",
            hint="use one, or --format",
        )
    return form.name
