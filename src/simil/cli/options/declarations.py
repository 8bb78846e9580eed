"""How options and arguments are declared: once, for Typer and for what reads plain command lines without it.

A parameter of a command is `Annotated[type, Option(…)]`. `fast_typer` makes Typer's own declaration of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["REQUIRED", "Argument", "Option", "Parameter", "ParameterDeclaration"]

REQUIRED: Any = object()
"""The default of a parameter that has none."""


class ParameterDeclaration:
    """What a parameter is called on the command line, and what Typer is told of it; see `typer.Option`.

    Attributes:
        names: the names of an option, none for an argument.
        told: what else Typer takes, by the names of its parameters.
    """

    def __init__(self, names: Sequence[str], told: dict[str, Any]) -> None:
        self.names = names
        self.told = {name: value for name, value in told.items() if value is not None}


class Option(ParameterDeclaration):
    """An option, with a value unless its type is `bool`."""

    def __init__(
        self,
        *names: str,
        help: str,  # noqa: A002 (Typer's name)
        metavar: str | None = None,
        min: int | None = None,  # noqa: A002
        rich_help_panel: str | None = None,
        autocompletion: Callable[..., list[str]] | None = None,
    ) -> None:
        told = {
            "help": help,
            "metavar": metavar,
            "min": min,
            "rich_help_panel": rich_help_panel,
            "autocompletion": autocompletion,
        }
        super().__init__(names, told)


class Argument(ParameterDeclaration):
    """An argument that has no name of its own."""

    def __init__(self, *, metavar: str, help: str) -> None:  # noqa: A002
        super().__init__((), {"metavar": metavar, "help": help})


class Parameter:
    """A parameter of a command: its name in Python, its annotation, and its default, `REQUIRED` for none."""

    __slots__ = ("annotation", "default", "name")

    def __init__(self, name: str, annotation: Any, default: Any) -> None:
        self.name = name
        self.annotation = annotation
        self.default = default
