"""Help for the commands that sort texts: into groups, under labels, or out."""

from __future__ import annotations

from simil.cli.help.command_text import CommandText, Example

__all__ = ["GROUPING"]

_FILES = ("[OPTIONS] [FILE]...",)

GROUPING = {
    "cluster": CommandText(
        "Group similar texts.",
        usage=_FILES,
        description=(
            "Describes each cluster by its most distinctive words and its most typical text. Finds the "
            "number of clusters "
            "(HDBSCAN) unless -n sets it (k-means).",
            "In csv, tsv, jsonl and Parquet, every row of the input comes back with its cluster.",
        ),
        common="--clusters --min-size --summary --members --labels-only --field --plot --format "
        "--output --model",
        examples=(
            Example("Group the lines of a file", "simil cluster notes.txt"),
            Example(
                "Summarize a survey in 8 groups", "simil cluster -n 8 --summary survey.csv --field comment"
            ),
            Example("Draw a map of the groups", "simil cluster --plot map.html tickets.jsonl"),
        ),
        negative="There is no cluster.",
        failures=(2, 3, 4, 5, 6),
    ),
    "classify": CommandText(
        "Label texts by descriptions or by examples.",
        usage=(
            "[OPTIONS] --label NAME[=TEXT]... [FILE]...",
            "[OPTIONS] --examples FILE [FILE]...",
        ),
        description=(
            "Labels need no training: each text gets the label whose meaning is nearest. Examples are "
            "labelled texts to learn "
            "from. Each line of output holds the label, its score, the lead over the runner-up, and the "
            "text. In csv, tsv, jsonl and Parquet, every row of the input comes back with its label.",
        ),
        common="--label --examples --label-field --threshold --top --evaluate --field --format --output "
        "--model",
        examples=(
            Example(
                "Label by description",
                'simil classify --label bug --label "wish=asks for a feature" issues.txt',
            ),
            Example("Learn from labelled texts", "simil classify --examples labelled.csv new.txt"),
            Example(
                "Measure the accuracy on labelled texts",
                "simil classify --examples train.csv --evaluate test.csv",
            ),
        ),
        negative="Every text is labelled `unknown`.",
        failures=(2, 3, 4, 5, 6),
    ),
    "outliers": CommandText(
        "Find the texts that are least like the others.",
        usage=_FILES,
        description=(
            "Prints the highest scores first, each text with the most similar other text, to show why. "
            "In csv, tsv, jsonl and Parquet, every row of the input comes back with its score. "
            "Repeated texts hide each "
            "other: remove them first with simil dedupe --exact.",
        ),
        common="--count --threshold --all --reference --method --field --plot --format --output --model",
        examples=(
            Example("Show the 5 oddest lines", "simil outliers -n 5 notes.txt"),
            Example(
                "Compare today's log with a normal one", "simil outliers --reference normal.log today.log"
            ),
            Example("Score every row of a table", "simil outliers survey.csv --field comment -o scored.csv"),
        ),
        negative="No text reaches --threshold.",
        failures=(2, 3, 4, 5, 6),
    ),
    "dedupe": CommandText(
        "Remove texts that repeat an earlier one in other words.",
        usage=_FILES,
        description=(
            "Keeps the first text of each group of duplicates, in input order, and writes it byte for byte "
            "as it was read. The "
            "threshold depends on the model; simil prints it to stderr.",
        ),
        common="--threshold --show --against --exact --field --id-field --format --output --model --quiet",
        examples=(
            Example("Remove duplicates from a table", "simil dedupe faq.csv --field question > unique.csv"),
            Example("See what would go, and why", "simil dedupe --show pairs faq.csv --field question"),
            Example("Keep only what another file lacks", "simil dedupe --against known.txt new.txt"),
        ),
        failures=(2, 3, 4, 5, 6),
    ),
}
