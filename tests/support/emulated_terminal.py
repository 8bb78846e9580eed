"""A program on a terminal that is looked at as a person does: by what stands on the screen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

import pexpect
import pyte

__all__ = ["EmulatedTerminal"]

_TIMEOUT_S = 60  # only ever reached by what hangs


class EmulatedTerminal:
    """Runs a program on a terminal of so many columns, and draws what it prints."""

    def __init__(
        self, command: Sequence[str], *, columns: int, env: Mapping[str, str], cwd: Path | None = None
    ) -> None:
        program, *arguments = command
        self.child = pexpect.spawn(
            program,
            arguments,
            dimensions=(24, columns),
            env={**env, "TERM": "xterm"},
            cwd=None if cwd is None else str(cwd),
            encoding="utf-8",
            codec_errors="replace",
            timeout=_TIMEOUT_S,
        )
        self.screen = pyte.Screen(columns, 24)
        # What the program asks of the terminal is answered.
        self.screen.write_process_input = self.child.send
        self._stream = pyte.Stream(self.screen)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.child.close(force=True)

    @property
    def lines(self) -> list[str]:
        """The lines of the screen that are not blank, from the top."""
        return [line.rstrip() for line in self.screen.display if line.strip()]

    def type(self, text: str) -> None:
        """Press the keys of `text`."""
        self.child.send(text)

    def wait_for(self, shown: Callable[[list[str]], bool]) -> None:
        """Draw until `shown` is true of the lines; fails if the program ends, or prints no more."""
        while not shown(self.lines):
            try:
                self._stream.feed(self.child.read_nonblocking(1 << 16, _TIMEOUT_S))
            except (pexpect.EOF, pexpect.TIMEOUT) as exc:
                raise AssertionError("\n".join(self.lines)) from exc

    def wait_for_end(self) -> int:
        """Draw until the program ends; return its exit code."""
        try:
            while True:
                self._stream.feed(self.child.read_nonblocking(1 << 16, _TIMEOUT_S))
        except pexpect.EOF:
            self.child.close()
            return int(self.child.exitstatus)

    def resize(self, columns: int) -> None:
        """Change the width of the window; the program is told."""
        self.screen.resize(columns=columns)
        self.child.setwinsize(24, columns)
