"""Options that mean the same in every command."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

from simil.cli.options.completion import language_names, model_and_server_names, reranker_names
from simil.cli.options.declarations import Argument, Option

__all__ = [
    "Actors",
    "BaseUrl",
    "BatchSize",
    "CalibrationFile",
    "Candidates",
    "Collection",
    "Concurrency",
    "CoresPerActor",
    "Delimiter",
    "Device",
    "Dimensions",
    "Encoding",
    "Engine",
    "EnvFile",
    "Exact",
    "Fields",
    "Files",
    "Form",
    "Hybrid",
    "IdField",
    "InputFormatName",
    "MaxTokens",
    "Model",
    "Models",
    "NoCache",
    "NoHeader",
    "NoNormalize",
    "Nul",
    "Offline",
    "On",
    "OnError",
    "OnErrorNull",
    "OnErrorPairs",
    "OnErrorReading",
    "Output",
    "OverflowPolicy",
    "PlotTo",
    "Precision",
    "Projection",
    "Quiet",
    "Recall",
    "Rerank",
    "RetriesLimit",
    "Sheet",
    "TextOrJson",
    "Threads",
    "Timeout",
    "TokenizerName",
    "TrustCache",
    "Verbose",
    "Where",
    "Whole",
    "WordLanguage",
    "Words",
]

# The panels of options in --help.
_model = partial(Option, rich_help_panel="Model")
_input = partial(Option, rich_help_panel="Input")
_words = partial(Option, rich_help_panel="Words")
_stored = partial(Option, rich_help_panel="Lance datasets")
_run = partial(Option, rich_help_panel="Run")
_cluster = partial(Option, rich_help_panel="Many machines")

Model = Annotated[
    str | None,
    _model(
        "-m",
        "--model",
        metavar="NAME",
        help="Model: bge-base, minilm, openai[:MODEL], org/name, ./dir or plugin:NAME. \\[env: SIMIL_MODEL]",
        autocompletion=model_and_server_names,
    ),
]
Models = Annotated[
    list[str] | None,
    _model(
        "-m",
        "--model",
        metavar="NAME",
        help="A model, as in the other commands; repeat it to compare several.",
        autocompletion=model_and_server_names,
    ),
]
Rerank = Annotated[
    str | None,
    Option(
        "--rerank",
        metavar="NAME",
        help="Order the best results by this cross-encoder, which reads two texts at once: "
        "better and slower.",
        autocompletion=reranker_names,
    ),
]
Candidates = Annotated[
    int | None,
    Option(
        "--candidates",
        metavar="N",
        min=1,
        help="How many of the best results --rerank orders (default: 100).",
    ),
]
Engine = Annotated[
    str | None,
    _model(
        "--engine",
        metavar="ENGINE",
        help="The engine that runs a local model: auto, onnx, openvino, packed or torch.",
    ),
]
Device = Annotated[
    str | None,
    _model(
        "--device",
        metavar="DEVICE",
        help="Where the model runs: auto, cpu, cuda, mps; cuda:0,1 or cuda:all for several graphics cards.",
    ),
]
Precision = Annotated[
    str | None,
    _model(
        "--precision",
        metavar="PRECISION",
        help="Numeric precision: auto (float32 on a processor, mostly float16 on a graphics card), float32, "
        "float16, bfloat16, or int8, which needs simil-cli\\[openvino].",
    ),
]
Threads = Annotated[
    int | None,
    _model("--threads", metavar="N", min=1, help="Number of cores to use (default: all physical cores)."),
]
OverflowPolicy = Annotated[
    str | None,
    _model(
        "--overflow",
        metavar="warn|truncate|error|chunk",
        help="What to do with a text longer than the model reads; warn truncates it and prints a note.",
    ),
]
Dimensions = Annotated[
    int | None, _model("--dimensions", metavar="N", min=1, help="Keep only the first N dimensions.")
]
NoNormalize = Annotated[bool, _model("--no-normalize", help="Do not scale vectors to length 1.")]
BaseUrl = Annotated[
    str | None,
    _model("--base-url", metavar="URL", help="URL of an OpenAI-compatible server. \\[env: OPENAI_BASE_URL]"),
]
Concurrency = Annotated[
    int | None,
    _model(
        "--concurrency", metavar="N", min=1, help="Maximum number of API requests at a time (default: 4)."
    ),
]
RetriesLimit = Annotated[
    int | None,
    _model("--retries", metavar="N", min=0, help="How often to retry a failed API request (default: 5)."),
]
BatchSize = Annotated[
    int | None,
    _model("--batch-size", metavar="N", min=1, help="Texts in an API request (default: by its speed)."),
]
Timeout = Annotated[
    float | None,
    _model(
        "--timeout", metavar="SECONDS", help="How long an API request may take (default: 60 without a byte)."
    ),
]
TokenizerName = Annotated[
    str | None,
    _model(
        "--tokenizer",
        metavar="FILE|NAME",
        help="What counts tokens for a server that is not OpenAI's: a tokenizer.json, a model or an encoding "
        "of tiktoken.",
    ),
]
MaxTokens = Annotated[
    int | None,
    _model("--max-tokens", metavar="N", min=1, help="How many tokens the server's model reads."),
]
TrustCache = Annotated[
    bool,
    _model("--trust-cache", help="Do not check that the server still has the model of cached vectors."),
]
Offline = Annotated[bool, _model("--offline", help="Make no network connection. \\[env: SIMIL_OFFLINE]")]
NoCache = Annotated[bool, _model("--no-cache", help="Neither read nor write the vector cache.")]
CalibrationFile = Annotated[
    Path | None,
    Option(
        "--calibration",
        metavar="FILE",
        help="Use the calibration in FILE instead of the one that simil keeps for the model.",
    ),
]
EnvFile = Annotated[
    Path | None, _run("--env-file", metavar="FILE", help="Read settings from FILE instead of ./.env.")
]
InputFormatName = Annotated[
    str | None,
    _input(
        "--input-format",
        metavar="FORMAT",
        help="Format of the input: text, jsonl, json, csv, tsv, xlsx, parquet, arrow or lance (default: by "
        "suffix).",
    ),
]
Fields = Annotated[
    list[str] | None, _input("--field", metavar="NAME", help="Column or key that holds the text.")
]
IdField = Annotated[str | None, _input("--id-field", metavar="NAME", help="Column or key that holds the id.")]
NoHeader = Annotated[bool, _input("--no-header", help="Treat the first row of a table as data.")]
Delimiter = Annotated[
    str | None,
    _input(
        "--delimiter",
        metavar="CHAR",
        help="What separates the cells of csv or tsv: a character, or tab (default: by the first row).",
    ),
]
Encoding = Annotated[
    str | None,
    _input(
        "--encoding",
        metavar="NAME",
        help="Encoding of the input, e.g. cp1252 (default: by a byte order mark, else UTF-8).",
    ),
]
Sheet = Annotated[
    str | None,
    _input("--sheet", metavar="NAME", help="Sheet of a workbook, by name or number (default: the first)."),
]
Collection = Annotated[
    str | None,
    _input(
        "--collection",
        metavar="NAME",
        help="Which collection of llm's embeddings.db to read (default: the only one).",
    ),
]
Nul = Annotated[bool, _input("-0", "--null", help="Separate texts by NUL bytes instead of newlines.")]
MaxTextBytes = Annotated[
    int | None,
    _input(
        "--max-text-bytes",
        metavar="N",
        min=0,
        help="Longest text or row that is read (default: 64000000); 0 for no limit.",
    ),
]
Whole = Annotated[bool, _input("--whole", help="Treat each file as one text.")]
OnError = Annotated[
    str,
    _input(
        "--on-error",
        metavar="fail|skip",
        help="What to do with a text that cannot be read or embedded: stop, or report it, leave it out and "
        "exit with 6.",
    ),
]
OnErrorNull = Annotated[
    str,
    _input(
        "--on-error",
        metavar="fail|skip|null",
        help="What to do with a text that cannot be read or embedded: stop, or report it, leave it out or "
        "write null in its place, and exit with 6. null keeps the place of blank texts too.",
    ),
]
OnErrorPairs = Annotated[
    str,
    _input(
        "--on-error",
        metavar="fail|skip|null",
        help="What to do with a text that cannot be read or embedded: stop, or report it, leave it out or, "
        "with --pairs, write null for its row, and exit with 6. null keeps rows with blank texts too.",
    ),
]
OnErrorReading = Annotated[
    str,
    _input(
        "--on-error",
        metavar="fail|skip",
        help="What to do with a row that cannot be read: stop, or report it, leave it out and exit with 6. "
        "A text that a model refuses always fails.",
    ),
]
On = Annotated[
    str | None,
    _cluster(
        "--on",
        metavar="ray[://HOST:PORT]",
        help="Embed on a Ray cluster, without an address on this machine or where RAY_ADDRESS says, into a "
        "folder of Parquet files or a Lance dataset; needs simil-cli\\[ray].",
    ),
]
Actors = Annotated[
    int | None,
    _cluster("--actors", metavar="N", min=1, help="How many processes embed (default: as many as fit)."),
]
CoresPerActor = Annotated[
    int | None,
    _cluster(
        "--cores-per-actor", metavar="N", min=1, help="How many cores each of them has (default: about 4)."
    ),
]
Output = Annotated[
    Path | None,
    Option(
        "-o",
        "--output",
        metavar="FILE",
        help="Write to FILE, in the format of its suffix; it appears complete or not at all.",
    ),
]
Files = Annotated[
    list[str] | None,
    Argument(metavar="FILE", help="Texts, one per line, or saved vectors; - or no FILE reads stdin."),
]
Form = Annotated[
    str | None,
    Option(
        "-f",
        "--format",
        metavar="FORMAT",
        help="Output format for other programs: json, jsonl, csv, tsv, parquet or arrow.",
    ),
]
TextOrJson = Annotated[str, Option("-f", "--format", metavar="text|json", help="Output format.")]
Words = Annotated[
    bool, _words("--words", help="Search by words alone (BM25), as a search engine does; needs no model.")
]
Hybrid = Annotated[
    bool,
    _words("--hybrid", help="Search by words and by meaning, and join the two rankings."),
]
WordLanguage = Annotated[
    str | None,
    _words(
        "--language",
        metavar="NAME",
        help="The language whose endings do not count (default: english); none: all endings count.",
        autocompletion=language_names,
    ),
]
Exact = Annotated[
    bool, _stored("--exact", help="Compare with every vector, not only with candidates from the index.")
]
Recall = Annotated[
    bool,
    _stored(
        "--recall",
        help="Instead of searching for a QUERY, measure how many of the -k nearest rows the index finds, on "
        "a sample of the rows.",
    ),
]
Where = Annotated[
    str | None,
    _stored(
        "--where",
        metavar="SQL",
        help='Search only rows for which a condition on their columns holds, such as "year > 2020".',
    ),
]
Quiet = Annotated[bool, _run("-q", "--quiet", help="Print no notes and no progress.")]
SafeCsv = Annotated[
    bool,
    Option(
        "--safe-csv",
        help="Write an apostrophe before cells of csv and tsv that a spreadsheet would take for formulas.",
    ),
]
Verbose = Annotated[bool, _run("-v", "--verbose", help="Print what is done and why.")]
PlotTo = Annotated[
    str | None,
    Option(
        "--plot",
        metavar="FILE.png|.svg|.html|-",
        help="Also draw a chart, to a file or the terminal (-); all but .html need simil-cli\\[plot].",
    ),
]
Projection = Annotated[
    str,
    Option(
        "--projection",
        metavar="pca|umap",
        help="How --plot reduces vectors to two dimensions; umap needs simil-cli\\[umap].",
    ),
]
