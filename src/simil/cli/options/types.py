"""Options that mean the same in every command."""

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
    "PlotTo",
    "Precision",
    "Projection",
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
        help="Model: bge-base, minilm, openai[:MODEL], org/name, ./dir or plugin:NAME. \\[env: SIMIL_MODEL]",
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
        help="A model, as in the other commands; repeat it to compare several.",
        autocompletion=model_names,
        rich_help_panel=_MODEL,
    ),
]
Engine = Annotated[
    str | None,
    typer.Option(
        "--engine",
        metavar="auto|onnx|openvino|torch",
        help="The engine that runs a local model.",
        rich_help_panel=_MODEL,
    ),
]
Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="auto|cpu|cuda|mps",
        help="The device to run the model on.",
        rich_help_panel=_MODEL,
    ),
]
Precision = Annotated[
    str | None,
    typer.Option(
        "--precision",
        metavar="float32|bfloat16|int8",
        help="Numeric precision; lower ones are faster and need simil-cli\\[openvino].",
        rich_help_panel=_MODEL,
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        metavar="N",
        min=1,
        help="Number of cores to use (default: all physical cores).",
        rich_help_panel=_MODEL,
    ),
]
OverflowPolicy = Annotated[
    str | None,
    typer.Option(
        "--overflow",
        metavar="warn|truncate|error|chunk",
        help="What to do with a text longer than the model reads; warn truncates it and prints a note.",
        rich_help_panel=_MODEL,
    ),
]
Dimensions = Annotated[
    int | None,
    typer.Option(
        "--dimensions", metavar="N", min=1, help="Keep only the first N dimensions.", rich_help_panel=_MODEL
    ),
]
NoNormalize = Annotated[
    bool,
    typer.Option("--no-normalize", help="Do not scale vectors to length 1.", rich_help_panel=_MODEL),
]
BaseUrl = Annotated[
    str | None,
    typer.Option(
        "--base-url",
        metavar="URL",
        help="URL of an OpenAI-compatible server. \\[env: OPENAI_BASE_URL]",
        rich_help_panel=_MODEL,
    ),
]
Concurrency = Annotated[
    int | None,
    typer.Option(
        "--concurrency",
        metavar="N",
        min=1,
        help="Maximum number of API requests at a time (default: 4).",
        rich_help_panel=_MODEL,
    ),
]
RetriesLimit = Annotated[
    int | None,
    typer.Option(
        "--retries",
        metavar="N",
        min=0,
        help="How often to retry a failed API request (default: 5).",
        rich_help_panel=_MODEL,
    ),
]
Offline = Annotated[
    bool,
    typer.Option(
        "--offline", help="Make no network connection. \\[env: SIMIL_OFFLINE]", rich_help_panel=_MODEL
    ),
]
NoCache = Annotated[
    bool,
    typer.Option("--no-cache", help="Neither read nor write the vector cache.", rich_help_panel=_MODEL),
]
CalibrationFile = Annotated[
    Path | None,
    typer.Option(
        "--calibration",
        metavar="FILE",
        help="Use the calibration in FILE instead of the one that simil keeps for the model.",
    ),
]
EnvFile = Annotated[
    Path | None,
    typer.Option(
        "--env-file", metavar="FILE", help="Read settings from FILE instead of ./.env.", rich_help_panel=_RUN
    ),
]
InputFormatName = Annotated[
    str | None,
    typer.Option(
        "--input-format",
        metavar="text|jsonl|json|csv|tsv",
        help="Format of the input (default: by suffix).",
        rich_help_panel=_INPUT,
    ),
]
Fields = Annotated[
    list[str] | None,
    typer.Option(
        "--field", metavar="NAME", help="Column or key that holds the text.", rich_help_panel=_INPUT
    ),
]
IdField = Annotated[
    str | None,
    typer.Option(
        "--id-field", metavar="NAME", help="Column or key that holds the id.", rich_help_panel=_INPUT
    ),
]
NoHeader = Annotated[
    bool,
    typer.Option("--no-header", help="Treat the first row of csv or tsv as data.", rich_help_panel=_INPUT),
]
Nul = Annotated[
    bool,
    typer.Option(
        "-0", "--null", help="Separate texts by NUL bytes instead of newlines.", rich_help_panel=_INPUT
    ),
]
Whole = Annotated[bool, typer.Option("--whole", help="Treat each file as one text.", rich_help_panel=_INPUT)]
OnError = Annotated[
    str,
    typer.Option(
        "--on-error",
        metavar="fail|skip|null",
        help="What to do with a text that cannot be read or embedded: stop, or report it, leave it out or "
        "write null, and exit with 6.",
        rich_help_panel=_INPUT,
    ),
]
OnErrorReading = Annotated[
    str,
    typer.Option(
        "--on-error",
        metavar="fail|skip",
        help="What to do with a row that cannot be read: stop, or report it, leave it out and exit with 6. "
        "A text that a model refuses always fails.",
        rich_help_panel=_INPUT,
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="Write to FILE, in the format of its suffix; it appears complete or not at all.",
    ),
]
Files = Annotated[
    list[str] | None,
    typer.Argument(metavar="FILE", help="Texts, one per line, or saved vectors; - or no FILE reads stdin."),
]
Form = Annotated[
    str | None,
    typer.Option("-f", "--format", metavar="json|jsonl|csv|tsv", help="Output format for other programs."),
]
Quiet = Annotated[
    bool, typer.Option("-q", "--quiet", help="Print no notes and no progress.", rich_help_panel=_RUN)
]
Verbose = Annotated[
    bool, typer.Option("-v", "--verbose", help="Print what is done and why.", rich_help_panel=_RUN)
]
PlotTo = Annotated[
    str | None,
    typer.Option(
        "--plot",
        metavar="FILE.png|.svg|.html|-",
        help="Also draw a chart, to a file or to the terminal (-); needs simil-cli\\[plot].",
    ),
]
Projection = Annotated[
    str,
    typer.Option(
        "--projection",
        metavar="pca|umap",
        help="How --plot reduces vectors to two dimensions; umap needs simil-cli\\[umap].",
    ),
]
