"""The line that `--version` prints."""

from __future__ import annotations

from simil._version import __version__
from simil.data_stream import stdout

__all__ = ["print_version"]


def print_version() -> None:
    """Print the version."""
    stdout().write(f"simil {__version__}\n")
