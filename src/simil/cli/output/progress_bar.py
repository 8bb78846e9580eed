"""A progress bar on stderr: only on a terminal, only for work that takes over a second."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer
from typing import TYPE_CHECKING

from simil.cli.output.terminal import console_on
from simil.data_stream import stdout
from simil.progress import Advance, Progress, Status, Total, silent

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

__all__ = ["terminal_progress"]

_PATIENCE_S = 1.0
_NARROW = 60


def terminal_progress(*, quiet: bool, beside_output: bool = False) -> Progress:
    """Return a progress bar for this run, or none if stderr is not a terminal.

    With `beside_output`, for work that prints as it goes, there is no bar on a terminal that shows the
    output: the output itself shows how far the work is.
    """
    if quiet or not sys.stderr.isatty() or (beside_output and stdout().isatty()):
        return silent
    return _shown


@contextmanager
def _shown(
    what: str, *, total: Total = None, unit: str = "", status: Status = lambda: ""
) -> Iterator[Advance]:
    bar = _bar(unit, status)
    task = bar.add_task(what, total=None if callable(total) else total)

    def start() -> None:
        bar.start()
        if callable(total):
            bar.update(task, total=total())

    patience = Timer(_PATIENCE_S, start)
    patience.daemon = True
    patience.start()
    try:
        yield lambda done: bar.advance(task, done)
    finally:
        patience.cancel()
        patience.join()
        bar.stop()


def _bar(unit: str, status: Status) -> Bar:
    """Return a bar that shows the speed, and the time left or the reason to wait."""
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        ProgressColumn,
        SpinnerColumn,
        Task,
        TextColumn,
        TimeElapsedColumn,
        TransferSpeedColumn,
    )  # fmt: skip
    from rich.progress import Progress as Bar
    from rich.text import Text

    class Amount(ProgressColumn):
        def render(self, task: Task) -> Text:
            whole = f"/{task.total:,.0f}" if task.total else ""
            speed = task.speed or task.finished_speed
            rate = f", {speed:,.{0 if speed >= 10 else 1}f}/s" if speed else ""
            return Text(f"{task.completed:,.0f}{whole} {unit}{rate}")

    class Left(ProgressColumn):
        def render(self, task: Task) -> Text:
            waits_for = status()
            if waits_for:
                return Text(waits_for, "yellow")
            if not task.total or task.time_remaining is None:
                return Text("")
            minutes, seconds = divmod(int(task.time_remaining), 60)
            return Text(f"{minutes}:{seconds:02} left")

    console = console_on(sys.stderr)
    narrow = console.width < _NARROW
    columns: list[ProgressColumn] = [SpinnerColumn() if narrow else BarColumn(bar_width=20)]
    if not narrow or not unit:
        columns.insert(0, TextColumn("{task.description}", markup=False))
    if unit == "B":
        columns += [DownloadColumn(), TransferSpeedColumn()]
    elif unit:
        columns += [Amount()]
    columns += [Left()] if unit else [TimeElapsedColumn()]
    return Bar(*columns, console=console, transient=True)
