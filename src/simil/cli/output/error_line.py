"""The one line of an error on stderr."""

from __future__ import annotations

import os
from contextlib import suppress

from simil.cli.output.cells import visible
from simil.data_stream import stderr

__all__ = ["print_error", "print_on_stderr"]


def print_error(message: str) -> None:
    """Print an error's line."""
    # Texts and paths in a message may hold commands to a terminal, and what its encoding does not hold.
    print_on_stderr(f"simil: {visible(message)}\n")


def print_on_stderr(text: str) -> None:
    """Print to stderr, whatever has become of it: an error there does not change the exit code."""
    stream = stderr()
    encoding = stream.encoding or "utf-8"
    data = text.encode(encoding, "backslashreplace")
    with suppress(OSError):
        try:
            stream.write(data.decode(encoding))
            stream.flush()
        except ValueError:  # Others have closed it.
            os.write(2, data)
