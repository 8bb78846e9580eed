"""What tables on a terminal share: the console, bars, colours of scores, the last line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TextIO

from simil.cli.output.cells import fit, visible
from simil.cli.output.output_file import width
from simil.cli.output.terminal_stream import unfiltered
from simil.data_stream import stdout

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

__all__ = ["bar", "console", "console_on", "escaped", "heat", "meter", "meter_columns", "sign"]

_METER, _GAP, _NARROW = 10, "  ", 60
# From unlike to alike, on dark and light backgrounds.
_HEAT = ("blue", "cyan", "green", "yellow", "red")


def sign(terminal: Console, what: str, model: str | None) -> None:
    """Print the last line of a table: what was done, by which model."""
    line = f"{what} by {model or 'an unknown model'}".lstrip()
    terminal.print(fit(line, width()).rstrip(), style="dim", markup=False, highlight=False)


def console() -> Console:
    """Return a console on stdout, as wide as the terminal."""
    return console_on(stdout(), columns=width(), soft_wrap=True)


def console_on(stream: TextIO, *, columns: int | None = None, soft_wrap: bool = False) -> Console:
    """Return a console on `stream`; of what it prints, its own colours alone are control sequences."""
    from rich.console import Console
    from rich.segment import Segment

    class VisibleConsole(Console):
        def render(
            self, renderable: RenderableType, options: ConsoleOptions | None = None
        ) -> Iterable[Segment]:
            for segment in super().render(renderable, options):
                if segment.control:
                    yield segment
                else:
                    yield Segment(visible(segment.text, keep="\n"), segment.style)

    return VisibleConsole(file=unfiltered(stream), width=columns, soft_wrap=soft_wrap)


def bar(terminal: Console, score: float, room: int) -> str:
    """Return the markup of a bar `room` columns long, full at 1, in the colour of the score."""
    blocks = ("█", "░") if terminal.encoding.startswith("utf") else ("#", "-")
    full = round(max(0.0, min(score, 1.0)) * room)
    return f"[{heat(score)}]{blocks[0] * full}[/][dim]{blocks[1] * (room - full)}[/dim]"


def meter(terminal: Console, score: float) -> str:
    """Return the markup of a short bar and the gap after it, `meter_columns` wide."""
    return f"{bar(terminal, score, _METER)}{_GAP}" if meter_columns() else ""


def meter_columns() -> int:
    """Return the width of a `meter` on this terminal: 0 on a narrow one."""
    return _METER + len(_GAP) if width() >= _NARROW else 0


def heat(score: float) -> str:
    """Return the colour of a score between 0 and 1."""
    return _HEAT[min(int(max(score, 0.0) * len(_HEAT)), len(_HEAT) - 1)]


def escaped(text: str) -> str:
    """Return `text` escaped so that markup in it is printed as it is."""
    from rich.markup import escape

    return escape(text)
