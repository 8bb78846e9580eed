"""What happens in a process that measures one model: nothing else is in its memory, and its start is its own.

It gets a `MeasurementRequest` on stdin, and puts the vectors and an `Outcome`, or a `Failure`, into a folder.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simil.config import Credentials, Settings
from simil.device import Device
from simil.embedders.base import Kind, VectorForm
from simil.errors import Place, SimilError, UsageError
from simil.tasks.embedding import EmbedOptions, embed_all
from simil.texts import Text

if TYPE_CHECKING:
    from simil.embedders.base import Embedder
    from simil.session.session import Session

__all__ = [
    "SCORES",
    "Failure",
    "MeasurementRequest",
    "Outcome",
    "measure_in",
    "vectors_name",
    "warm_up",
    "write_result",
]

SCORES = "scores.npy"
"""The name of the file with the scores of pairs."""

# Texts that are embedded once before the clock runs: enough that the engine for many is open.
_WARM_CHARACTERS = 10_000


@dataclass(frozen=True, slots=True)
class MeasurementRequest:
    """What to embed, `texts` by their kind, and with which settings; `dimensions` None keeps all of them.

    With `warm` some are embedded once before the time is taken, which an API would charge for. `pairs` are
    those that a cross-encoder scores, by their places among the texts of the first kind; None where the
    texts are no pairs. Where only some of the texts are given, it scores the pairs of these.
    """

    settings: Settings
    dimensions: int | None
    texts: Mapping[Kind, Sequence[Text]]
    warm: bool
    pairs: Sequence[tuple[int, int]] | None = None

    def to_json(self) -> bytes:
        """Return the request as one line; with the key of an API, so that it goes into no file."""
        # Not by orjson: the path of a model need not be UTF-8.
        settings = {
            **asdict(self.settings),
            "cache_dir": str(self.settings.cache_dir),
            "device": str(self.settings.device),
        }
        texts = {
            str(kind): [(item.embedded, item.id, item.origin.source, item.origin.line) for item in items]
            for kind, items in self.texts.items()
        }
        request = {
            "settings": settings, "dimensions": self.dimensions, "texts": texts, "warm": self.warm,
            "pairs": self.pairs,
        }  # fmt: skip
        return json.dumps(request).encode("ascii") + b"\n"

    @classmethod
    def from_json(cls, line: bytes) -> MeasurementRequest:
        """Return the request that `to_json` gave."""
        given: dict[str, Any] = json.loads(line)
        own = given["settings"]
        typed = {
            "cache_dir": Path(own["cache_dir"]),
            "device": Device.parse(own["device"]),
            "openai": Credentials(**own["openai"]),
        }
        settings = Settings(**{**own, **typed})
        texts = {
            Kind(kind): [Text(id_, text, Place(source, line), {}) for text, id_, source, line in items]
            for kind, items in given["texts"].items()
        }
        return cls(settings, given["dimensions"], texts, given["warm"], given["pairs"])


@dataclass(frozen=True, slots=True)
class Outcome:
    """What it took: seconds from the start of the process to the first vector, and for `computed` texts.

    For a cross-encoder, to the first score and for so many pairs; it has no `dimensions`. What came from the
    cache is not among these; `start_s` is None where the first text did. `memory_bytes` is the most that the
    process held. `tokens` are those of all texts; of an API those that it counted now, and `price` is what
    it asks for them in US dollars. What is not known is None.
    """

    model: str
    dimensions: int | None
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


def write_result(folder: Path, measure: Callable[[], Outcome]) -> None:
    """Write what `measure` returns, or why it raises an error, into `folder`."""
    result: Outcome | Failure
    try:
        result = measure()
    except SimilError as exc:
        result = Failure(str(exc), exc.exit_code)
    except MemoryError:
        result = Failure("there is not enough memory", 4)
    name = "outcome.json" if isinstance(result, Outcome) else "failure.json"
    folder.joinpath(name).write_text(json.dumps(asdict(result)), "ascii")


def measure_in(session: Session, request: MeasurementRequest, folder: Path, began: float) -> Outcome:
    """Embed the texts or score the pairs, put the result into `folder`, and return what it took.

    `began` is when the process was started, by `time.monotonic`. Raises `UsageError` where there are no pairs
    for a cross-encoder.
    """
    import numpy as np

    if session.is_cross_encoder():
        return _measure_pairs(session, request, folder, began)
    texts = request.texts
    first = next(iter(texts))
    head = texts[first][: warm_up([text.text for text in texts[first]]) if request.warm else 1]
    label = request.settings.model or "embedding"
    embedder = session.embedder()
    form = VectorForm(request.dimensions)
    new = {kind: embedder.missing([*map(_words, items)], kind, form) for kind, items in texts.items()}
    clock = time.monotonic()
    if request.warm:  # Not by the session, which would count what it notes of these texts twice.
        early = embed_all(head, embedder, EmbedOptions(first, request.dimensions)).vectors
    else:
        early = session.embed(head, first, label=label).vectors
    start_s = time.monotonic() - began if 0 in new[first] else None
    if request.warm:
        clock, early, embedder.truncated = time.monotonic(), early[:0], 0
    for kind, items in texts.items():
        done = early if kind is first else early[:0]
        rest = session.embed(items[len(done) :], kind, label=label, total=len(items)).vectors
        # Of no texts there are vectors of no length.
        np.save(folder / vectors_name(kind), np.concatenate([part for part in (done, rest) if len(part)]))
    seconds = time.monotonic() - clock
    memory = _most_memory()
    computed = sum(map(len, new.values()))
    words = [_words(item) for items in texts.values() for item in items]
    tokens, price = _tokens(embedder, words, computed)
    return Outcome(
        model=embedder.stamp,
        dimensions=early.shape[1],
        start_s=start_s,
        computed=computed,
        seconds=seconds,
        memory_bytes=memory,
        tokens=tokens,
        price=price,
    )


def _measure_pairs(session: Session, request: MeasurementRequest, folder: Path, began: float) -> Outcome:
    import numpy as np

    from simil.tasks.pair_scoring import score_pairs

    given = _pairs_given(request)
    pairs = [(left.text, right.text) for left, right in given]
    places = [right.origin for _, right in given]
    scorer = session.scorer()
    score_pairs(pairs[:1], scorer, places=places)
    start_s = time.monotonic() - began
    if request.warm:
        score_pairs(pairs[: warm_up(["".join(pair) for pair in pairs])], scorer, places=places)
    clock, scorer.truncated = time.monotonic(), 0
    scores = score_pairs(
        pairs,
        scorer,
        places=places,
        progress=session.progress,
        label=request.settings.model or "scoring",
    )
    seconds = time.monotonic() - clock
    np.save(folder / SCORES, scores)
    return Outcome(
        model=scorer.stamp,
        dimensions=None,
        start_s=start_s,
        computed=len(pairs),
        seconds=seconds,
        memory_bytes=_most_memory(),
        tokens=None,
        price=None,
    )


def _pairs_given(request: MeasurementRequest) -> list[tuple[Text, Text]]:
    """Return the pairs of the texts that are given; of a single text, that with itself."""
    name = request.settings.model
    if request.pairs is None:
        raise UsageError(
            f"{name} is a cross-encoder and scores pairs, but these are queries and documents",
            hint="pass it to --rerank, beside an embedding model, or measure it on labelled pairs",
        )
    if request.dimensions is not None:
        raise UsageError(
            f"--dimensions is for vectors, and {name} is a cross-encoder", hint="leave one of them out"
        )
    texts = next(iter(request.texts.values()))
    pairs = [(left, right) for left, right in request.pairs if max(left, right) < len(texts)]
    return [(texts[left], texts[right]) for left, right in pairs or [(0, 0)]]


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
    if sys.platform == "win32":
        return None
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _tokens(embedder: Embedder, texts: Sequence[str], computed: int) -> tuple[int | None, float | None]:
    """Return how many tokens there are, and what an API asks for them if any of the texts were `computed`."""
    from simil.embedders.local.token_spans import count_tokens

    usage = embedder.usage
    if usage is None:
        return (None if embedder.folder is None else count_tokens(embedder.folder, texts)), None
    # A cached text may have been asked anew, to see whether the server still has the same model.
    if not computed or not usage.answers or usage.answers_without_tokens:
        return None, None
    return usage.tokens, usage.cost
