"""Draws a chart to the destination of `--plot`; the suffix picks the back end.

`.png` and `.svg` are drawn by matplotlib, `.html` by a page of our own, and `-`, the terminal, by plotext.
The same chart gives the same bytes.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from simil.data_stream import stdout
from simil.errors import ExtraMissing, Place, UsageError

if TYPE_CHECKING:
    from simil.cli.plots.charts import Chart

__all__ = ["check_plot", "check_scatter_plot", "draw", "replaces_text"]

_LIBRARIES = {".png": "matplotlib", ".svg": "matplotlib", "-": "plotext"}


def check_plot(path: str | None) -> None:
    """Check, before any work is done, that a chart can be drawn to `path`; None needs no check.

    Raises `UsageError` for an unknown suffix or a missing folder, and `ExtraMissing` if the library that
    draws this kind of file is not installed.
    """
    if path is None:
        return
    kind = _kind(path)
    library = _LIBRARIES.get(kind)
    if library is not None and find_spec(library) is None:
        raise ExtraMissing(f"{library}, which draws {kind} plots, is not installed", extra="plot")
    if kind != "-":
        if Path(path).is_dir():
            raise UsageError("is a directory", place=Place(path), hint="name a file after --plot")
        if not Path(path).parent.is_dir():
            raise UsageError("its folder does not exist", place=Place(path), hint="check --plot")


def check_scatter_plot(path: str | None, projection: str) -> None:
    """Check that a scatter plot of texts can be drawn; see `check_plot` and `check_projection`."""
    from simil.tasks.projection import check_projection

    check_plot(path)
    if path is not None:
        check_projection(projection)


def replaces_text(path: str | None, form: str) -> bool:
    """Return whether the chart is printed to the terminal in place of output in this form."""
    return path == "-" and form in ("table", "plain")


def draw(path: str, chart: Chart) -> None:
    """Draw `chart` to `path`, or to stdout if that is "-".

    Raises `UsageError` for an unknown suffix or a file that cannot be written.
    """
    kind = _kind(path)
    if kind == "-":
        from simil.cli.output.terminal_stream import unfiltered
        from simil.cli.plots import terminal_plot

        # The texts of a chart are visible (`safe_text`); its colours are ours.
        stream = unfiltered(stdout())
        stream.write(terminal_plot.render(chart))
        stream.flush()
    elif kind == ".html":
        from simil.cli.plots import html_plot

        _write(path, html_plot.render(chart))
    else:
        from simil.cli.plots import matplotlib_plot

        _write(path, matplotlib_plot.render(chart, kind.removeprefix(".")))


def _kind(path: str) -> str:
    kind = "-" if path == "-" else Path(path).suffix.lower()
    if kind not in (*_LIBRARIES, ".html"):
        raise UsageError(
            f"--plot cannot be {path!r}", hint="name a .png, .svg or .html, or - for the terminal"
        )
    return kind


def _write(path: str, data: bytes) -> None:
    from simil.cli.output.output_file import open_output

    try:
        with open_output(Path(path)) as stream:
            stream.write(data)
    except UsageError as exc:
        raise UsageError(exc.message, place=exc.place, hint="check --plot") from exc
