"""Checks a graph once, before it is used: it must be right for texts of any length, alone and in a batch.

A graph that torch exports is the trace of one run. What the model decided for the lengths of that run is
fixed in it, so others may give an error or, worse, something else. A graph that a repository ships may also
have been made of other weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simil.foreign import what_was_raised
from simil.models.graphs.onnx_runtime import import_onnxruntime
from simil.models.graphs.signature import GraphKind, graph_feed, input_dtypes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["GraphCase", "UnfitGraph", "check_alone", "check_graph", "lacks_memory", "sample_texts"]

# The error of a token's vector, as a share of its length: at a cosine of 0.99999 it is 0.0045.
_TOLERANCE = 0.004
_LOGIT_TOLERANCE = 1e-4
_TEXT = (
    "An orange lies on the table beside two ripe apples, and nobody in the room has seen who put it there."
)
# Numbers of words, so of tokens at least. Beyond the first, models tell relative positions apart less finely;
# some use another kind of attention for texts near the second.
_LONG, _LONGER = 160, 1024
_WIDEST_WINDOW = 1200
# Words times parameters: a few seconds.
_COST = 2e11
_NO_MEMORY = ("allocate memory", "bad_alloc", "bad allocation")


def lacks_memory(exc: Exception) -> bool:
    """Say whether memory is lacking, by what torch or ONNX Runtime raised: neither has a class for it."""
    return isinstance(exc, MemoryError) or any(sign in str(exc) for sign in _NO_MEMORY)


class UnfitGraph(Exception):
    """The graph fails, or gives something else than it must; `str()` says what."""


@dataclass(frozen=True, eq=False, slots=True)
class GraphCase:
    """The tokens of a text or pair, int32 [tokens], and what a graph must give for them, without a batch."""

    ids: NDArray[np.int32]
    segments: NDArray[np.int32]
    expected: NDArray[np.float32]


def sample_texts(config: Mapping[str, Any], parameters: int) -> list[str]:
    """Return texts of growing length, from one word on.

    The last one is longer than the windows that the attention has by a model's `config`, and as long as is
    cheap to run with so many `parameters`.
    """
    windows = [_largest(value) for key, value in config.items() if "window" in key or "local_att" in key]
    cheap = min(_LONGER, int(_COST / max(parameters, 1)))
    longest = max(_LONG, cheap, *(window * 9 // 8 for window in windows if window < _WIDEST_WINDOW))
    words = _TEXT.split() * longest
    return [" ".join(words[:length]) for length in (1, 7, 40, longest)]


def _largest(value: Any) -> int:
    numbers = value if isinstance(value, list) else [value]
    return max((number for number in numbers if isinstance(number, int)), default=0)


def check_graph(graph: Path, cases: Sequence[GraphCase], kind: GraphKind) -> bool:
    """Return whether texts may be padded to the length of others in their batch.

    In some models padding leaks into the vectors of its neighbours. Raises `UnfitGraph` unless the graph in a
    file gives what is expected for each case by itself, and for several of one length.
    """
    session = _CheckedSession(graph, kind)
    for batch in (*([case] for case in cases), [cases[1]] * 3):
        if not session.agrees(batch):
            raise UnfitGraph("its graph gives other values than it does")
    try:
        return session.agrees(cases[:-1])
    except UnfitGraph:
        return False


def check_alone(graph: Path, tokens: Sequence[Sequence[int]], kind: GraphKind) -> bool:
    """Do as `check_graph` with the values that the graph itself gives for single texts, which are token ids.

    So only what fails, is not finite, or depends on the batch shows.
    """
    import numpy as np

    session = _CheckedSession(graph, kind)
    cases = []
    for ids in tokens:
        case = GraphCase(np.array(ids, np.int32), np.zeros(len(ids), np.int32), np.empty(0, np.float32))
        (output,) = session.run([case])
        cases.append(GraphCase(case.ids, case.segments, output))
    return check_graph(graph, cases, kind)


def _agree(output: NDArray[np.float32], expected: NDArray[np.float32], kind: GraphKind) -> bool:
    import numpy as np

    if output.shape != expected.shape:
        return False
    error, size = np.abs(output - expected), np.abs(expected)
    # What is not finite is larger than nothing, and fails, too.
    if kind is GraphKind.LOGITS:
        return bool((error <= _LOGIT_TOLERANCE * (1 + size)).all())
    errors, lengths = np.linalg.norm(error, axis=-1), np.linalg.norm(size, axis=-1)
    return bool((errors <= _TOLERANCE * lengths).all())


@contextmanager
def _unfit(what: str, *, told: bool = True) -> Iterator[None]:
    """Turn ONNX Runtime's exceptions into `UnfitGraph`; `told` says what they are.

    Raises `MemoryError` where memory is lacking, which is no fault of the graph.
    """
    try:
        yield
    except Exception as exc:
        if lacks_memory(exc):
            raise MemoryError from exc
        why = f": {what_was_raised(exc).splitlines()[0]}" if told else ""
        raise UnfitGraph(f"{what}{why}") from exc


class _CheckedSession:
    """An open graph that raises `UnfitGraph`."""

    def __init__(self, graph: Path, kind: GraphKind) -> None:
        onnxruntime = import_onnxruntime()
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.add_session_config_entry("session.disable_prepacking", "1")
        self._kind = kind
        with _unfit("ONNX Runtime cannot open its graph"):
            self._session = onnxruntime.InferenceSession(
                str(graph), options, providers=["CPUExecutionProvider"]
            )
            self._dtypes = input_dtypes(self._session)
            names = {value.name for value in self._session.get_outputs()}
            self._output = next(name for name in kind.value if name in names)

    def agrees(self, cases: Sequence[GraphCase]) -> bool:
        """Say whether the graph gives what is expected for the cases of a batch."""
        outputs = self.run(cases)
        return all(
            _agree(output, case.expected, self._kind) for output, case in zip(outputs, cases, strict=True)
        )

    def run(self, cases: Sequence[GraphCase]) -> Iterator[NDArray[np.float32]]:
        """Return the outputs of a batch, each for its own tokens."""
        import numpy as np

        length = max(len(case.ids) for case in cases)
        ids, mask, segments = np.zeros((3, len(cases), length), np.int32)
        for row, case in enumerate(cases):
            ids[row, : len(case.ids)], segments[row, : len(case.ids)] = case.ids, case.segments
            mask[row, : len(case.ids)] = 1
        with _unfit("its graph fails for texts of some lengths", told=False):
            feed = graph_feed(ids, mask, self._dtypes, segments)
            (outputs,) = self._session.run([self._output], feed)
        if self._kind is GraphKind.LOGITS:
            return iter(outputs)
        if outputs.ndim != 3 or outputs.shape[:2] != ids.shape:
            raise UnfitGraph("its graph does not give a vector for each token")
        return (output[: len(case.ids)] for output, case in zip(outputs, cases, strict=True))
