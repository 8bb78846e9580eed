"""Options that mean the same for every command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simil.cli.options.completion import model_names

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
    "Threads",
    "Verbose",
    "Whole",
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
