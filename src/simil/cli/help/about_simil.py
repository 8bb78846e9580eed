"""Help for `simil` itself, and what holds for all commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from simil.cli.help.command_text import CommandText, Example

__all__ = ["EXIT_CODES", "HEADINGS", "SIMIL", "SIMIL_OPTIONS", "VARIABLES"]

SIMIL = CommandText(
    "Compare, search and group texts by meaning.",
    usage=("COMMAND [OPTIONS] [ARGUMENT]...", "help [COMMAND]"),
    description=(
        "The model runs on this machine or behind an API. Texts are lines of a file or of stdin, or rows "
        "of a table.",
    ),
    examples=(
        Example("Compare two texts", 'simil compare "Apple" "Orange"'),
        Example("Search a file", 'simil search "how do I undo a commit" notes.txt'),
        Example("Group the rows of a table", "simil cluster survey.csv --field comment"),
    ),
    negative="The answer is no: a score misses --threshold, or nothing was found.",
    failures=(2, 3, 4, 5, 6, 70, 130, 141),
)

HEADINGS: Mapping[str, Sequence[str]] = {
    "Compare and search": ("compare", "search", "match"),
    "Group and clean up": ("cluster", "classify", "outliers", "dedupe"),
    "Vectors and models": ("embed", "index", "eval", "models"),
    "Serve": ("serve", "mcp"),
    "Set up and maintain": ("cache", "batch", "config", "doctor", "help"),
}
"""The commands under the headings of `simil --help`."""

SIMIL_OPTIONS = (
    (("-V", "--version"), "", "Print the version."),
    (("--install-completion",), "[SHELL]", "Install completion for bash, zsh, fish or powershell."),
    (("--show-completion",), "[SHELL]", "Print the completion script instead of installing it."),
)
"""The options of simil itself: names, the name of the value, what they do."""

EXIT_CODES = {
    0: "Success.",
    2: "The command line or a setting is wrong.",
    3: "A text, a file or a row is invalid.",
    4: "A model cannot be used.",
    5: "A server, its API key, a quota or the network failed.",
    6: "Some texts or models failed and were reported; the others are done.",
    70: "simil has a bug; please report it.",
    130: "Interrupted (Ctrl-C).",
    141: "The reader of the output closed the pipe.",
}
"""What exit codes mean; 1 is a negative answer, and each command says to what."""

VARIABLES = (
    ("OPENAI_API_KEY", "API key of the server."),
    ("OPENAI_API_VERSION", "API version of an Azure deployment."),
    ("SIMIL_CACHE", "Set to off to turn the vector cache off."),
    ("SIMIL_CACHE_DIR", "Folder for cached vectors and prepared models."),
    ("SIMIL_CACHE_MB", "Maximum size of the vector cache in MB (default: 8000)."),
    ("SIMIL_CONFIG", "Config file to read instead of the user's config.toml."),
    ("SIMIL_MEMORY_LIMIT", "Maximum memory for data, such as 4GB."),
    ("HF_HOME", "Folder for downloaded models."),
    ("HF_HUB_OFFLINE", "Set to 1 to download no models."),
    ("HF_TOKEN", "Token for gated models of the Hugging Face Hub."),
    ("NO_COLOR", "Set to turn colours off."),
)
"""Environment variables that no option shows."""
