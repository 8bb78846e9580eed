"""Has a model measured in a process of its own, and takes over what came of it."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from simil.cli.options.groups import ModelFlags, RunFlags
from simil.embedders.base import Kind
from simil.errors import ModelError, SimilError
from simil.models.catalog import DEFAULT
from simil.models.resolve import Provider, resolve
from simil.session.measured_process import Failure, MeasurementRequest, Outcome, vectors_name, warm_up

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.texts import Text

__all__ = ["Cost", "Measured", "NotMeasured", "measure"]

_LOCAL = (Provider.EMBEDDED, Provider.HUB, Provider.FOLDER)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a model takes; None is not known.

    `start_s` is the time from the start of a process to its first vector, `texts_per_s` the speed from then
    on, `memory_mb` (of 10^6 bytes) the most memory. `tokens` are those of all texts; of an API those that it
    was asked now, and `price` what that cost, in US dollars.
    """

    start_s: float | None
    texts_per_s: float | None
    memory_mb: float | None
    tokens: int | None
    price: float | None


@dataclass(frozen=True, eq=False, slots=True)
class Measured:
    """Vectors of one model by the kind of their texts, float32 [texts, dimensions], and what they took."""

    name: str
    model: str
    dimensions: int
    vectors: Mapping[Kind, NDArray[np.float32]]
    cost: Cost


class NotMeasured(SimilError):
    """A model that could not be measured; its exit code is that of the reason."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def measure(model: ModelFlags, running: RunFlags, texts: Mapping[Kind, Sequence[Text]]) -> Measured:
    """Return the vectors of `texts`, each of length 1, by one model, and what they took.

    A model of this machine computes all of them, whatever the cache holds. Before, a process of its own sees
    to it that its files are fetched and prepared, which would count as memory; after, another is given a
    single text, to see how long the model takes to start. Of an API the cache gives what was paid for before,
    and only the others count for its speed. Raises `NotMeasured`.
    """
    local = resolve(model.model or DEFAULT).provider in _LOCAL
    kind, items = next(iter(texts.items()))
    if local:
        model = dataclasses.replace(model, no_cache=True)
    with tempfile.TemporaryDirectory(prefix="simil-") as name:
        folder = Path(name)
        if local:
            some = {kind: items[: warm_up([item.text for item in items])]}
            _outcome(_job(model, running, some, warm=False, mute=True), folder)
        outcome = _outcome(_job(model, running, texts, warm=local), folder)
        vectors = {kind: _vectors(folder, kind) for kind in texts}
        start_s = outcome.start_s
        if local:
            quiet = dataclasses.replace(running, quiet=True, verbose=False)
            start_s = _outcome(_job(model, quiet, {kind: items[:1]}, warm=False), folder).start_s
    return Measured(
        model.model or outcome.model, outcome.model, outcome.dimensions, vectors, _cost(outcome, start_s)
    )


def _job(
    model: ModelFlags,
    running: RunFlags,
    texts: Mapping[Kind, Sequence[Text]],
    *,
    warm: bool,
    mute: bool = False,
) -> MeasurementRequest:
    return MeasurementRequest(
        dataclasses.asdict(model),
        dataclasses.asdict(running) | {"env_file": str(running.env_file) if running.env_file else None},
        {
            str(kind): [(item.text, item.id, item.origin.source, item.origin.line) for item in items]
            for kind, items in texts.items()
        },
        warm,
        mute,
    )


def _outcome(job: MeasurementRequest, folder: Path) -> Outcome:
    """Run a job to its end; stderr is that of this process, for notes and the progress bar."""
    # Not by orjson: the path of --env-file, and of a model, need not be UTF-8.
    folder.joinpath("job.json").write_text(json.dumps(dataclasses.asdict(job)), "ascii")
    began = time.monotonic()
    # -P: what lies in the current folder is not to be taken for a part of Python or simil.
    command = [sys.executable, "-P", "-m", "simil.session.measured_process", str(folder), repr(began)]
    code = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False
    ).returncode
    failure, outcome = folder / "failure.json", folder / "outcome.json"
    if failure.exists():
        why = Failure(**json.loads(failure.read_text("ascii")))
        raise NotMeasured(why.message, why.exit_code)
    if code or not outcome.exists():
        raise NotMeasured(_ended(code), ModelError.exit_code)
    return Outcome(**json.loads(outcome.read_text("ascii")))


def _ended(code: int) -> str:
    if code < 0:
        name = signal.Signals(-code).name
        return f"its process was ended by {name}; if that is for want of memory, use a smaller model"
    return f"its process ended with {code}"


def _vectors(folder: Path, kind: Kind) -> NDArray[np.float32]:
    import numpy as np

    vectors: NDArray[np.float32] = np.load(folder / vectors_name(kind), allow_pickle=False)
    return vectors


def _cost(outcome: Outcome, start_s: float | None) -> Cost:
    return Cost(
        start_s=start_s,
        texts_per_s=outcome.computed / outcome.seconds if outcome.computed and outcome.seconds else None,
        memory_mb=None if outcome.memory_bytes is None else outcome.memory_bytes / 1e6,
        tokens=outcome.tokens,
        price=outcome.price,
    )
