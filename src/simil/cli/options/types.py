"""Options that mean the same in every command."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

from simil.cli.options.completion import (
    file_type_names,
    language_names,
    model_and_server_names,
    reranker_names,
)
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
    "FileTypes",
    "Files",
    "Form",
    "Globs",
    "Hybrid",
    "IdField",
    "Ignore",
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
    "Sort",
    "TextOrJson",
    "Threads",
    "Timeout",
    "TokenizerName",
    "TrustCache",
    "TypeList",
    "Verbose",
    "Where",
    "Whole",
    "WordLanguage",
    "Words",
]

# The groups of options in --help.
_model = partial(Option, group="Model")
_input = partial(Option, group="Input")
_words = partial(Option, group="Words")
_stored = partial(Option, group="Lance datasets")
_run = partial(Option, group="Run")
_cluster = partial(Option, group="Many machines")

Model = Annotated[
    str | None,
    _model(
        "-m",
        "--model",
        metavar="NAME",
        help="Model to use: bge-base, minilm, openai[:MODEL], org/name, ./folder or plugin:NAME.",
        default="bge-base, or minilm if it is not available",
        variable="SIMIL_MODEL",
        autocompletion=model_and_server_names,
    ),
]
Models = Annotated[
    list[str] | None,
    _model(
        "-m",
        "--model",
        metavar="NAME",
        help="Model to measure, named as in the other commands; repeat to compare several.",
        default="bge-base, or minilm if it is not available",
        variable="SIMIL_MODEL",
        autocompletion=model_and_server_names,
    ),
]
Rerank = Annotated[
    str | None,
    Option(
        "--rerank",
        metavar="NAME",
        help="Reorder the best results with this cross-encoder, such as ms-marco-minilm: slower, but more "
        "accurate.",
        autocompletion=reranker_names,
    ),
]
Candidates = Annotated[
    int | None,
    Option(
        "--candidates", metavar="N", min=1, help="Number of results that --rerank reorders.", default="100"
    ),
]
Engine = Annotated[
    str | None,
    _model(
        "--engine",
        metavar="ENGINE",
        help="Engine that runs local models.",
        choices=("auto", "onnx", "openvino", "packed", "torch"),
        default="auto",
        variable="SIMIL_ENGINE",
    ),
]
Device = Annotated[
    str | None,
    _model(
        "--device",
        metavar="DEVICE",
        help="Device that runs the model: the CPU, one or more GPUs by number, or all of them.",
        choices=("auto", "cpu", "cuda", "cuda:0,1", "cuda:all", "mps"),
        default="auto",
        variable="SIMIL_DEVICE",
    ),
]
Precision = Annotated[
    str | None,
    _model(
        "--precision",
        metavar="PRECISION",
        help="Numeric precision. auto means float32 on a CPU and usually float16 on a GPU; int8 needs "
        "simil-cli[openvino].",
        choices=("auto", "float32", "float16", "bfloat16", "int8"),
        default="auto",
        variable="SIMIL_PRECISION",
    ),
]
Threads = Annotated[
    int | None,
    _model(
        "--threads",
        metavar="N",
        min=1,
        help="Number of CPU cores to use.",
        default="all physical cores",
        variable="SIMIL_THREADS",
    ),
]
OverflowPolicy = Annotated[
    str | None,
    _model(
        "--overflow",
        metavar="POLICY",
        help="What to do with a text that is too long for the model: truncate it (warn also prints a note), "
        "fail with an error, or embed all of it in chunks.",
        choices=("warn", "truncate", "error", "chunk"),
        default="warn",
        variable="SIMIL_OVERFLOW",
    ),
]
Dimensions = Annotated[
    int | None,
    _model(
        "--dimensions",
        metavar="N",
        min=1,
        help="Keep only the first N dimensions of each vector.",
        default="all",
    ),
]
NoNormalize = Annotated[bool, _model("--no-normalize", help="Do not scale vectors to length 1.")]
BaseUrl = Annotated[
    str | None,
    _model(
        "--base-url",
        metavar="URL",
        help="URL of an OpenAI-compatible server.",
        default="https://api.openai.com/v1",
        variable="OPENAI_BASE_URL",
    ),
]
Concurrency = Annotated[
    int | None,
    _model(
        "--concurrency",
        metavar="N",
        min=1,
        help="Maximum number of API requests at a time.",
        default="4",
        variable="SIMIL_CONCURRENCY",
    ),
]
RetriesLimit = Annotated[
    int | None,
    _model(
        "--retries",
        metavar="N",
        min=0,
        help="Number of times to retry a failed API request.",
        default="5",
        variable="SIMIL_RETRIES",
    ),
]
BatchSize = Annotated[
    int | None,
    _model(
        "--batch-size",
        metavar="N",
        min=1,
        help="Number of texts in each API request.",
        default="adapts to the server's speed",
        variable="SIMIL_BATCH_SIZE",
    ),
]
Timeout = Annotated[
    float | None,
    _model(
        "--timeout",
        metavar="SECONDS",
        help="How long an API request may take.",
        default="until the server is silent for 60 seconds",
        variable="SIMIL_TIMEOUT",
    ),
]
TokenizerName = Annotated[
    str | None,
    _model(
        "--tokenizer",
        metavar="NAME",
        help="How to count tokens for a server other than OpenAI's: a tokenizer.json file, a model or a "
        "tiktoken encoding.",
        variable="SIMIL_TOKENIZER",
    ),
]
MaxTokens = Annotated[
    int | None,
    _model(
        "--max-tokens",
        metavar="N",
        min=1,
        help="Maximum number of tokens that the server's model reads.",
        variable="SIMIL_MAX_TOKENS",
    ),
]
TrustCache = Annotated[
    bool,
    _model(
        "--trust-cache",
        help="Use cached vectors without checking that the server still has the same model.",
        variable="SIMIL_TRUST_CACHE",
    ),
]
Offline = Annotated[bool, _model("--offline", help="Make no network connection.", variable="SIMIL_OFFLINE")]
NoCache = Annotated[
    bool,
    _model("--no-cache", help="Neither read nor write the vector cache; SIMIL_CACHE=off does the same."),
]
CalibrationFile = Annotated[
    Path | None,
    Option(
        "--calibration",
        metavar="FILE",
        help="Use the calibration in FILE instead of the one saved for the model.",
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
        help="Format of the input.",
        choices=("text", "jsonl", "json", "csv", "tsv", "xlsx", "parquet", "arrow", "lance"),
        default="detected",
    ),
]
Fields = Annotated[
    list[str] | None,
    _input(
        "--field",
        metavar="NAME",
        help="Column or key that holds the text.",
        default="text, or the only column",
    ),
]
IdField = Annotated[
    str | None,
    _input(
        "--id-field",
        metavar="NAME",
        help="Column or key that holds the id.",
        default="id, or the line number",
    ),
]
NoHeader = Annotated[
    bool, _input("--no-header", help="Treat the first row of a table as data, not as column names.")
]
Delimiter = Annotated[
    str | None,
    _input(
        "--delimiter",
        metavar="CHAR",
        help="Character between the cells of a csv or tsv file; tab stands for a tab.",
        default="detected from the first row",
    ),
]
Encoding = Annotated[
    str | None,
    _input(
        "--encoding",
        metavar="NAME",
        help="Encoding of the input, such as cp1252.",
        default="from a byte order mark, else UTF-8",
    ),
]
Sheet = Annotated[
    str | None,
    _input(
        "--sheet", metavar="NAME", help="Sheet of a workbook, by name or number.", default="the first sheet"
    ),
]
Collection = Annotated[
    str | None,
    _input(
        "--collection",
        metavar="NAME",
        help="Collection to read from llm's embeddings.db.",
        default="the only one",
    ),
]
Nul = Annotated[bool, _input("-0", "--null", help="Separate texts by NUL bytes instead of newlines.")]
MaxTextBytes = Annotated[
    int | None,
    _input(
        "--max-text-bytes",
        metavar="N",
        min=0,
        help="Maximum size of a text or row in bytes; 0 for no limit.",
        default="64000000",
    ),
]
Globs = Annotated[
    list[str] | None,
    _input(
        "--glob",
        metavar="GLOB",
        help="With -r, search the files whose names match GLOB, as in .gitignore; !GLOB leaves files out. "
        "May be repeated.",
    ),
]
FileTypes = Annotated[
    list[str] | None,
    _input(
        "--type",
        metavar="TYPE",
        help="With -r, search files of this type, such as md, py or txt; may be repeated.",
        autocompletion=file_type_names,
    ),
]
TypeList = Annotated[bool, _input("--type-list", help="Print all types, with the names of their files.")]
Ignore = Annotated[
    list[str] | None,
    _input(
        "--ignore",
        metavar="REGEX",
        help="Embed texts without what REGEX matches, such as times, numbers or ids; may be repeated.",
    ),
]
Whole = Annotated[bool, _input("--whole", help="Treat each file as one text.")]
Sort = Annotated[
    bool,
    Option(
        "--sort",
        help="Sort rows by result, best first, instead of keeping them in input order.",
    ),
]
_ON_ERROR = "What to do with a text that cannot be read or embedded: stop (fail), or report it, go on "
OnError = Annotated[
    str,
    _input(
        "--on-error",
        metavar="ACTION",
        help=f"{_ON_ERROR}without it and exit with 6 (skip).",
        choices=("fail", "skip"),
    ),
]
OnErrorNull = Annotated[
    str,
    _input(
        "--on-error",
        metavar="ACTION",
        help=f"{_ON_ERROR}and exit with 6, either without the text (skip) or with null in its place (null). "
        "null also keeps the place of blank texts.",
        choices=("fail", "skip", "null"),
    ),
]
OnErrorPairs = Annotated[
    str,
    _input(
        "--on-error",
        metavar="ACTION",
        help=f"{_ON_ERROR}and exit with 6, either without the text (skip) or, with --pairs, with null as its "
        "score (null). null also keeps rows with blank texts.",
        choices=("fail", "skip", "null"),
    ),
]
OnErrorReading = Annotated[
    str,
    _input(
        "--on-error",
        metavar="ACTION",
        help="What to do with a row that cannot be read: stop (fail), or report it, go on without it and "
        "exit with 6 (skip). A text that a model refuses is always an error.",
        choices=("fail", "skip"),
    ),
]
On = Annotated[
    str | None,
    _cluster(
        "--on",
        metavar="CLUSTER",
        help="Embed on a Ray cluster: ray for the one at RAY_ADDRESS or on this machine, or "
        "ray://HOST:PORT. Writes a folder of Parquet files or a Lance dataset. Needs simil-cli[ray].",
        variable="RAY_ADDRESS",
    ),
]
Actors = Annotated[
    int | None,
    _cluster(
        "--actors", metavar="N", min=1, help="Number of processes that embed.", default="as many as fit"
    ),
]
CoresPerActor = Annotated[
    int | None,
    _cluster("--cores-per-actor", metavar="N", min=1, help="Cores for each process.", default="about 4"),
]
Output = Annotated[
    Path | None,
    Option(
        "-o",
        "--output",
        metavar="FILE",
        help="Write to FILE, in the format of its suffix. FILE appears only once it is complete.",
        default="stdout",
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
        help="Output format for other programs.",
        choices=("json", "jsonl", "csv", "tsv", "parquet", "arrow"),
        default="a table on a terminal, lines in a pipe",
    ),
]
TextOrJson = Annotated[
    str, Option("-f", "--format", metavar="FORMAT", help="Output format.", choices=("text", "json"))
]
Words = Annotated[bool, _words("--words", help="Search by words alone (BM25), without a model.")]
Hybrid = Annotated[
    bool, _words("--hybrid", help="Search by words and by meaning, and merge the two rankings.")
]
WordLanguage = Annotated[
    str | None,
    _words(
        "--language",
        metavar="NAME",
        help="Language of the texts, so that all forms of a word match; none matches exact words only.",
        default="english",
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
        help="Instead of searching, measure how many of the -k nearest rows the index finds, on a sample of "
        "the rows.",
    ),
]
Where = Annotated[
    str | None,
    _stored(
        "--where",
        metavar="SQL",
        help='Search only rows that meet a condition on their columns, such as "year > 2020".',
    ),
]
Quiet = Annotated[bool, _run("-q", "--quiet", help="Print no notes and no progress.")]
SafeCsv = Annotated[
    bool,
    Option(
        "--safe-csv",
        help="In csv and tsv, put an apostrophe before cells that a spreadsheet would run as formulas.",
    ),
]
Verbose = Annotated[bool, _run("-v", "--verbose", help="Print what simil does, and why.")]
PlotTo = Annotated[
    str | None,
    Option(
        "--plot",
        metavar="FILE",
        help="Also draw a chart to a .png, .svg or .html file, or to the terminal (-). All but .html need "
        "simil-cli[plot].",
    ),
]
Projection = Annotated[
    str,
    Option(
        "--projection",
        metavar="METHOD",
        help="How --plot reduces vectors to two dimensions; umap needs simil-cli[umap].",
        choices=("pca", "umap"),
    ),
]
