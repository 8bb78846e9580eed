"""A progress bar on stderr: only on a terminal, only for work that takes over a second."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, Timer
from typing import TYPE_CHECKING

from simil.cli.output.terminal import console_on
from simil.data_stream import stdout
from simil.progress import Advance, Progress, Status, Total, silent

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import ProgressColumn, Task

__all__ = ["leave_terminal", "terminal_progress"]

_PATIENCE_S = 1.0
_NARROW = 60
# From when on the speed of the whole work so far tells something.
_SETTLED_S = 3.0
# The bars of work that goes on at once, the one that stands on the terminal last.
_bars: list[Bar] = []
_lock = Lock()


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
        _begin(bar)
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
        _end(bar)


def _begin(bar: Bar) -> None:
    """Show a bar in place of another: two would write into each other's lines."""
    with _lock:
        if _bars:
            _bars[-1].stop()
        _bars.append(bar)
        bar.start()


def _end(bar: Bar) -> None:
    """Stop showing a bar, and show the one that it took the place of."""
    with _lock:
        if bar not in _bars:
            return
        bar.stop()
        is_shown = bar is _bars[-1]
        _bars.remove(bar)
        if is_shown and _bars:
            _bars[-1].start()


def leave_terminal() -> None:
    """Erase the bar and show the cursor, where the process ends before the work does."""
    if _bars:
        os.write(2, b"\r\x1b[2K\x1b[?25h")


def _bar(unit: str, status: Status) -> Bar:
    """Return a bar that fits the terminal, also once its window is resized."""
    from rich.console import RenderableType
    from rich.control import Control
    from rich.measure import Measurement
    from rich.progress import Progress as Bar
    from rich.segment import ControlType

    console = console_on(sys.stderr)

    class ResizedBar(Bar):
        length = 0
        is_narrow: bool | None = None

        def get_renderable(self) -> RenderableType:
            columns = console.width
            if columns < self.length and _reflows():
                # The line was wrapped: what stands in rows above the cursor's would be left.
                wrapped = (self.length - 1) // columns
                up = [(ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_UP, 1)] * wrapped
                console.control(Control(*up))
            if self.is_narrow != (columns < _NARROW):
                self.is_narrow = columns < _NARROW
                self.columns = _columns(unit, status, narrow=self.is_narrow)
            line = super().get_renderable()
            self.length = min(Measurement.get(console, console.options, line).maximum, columns)
            return line

    return ResizedBar(console=console, transient=True)


def _reflows() -> bool:
    """Return whether the terminal wraps lines anew when its window gets narrower, as most do."""
    return "XTERM_VERSION" not in os.environ and not ("STY" in os.environ and "TMUX" not in os.environ)


def _columns(unit: str, status: Status, *, narrow: bool) -> tuple[ProgressColumn, ...]:
    """Return the columns of a bar: what is done, the speed, and the time left or the reason to wait."""
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        ProgressColumn,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TransferSpeedColumn,
    )  # fmt: skip
    from rich.text import Text

    class Amount(ProgressColumn):
        def render(self, task: Task) -> Text:
            whole = f"/{task.total:,.0f}" if task.total else ""
            speed = _speed(task)
            rate = f", {speed:,.{0 if speed >= 10 else 1}f}/s" if speed else ""
            return Text(f"{task.completed:,.0f}{whole} {unit}{rate}", no_wrap=True)

    class Left(ProgressColumn):
        def render(self, task: Task) -> Text:
            waits_for = status()
            if waits_for:
                return Text(waits_for, "yellow")
            speed = _speed(task)
            if not task.total or not speed:
                return Text("")
            minutes, seconds = divmod(math.ceil((task.total - task.completed) / speed), 60)
            return Text(f"{minutes}:{seconds:02} left", no_wrap=True)

    columns: list[ProgressColumn] = [SpinnerColumn() if narrow else BarColumn(bar_width=20)]
    if not narrow or not unit:
        columns.insert(0, TextColumn("{task.description}", markup=False))
    if unit == "B":
        columns += [DownloadColumn(), TransferSpeedColumn()]
    elif unit:
        columns += [Amount()]
    return (*columns, Left() if unit else TimeElapsedColumn())


def _speed(task: Task) -> float | None:
    """Return the units of a second: lately, or before that is known, from the third second on, so far."""
    lately = task.speed or task.finished_speed
    if lately or not task.completed or (task.elapsed or 0) < _SETTLED_S:
        return lately
    return task.completed / (task.elapsed or 1)
