"""`simil search --recall`: how many of the nearest rows the index of a dataset finds."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from simil.cli.options.run import start_run
from simil.cli.output.cells import visible
from simil.cli.output.output_file import open_output
from simil.cli.output.output_form import form_of
from simil.cli.output.rows import name_in_json
from simil.errors import UsageError
from simil.tasks.retrieval import TOP_K

if TYPE_CHECKING:
    from pathlib import Path

    from simil.cli.options.groups import RunFlags
    from simil.index.recall import Recall
    from simil.vectors.stored_vectors import StoredVectors

__all__ = ["show_recall"]

log = logging.getLogger("simil")

_FORMS = ("json", "text")


def show_recall(
    files: Sequence[str],
    k: int | None,
    where: str | None,
    offline: bool,
    running: RunFlags,
    beside: Mapping[str, object],
    *,
    form: str | None,
    output: Path | None,
) -> None:
    """Measure the recall of the one dataset that is named, and write it as lines, or as a JSON object.

    `beside` are values of other options by their names, none of which has an effect: raises `UsageError` for
    one that is given.
    """
    from simil.formats.remote_paths import check_online
    from simil.vectors.stored_vectors import StoredVectors

    for name in (name for name, value in beside.items() if value):
        raise UsageError(
            f"--recall searches for rows of the dataset, so {name} has no effect", hint="leave it out"
        )
    if len(files) != 1:
        raise UsageError(
            "--recall is for one Lance dataset", hint="simil search --recall corpus.lance, without a query"
        )
    shown_as = form_of(form, output)
    if shown_as not in ("json", "plain", "table"):
        raise UsageError(f"--recall is written as text or json, not as {shown_as}")
    with start_run(
        quiet=running.quiet, verbose=running.verbose, offline=offline or None, env_file=running.env_file
    ) as run:
        check_online(files[0], offline=run.settings.offline)
        stored = StoredVectors.open(files[0])
        if where is not None:
            stored.check_where(where)
        found = _measured(stored, k or TOP_K, where)
        with open_output(output) as stream:
            text = _json(stored, found, where) if shown_as == "json" else _text(found, where)
            stream.write(text.encode())


def _measured(stored: StoredVectors, k: int, where: str | None) -> Recall:
    from simil.index.nearest import INDEX_FROM
    from simil.index.recall import measure_recall

    found = measure_recall(stored, k, where=where)
    fewest = -(-INDEX_FROM // stored.dimensions)
    if stored.rows < fewest:
        log.warning("without --recall, search is exact: it uses the index from %s rows on", f"{fewest:,}")
    return found


def _text(found: Recall, where: str | None) -> str:
    settings = ", ".join(
        f"{value:,} {name.removesuffix('s') if value == 1 else name}"
        for name, value in found.settings.items()
    )
    condition = f" for which {where}" if where is not None else ""
    lines = [
        f"recall@{found.k:<5} {found.recall:.3f}",
        f"measured     on {found.queries:,} rows{condition}",
        f"index        {found.kind}: {settings}",
        f"time         {1000 * found.seconds:.1f} ms a query; {1000 * found.exact_seconds:.1f} ms exact, "
        "where many are asked at once",
    ]
    return "".join(f"{visible(line)}\n" for line in lines)


def _json(stored: StoredVectors, found: Recall, where: str | None) -> str:
    import orjson

    facts = {
        "dataset": name_in_json(stored.name),
        "where": where,
        "k": found.k,
        "recall": found.recall,
        "queries": found.queries,
        "index": found.kind,
        "settings": dict(found.settings),
        "seconds_per_query": found.seconds,
        "exact_seconds_per_query": found.exact_seconds,
    }
    return f"{orjson.dumps(facts, option=orjson.OPT_INDENT_2).decode()}\n"
