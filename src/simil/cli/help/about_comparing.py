"""Help for the commands that compare texts with each other or with a query."""

from __future__ import annotations

from simil.cli.help.command_text import CommandText, Example

__all__ = ["COMPARING"]

COMPARING = {
    "compare": CommandText(
        "Score how similar texts are.",
        usage=(
            "[OPTIONS] TEXT TEXT...",
            "[OPTIONS] --whole FILE...",
            "[OPTIONS] --pairs FILE",
        ),
        description=(
            "Two texts give one score: 1 means the same, 0 unrelated. More texts give a matrix. In a pipe, "
            "the output is a "
            "bare number or tab-separated lines.",
            "If -m names a cross-encoder, it reads both texts at once, the first as the query, so their "
            "order matters.",
        ),
        common="--whole --top --pairs --field --threshold --format --output --plot --model --quiet",
        examples=(
            Example("Compare two texts", 'simil compare "Apple" "Orange"'),
            Example("Find the most similar files in a folder", "simil compare --whole essays/ --top 5"),
            Example(
                "Score the two columns of a table",
                "simil compare --pairs qa.csv --field question --field answer",
            ),
        ),
        negative="A score misses --threshold.",
        failures=(2, 3, 4, 5, 6),
    ),
    "search": CommandText(
        "Find the texts that are most similar to a query.",
        usage=("[OPTIONS] QUERY [FILE]...", "[OPTIONS] --queries FILE [FILE]..."),
        description=(
            "Prints the best results first, as grep does: score, place and text. Searches saved vectors "
            "with the model that "
            "made them.",
        ),
        common="--top-k --threshold --recursive --type --chunk --hybrid --field --format --output --model",
        examples=(
            Example("Search the lines of a file", 'simil search "how do I undo a commit" notes.txt'),
            Example(
                "List the files in a folder that fit best", 'simil search -r -l "tax return" ~/documents'
            ),
            Example(
                "Search a column by words and meaning",
                'simil search --hybrid "error E1004" faq.csv --field text',
            ),
        ),
        negative="No text was found, or none reaches --threshold.",
        failures=(2, 3, 4, 5, 6),
    ),
    "match": CommandText(
        "Join two files by meaning.",
        usage=("[OPTIONS] LEFT RIGHT",),
        description=(
            "Finds the best match in RIGHT for each row of LEFT. Two csv files give a csv with all columns "
            "of both and the score.",
        ),
        common="--field --threshold --top-k --one-to-one --unmatched --rerank --id-field --format "
        "--output --model",
        examples=(
            Example(
                "Join two tables",
                "simil match ours.csv theirs.csv --field name --field title > joined.csv",
            ),
            Example("Pair each row with another row, once", "simil match --one-to-one left.txt right.txt"),
            Example(
                "Print what has no counterpart",
                "simil match --unmatched only --threshold 0.6 new.txt old.txt",
            ),
        ),
        negative="No row of LEFT has a match.",
        failures=(2, 3, 4, 5, 6),
    ),
}
