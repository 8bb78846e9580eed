"""The complete help of each command, as data; see `simil.cli.help`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from simil.cli.command_registry import COMMANDS, GROUPS, command_named, subcommands_of
from simil.cli.help.about_simil import EXIT_CODES, HEADINGS, SIMIL, SIMIL_OPTIONS, VARIABLES
from simil.cli.help.command_text import CommandText, Example
from simil.cli.help.command_texts import TEXTS
from simil.cli.options.declarations import REQUIRED, Option, Parameter, ParameterDeclaration
from simil.frozen import Frozen

__all__ = ["CommandPage", "Entry", "EntryGroup", "Named", "SubcommandGroup", "page_names", "page_of"]

_OWN_OPTIONS = "Options"


class Entry(Frozen):
    """An option or an argument as help shows it.

    An argument has no `names`. `choices`, `default` and `variable` are as in `ParameterDeclaration`; without
    words for the default, `default` is its value.
    """

    names: Sequence[str]
    metavar: str
    help: str
    choices: Sequence[str] = ()
    default: str = ""
    variable: str = ""

    @property
    def label(self) -> str:
        """How it is written on a command line: `-k, --top-k N`, or `[FILE]...`."""
        names = ", ".join(sorted(self.names, key=len))
        return " ".join(part for part in (names, self.metavar) if part)

    @property
    def notes(self) -> list[str]:
        """Its values, its default and its variable, each in words."""
        values = ", ".join(self.choices)
        named = {"values": values, "default": self.default, "env": self.variable}
        return [f"{name}: {value}" for name, value in named.items() if value]


class EntryGroup(Frozen):
    """Options under a heading."""

    heading: str
    entries: Sequence[Entry]


class Named(Frozen):
    """A command, an exit code or a variable, and what it is for."""

    name: str
    meaning: str


class SubcommandGroup(Frozen):
    """Commands under a heading; their names are those that `page_of` takes."""

    heading: str
    commands: Sequence[Named]


class CommandPage(Frozen):
    """All that help says of a command; the name of `simil` itself is empty.

    `common` are the options that `-h` shows. `variables` are environment variables that no option shows.
    """

    name: str
    purpose: str
    usage: Sequence[str]
    description: Sequence[str]
    arguments: Sequence[Entry]
    groups: Sequence[EntryGroup]
    common: Sequence[Entry]
    examples: Sequence[Example]
    exit_codes: Sequence[Named]
    variables: Sequence[Named] = ()
    subcommands: Sequence[SubcommandGroup] = ()

    @property
    def title(self) -> str:
        """The command as it is typed: `simil models list`."""
        return f"simil {self.name}".rstrip()


_HELP = Entry(("-h", "--help"), "", "Show help: a summary with -h, all options with --help.")
_SIMIL_GROUPS = (EntryGroup(_OWN_OPTIONS, (*(Entry(*one) for one in SIMIL_OPTIONS), _HELP)),)


def page_names() -> list[str]:
    """Return the names of all pages: the empty one of simil, then each command and its subcommands."""
    names = [""]
    for name in (*COMMANDS, "help"):
        names += [name, *(f"{name} {one}" for one in (subcommands_of(name) if name in GROUPS else ()))]
    return names


def page_of(name: str) -> CommandPage:
    """Return the page of a command, of a subcommand by two words, of simil by an empty name.

    Raises `KeyError` for any other name.
    """
    text = TEXTS[name] if name else SIMIL
    arguments, groups = _entries(_parameters(name)) if name else ((), _SIMIL_GROUPS)
    return CommandPage(
        name,
        text.purpose,
        usage=[f"simil {name} {line}".replace("  ", " ").rstrip() for line in text.usage],
        description=text.description,
        arguments=arguments,
        groups=groups,
        common=[_entry_named(one, groups) for one in text.common.split()],
        examples=text.examples,
        exit_codes=_exit_codes(text),
        variables=() if name else [Named(*one) for one in VARIABLES],
        subcommands=_subcommands(name),
    )


def _parameters(name: str) -> Sequence[Parameter]:
    if name in GROUPS:  # `simil models` alone is `simil models list`.
        return command_named("models list").parameters if name == "models" else ()
    return () if name == "help" else command_named(name).parameters


def _entries(parameters: Sequence[Parameter]) -> tuple[Sequence[Entry], Sequence[EntryGroup]]:
    """Return the arguments and the groups of options, the command's own options first."""
    arguments: list[Entry] = []
    groups: dict[str, list[Entry]] = {_OWN_OPTIONS: []}
    for parameter in parameters:
        declared: ParameterDeclaration = parameter.annotation.__metadata__[0]
        if isinstance(declared, Option):
            groups.setdefault(declared.group or _OWN_OPTIONS, []).append(_entry(declared, parameter))
        else:
            arguments.append(_entry(declared, parameter))
    groups[_OWN_OPTIONS].append(_HELP)
    return arguments, [EntryGroup(heading, entries) for heading, entries in groups.items()]


def _entry(declared: ParameterDeclaration, parameter: Parameter) -> Entry:
    return Entry(
        declared.names,
        declared.metavar,
        declared.help,
        declared.choices,
        declared.default or _default_in_words(parameter.default),
        declared.variable,
    )


def _default_in_words(value: Any) -> str:
    return "" if value is REQUIRED or value is None or value is False else str(value)


def _entry_named(name: str, groups: Sequence[EntryGroup]) -> Entry:
    every = {one: entry for group in groups for entry in group.entries for one in entry.names}
    return every[name]


def _exit_codes(text: CommandText) -> list[Named]:
    codes = EXIT_CODES | ({1: text.negative} if text.negative else {})
    wanted = {0, *text.failures} | ({1} if text.negative else set())
    return [Named(str(code), codes[code]) for code in sorted(wanted)]


def _subcommands(name: str) -> list[SubcommandGroup]:
    if not name:
        return [_subcommand_group(heading, commands) for heading, commands in HEADINGS.items()]
    if name in GROUPS:
        return [_subcommand_group("Commands", [f"{name} {one}" for one in subcommands_of(name)])]
    return []


def _subcommand_group(heading: str, names: Sequence[str]) -> SubcommandGroup:
    return SubcommandGroup(heading, [Named(name, TEXTS[name].purpose) for name in names])
