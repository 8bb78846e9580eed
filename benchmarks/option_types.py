"""What options of run.py and gpu.py can be: what is wrong is said before anything is measured."""

from __future__ import annotations

import argparse
from pathlib import Path

__all__ = ["existing", "positive"]


def positive(value: str) -> int:
    """Return a number from 1."""
    number = int(value)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{value} is less than 1")
    return number


def existing(value: str) -> Path:
    """Return the path of a file or folder that is there."""
    path = Path(value)
    if not path.exists():
        raise argparse.ArgumentTypeError(f"there is no {value}")
    return path.resolve()
