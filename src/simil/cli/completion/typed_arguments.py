"""What has been typed behind the name of a command, as far as it makes sense."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from simil.cli.options.declarations import Parameter
from simil.frozen import Frozen

__all__ = ["TypedArguments", "typed_arguments"]


class TypedArguments(Frozen):
    """The arguments of a command line that is not complete.

    Attributes:
        given: the values of each option by the name of its parameter; flags have none.
        others: the arguments without a name.
        unfinished: the option whose value is still to come.
        ended: whether `--` says that no more options come.
    """

    given: Mapping[str, Sequence[str]]
    others: Sequence[str]
    unfinished: Parameter | None = None
    ended: bool = False

    def last(self, name: str) -> str | None:
        """Return the value of an option that counts, None if it has none."""
        values = self.given.get(name)
        return values[-1] if values else None


def typed_arguments(words: Sequence[str], options: Mapping[str, Parameter]) -> TypedArguments:
    """Sort words into options, which are known by their names, and others; unknown options are left out."""
    given: dict[str, list[str]] = {}
    others: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--":
            return TypedArguments(given, [*others, *rest], ended=True)
        if word == "-" or not word.startswith("-"):
            others.append(word)
            continue
        name, joined = _parts(word)
        option = options.get(name)
        if option is None:
            continue
        values = given.setdefault(option.name, [])
        if option.annotation.__origin__ is bool:
            continue
        value = next(rest, None) if joined is None else joined
        if value is None:
            return TypedArguments(given, others, unfinished=option)
        values.append(value)
    return TypedArguments(given, others)


def _parts(word: str) -> tuple[str, str | None]:
    """Return the name of an option, and the value that is written with it: `--name=value` or `-nvalue`."""
    if word.startswith("--"):
        name, joined, value = word.partition("=")
        return name, value if joined else None
    return word[:2], word[2:] or None
