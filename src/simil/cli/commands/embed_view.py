"""What `simil embed` shows a person: a line a text, not a thousand numbers."""

from __future__ import annotations

import sys
from math import isnan
from typing import TYPE_CHECKING

from simil.cli.output.cells import fit
from simil.cli.output.output_file import width

if TYPE_CHECKING:
    from simil.vectors import VectorBatch

__all__ = ["Preview"]

_SHOWN = 4


class Preview:
    """Takes what a writer of vector files takes, and prints id, text and the first numbers of each."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._count = 0
        self._dimensions = 0

    def write(self, batch: VectorBatch) -> None:
        """Print a line for each text."""
        columns = width()
        shown = _SHOWN if columns >= 72 else 2
        room = columns - 8 - 8 * shown - 4
        for id_, text, vector in zip(batch.ids, batch.texts, batch.vectors, strict=True):
            failed = isnan(vector[0])
            numbers = "failed" if failed else " ".join(f"{value:7.4f}" for value in vector[:shown])
            more = " …" if len(vector) > shown and not failed else ""
            sys.stdout.write(f"{fit(id_, 6)}  {fit(text or '', room)}  {numbers}{more}\n")
        self._count += len(batch)
        self._dimensions = batch.vectors.shape[1]

    def close(self) -> None:
        """Say what these are and how to keep them."""
        many = "1 vector" if self._count == 1 else f"{self._count} vectors"
        sys.stderr.write(
            f"{many} of {self._dimensions} dimensions by {self._model}; > FILE or -o FILE keeps them\n"
        )
