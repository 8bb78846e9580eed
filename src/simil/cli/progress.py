"""A progress bar on stderr: only on a terminal, only for work that takes over a second."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer

from simil.progress import Advance, Progress, silent

__all__ = ["terminal_progress"]

_PATIENCE_S = 1.0


def terminal_progress(*, quiet: bool, beside_output: bool = False) -> Progress:
    """Return a bar for this run, or silence where nobody looks.

    `beside_output` is for work that prints as it goes on: on the terminal that shows the output there
    is no bar, the output itself shows how far the work is.
    """
    if quiet or not sys.stderr.isatty() or (beside_output and sys.stdout.isatty()):
        return silent
    return _bar


@contextmanager
def _bar(what: str, *, total: int | None = None, unit: str = "") -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, ProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    amount: list[ProgressColumn] = []
    if unit:
        amount = [DownloadColumn() if unit == "B" else TextColumn(f"{{task.completed}} {unit}")]
    columns = (TextColumn("{task.description}"), BarColumn(), *amount, TimeElapsedColumn())
    bar = Bar(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task(what, total=total)
    patience = Timer(_PATIENCE_S, bar.start)
    patience.daemon = True
    patience.start()
    try:
        yield lambda done: bar.advance(task, done)
    finally:
        patience.cancel()
        patience.join()
        bar.stop()
