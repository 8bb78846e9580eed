"""Pictures for `--plot`: a heat map of scores, a map of texts in two dimensions, bars of how models did.

What is drawn goes by the name: `.png` and `.svg` (matplotlib), `.html` (plotly, self-contained, the texts
shown under the pointer), or `-` for the terminal (plotext). A command checks the name before its work and
draws after it::

    def cluster(..., plot: PlotTo = None, projection: Projection = "pca", ...) -> None:
        if plot:
            check_plot(plot)
            check_projection(projection)  # of simil.tasks.projection
        ...
        if plot:
            flat = project(corpus.vectors, projection)
            texts = [corpus.content(row) for row in range(len(corpus))]
            plot_map(plot, flat.points, texts, labels, words_of_clusters, marked=medoids,
                     title="Clusters", model=corpus.model, method=flat.method)

    plot_matrix(plot, comparison.names, (row for _, row in comparison.rows()),
                title="Comparison", model=comparison.model, metric=comparison.metric)

The same input gives the same bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from simil.errors import ExtraMissing, Place, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.cli.commands.eval_view import Rating
    from simil.cli.plots.bars import Bars
    from simil.cli.plots.pictures import Map, Matrix
    from simil.tasks.evaluation.experiments import Experiment

__all__ = ["check_plot", "plot_bars", "plot_map", "plot_matrix", "takes_the_place"]

_LIBRARIES = {".png": "matplotlib", ".svg": "matplotlib", ".html": "plotly", "-": "plotext"}


def check_plot(path: str) -> None:
    """Check, before any work is done, that a plot can be drawn to `path`.

    Raises `UsageError` for a name that ends in none of .png, .svg and .html and is not -, and for a folder
    that is not there; `ExtraMissing` where the library that draws it is not installed.
    """
    kind = _kind(path)
    if find_spec(_LIBRARIES[kind]) is None:
        raise ExtraMissing(
            f"{_LIBRARIES[kind]}, which draws plots, is not installed",
            hint="run: pip install 'simil-cli[plot]'",
        )
    if kind != "-":
        if Path(path).is_dir():
            raise UsageError("is a directory", place=Place(path), hint="name a file after --plot")
        if not Path(path).parent.is_dir():
            raise UsageError("its folder does not exist", place=Place(path), hint="check --plot")


def takes_the_place(path: str | None, form: str) -> bool:
    """Say whether the plot is drawn where text of this form would go: on the terminal, in its stead."""
    return path == "-" and form in ("table", "plain")


def plot_matrix(
    path: str,
    names: Sequence[str],
    rows: Iterable[NDArray[np.float32]],
    *,
    title: str,
    model: str | None,
    metric: str,
) -> None:
    """Draw each item's scores with all items as a heat map.

    `rows` are the scores, float32 [len(names)] each, or all of them as one array. They are taken one by
    one: of thousands, the means of squares are drawn. Raises what `check_plot` raises, and `UsageError` for
    a file that cannot be written.
    """
    from simil.cli.plots.pictures import matrix_of

    check_plot(path)
    _draw(path, matrix_of(names, rows, title=title, model=model, metric=metric))


def plot_map(
    path: str,
    points: NDArray[np.floating],
    texts: Sequence[str],
    groups: Sequence[int] | NDArray[np.integer] | None = None,
    group_names: Sequence[str] = (),
    scores: NDArray[np.floating] | None = None,
    *,
    marked: Sequence[int] = (),
    title: str,
    model: str | None,
    method: str,
    score_name: str = "score",
) -> None:
    """Draw texts as points, [len(texts), 2].

    With `groups` each point has the colour of its cluster (-1 is noise, grey), and the legend says
    `group_names`, those of groups 0, 1, …; with `scores` the higher a point's, the larger and darker it
    is. `marked` are the rows that are labelled with their text: medoids or outliers. `method` says how the
    points came about. Raises what `check_plot` raises, and `UsageError` for a file that cannot be written.
    """
    from simil.cli.plots.pictures import map_of

    check_plot(path)
    picture = map_of(
        points,
        texts,
        groups,
        group_names,
        scores,
        marked=marked,
        title=title,
        model=model,
        method=method,
        score_name=score_name,
    )
    _draw(path, picture)


def plot_bars(path: str, ratings: Sequence[Rating], trial: Experiment) -> None:
    """Draw how models did on a trial, a panel for each measure; raises what `plot_matrix` raises."""
    from simil.cli.plots.bars import bars_of

    check_plot(path)
    _draw(path, bars_of(ratings, trial))


def _kind(path: str) -> str:
    kind = "-" if path == "-" else Path(path).suffix.lower()
    if kind not in _LIBRARIES:
        raise UsageError(
            f"--plot cannot be {path!r}", hint="name a .png, .svg or .html, or - for the terminal"
        )
    return kind


def _draw(path: str, picture: Matrix | Map | Bars) -> None:
    kind = _kind(path)
    if kind == "-":
        from simil.cli.plots.terminal_plot import drawn

        sys.stdout.write(drawn(picture))
        sys.stdout.flush()
    elif kind == ".html":
        from simil.cli.plots.plotly_plot import page

        _write(path, page(picture))
    else:
        from simil.cli.plots.matplotlib_plot import image

        _write(path, image(picture, kind.removeprefix(".")))


def _write(path: str, data: bytes) -> None:
    from simil.cli.output.output_file import open_output

    try:
        with open_output(Path(path)) as stream:
            stream.write(data)
    except UsageError as exc:
        raise UsageError(exc.message, place=exc.place, hint="check --plot") from exc
