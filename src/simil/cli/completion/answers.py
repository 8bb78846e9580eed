"""What the script of a shell is answered: the kind of names, and a line for each candidate."""

from __future__ import annotations

import logging
import os
import re

from simil.cli.completion.possible_words import Candidate, completion_of
from simil.cli.completion.typed_line import TypedLine, typed_line
from simil.data_stream import stdout

__all__ = ["print_completion"]

# What means something to bash within double quotes, and outside of quotes.
_QUOTED, _UNQUOTED = re.compile(r'(["\\$`])'), re.compile(r"([^\w@%+=:,./-])")


def print_completion(shell: str) -> None:
    """Print what may stand at the cursor of the line that `shell` hands over in the environment."""
    logging.disable()  # Nothing may stand on the terminal but the line that is being typed.
    line = typed_line(shell, os.environ)
    found = completion_of(line)
    lines = (_line(shell, one, line) for one in found.candidates)
    stdout().write("".join(f"{one}\n" for one in (found.kind, *filter(None, lines))))


def _line(shell: str, candidate: Candidate, line: TypedLine) -> str:
    """Return a candidate as the script of a shell takes it; empty if it cannot stand there."""
    word, about = candidate.word, candidate.about
    if shell == "bash":
        return _in_bash(word[line.kept :], line.quote)
    if shell == "zsh":
        word = word.replace("\\", "\\\\").replace(":", "\\:")
    between = ":" if shell == "zsh" else "\t"
    return f"{word}{between}{about}" if about else word


def _in_bash(word: str, quote: str) -> str:
    """Return a word as it stands on the line, where bash puts it as it is."""
    if quote == "'":
        return "" if "'" in word else word
    return (_QUOTED if quote else _UNQUOTED).sub(r"\\\1", word)
