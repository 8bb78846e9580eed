"""What a run on many machines does, as it travels to the workers, and what they report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from simil.config import Settings
from simil.errors import InputError, Place, SimilError
from simil.tasks.embedding import EmbedOptions
from simil.texts import ReadOptions

if TYPE_CHECKING:
    from simil.vectors.vector_columns import DecidedColumns

__all__ = ["EmbedJob", "PartReport"]


@dataclass(frozen=True, slots=True)
class EmbedJob:
    """How every part is read, embedded and written.

    Attributes:
        settings: those of the run; a key in them is shown nowhere.
        reading: how the texts are read.
        wanted: how vectors are wanted.
        on_error: what happens to texts that fail: "fail", "skip" or "null".
        several: whether there are several sources, so that ids name theirs.
        output: the folder or the address that parts go to.
        stamp: the model whose vectors they are.
        columns: those of the output.
        version: that of simil on the driver.
    """

    settings: Settings
    reading: ReadOptions
    wanted: EmbedOptions
    on_error: str
    several: bool
    output: str
    stamp: str
    version: str
    columns: DecidedColumns | None = None

    @property
    def keeps_failed(self) -> bool:
        """Whether a failed text keeps its place in the output."""
        return self.on_error == "null"


@dataclass(slots=True)
class PartReport:
    """What became of a part.

    Attributes:
        number: the number of the part.
        rows: the vectors that were written, those of nan among them.
        failed: the errors of texts that were left out or are null.
        blank: how many texts were blank; `first_blank` is where.
        unknown: of how many texts the model knows nothing; `first_unknown` is where.
        truncated: how many texts were cut.
        usage: requests, tokens and costs of an API.
        seconds: how long it took.
        worker: the node and the process that did it.
        error: what ended it; None where it is whole.
    """

    number: int
    rows: int = 0
    failed: list[InputError] = field(default_factory=list)
    blank: int = 0
    first_blank: Place | None = None
    unknown: int = 0
    first_unknown: Place | None = None
    truncated: int = 0
    usage: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    worker: str = ""
    error: SimilError | None = None

    def note_blank(self, place: Place) -> None:
        """Count a blank text."""
        self.blank += 1
        self.first_blank = self.first_blank or place

    def note_unknown(self, place: Place) -> None:
        """Count a text of which the model knows nothing."""
        self.unknown += 1
        self.first_unknown = self.first_unknown or place
