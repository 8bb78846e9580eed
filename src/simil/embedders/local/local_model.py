"""What every engine of this machine is told about its model."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from simil.embedders.base import Kind
from simil.embedders.overflow import Overflow
from simil.frozen import Frozen

__all__ = ["LocalModel"]


class LocalModel(Frozen):
    """What an engine needs to know about its model besides its files: name, prompts, overflow.

    `on_engine` is called with the name of each engine that is opened.
    """

    stamp: str
    prompts: Mapping[Kind, str]
    overflow: Overflow
    on_engine: Callable[[str], None] = lambda engine: None
