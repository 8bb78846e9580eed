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

_COUNTED = ("rows", "blank", "unknown", "truncated", "requests", "tokens", "seconds", "worker")


@dataclass(frozen=True, slots=True)
class EmbedJob:
    """How every part is read, embedded and written.

    Attributes:
        settings: those of the run, as workers take them.
        reading: how the texts are read.
        wanted: how vectors are wanted.
        on_error: what happens to texts that fail: "fail", "skip" or "null".
        several: whether there are several sources, so that ids name theirs.
        output: the folder, dataset or address that parts go to.
        stamp: the model whose vectors they are.
        columns: those of the output.
    """

    settings: Settings
    reading: ReadOptions
    wanted: EmbedOptions
    on_error: str
    several: bool
    output: str
    stamp: str
    columns: DecidedColumns

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
        lost: how many failed, where their errors are no longer known.
        blank: how many texts were blank; `first_blank` is where.
        unknown: of how many texts the model knows nothing; `first_unknown` is where.
        truncated: how many texts were cut.
        requests: those that were sent to an API, and their `tokens`; `cost` in dollars, None if unknown.
        seconds: how long it took.
        worker: the machine and the process that did it.
        fragments: what was written to a Lance dataset, to be committed.
        error: what ended it; None where it is whole.
    """

    number: int
    rows: int = 0
    failed: list[InputError] = field(default_factory=list)
    lost: int = 0
    blank: int = 0
    first_blank: Place | None = None
    unknown: int = 0
    first_unknown: Place | None = None
    truncated: int = 0
    requests: int = 0
    tokens: int = 0
    cost: float | None = 0.0
    seconds: float = 0.0
    worker: str = ""
    fragments: list[str] = field(default_factory=list)
    error: SimilError | None = None

    def note_blank(self, place: Place) -> None:
        """Count a blank text."""
        self.blank += 1
        self.first_blank = self.first_blank or place

    def note_unknown(self, place: Place) -> None:
        """Count a text of which the model knows nothing."""
        self.unknown += 1
        self.first_unknown = self.first_unknown or place

    def counts(self) -> dict[str, Any]:
        """Return what the manifest says of it."""
        counted = {name: getattr(self, name) for name in _COUNTED}
        found = {"part": self.number, **counted, "failed": self.lost or len(self.failed), "cost": self.cost}
        for name in ("first_blank", "first_unknown", "fragments"):
            if value := getattr(self, name):
                found[name] = value
        return found

    def noted(self) -> dict[str, Any]:
        """Return the counts of texts that are worth a note at the end of a run."""
        names = ("blank", "first_blank", "unknown", "first_unknown", "truncated")
        return {name: getattr(self, name) for name in names} | {"failed": self.lost or len(self.failed)}

    @classmethod
    def of(cls, line: Mapping[str, Any]) -> PartReport:
        """Return what a manifest says of a part; the errors of its texts were printed when it was done."""
        places: dict[str, Any] = {
            name: Place(*line[name]) for name in ("first_blank", "first_unknown") if name in line
        }
        counted = {name: line[name] for name in (*_COUNTED, "cost")}
        return cls(
            line["part"], lost=line["failed"], **counted, **places, fragments=line.get("fragments", [])
        )
