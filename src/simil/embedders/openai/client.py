"""Vectors from OpenAI's API, or from any server with the same protocol."""

from __future__ import annotations

import logging
import random as random_numbers
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from simil.config import KEY_HINT, OPENAI_BASE_URL
from simil.embedders.base import Embedder, Kind, Piece, ReadAhead, TextRejected, VectorForm
from simil.embedders.cache.served_model import AskedVector
from simil.embedders.openai import protocol
from simil.embedders.openai.clock import Clock
from simil.embedders.openai.endpoint import Endpoint
from simil.embedders.openai.error_replies import ServerError, quotation, refusal
from simil.embedders.openai.packing import MAX_INPUTS, PackingPlan
from simil.embedders.openai.protocol import Answer, BadAnswer, Reply
from simil.embedders.openai.request_sizes import RequestSizes
from simil.embedders.openai.requests import EmbeddingReply
from simil.embedders.openai.retries import Blame, RequestFailed, Retries
from simil.embedders.openai.sender import Sender
from simil.embedders.openai.text_batch import Limits, TextBatch
from simil.embedders.openai.tokens import ByteCounter, TokenCounter, token_counter
from simil.embedders.openai.transport import Timeout, Transport
from simil.embedders.overflow import Overflow
from simil.embedders.pieces import to_form
from simil.embedders.usage import Plan, Usage
from simil.errors import ServerFailed, UsageError

if TYPE_CHECKING:
    import httpx
    import numpy as np
    from numpy.typing import NDArray

    from simil.embedders.openai.batch_api.batch_client import BatchClient

__all__ = ["OpenAIEmbedder"]

log = logging.getLogger("simil")

_NEXT_ENCODING: dict[str, str | None] = {"base64": "float", "float": None}
# Up to this size upper bounds are good enough, and loading the table for exact counts does not pay.
_FEW_BYTES = 32_768
# Characters per request; a token has about four of them.
_REQUEST_CHARACTERS = 1 << 20


class OpenAIEmbedder(Embedder):
    """A model behind `POST {base_url}/embeddings`.

    `request_dimensions` is sent as `dimensions`; `known_dimensions` is what the model is known to
    return without it; `max_tokens` is how much of a text it reads, None if only the server knows; `price`
    is the cost of a million tokens in US dollars; `batch_size` is the number of texts of a request, which
    otherwise follows the speed of a server that is not OpenAI's or Azure's. `open_counter` opens what counts
    tokens up to a number that matters, in place of what OpenAI's models have. Raises `UsageError` for an
    invalid base URL or model name; a missing key is an error only when a request is about to be sent.
    """

    is_paid = True

    def __init__(
        self,
        *,
        model: str,
        api_key: str | None,
        base_url: str = OPENAI_BASE_URL,
        api_version: str | None = None,
        key_hint: str = KEY_HINT,
        request_dimensions: int | None = None,
        known_dimensions: int | None = None,
        max_tokens: int | None = None,
        overflow: Overflow = Overflow.WARN,
        price: float | None = None,
        concurrency: int = 4,
        retries: int = 5,
        transport: httpx.BaseTransport | None = None,
        timeout: Timeout | None = None,
        batch_size: int | None = None,
        open_counter: Callable[[int | None], TokenCounter] | None = None,
        clock: Clock | None = None,
        random: Callable[[], float] = random_numbers.random,
    ) -> None:
        if not model.strip() or not model.isprintable():
            raise UsageError(f"{model!r} is not a model name")
        self.stamp = model
        self.dimensions = known_dimensions if request_dimensions is None else request_dimensions
        self.read_ahead = ReadAhead(concurrency * MAX_INPUTS, concurrency * _REQUEST_CHARACTERS)
        self._api_key = (api_key or "").strip() or None
        self._endpoint = Endpoint.under(base_url.strip(), self._api_key, api_version, key_hint)
        self._scrub = self._endpoint.scrubber(self._api_key)
        self._request_dimensions = request_dimensions
        self._limits = Limits(model, max_tokens, overflow)
        self._open_counter = open_counter
        self._counter: TokenCounter | None = None
        self._batch_size = batch_size
        self._encoding: str | None = "base64"
        self._clock = clock or Clock()
        self._random = random
        self.answered_by: str | None = None
        self._has_changed = False
        timeout = timeout or Timeout()
        self._transport = Transport(
            self._endpoint,
            self._api_key,
            connections=concurrency,
            timeout=timeout,
            clock=self._clock,
            httpx_transport=transport,
        )
        usage = Usage(self._endpoint.host, price)
        self.usage: Usage = usage
        sizes = RequestSizes(
            concurrency, timeout, fixed=batch_size, is_paced=not self._endpoint.is_openai_or_azure
        )
        self._retries, self._timeout = Retries(retries), timeout
        self._sender = Sender(self.ask, self._clock, random, self._retries, concurrency, usage, sizes)

    @property
    def address(self) -> str:
        """The URL of the endpoint, without its query, which may be secret."""
        return self._endpoint.url.partition("?")[0]

    def __repr__(self) -> str:
        return f"OpenAIEmbedder({self.stamp!r} at {self._endpoint.host})"

    def embed_batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the server's vectors of `texts`, float32, shape (len(texts), dimensions), in order.

        Raises a `ProviderError` that says in one line what failed, and never shows the key.
        """
        return self.embed(texts, normalize=False)

    def start(
        self, texts: Sequence[str], kind: Kind, form: VectorForm, keep: Callable[[Piece], None] | None = None
    ) -> Iterator[Piece | TextRejected]:
        """Begin to send `texts`; the thread that receives an answer checks and keeps it."""

        def finish(piece: Piece) -> Piece:
            finished = to_form(self._checked(piece), form, self.stamp)
            if keep is not None:
                keep(finished)
            return finished

        batch = TextBatch(texts, self._counter_for(texts), self._limits, finish)
        self._sender.begin(batch)
        return iter(batch)

    def ask_anew(self, text: str, kind: Kind, form: VectorForm) -> AskedVector:
        """Return the vector that the server has for `text` now, by one try.

        Raises a `SimilError` if it has none.
        """
        sizes = RequestSizes(1, Timeout(), fixed=1)
        sender = Sender(self.ask, self._clock, self._random, Retries(0), 1, self.usage, sizes)
        # What is refused here is no reason to refuse it later.
        limits = Limits(self._limits.model, self._limits.tokens, self._limits.overflow)
        batch = TextBatch(
            [text],
            self._counter_for([text]),
            limits,
            lambda piece: to_form(self._checked(piece), form, self.stamp),
        )
        try:
            sender.begin(batch)
            answer = next(iter(batch))
        finally:
            sender.close()
        if isinstance(answer, TextRejected):
            raise ServerFailed(answer.message)
        return AskedVector(answer.vectors[0], self.answered_by)

    def prepared(self, texts: Sequence[str]) -> TextBatch:
        """Return `texts` as they would be sent, cut where they are too long, without sending them."""
        return TextBatch(texts, self._exact_counter(), self._limits, lambda piece: piece)

    def request_body(self, texts: Sequence[str]) -> bytes:
        """Return the JSON of a request for the vectors of `texts`."""
        return protocol.request_body(self.stamp, texts, self._encoding, self._request_dimensions)

    def finished(self, vectors: NDArray[np.float32], marks: NDArray[np.uint8], form: VectorForm) -> Piece:
        """Return a piece of a server's vectors, float32 [n, dimensions], in `form`; `marks` is uint8 [n]."""
        import numpy as np

        piece = Piece(np.arange(len(vectors)), vectors, marks)
        return to_form(self._checked(piece), form, self.stamp)

    def scrubbed(self, said: str) -> str:
        """Return what a server said, without secrets and in one line."""
        return " ".join(self._scrub(said).split())

    def refuse(self, text: str, why: str) -> None:
        """Reject a text without asking the server, which has refused it."""
        self._limits.refused[text] = why

    def batch_client(self) -> BatchClient:
        """Return a client for the files and batches of the same server."""
        from simil.embedders.openai.batch_api.batch_client import BatchClient

        return BatchClient(
            self._endpoint,
            self._api_key,
            model=self.stamp,
            retries=self._retries,
            timeout=self._timeout,
            clock=self._clock,
        )

    def plan(self) -> Plan:
        """Return a plan that counts the requests that texts would take; see `Embedder.plan`."""
        limits = self._limits
        return PackingPlan(
            self._exact_counter(),
            limit=limits.tokens,
            overflow=limits.overflow,
            price=self.usage.price,
            inputs=min(self._batch_size or MAX_INPUTS, MAX_INPUTS),
            is_openai=self._endpoint.is_openai_or_azure,
        )

    def trust(self) -> None:
        """Note that the server has accepted texts before; see `Embedder.trust`."""
        self._sender.trust()

    def status(self) -> str:
        """Return what the next request waits for; see `Embedder.status`."""
        return self._sender.status()

    def close(self) -> None:
        """Wait briefly for requests in flight, then close the connections."""
        self._sender.close()
        self._transport.close()

    def _counter_for(self, texts: Sequence[str]) -> TokenCounter:
        sizes = ByteCounter().counts(texts)
        limit = self._limits.tokens
        if limit is None:  # No text is known to be too long, and the server counts.
            return ByteCounter()
        if self._open_counter is not None:
            return self._exact_counter()
        if sum(sizes) <= _FEW_BYTES and max(sizes, default=0) <= limit:
            return ByteCounter()
        return self._exact_counter()

    def _exact_counter(self) -> TokenCounter:
        """Return the token counter, an exact one if possible."""
        if self._counter is None:
            limit = self._limits.tokens
            if self._open_counter is not None:
                self._counter = self._open_counter(limit)
            else:
                self._counter = ByteCounter() if limit is None else token_counter(limit)
        return self._counter

    def ask(self, texts: Sequence[str]) -> EmbeddingReply:
        """Send one request and return its reply; try other encodings if the server refuses one.

        Raises `RequestFailed`, which says what may help, and a `SimilError` if no request can be sent.
        """
        encoding = self._encoding
        while True:
            body = protocol.request_body(self.stamp, texts, encoding, self._request_dimensions)
            reply = self._transport.post(body, protocol.answer_limit(len(texts)))
            if encoding is None or not protocol.refuses_encoding(reply):
                break
            encoding = _NEXT_ENCODING[encoding]
        read = self.read_reply(reply, len(texts))
        self._encoding = encoding
        return read

    def read_reply(self, reply: Reply, count: int) -> EmbeddingReply:
        """Return what a server's reply to a request with `count` texts brings; raises `RequestFailed`."""
        if not 200 <= reply.status < 300:
            raise refusal(
                reply,
                count=count,
                endpoint=self._endpoint,
                model=self.stamp,
                credential=self._endpoint.credential(self._api_key),
                scrub=self._scrub,
                date=self._clock.date(),
            )
        answer = self._answer(reply, count)
        faults = {place: self._wrong(what) for place, what in answer.faults.items()}
        return EmbeddingReply(answer.vectors, faults, reply.headers, answer.tokens)

    def _answer(self, reply: Reply, count: int) -> Answer:
        try:
            answer = protocol.answer_of(reply, count, self.dimensions)
        except BadAnswer as exc:
            said = quotation(ServerError.in_answer(reply), self._scrub)
            raise RequestFailed(
                self._wrong(f"{exc}{said}", exc.hint),
                # One damaged in transit may arrive intact next time; a wrong one stays wrong, and costs.
                may_be_retried=exc.is_damaged,
                blame=Blame(is_answered=True) if exc.is_of_texts else None,
                headers=reply.headers,
            ) from exc
        self.dimensions = answer.vectors.shape[1]
        self._note_model(answer.model)
        return answer

    def _note_model(self, name: str | None) -> None:
        """Remember what the server calls its model, and warn once where that changes during a run."""
        if name is None or name == self.answered_by:
            return
        if self.answered_by is not None and not self._has_changed:
            self._has_changed = True
            log.warning(
                "%s answers as %s, and did as %s before: vectors of two models may have been mixed",
                self._endpoint.host,
                self._scrub(name),
                self._scrub(self.answered_by),
            )
        self.answered_by = name

    def _wrong(self, what: str, hint: str = "") -> ServerFailed:
        return ServerFailed(f"{self._endpoint.host} {what}", hint=hint)
