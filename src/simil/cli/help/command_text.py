"""What is written by hand about a command; see `simil.cli.help`."""

from __future__ import annotations

from collections.abc import Sequence

from simil.frozen import Frozen

__all__ = ["CommandText", "Example"]


class Example(Frozen):
    """A command line worth copying, and a comment on what it is for."""

    comment: str
    command: str


class CommandText(Frozen):
    """What help says of a command besides its options.

    `usage` are the ways to call it, without `simil` and its name. `common` names the options that `-h` shows,
    with blanks between them. `negative` is what exit code 1 stands for, empty if the command never ends with
    it; `failures` are the other exit codes that it may end with.
    """

    purpose: str
    usage: Sequence[str] = ("[OPTIONS]",)
    description: Sequence[str] = ()
    common: str = ""
    examples: Sequence[Example] = ()
    negative: str = ""
    failures: Sequence[int] = (2, 3, 4, 5)
