"""Estimates how long a processor needs for texts, which tells when it pays to start a GPU."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from simil.embedders.local.cores import physical_cores
from simil.errors import ModelError
from simil.models.files.chain import transformer_folder
from simil.models.files.weights import read_headers

__all__ = ["Workload"]

# What a core reaches in products of float32, in operations per second; processors differ by a factor of two.
_CORE_SPEED = 50e9
_CHARACTERS_PER_TOKEN = 4
_SPECIAL_TOKENS = 2


class Workload:
    """Adds up how long the processor needs for the texts of a run.

    It goes by the texts alone and by no clock, so that the same run makes the same choice again.
    """

    def __init__(self, folder: Path, cores: int, max_tokens: int | None) -> None:
        """Take the model in `folder`, the cores that run it (0: all), and where it cuts texts.

        Nothing is read yet.
        """
        self._folder = folder
        self._cores = cores
        self._max_tokens = max_tokens or math.inf
        self._tokens = 0.0

    def outgrows(self, seconds: float, texts: Sequence[str]) -> bool:
        """Add `texts`; return whether all so far take the processor as long as `seconds`.

        Whoever then starts a GPU, which takes so long, has lost no more than half, however few or many texts
        follow. False for a model whose size is not known.
        """
        self._tokens += sum(min(_tokens(text), self._max_tokens) for text in texts)
        return self._tokens * self._token_seconds >= seconds

    @cached_property
    def _token_seconds(self) -> float:
        cores = self._cores or physical_cores()
        try:
            return 2 * _multiplied(self._folder) / (cores * _CORE_SPEED)
        except ModelError:  # Whoever opens the model will say so.
            return 0.0


def _multiplied(folder: Path) -> int:
    """Return how many weights each token is multiplied with; those of a table are only looked up."""
    return sum(
        math.prod(tensor.shape)
        for name, tensor in read_headers(transformer_folder(folder)).items()
        if len(tensor.shape) == 2 and "embed" not in name
    )


def _tokens(text: str) -> float:
    # Scripts beyond ASCII have up to a token per character.
    characters = len(text) if text.isascii() else 2 * len(text)
    return _SPECIAL_TOKENS + characters / _CHARACTERS_PER_TOKEN
