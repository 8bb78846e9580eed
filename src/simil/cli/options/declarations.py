"""How options and arguments are declared: once, for Typer and for what reads plain command lines without it.

A parameter of a command is `Annotated[type, Option(…)]`. `fast_typer` makes Typer's own declaration of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

__all__ = ["REQUIRED", "Argument", "Option", "Parameter", "ParameterDeclaration", "ValuesOf"]

REQUIRED: Any = object()
"""The default of a parameter that has none."""
ValuesOf = Callable[[str, Mapping[str, Sequence[str]]], Iterable[str]]
"""Returns what a value may be, by its beginning and by the values of the options on the same command line."""


class ParameterDeclaration:
    """What a parameter is called on the command line, and what help says of it.

    Attributes:
        names: the names of an option, none for an argument.
        metavar: the name of its value; empty for a flag.
        help: what it does.
        choices: all values that it takes, or the usual ones where `help` names others; empty for free text.
        default: what holds without it, in words, where the default value does not say so.
        variable: the environment variable that it takes precedence over.
        group: the heading that it stands under in help; empty for the command's own options.
        autocompletion: what completes its value in the shell; None for its choices.
        told: what else Typer takes, by the names of its parameters.
    """

    def __init__(
        self,
        names: Sequence[str],
        *,
        metavar: str = "",
        help: str,  # noqa: A002 (Typer's name)
        choices: Sequence[str] = (),
        default: str = "",
        variable: str = "",
        group: str = "",
        autocompletion: ValuesOf | None = None,
        told: dict[str, Any],
    ) -> None:
        self.names, self.metavar, self.help = names, metavar, help
        self.choices, self.default, self.variable, self.group = choices, default, variable, group
        self.autocompletion = autocompletion
        self.told = {name: value for name, value in told.items() if value is not None}


class Option(ParameterDeclaration):
    """An option, with a value unless its type is `bool`."""

    def __init__(
        self,
        *names: str,
        help: str,  # noqa: A002 (Typer's name)
        metavar: str = "",
        min: int | None = None,  # noqa: A002
        choices: Sequence[str] = (),
        default: str = "",
        variable: str = "",
        group: str = "",
        autocompletion: ValuesOf | None = None,
    ) -> None:
        super().__init__(
            names,
            metavar=metavar,
            help=help,
            choices=choices,
            default=default,
            variable=variable,
            group=group,
            autocompletion=autocompletion,
            told={"min": min},
        )


class Argument(ParameterDeclaration):
    """An argument that has no name of its own."""

    def __init__(
        self,
        *,
        metavar: str,
        help: str,  # noqa: A002
        default: str = "",
        autocompletion: ValuesOf | None = None,
    ) -> None:
        super().__init__(
            (), metavar=metavar, help=help, default=default, autocompletion=autocompletion, told={}
        )


class Parameter:
    """A parameter of a command: its name in Python, its annotation, and its default, `REQUIRED` for none."""

    __slots__ = ("annotation", "default", "name")

    def __init__(self, name: str, annotation: Any, default: Any) -> None:
        self.name = name
        self.annotation = annotation
        self.default = default
