"""Help for the commands about vectors, the models that make them, and programs that use these."""

from __future__ import annotations

from simil.cli.help.command_text import CommandText, Example

__all__ = ["MODELS"]

MODELS = {
    "embed": CommandText(
        "Compute a vector for each text.",
        usage=("[OPTIONS] [FILE]...",),
        description=(
            "Every command also accepts the files that embed writes. Vectors are cached, so a text is "
            "never computed twice.",
        ),
        common="--output --format --text --field --id-field --kind --dimensions --whole --dry-run --model",
        examples=(
            Example("Print vectors as OpenAI's API does", "simil embed notes.txt > vectors.json"),
            Example(
                "Save a column's vectors for NumPy", "simil embed articles.csv --field title -o titles.npy"
            ),
            Example(
                "Estimate the cost before using an API", "simil embed -m openai --dry-run articles.jsonl"
            ),
        ),
        failures=(2, 3, 4, 5, 6),
    ),
    "index": CommandText(
        "Index a Lance dataset, so that searching it is fast.",
        usage=("[OPTIONS] FILE", "info [OPTIONS] FILE"),
        description=(
            "Builds indexes on vectors, ids and texts. simil search uses them without being asked.",
        ),
        common="--kind --language --optimize --format --offline --quiet",
        examples=(
            Example("Build the indexes", "simil index corpus.lance"),
            Example("Show what the dataset holds", "simil index info corpus.lance"),
            Example("Index rows that were added since", "simil index --optimize corpus.lance"),
        ),
        failures=(2, 3, 4),
    ),
    "eval": CommandText(
        "Measure models on your own data.",
        usage=("[OPTIONS] -m NAME [-m NAME]... DATA", "[OPTIONS] --demo"),
        description=(
            "Reports quality, speed, memory and cost, with one line per model. DATA holds labelled pairs "
            "(two texts and a "
            "score), or queries with relevant documents.",
        ),
        common="--model --field --score-field --positive-from --retrieval --documents --rerank --demo "
        "--save-calibration --format",
        examples=(
            Example("Compare two models on labelled pairs", "simil eval -m minilm -m bge-base pairs.tsv"),
            Example("Measure search", "simil eval --retrieval -m minilm questions.csv"),
            Example("Try it without any data", "simil eval --demo -m minilm"),
        ),
        failures=(2, 3, 4, 5, 6),
    ),
    "serve": CommandText(
        "Serve a model over HTTP, with OpenAI's API.",
        description=("Needs simil-cli[serve]. Stops on Ctrl-C.",),
        common="--host --port --api-key --name --rerank --model --device --threads --no-cache --quiet",
        examples=(
            Example("Serve the small model", "simil serve -m minilm"),
            Example(
                "Ask it for a vector",
                'curl localhost:8000/v1/embeddings --json \'{"input": "Apple"}\'',
            ),
            Example("Let other machines use it", "simil serve --host 0.0.0.0 --api-key KEY"),
        ),
        failures=(2, 4, 5),
    ),
    "mcp": CommandText(
        "Let coding assistants search by meaning (MCP).",
        usage=("[OPTIONS] [FOLDER]...",),
        description=(
            "Speaks the Model Context Protocol on stdin and stdout. Programs can search files, compare "
            "texts and save vectors "
            "below each FOLDER, and nowhere else. Needs simil-cli[mcp].",
        ),
        common="--model --offline --device --threads --env-file --quiet --verbose",
        examples=(
            Example("Allow searches in one folder", "simil mcp ~/notes"),
            Example("Allow searches in two, with one model", "simil mcp -m bge-base docs src"),
            Example("Allow searches here, without a network", "simil mcp --offline"),
        ),
        failures=(2, 4, 5),
    ),
    "models": CommandText(
        "List, download, prepare and remove models.",
        usage=("[OPTIONS]", "COMMAND [OPTIONS] NAME"),
        description=("Without a command, lists all models, as simil models list does.",),
        common="--for --format --output",
        examples=(
            Example("List models", "simil models"),
            Example("Recommend models for several languages", "simil models --for multilingual"),
            Example("Download a model", "simil models pull bge-base"),
        ),
        failures=(2, 4, 5),
    ),
    "models list": CommandText(
        "List models, and mark the one in use.",
        description=(
            "Shows the models that simil knows and all others on this machine, with their size, scores and "
            "state. Loads no "
            "model and makes no network request.",
        ),
        common="--for --format --output",
        examples=(
            Example("List models", "simil models list"),
            Example("Recommend fast models", "simil models list --for speed"),
            Example("Save the list for a spreadsheet", "simil models list -o models.csv"),
        ),
        failures=(2,),
    ),
    "models show": CommandText(
        "Show everything known about a model.",
        usage=("[OPTIONS] NAME",),
        description=("Shows its figures and their sources, its prompts, its licence and its folder.",),
        common="--format --env-file",
        examples=(Example("Show the default model", "simil models show bge-base"),),
        failures=(2, 4),
    ),
    "models pull": CommandText(
        "Download a model, or update it.",
        usage=("[OPTIONS] NAME",),
        description=("Checks every file. Files that are complete are not downloaded again.",),
        common="--offline --quiet --verbose",
        examples=(
            Example("Download the default model", "simil models pull bge-base"),
            Example("Download any model from the Hugging Face Hub", "simil models pull org/name"),
        ),
        failures=(2, 4, 5),
    ),
    "models prepare": CommandText(
        "Prepare a model for fast starts.",
        usage=("[OPTIONS] NAME",),
        description=(
            "Downloads the model if necessary, writes its optimized graph, and prints the folder. simil "
            "also does this by itself "
            "on first use.",
        ),
        common="--offline --quiet --verbose",
        examples=(Example("Prepare a model while building an image", "simil models prepare bge-base"),),
        failures=(2, 4, 5),
    ),
    "models path": CommandText(
        "Print the folder of a model's files.",
        usage=("NAME",),
        examples=(Example("List the files of a model", 'ls "$(simil models path minilm)"'),),
        failures=(2, 4),
    ),
    "models remove": CommandText(
        "Delete a model's files.",
        usage=("[OPTIONS] NAME",),
        description=("Deletes its prepared graph, too. Cached vectors stay.",),
        common="--quiet",
        examples=(Example("Free the disk space of a model", "simil models remove bge-base"),),
        failures=(2, 4),
    ),
}
