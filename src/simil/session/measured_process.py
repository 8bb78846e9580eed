"""The process in which one model is measured: nothing else is in its memory, and its start is its own.

`simil eval` begins it with a folder and the time at which it did. In the folder is a
`MeasurementRequest`; the process adds
the vectors and an `Outcome`, or a `Failure`.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simil.cli.process import run_process
from simil.errors import Place, SimilError

if TYPE_CHECKING:
    from simil.embedders.base import Embedder
    from simil.texts import Text

__all__ = ["Failure", "MeasurementRequest", "Outcome", "vectors_name", "warm_up"]

# Texts that are embedded once before the clock runs: enough that the engine for many is open.
_WARM_CHARACTERS = 10_000


@dataclass(frozen=True, slots=True)
class MeasurementRequest:
    """What to embed by which model: `texts` by their kind, as (text, id, source, line).

    With `warm` some are embedded once before the time is taken, which an API would charge for. `mute` keeps
    notes back that the next process has again; progress is shown.
    """

    model: Mapping[str, Any]
    run: Mapping[str, Any]
    texts: Mapping[str, Sequence[tuple[str, str, str, int | None]]]
    warm: bool
    mute: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What it took: seconds from the start of the process to the first vector, and for `computed` texts.

    What came from the cache is not among these; `start_s` is None where the first text did. `memory_bytes`
    is the most that the process held. `tokens` are those of all texts; of an API those that it counted now,
    and `price` is what it asks for them in US dollars. What is not known is None.
    """

    model: str
    dimensions: int
    start_s: float | None
    computed: int
    seconds: float
    memory_bytes: int | None
    tokens: int | None
    price: float | None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no outcome, in one line."""

    message: str
    exit_code: int


def vectors_name(kind: str) -> str:
    """Return the name of the file with the vectors of one kind of texts."""
    return f"{kind}.npy"


def _run(arguments: Sequence[str]) -> int:
    folder, began = Path(arguments[0]), float(arguments[1])
    try:
        _do(folder, began)
    except FileNotFoundError:
        if folder.exists():
            raise
        return 130  # Who asked was interrupted, and has gone with all that it had.
    return 0


def _do(folder: Path, began: float) -> None:
    job = MeasurementRequest(**json.loads(folder.joinpath("job.json").read_text("ascii")))
    result: Outcome | Failure
    try:
        result = _measured(job, folder, began)
    except SimilError as exc:
        result = Failure(str(exc), exc.exit_code)
    except MemoryError:
        result = Failure("there is not enough memory", 4)
    name = "outcome.json" if isinstance(result, Outcome) else "failure.json"
    folder.joinpath(name).write_text(json.dumps(asdict(result)), "ascii")


def _measured(job: MeasurementRequest, folder: Path, began: float) -> Outcome:
    import numpy as np

    from simil.cli.options.groups import ModelFlags, RunFlags
    from simil.embedders.base import Kind, VectorForm
    from simil.session.session import open_session

    env_file = job.run["env_file"]
    running = RunFlags(**{**job.run, "env_file": Path(env_file) if env_file else None})
    texts = {Kind(kind): [_text(*item) for item in items] for kind, items in job.texts.items()}
    first = next(iter(texts))
    head = texts[first][: warm_up([text.text for text in texts[first]]) if job.warm else 1]
    what = str(job.model["model"] or "embedding")
    with open_session(ModelFlags(**job.model), running, on_error="fail") as session:
        if job.mute:
            logging.getLogger("simil").setLevel(logging.ERROR)
        embedder = session.embedder()
        form = VectorForm(job.model["dimensions"])
        new = {kind: embedder.missing([*map(_words, items)], kind, form) for kind, items in texts.items()}
        clock = time.monotonic()
        early = session.embed(head, first, what=what).vectors
        start_s = time.monotonic() - began if 0 in new[first] else None
        if job.warm:
            clock, early, embedder.truncated = time.monotonic(), early[:0], 0
        for kind, items in texts.items():
            done = early if kind is first else early[:0]
            rest = session.embed(items[len(done) :], kind, what=what, total=len(items)).vectors
            # Of no texts there are vectors of no length.
            np.save(folder / vectors_name(kind), np.concatenate([part for part in (done, rest) if len(part)]))
        seconds = time.monotonic() - clock
        memory = _most_memory()
        tokens, price = _tokens(embedder, [_words(item) for items in texts.values() for item in items])
        return Outcome(
            model=embedder.stamp,
            dimensions=early.shape[1],
            start_s=start_s,
            computed=sum(map(len, new.values())),
            seconds=seconds,
            memory_bytes=memory,
            tokens=tokens,
            price=price,
        )


def _text(text: str, id_: str, source: str, line: int | None) -> Text:
    from simil.texts import Text

    return Text(id_, text, Place(source, line), {})


def _words(text: Text) -> str:
    return text.text


def warm_up(texts: Sequence[str]) -> int:
    """Return how many of the first texts open the engine for many."""
    characters = 0
    for count, text in enumerate(texts, 1):
        characters += len(text)
        if characters >= _WARM_CHARACTERS:
            return count
    return len(texts)


def _most_memory() -> int | None:
    """Return the most memory that this process held so far, in bytes.

    On Linux not by `getrusage`, which counts what the process had before it began with another program.
    """
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text("ascii", "replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _tokens(embedder: Embedder, texts: Sequence[str]) -> tuple[int | None, float | None]:
    """Return how many tokens there are, and what an API asks for them."""
    from simil.embedders.local.token_spans import count_tokens

    usage = embedder.usage
    if usage is None:
        return (None if embedder.folder is None else count_tokens(embedder.folder, texts)), None
    if not usage.answers or usage.answers_without_tokens:
        return None, None
    return usage.tokens, usage.cost


if __name__ == "__main__":
    run_process(sys.argv[1:], _run)
