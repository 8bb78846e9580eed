"""Options that mean the same for every command, and what a run makes of them."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simil.cli.completion import model_names
from simil.config import Settings, load_settings
from simil.errors import InputError, Place, UsageError

if TYPE_CHECKING:
    from simil.embedders.base import Kind
    from simil.texts import ReadOptions, Text

__all__ = [
    "BaseUrl",
    "CalibrationFile",
    "Concurrency",
    "Device",
    "Dimensions",
    "Engine",
    "EnvFile",
    "Fields",
    "Files",
    "Form",
    "IdField",
    "InputFormatName",
    "Model",
    "Models",
    "NoCache",
    "NoHeader",
    "NoNormalize",
    "Nul",
    "Offline",
    "OnError",
    "OnErrorReading",
    "Output",
    "OverflowPolicy",
    "Precision",
    "Quiet",
    "RetriesLimit",
    "Run",
    "Threads",
    "Verbose",
    "Whole",
    "check_choice",
    "check_threshold",
    "given",
    "kind_named",
    "quieted",
    "read_options",
    "refuse_blank",
    "start",
    "tell_of_stdin",
]

_MODEL, _INPUT, _RUN = "Model", "Input", "Run"

Model = Annotated[
    str | None,
    typer.Option(
        "-m",
        "--model",
        metavar="NAME",
        help="bge-base, minilm, openai[:MODEL], org/name, ./dir or plugin:NAME. (environment: SIMIL_MODEL)",
        autocompletion=model_names,
        rich_help_panel=_MODEL,
    ),
]
Models = Annotated[
    list[str] | None,
    typer.Option(
        "-m",
        "--model",
        metavar="NAME",
        help="A model as every command takes it; repeat it to hold several against each other.",
        autocompletion=model_names,
        rich_help_panel=_MODEL,
    ),
]
Engine = Annotated[
    str | None,
    typer.Option(
        "--engine",
        metavar="auto|onnx|openvino|torch",
        help="What runs a local model.",
        rich_help_panel=_MODEL,
    ),
]
Device = Annotated[
    str | None,
    typer.Option("--device", metavar="auto|cpu|cuda|mps", help="Where it runs.", rich_help_panel=_MODEL),
]
Precision = Annotated[
    str | None,
    typer.Option(
        "--precision",
        metavar="float32|bfloat16|int8",
        help="In how many bits it computes; fewer are faster, and need simil-cli\\[openvino].",
        rich_help_panel=_MODEL,
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        metavar="N",
        min=1,
        help="Cores to use (default: all physical ones).",
        rich_help_panel=_MODEL,
    ),
]
OverflowPolicy = Annotated[
    str | None,
    typer.Option(
        "--overflow",
        metavar="warn|truncate|error|chunk",
        help="What happens to a text longer than the model reads; warn cuts it and says so.",
        rich_help_panel=_MODEL,
    ),
]
Dimensions = Annotated[
    int | None,
    typer.Option(
        "--dimensions", metavar="N", min=1, help="Keep the first N dimensions.", rich_help_panel=_MODEL
    ),
]
NoNormalize = Annotated[
    bool,
    typer.Option(
        "--no-normalize", help="Leave vectors as long as the model makes them.", rich_help_panel=_MODEL
    ),
]
BaseUrl = Annotated[
    str | None,
    typer.Option(
        "--base-url",
        metavar="URL",
        help="An OpenAI-compatible server. (environment: OPENAI_BASE_URL)",
        rich_help_panel=_MODEL,
    ),
]
Concurrency = Annotated[
    int | None,
    typer.Option(
        "--concurrency",
        metavar="N",
        min=1,
        help="Requests to an API at a time (default: 4).",
        rich_help_panel=_MODEL,
    ),
]
RetriesLimit = Annotated[
    int | None,
    typer.Option(
        "--retries",
        metavar="N",
        min=0,
        help="How often a request to an API is sent again (default: 5).",
        rich_help_panel=_MODEL,
    ),
]
Offline = Annotated[
    bool,
    typer.Option(
        "--offline", help="Open no connection. (environment: HF_HUB_OFFLINE)", rich_help_panel=_MODEL
    ),
]
NoCache = Annotated[
    bool,
    typer.Option("--no-cache", help="Compute every vector anew, and keep none.", rich_help_panel=_MODEL),
]
CalibrationFile = Annotated[
    Path | None,
    typer.Option(
        "--calibration",
        metavar="FILE",
        help="The file of the calibration, in place of the one that simil keeps of the model.",
    ),
]
EnvFile = Annotated[
    Path | None,
    typer.Option(
        "--env-file", metavar="FILE", help="Read settings from FILE, not ./.env.", rich_help_panel=_RUN
    ),
]
InputFormatName = Annotated[
    str | None,
    typer.Option(
        "--input-format",
        metavar="text|jsonl|json|csv|tsv",
        help="Instead of going by suffix.",
        rich_help_panel=_INPUT,
    ),
]
Fields = Annotated[
    list[str] | None,
    typer.Option("--field", metavar="NAME", help="The column or key of the text.", rich_help_panel=_INPUT),
]
IdField = Annotated[
    str | None,
    typer.Option("--id-field", metavar="NAME", help="The column or key of the id.", rich_help_panel=_INPUT),
]
NoHeader = Annotated[
    bool, typer.Option("--no-header", help="The first row of a csv or tsv is data.", rich_help_panel=_INPUT)
]
Nul = Annotated[bool, typer.Option("-0", "--null", help="Texts end with a NUL byte.", rich_help_panel=_INPUT)]
Whole = Annotated[bool, typer.Option("--whole", help="Each file is one text.", rich_help_panel=_INPUT)]
OnError = Annotated[
    str,
    typer.Option(
        "--on-error",
        metavar="fail|skip|null",
        help="A text that cannot be read or embedded: stop, or list it, go on without or with null, exit 6.",
        rich_help_panel=_INPUT,
    ),
]
OnErrorReading = Annotated[
    str,
    typer.Option(
        "--on-error",
        metavar="fail|skip",
        help="A row that cannot be read: stop, or list it and go on without, exit 6. "
        "A model that refuses a text fails.",
        rich_help_panel=_INPUT,
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o", "--output", metavar="FILE", help="Write FILE, whole or not at all, in the form of its suffix."
    ),
]
Files = Annotated[
    list[str] | None,
    typer.Argument(metavar="FILE", help="Texts, one a line, or saved vectors; - or nothing for stdin."),
]
Form = Annotated[
    str | None, typer.Option("-f", "--format", metavar="json|jsonl|csv|tsv", help="For machines.")
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="No notes, no progress.", rich_help_panel=_RUN)]
Verbose = Annotated[
    bool, typer.Option("-v", "--verbose", help="Say what is done and why.", rich_help_panel=_RUN)
]


@dataclass(frozen=True, slots=True)
class Run:
    """What every command is given: its settings, and whether it may speak."""

    settings: Settings
    quiet: bool


@contextmanager
def start(*, quiet: bool, verbose: bool, **flags: Any) -> Iterator[Run]:
    """Set up a run: settings from flags and elsewhere, notes on stderr as loud as asked for."""
    if quiet and verbose:
        raise UsageError("-q and -v contradict each other", hint="pass one of them")
    with _logging(logging.ERROR if quiet else logging.INFO if verbose else logging.WARNING):
        yield Run(load_settings(**flags), quiet)


@contextmanager
def quieted() -> Iterator[None]:
    """Let nothing but errors be said on stderr, in a run that tells of everything itself."""
    with _logging(logging.ERROR):
        yield


@contextmanager
def _logging(level: int) -> Iterator[None]:
    logger = logging.getLogger("simil")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("simil: %(message)s"))
    before, propagated = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
        logger.propagate = propagated


def check_choice(option: str, value: str, choices: Iterable[str]) -> None:
    """Raise `UsageError` for a value of an option that is none of its choices."""
    known = [*choices]
    if value not in known:
        raise UsageError(f"{option} cannot be {value!r}", hint=f"choose one of {', '.join(known)}")


def check_threshold(threshold: float | None) -> None:
    """Raise `UsageError` for a threshold that nothing can be compared with."""
    if threshold is not None and isnan(threshold):
        raise UsageError("--threshold cannot be nan", hint="give a number")


def read_options(
    input_format: str | None,
    fields: list[str] | None,
    id_field: str | None,
    *,
    nul: bool,
    whole: bool,
    header: bool,
    all_fields: bool = False,
) -> ReadOptions:
    """Return how texts are to be read, from the options that say so."""
    from simil.texts import InputFormat, ReadOptions

    if input_format is not None:
        check_choice("--input-format", input_format, InputFormat)
    form = InputFormat(input_format) if input_format else None
    return ReadOptions(
        form, tuple(fields or ()), id_field, whole=whole, nul=nul, header=header, all_fields=all_fields
    )


def tell_of_stdin(sources: Sequence[str]) -> None:
    """Say on stderr that the run waits for texts, where a person at a terminal is to type them."""
    if "-" in sources and sys.stdin is not None and sys.stdin.isatty():
        sys.stderr.write("simil: reading texts from the terminal, one a line; Ctrl-D ends\n")


def kind_named(name: str) -> Kind:
    """Return the kind of text that `--kind` names."""
    from simil.embedders.base import Kind

    check_choice("--kind", name, Kind)
    return Kind(name)


def given(
    texts: Iterable[str], source: str, on_blank: Callable[[Place], None], *, first: int = 1
) -> Iterator[Text]:
    """Yield texts from the command line; their ids are numbers from `first`, their places `source:number`.

    Blank ones go to `on_blank`. Raises `InputError` for bytes that are not UTF-8.
    """
    from simil.texts import Text, is_blank

    for number, text in enumerate(texts, first):
        place = Place(source, number)
        if is_blank(text):
            on_blank(place)
        else:
            yield Text(str(number), _checked(text, place), place, {})


def refuse_blank(place: Place) -> None:
    """Raise the `InputError` of a blank text where one cannot be left out."""
    raise InputError("there is no text in it", place=place)


def _checked(text: str, place: Place) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        pass
    else:
        return text
    try:
        # Python could not read it in the encoding of this locale, which is not always that of the text.
        return os.fsencode(text).decode()
    except UnicodeError as exc:
        raise InputError("is not UTF-8", place=place, hint="convert it first, as with iconv") from exc
