"""Shows clusters: a table with bars, rows, labels, or a scatter plot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO

from simil.cli.output.annotated_rows import keeps_rows, write_texts
from simil.cli.output.cells import end_of, fit, visible
from simil.cli.output.output_file import width
from simil.cli.output.rows import Row, fewer_digits, json_of, source_cells, write_rows
from simil.cli.output.terminal import console, escaped, sign
from simil.tasks.corpus import arranged, content_of, place_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.console import Console

    from simil.tasks.clustering import Cluster, Clustering
    from simil.texts import Text

__all__ = ["draw_clusters", "show_clustering", "show_labels"]

_BAR, _NARROW = 8, 60


def show_labels(result: Clustering, lines: Sequence[int | None], stream: BinaryIO) -> None:
    """Write one line per item of `lines`: the label of that row, an empty line for None."""
    labels = result.labels.tolist()
    stream.writelines(b"\n" if row is None else f"{labels[row]}\n".encode() for row in lines)
    stream.flush()


def show_clustering(
    result: Clustering, form: str, stream: BinaryIO, *, members: int | None, summary: bool, sort: bool
) -> None:
    """Write the clusters and `members` texts of each (None: all, but none on a terminal) in `form`.

    With `summary`, write only the clusters. Rows are in the order of the input, with `sort` by cluster.
    """
    if form == "table":
        _show_table(result, members or 0)
    elif form == "json":
        clusters = [_described(result, found) for found in result.clusters]
        facts = {
            "model": result.corpus.model,
            "method": str(result.method),
            "silhouette": result.silhouette,
            "outside": len(result.outside),
            "clusters": clusters,
        }
        if summary:
            stream.write(json_of(facts) + b"\n")
            stream.flush()
        else:
            write_rows(
                _items(result, _arranged(result, members, sort=sort or bool(members))),
                form,
                stream,
                facts=facts,
            )
    elif summary:
        _write_summary(result, form, stream)
    elif keeps_rows(form):
        rows = _arranged(result, members, sort=sort)
        columns = ["cluster", "cluster_name", "score"]
        write_texts(_annotated(result, rows), form, stream, corpus=result.corpus, columns=columns)
    else:
        write_rows(_lines(result, members), form, stream, facts={})


def draw_clusters(path: str, projection: str, result: Clustering, files: Sequence[str]) -> None:
    """Draw the texts of `files` as points, marked by their cluster, and label each cluster at its medoid."""
    from simil.cli.plots.charts import chart_title, scatter_plot
    from simil.cli.plots.drawing import draw
    from simil.tasks.projection import project

    corpus = result.corpus
    flat = project(corpus.vectors, projection)
    chart = scatter_plot(
        flat.points,
        [corpus.content(row) for row in range(len(corpus))],
        # Clusters are counted from 1, groups from 0; -1 is outside all of them in both.
        groups=[label - 1 if label > 0 else -1 for label in result.labels.tolist()],
        group_names=[" ".join(found.words[:3]) for found in result.clusters],
        marked=[found.medoid for found in result.clusters],
        title=chart_title("Clusters in", files),
        model=corpus.model,
        method=f"{result.method}, {flat.method}",
        note="the most typical text of a cluster is outlined",
    )
    draw(path, chart)


def _arranged(result: Clustering, members: int | None, *, sort: bool) -> Iterator[tuple[int | None, Text]]:
    """Yield the rows to show with their texts: all of them, or so many `members` of each cluster."""
    import numpy as np

    if not members:
        return arranged(result.corpus, _by_cluster(result, None) if sort else None)
    rows = _by_cluster(result, members)
    return arranged(result.corpus, rows if sort else np.sort(rows), every=False)


def _by_cluster(result: Clustering, members: int | None) -> NDArray[np.int64]:
    """Return the first `members` rows of each cluster, then of those outside of all."""
    import numpy as np

    groups = [*(found.rows for found in result.clusters), result.outside]
    return np.concatenate([rows[:members] for rows in groups])


def _annotated(result: Clustering, rows: Iterable[tuple[int | None, Text]]) -> Iterator[tuple[Text, Row]]:
    names = {found.number: " ".join(found.words) for found in result.clusters}
    for row, text in rows:
        number = None if row is None else int(result.labels[row])
        score = result.scores[row] if number in names else None
        yield text, {"cluster": number, "cluster_name": names.get(number or 0), "score": score}


def _items(result: Clustering, rows: Iterable[tuple[int | None, Text]]) -> Iterator[Row]:
    for row, text in rows:
        number = result.labels[row].item()
        found: dict[str, object] = {"id": text.id, "cluster": number}
        found |= {"score": result.scores[row] if number > 0 else None, "text": text.text}
        found |= source_cells(text, saved=result.corpus.saved)
        yield found | ({"fields": text.fields} if text.fields else {})


def _lines(result: Clustering, members: int | None) -> Iterator[Row]:
    saved = result.corpus.saved
    for row, text in arranged(result.corpus, _by_cluster(result, members), every=False):
        place = place_of(text, saved=saved)
        yield {"cluster": result.labels[row].item(), "place": place, "content": content_of(text)}


def _described(result: Clustering, found: Cluster) -> dict[str, object]:
    medoid = result.corpus.texts[found.medoid]
    return {
        "cluster": found.number,
        "size": found.size,
        "words": list(found.words),
        "medoid": {"id": medoid.id, "text": medoid.text},
        "cohesion": found.cohesion,
    }


def _write_summary(result: Clustering, form: str, stream: BinaryIO) -> None:
    if form == "jsonl":
        rows: Iterator[Row] = (_described(result, found) for found in result.clusters)
        write_rows(rows, form, stream, facts={"model": result.corpus.model})
        return
    corpus = result.corpus
    rows = (
        {
            "cluster": found.number,
            "size": found.size,
            "words": " ".join(found.words),
            "medoid": corpus.content(found.medoid),
            "medoid_id": corpus.texts[found.medoid].id,
            "cohesion": found.cohesion,
        }
        for found in result.clusters
    )
    columns = ["cluster", "size", "words", "medoid", "medoid_id", "cohesion"]
    write_rows(rows, form, stream, facts={}, plain=columns[:4], columns=columns)


def _show_table(result: Clustering, members: int) -> None:
    terminal = console()
    largest = max((found.size for found in result.clusters), default=0)
    number = max(len(str(len(result.clusters))), 2)
    size = max(len(str(max(largest, len(result.outside)))), 4)
    words = max((len(" ".join(found.words)) for found in result.clusters), default=0)
    wide = width() >= _NARROW
    indent = number + 2 + size + 2 + (_BAR + 2 if wide else 0)
    words = max(min(words, (width() - indent) // 2), 5)
    texts = max(width() - indent - words - 2, 8)
    block = "█" if terminal.encoding.startswith("utf") else "#"
    if result.clusters and wide:
        head = f"{'':{number + _BAR + 4}}{'size':>{size}}  {fit('words', words)}  most typical text"
        terminal.print(head[: width()], style="dim", highlight=False)
    for found in result.clusters:
        title = " ".join(found.words)
        text = result.corpus.content(found.medoid)
        count = f"[bold]{found.number:>{number}}[/bold]  "
        if wide:
            full = max(round(found.size / largest * _BAR), 1)
            count += f"[cyan]{block * full:<{_BAR}}[/cyan]  {found.size:>{size}}  "
            shown = f"{escaped(fit(title, words))}  {escaped(fit(text, texts).rstrip())}"
            terminal.print(count + shown, highlight=False)
        else:
            count += f"{found.size:>{size}}  "
            terminal.print(count + escaped(fit(title, width() - indent).rstrip()), highlight=False)
            shown = escaped(fit(text, width() - indent).rstrip())
            if not members:
                terminal.print(f"{'':{indent}}[dim]{shown}[/dim]", highlight=False)
        _show_members(terminal, result, found.rows[:members].tolist(), number + 2)
    if len(result.outside):
        gap = "" if not wide else " " * (_BAR + 2)
        line = f"{'-1':>{number}}  {gap}{len(result.outside):>{size}}  in no cluster"
        terminal.print(line, style="dim", highlight=False)
        _show_members(terminal, result, result.outside[:members].tolist(), number + 2)
    sign(terminal, f"{_summed_up(result)}, vectors", result.corpus.model)


def _show_members(terminal: Console, result: Clustering, rows: Sequence[int], indent: int) -> None:
    corpus = result.corpus
    places = [visible(corpus.place(row)) for row in rows]
    label = min(max(map(len, places), default=0), width() // 4) if width() >= _NARROW else 0
    for row, place in zip(rows, places, strict=True):
        score = fewer_digits(result.scores[row]) if result.labels[row] > 0 else " " * 6
        where = f"[dim]{escaped(end_of(place, label))}[/dim]  " if label else ""
        room = max(width() - indent - 8 - (label + 2 if label else 0), 8)
        shown = escaped(fit(corpus.content(row), room).rstrip())
        terminal.print(f"{'':{indent}}{score}  {where}{shown}", highlight=False)


def _summed_up(result: Clustering) -> str:
    """Return the number of clusters, the method and the silhouette as one line."""
    count = len(result.clusters)
    line = f"{count} {'cluster' if count == 1 else 'clusters'} by {result.method}"
    if result.silhouette is not None:
        line += f", silhouette {result.silhouette:.3f}"
    return line
