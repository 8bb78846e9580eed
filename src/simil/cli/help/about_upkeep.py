"""Help for the commands that look after caches, batches, settings and the installation."""

from __future__ import annotations

from simil.cli.help.command_text import CommandText, Example

__all__ = ["UPKEEP"]

_SUBCOMMANDS = ("COMMAND [OPTIONS]",)
_UNFINISHED = "A batch is not finished yet."

UPKEEP = {
    "cache": CommandText(
        "Inspect, check and shrink the vector cache.",
        usage=_SUBCOMMANDS,
        description=(
            "simil keeps the vectors that models compute, so that no text is computed twice. The cache "
            "never grows beyond "
            "SIMIL_CACHE_MB (8000 MB by default).",
        ),
        examples=(
            Example("Show where the cache is and how large", "simil cache info"),
            Example("Delete what was not used for a month", "simil cache prune --older-than 30d"),
            Example("Delete all vectors", "simil cache clear"),
        ),
        failures=(2,),
    ),
    "cache info": CommandText(
        "Show where the cache is, its size and its contents.",
        common="--format",
        examples=(Example("Print the same for programs", "simil cache info -f json"),),
        failures=(2,),
    ),
    "cache path": CommandText(
        "Print the path of the cache file.",
        usage=("",),
        examples=(Example("Show the size of the file", 'du -h "$(simil cache path)"'),),
        failures=(2,),
    ),
    "cache verify": CommandText(
        "Check every vector and delete damaged ones.",
        common="--quiet",
        examples=(Example("Check the cache in a script", "simil cache verify --quiet"),),
        negative="There were damaged vectors.",
        failures=(2,),
    ),
    "cache prune": CommandText(
        "Delete vectors by age or size.",
        usage=("[OPTIONS] --older-than AGE", "[OPTIONS] --max-size SIZE"),
        description=("Deletes the least recently used vectors first.",),
        common="--older-than --max-size --quiet",
        examples=(
            Example("Delete what was not used for a month", "simil cache prune --older-than 30d"),
            Example("Shrink the cache to 2 GB", "simil cache prune --max-size 2GB"),
        ),
        failures=(2,),
    ),
    "cache clear": CommandText(
        "Delete all vectors.",
        description=("Models stay, and so do their prepared graphs.",),
        common="--quiet",
        examples=(Example("Start with an empty cache", "simil cache clear"),),
        failures=(2,),
    ),
    "batch": CommandText(
        "Manage batches started by simil embed --batch.",
        usage=_SUBCOMMANDS,
        description=("A job is named by its output file: the one that was given to -o.",),
        examples=(
            Example("Start a batch", "simil embed --batch -m openai -o vectors.parquet texts.csv"),
            Example("See how far it is", "simil batch status vectors.parquet"),
            Example("Stop it, and keep what was computed", "simil batch cancel vectors.parquet"),
        ),
    ),
    "batch list": CommandText(
        "List simil's batches on the server, newest first.",
        common="--base-url --env-file --format",
        examples=(Example("List all batches", "simil batch list"),),
        failures=(2, 5),
    ),
    "batch status": CommandText(
        "Show the progress of a job.",
        usage=("[OPTIONS] OUTPUT",),
        common="--base-url --env-file --format",
        examples=(Example("Ask whether a job is finished", "simil batch status vectors.parquet"),),
        negative=_UNFINISHED,
    ),
    "batch collect": CommandText(
        "Fetch finished vectors into the cache.",
        usage=("[OPTIONS] OUTPUT",),
        description=(
            "To write the output file, run the same simil embed command again: it finds these vectors in "
            "the cache.",
        ),
        common="--base-url --env-file",
        examples=(Example("Fetch what is finished", "simil batch collect vectors.parquet"),),
        negative=_UNFINISHED,
    ),
    "batch cancel": CommandText(
        "Stop a job, and keep its finished vectors.",
        usage=("[OPTIONS] OUTPUT",),
        common="--base-url --env-file",
        examples=(Example("Stop a job", "simil batch cancel vectors.parquet"),),
    ),
    "config": CommandText(
        "Trust the .env file of a folder.",
        usage=_SUBCOMMANDS,
        description=(
            "A .env file can send your texts to a server of its choice. simil lets it do so only if you "
            "trust the file, or name "
            "it with --env-file.",
        ),
        examples=(
            Example("Trust the .env file in this folder", "simil config trust"),
            Example("Stop trusting it", "simil config untrust"),
            Example("List trusted files", "simil config list"),
        ),
        failures=(2,),
    ),
    "config trust": CommandText(
        "Let a folder's .env file choose models and servers.",
        usage=("[OPTIONS] [FOLDER]",),
        description=("Prints what the file chooses. The trust ends when the file changes.",),
        common="--quiet",
        examples=(Example("Trust the .env file of a project", "simil config trust ~/project"),),
        failures=(2,),
    ),
    "config untrust": CommandText(
        "Stop trusting a folder's .env file.",
        usage=("[OPTIONS] [FOLDER]",),
        common="--quiet",
        examples=(Example("Stop trusting the file in this folder", "simil config untrust"),),
        negative="The file was not trusted.",
        failures=(2,),
    ),
    "config list": CommandText(
        "List trusted .env files.",
        usage=("",),
        description=("Also says which of them have changed since, and are no longer trusted.",),
        examples=(Example("List trusted files", "simil config list"),),
        failures=(2,),
    ),
    "doctor": CommandText(
        "Check the installation.",
        description=(
            "Checks versions, engines, models, caches, settings and connections, and prints one line per "
            "check, with a hint if "
            "it fails. The output holds no secrets: paste it into a bug report.",
        ),
        common="--model --base-url --offline --deep --env-file --format",
        examples=(
            Example("Check everything that is quick to check", "simil doctor"),
            Example("Check an API and its key", "simil doctor --deep -m openai"),
            Example("Check without a network", "simil doctor --offline"),
        ),
        negative="A check failed.",
        failures=(2,),
    ),
    "help": CommandText(
        "Show help for a command.",
        usage=("[COMMAND]",),
        description=("The same as simil COMMAND --help.",),
        examples=(
            Example("Show all options of a command", "simil help search"),
            Example("Show the help of a subcommand", "simil help models pull"),
        ),
        failures=(2,),
    ),
}
