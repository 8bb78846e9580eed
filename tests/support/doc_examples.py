"""The examples of a page: commands, and what they are said to print."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

__all__ = ["check_examples", "console_blocks", "console_examples", "same"]

_NUMBER = re.compile(r"-?\d+\.\d+")


def console_blocks(text: str) -> list[list[tuple[str, str]]]:
    """Return the blocks of console examples, each as (command, output) in their order."""
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    return [re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE) for block in blocks]


def console_examples(text: str) -> Iterator[tuple[str, str]]:
    for block in console_blocks(text):
        yield from block


def same(printed: str, promised: str) -> bool:
    """Equal but for the last digits of numbers, which depend on the processor."""
    numbers = zip(_NUMBER.findall(printed), _NUMBER.findall(promised), strict=False)
    return _NUMBER.sub("#", printed) == _NUMBER.sub("#", promised) and all(
        abs(float(left) - float(right)) < 2e-4 for left, right in numbers
    )


def check_examples(examples: Iterable[tuple[str, str]], folder: Path, environment: Mapping[str, str]) -> None:
    """Run each command in `folder`, whose parent is the home of their user."""
    for command, promised in examples:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env={**environment, "HOME": str(folder.parent)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert same(done.stdout + done.stderr, promised), f"{command}\n{done.stdout}{done.stderr}"
