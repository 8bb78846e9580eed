"""Tries a model behind an API: a few short texts, which show what its vectors are like, and its speed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from secrets import token_hex
from typing import TYPE_CHECKING

from simil.config import Credentials
from simil.embedders.openai.client import OpenAIEmbedder
from simil.embedders.openai.requests import EmbeddingReply
from simil.embedders.openai.retries import RequestFailed
from simil.embedders.openai.transport import Timeout

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["ServerTrial", "try_server"]

# More than many servers accept in one request, so that their refusals tell how many they do.
_BATCH = 64
# The batch is to take no longer.
_BATCH_S = 5.0
_LIMITS = "x-ratelimit-limit-"


@dataclass(frozen=True, slots=True)
class ServerTrial:
    """What a server did with a few texts.

    Attributes:
        dimensions: the length of its vectors.
        shortest, longest: the smallest and the greatest Euclidean norm of its vectors, as they came.
        first_s: the seconds of the first text, for which the server may have loaded the model.
        text_s: the seconds of another text.
        texts: how many texts the last request had; 0 if none with several was answered.
        texts_s: the seconds of that request.
        most_texts: how many texts the server takes in a request, if it has told.
        failed: why a request with several texts was not answered; empty if one was.
        limits: the limits per minute that the headers tell, by `requests` and `tokens`.
    """

    dimensions: int
    shortest: float
    longest: float
    first_s: float
    text_s: float
    texts: int
    texts_s: float
    most_texts: int | None
    failed: str
    limits: Mapping[str, str]

    @property
    def is_normalized(self) -> bool:
        """Whether the vectors came with length 1, as far as float16 tells."""
        return self.shortest > 1 - 1e-3 and self.longest < 1 + 1e-3


def try_server(api: Credentials, model: str, *, seconds: float) -> ServerTrial:
    """Send one text, another one, and some in one request; nothing is sent a second time.

    Each request has `seconds`. Raises a `SimilError` if the server does not embed the first texts.
    """
    embedder = OpenAIEmbedder(
        model=model,
        api_key=api.api_key,
        base_url=api.base_url,
        api_version=api.api_version,
        key_hint=api.key_hint,
        timeout=Timeout.of(seconds),
    )
    try:
        return _tried(embedder)
    finally:
        embedder.close()


def _tried(embedder: OpenAIEmbedder) -> ServerTrial:
    # Other texts each time: a server may have the vectors of those before in a cache.
    mark = token_hex(4)
    first, first_s = _one(embedder, f"The first text of {mark}")
    second, text_s = _one(embedder, f"The second text of {mark}")
    batch = _batch(embedder, text_s, mark)
    replies = [first, second, *([batch.reply] if batch.reply else [])]
    norms = _norms([reply.vectors for reply in replies])
    return ServerTrial(
        dimensions=first.vectors.shape[1],
        shortest=min(norms),
        longest=max(norms),
        first_s=first_s,
        text_s=text_s,
        texts=len(batch.reply.vectors) if batch.reply else 0,
        texts_s=batch.seconds,
        most_texts=batch.most_texts,
        failed=batch.failed,
        limits={
            unit: value.strip()
            for unit in ("requests", "tokens")
            if (value := replies[-1].headers.get(f"{_LIMITS}{unit}", "")).strip().isdecimal()
        },
    )


@dataclass(frozen=True, slots=True)
class _SeveralTexts:
    """A request with several texts; `reply` is None if it `failed`."""

    reply: EmbeddingReply | None
    seconds: float = 0.0
    most_texts: int | None = None
    failed: str = ""


def _batch(embedder: OpenAIEmbedder, text_s: float, mark: str) -> _SeveralTexts:
    """Send several texts at once: fewer to a slow server, and as many as it takes."""
    count, most = max(2, min(_BATCH, int(_BATCH_S / max(text_s, 1e-6)))), None
    while True:
        try:
            reply, seconds = _timed(embedder, [f"Text {number} of {mark}" for number in range(count)])
        except RequestFailed as exc:
            told = exc.blame.most_inputs if exc.blame else None
            if not (exc.blame and exc.blame.is_size and count > 2):
                return _SeveralTexts(None, most_texts=most, failed=exc.message)
            most, count = told or most, told if told and told < count else count // 2
        else:
            return _SeveralTexts(reply, seconds, most)


def _one(embedder: OpenAIEmbedder, text: str) -> tuple[EmbeddingReply, float]:
    try:
        reply, seconds = _timed(embedder, [text])
    except RequestFailed as exc:
        raise exc.error from exc
    for fault in reply.faults.values():
        raise fault
    return reply, seconds


def _timed(embedder: OpenAIEmbedder, texts: Sequence[str]) -> tuple[EmbeddingReply, float]:
    began = time.perf_counter()
    reply = embedder.ask(texts)
    return reply, time.perf_counter() - began


def _norms(blocks: Sequence[NDArray[np.float32]]) -> list[float]:
    import numpy as np

    norms = np.linalg.norm(np.concatenate(blocks).astype(np.float64), axis=1)
    found: list[float] = norms[np.isfinite(norms)].tolist()
    return found
