"""What may stand at the cursor of a command line: commands, options, values, or names of files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from simil.cli.command_registry import COMMANDS, GROUPS, SIMPLE_COMMANDS, command_named, subcommands_of
from simil.cli.completion.typed_arguments import TypedArguments, typed_arguments
from simil.cli.options.declarations import Option, Parameter, ParameterDeclaration
from simil.frozen import Frozen

if TYPE_CHECKING:
    from simil.cli.completion.typed_line import TypedLine

__all__ = ["Candidate", "Completion", "completion_of"]

Kind = Literal["words", "files", "folders"]

# What the shell completes a value with, by the name that help gives it.
_KINDS: Mapping[str, Kind] = {
    **dict.fromkeys(("FILE", "LEFT", "RIGHT", "DATA", "OUTPUT"), "files"),
    "FOLDER": "folders",
}
_PATHS = ("./", "../", "/", "~")
_HELP = {"-h": "Show the main options and examples.", "--help": "Show all options."}


class Candidate(Frozen):
    """A word that may stand at the cursor, and what it means."""

    word: str
    about: str = ""


class Completion(Frozen):
    """What may stand at the cursor: the `candidates` if there are any, else names of the `kind`."""

    candidates: Sequence[Candidate] = ()
    kind: Kind = "words"


def completion_of(line: TypedLine) -> Completion:
    """Return what may stand at the cursor; loads no model, and asks no server but the user's."""
    command, words = _command(line)
    if command in SIMPLE_COMMANDS or " " in command:
        return _of_command(command, words, line)
    match line.before:
        case []:
            return _begun([*_commands(""), *_main_options()], line.word)
        case ["help", *names]:
            return _begun(_commands(" ".join(names)), line.word)
        case [group] if group in GROUPS:
            return _begun([*_commands(group), *_help_options()], line.word)
    return Completion()


def _command(line: TypedLine) -> tuple[str, Sequence[str]]:
    """Return the command of a line, empty for none, and the words behind it; see `command_named`."""
    match line.before:
        case [group, name, *words] if group in GROUPS and name in subcommands_of(group):
            return f"{group} {name}", words
        case ["models", *words] if words or line.word.startswith("-"):
            return "models list", words
        case [name, *words]:
            return name, words
    return "", ()


def _commands(group: str) -> Iterator[Candidate]:
    """Yield the subcommands of a group, or all commands if it has no name."""
    from simil.cli.help.command_texts import TEXTS

    names: Iterable[str] = ()
    if not group:
        names = (*COMMANDS, "help")
    elif group in GROUPS:
        names = subcommands_of(group)
    for name in names:
        yield Candidate(name, TEXTS[f"{group} {name}".lstrip()].purpose)


def _main_options() -> Iterator[Candidate]:
    from simil.cli.help.about_simil import SIMIL_OPTIONS

    yield from (Candidate(name, about) for names, _, about in SIMIL_OPTIONS for name in names)
    yield from _help_options()


def _help_options() -> Iterator[Candidate]:
    yield from (Candidate(name, about) for name, about in _HELP.items())


def _begun(candidates: Iterable[Candidate], word: str, kind: Kind = "words") -> Completion:
    """Return those candidates that begin with `word`, each once; no option where nothing has been typed."""
    begun = {
        candidate.word: candidate
        for candidate in candidates
        if candidate.word.startswith(word) and (word or not candidate.word.startswith("-"))
    }
    return Completion([*begun.values()], kind)


def _of_command(name: str, words: Sequence[str], line: TypedLine) -> Completion:
    parameters = command_named(name).parameters
    options = {name: parameter for parameter in parameters for name in _declared(parameter).names}
    typed, after = typed_arguments(words, options), typed_arguments(line.after, options)
    every = TypedArguments({**after.given, **typed.given}, [*typed.others, *after.others])
    if typed.unfinished is not None:
        return _values(typed.unfinished, line.word, every)
    if typed.ended or not line.word.startswith("-"):
        return _argument(parameters, line.word, len(typed.others), every)
    option, joined, value = line.word.partition("=")
    if not joined:
        return _begun([*_options(parameters, typed), *_help_options()], line.word)
    found = _values(options[option], value, every) if option in options else Completion()
    whole = [Candidate(f"{option}={one.word}", one.about) for one in found.candidates]
    return found.replaced(candidates=whole)


def _declared(parameter: Parameter) -> ParameterDeclaration:
    declared: ParameterDeclaration = parameter.annotation.__metadata__[0]
    return declared


def _options(parameters: Iterable[Parameter], typed: TypedArguments) -> Iterator[Candidate]:
    """Yield the options that can still be given: those that repeat, and those that have not been."""
    for parameter in parameters:
        declared = _declared(parameter)
        repeats = "list" in str(parameter.annotation.__origin__)
        if isinstance(declared, Option) and (repeats or parameter.name not in typed.given):
            yield from (Candidate(name, declared.help) for name in declared.names)


def _argument(parameters: Iterable[Parameter], word: str, number: int, every: TypedArguments) -> Completion:
    """Return what an argument without a name may be, before which there are `number` of them."""
    arguments = [one for one in parameters if not isinstance(_declared(one), Option)]
    metavars = [name for one in arguments for name in _declared(one).metavar.split()]
    if "queries" in every.given or "recall" in every.given:
        metavars = [name for name in metavars if name != "QUERY"]
    several = bool(arguments) and "list" in str(arguments[-1].annotation.__origin__)
    if not metavars or (number >= len(metavars) and not several):
        return Completion()
    name = metavars[min(number, len(metavars) - 1)]
    source = _declared(arguments[0]).autocompletion
    if source is not None:
        return _begun_values(source(word, every.given), word, name)
    # In lower case it is a word as it stands, and may be left out.
    literals = [name.strip("[]")] if word and name.islower() else []
    return _begun_values(literals, word, "FILE" if name.islower() else name.strip("[]."))


def _values(option: Parameter, word: str, every: TypedArguments) -> Completion:
    declared = _declared(option)
    values: Iterable[str] = declared.choices
    if declared.autocompletion is not None:
        values = declared.autocompletion(word, every.given)
    elif any(name.endswith("field") for name in declared.names):
        from simil.cli.completion.column_names import column_names

        values = column_names(every)
    return _begun_values(values, word, declared.metavar)


def _begun_values(values: Iterable[str], word: str, metavar: str) -> Completion:
    found = _begun(map(Candidate, values), word, _KINDS.get(metavar, "words"))
    # What looks like a path is one: a folder of a model, a tokenizer's file.
    return found.replaced(kind="files") if word.startswith(_PATHS) and found.kind == "words" else found
