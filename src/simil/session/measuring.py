"""Has a model measured in a process of its own, and takes over what came of it."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from simil.embedders.base import Kind
from simil.errors import ModelError, SimilError
from simil.models.catalog import DEFAULT
from simil.models.resolve import Provider, resolve
from simil.session.measured_process import (
    SCORES,
    Failure,
    MeasurementRequest,
    Outcome,
    vectors_name,
    warm_up,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.config import Settings
    from simil.texts import Text

__all__ = ["Cost", "Loudness", "Measured", "NotMeasured", "measure"]

_LOCAL = (Provider.EMBEDDED, Provider.HUB, Provider.FOLDER)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a model takes; None is not known.

    `start_s` is the time from the start of a process to its first vector, `texts_per_s` the speed from then
    on, `pairs_per_s` that of a cross-encoder, `memory_mb` (of 10^6 bytes) the most memory. `tokens` are those
    of all texts; of an API those that it was asked now, and `price` is what that cost, in US dollars.
    """

    start_s: float | None
    texts_per_s: float | None
    memory_mb: float | None
    tokens: int | None
    price: float | None
    pairs_per_s: float | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Measured:
    """Vectors of one model by the kind of their texts, float32 [texts, dimensions], and what they took.

    A cross-encoder has no vectors and no dimensions, but `scores` of the pairs, float32 [pairs].
    """

    name: str
    model: str
    dimensions: int | None
    vectors: Mapping[Kind, NDArray[np.float32]]
    cost: Cost
    scores: NDArray[np.float32] | None = None


class NotMeasured(SimilError):
    """A model that could not be measured; its exit code is that of the reason."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Loudness(StrEnum):
    """What of a measuring process's notes and progress is of use to who waits for it."""

    FULL = "full"
    PROGRESS = "progress"
    SILENT = "silent"


def measure(
    settings: Settings,
    dimensions: int | None,
    texts: Mapping[Kind, Sequence[Text]],
    command: Sequence[str],
    *,
    pairs: Sequence[tuple[int, int]] | None = None,
) -> Measured:
    """Return the vectors of `texts`, each of length 1, by the model of `settings`, and what they took.

    A cross-encoder scores `pairs` of the texts of the first kind, by their places; without them it raises.
    `command` starts a process that measures: it is given a `Loudness`, a folder and the time as arguments,
    and a `MeasurementRequest` on stdin. A model of this machine computes all vectors, whatever the cache
    holds. Before, a process of its own sees to it that its files are fetched and prepared, which would count
    as memory; after, another is given a single text, to see how long the model takes to start. Of an API
    the cache gives what was paid for before, and only the others count for its speed. Raises `NotMeasured`.
    """
    local = resolve(settings.model or DEFAULT).provider in _LOCAL
    kind, items = next(iter(texts.items()))
    if local:
        settings = dataclasses.replace(settings, cache=False)
    with tempfile.TemporaryDirectory(prefix="simil-") as name:
        process = _Process(command, settings, dimensions, pairs, Path(name))
        if local:
            some = {kind: items[: warm_up([item.embedded for item in items])]}
            process.outcome(some, Loudness.PROGRESS)
        outcome = process.outcome(texts, Loudness.FULL, warm=local)
        is_cross_encoder = outcome.dimensions is None
        scores = process.result(SCORES) if is_cross_encoder else None
        vectors = {} if is_cross_encoder else {kind: process.result(vectors_name(kind)) for kind in texts}
        start_s = outcome.start_s
        if local:
            start_s = process.outcome({kind: items[:1]}, Loudness.SILENT).start_s
    return Measured(
        name=settings.model or outcome.model,
        model=outcome.model,
        dimensions=outcome.dimensions,
        vectors=vectors,
        cost=_cost(outcome, start_s),
        scores=scores,
    )


@dataclass(frozen=True, slots=True)
class _Process:
    """Starts measuring processes of one model, which leave what they find in `folder`."""

    command: Sequence[str]
    settings: Settings
    dimensions: int | None
    pairs: Sequence[tuple[int, int]] | None
    folder: Path

    def outcome(
        self, texts: Mapping[Kind, Sequence[Text]], loudness: Loudness, *, warm: bool = False
    ) -> Outcome:
        """Run a process to its end; stderr is that of this one, for notes and the progress bar."""
        request = MeasurementRequest(self.settings, self.dimensions, texts, warm, self.pairs)
        arguments = [loudness, str(self.folder), repr(time.monotonic())]
        code = subprocess.run(
            [*self.command, *arguments], input=request.to_json(), stdout=subprocess.DEVNULL, check=False
        ).returncode
        failure, outcome = self.folder / "failure.json", self.folder / "outcome.json"
        if failure.exists():
            why = Failure(**json.loads(failure.read_text("ascii")))
            raise NotMeasured(why.message, why.exit_code)
        if code or not outcome.exists():
            raise NotMeasured(_ended(code), ModelError.exit_code)
        return Outcome(**json.loads(outcome.read_text("ascii")))

    def result(self, name: str) -> NDArray[np.float32]:
        """Return the vectors or scores that the last process left in the file `name`."""
        import numpy as np

        found: NDArray[np.float32] = np.load(self.folder / name, allow_pickle=False)
        return found


def _ended(code: int) -> str:
    if code < 0:
        name = signal.Signals(-code).name
        return f"its process was ended by {name}; if that is for want of memory, use a smaller model"
    return f"its process ended with {code}"


def _cost(outcome: Outcome, start_s: float | None) -> Cost:
    speed = outcome.computed / outcome.seconds if outcome.computed and outcome.seconds else None
    return Cost(
        start_s=start_s,
        texts_per_s=None if outcome.dimensions is None else speed,
        pairs_per_s=speed if outcome.dimensions is None else None,
        memory_mb=None if outcome.memory_bytes is None else outcome.memory_bytes / 1e6,
        tokens=outcome.tokens,
        price=outcome.price,
    )
