"""Runs a model in torch over texts that lie one behind another: on cards, or on the processor in bfloat16."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simil.embedders.base import Kind, ReadAhead
from simil.embedders.local.base import LocalEmbedder, LocalModel, expect_finite
from simil.embedders.local.cores import spare_processors
from simil.embedders.local.packed.packed_runner import PackedRunner, RunnableNetwork
from simil.embedders.local.token_arrays import TokenArrays
from simil.embedders.local.tokenizing_processes import TokenizingProcesses, text_blocks
from simil.embedders.local.workers import Workers
from simil.embedders.pieces import Piece, TextRejected, reindex
from simil.models.files.chain import Chain
from simil.models.files.model_source import ModelSource
from simil.models.files.tokenizer import expect_first_segment, open_tokenizer

if TYPE_CHECKING:
    from simil.embedders.local.base import RowVectors
    from simil.models.files.packed_shape import PackedShape

__all__ = ["CARD_READ_AHEAD", "PackedEmbedder", "open_packed"]

CARD_READ_AHEAD = ReadAhead(texts=1 << 15, characters=1 << 23)
"""How much of a stream a card gets at once: a dozen of its packs or more, since the last one is rarely full.

The vectors take 100 MB at 768 dimensions."""
# From how many characters on texts are tokenized by a thread of their own.
_MANY_CHARACTERS = 1 << 18


def open_packed(
    source: ModelSource,
    shape: PackedShape,
    chain: Chain,
    model: LocalModel,
    tokenizer: bytes,
    *,
    devices: Sequence[str],
    precision: str,
    raw: bool,
    threads: int,
) -> PackedEmbedder:
    """Return the embedder of a model's files on `devices`: "cpu", or "cuda:0" and other cards.

    `tokenizer` is a `tokenizer.json`; `precision`, `raw` and `threads` are as in `open_network`. Raises
    `ModelDamaged` for files that cannot be read, `UnknownChain` for a tokenizer that uses segments.
    """
    from simil.embedders.local.packed.packed_network import CPU_SHARED, CPU_TOKENS, GPU_TOKENS, open_network

    opened_tokenizer = open_tokenizer(tokenizer, model.stamp, lower_case=chain.lower_case)
    if shape.segments is not None:
        expect_first_segment(opened_tokenizer)

    def opened(device: str) -> tuple[str, RunnableNetwork]:
        return device, open_network(
            source, shape, chain, device=device, precision=precision, raw=raw, threads=threads
        )

    # A thread for each card, which have to wait for their weights.
    opening = Workers(len(devices), opened)
    try:
        networks = [*opening.start(devices)]
    finally:
        opening.close()
    on_cards = devices[0].startswith("cuda")
    return PackedEmbedder(
        model,
        opened_tokenizer,
        chain,
        PackedRunner(model.stamp, networks, *((GPU_TOKENS, None) if on_cards else (CPU_TOKENS, CPU_SHARED))),
        vocabulary=shape.vocabulary,
        precision=precision,
        raw=raw,
        processes=spare_processors() if on_cards else None,
    )


class PackedEmbedder(LocalEmbedder):
    """Hands the tokens of texts to a `PackedRunner`; for a card, many texts are tokenized ahead of it."""

    # A run costs the same however few windows are in it.
    _split_at_once = 64

    def __init__(
        self,
        model: LocalModel,
        tokenizer: Any,
        chain: Chain,
        runner: PackedRunner,
        *,
        vocabulary: int,
        precision: str,
        raw: bool,
        processes: int | None = None,
    ) -> None:
        """Take over `runner`, whose networks leave out a final normalization if `raw`.

        `vocabulary` is the number of tokens that the networks know, `precision` what they compute in. With
        `processes`, many texts are tokenized in the background, by that many processes besides this one.
        """
        super().__init__(model, tokenizer, chain.max_tokens)
        assert self._encoder is not None
        self._chain = chain
        self._runner = runner
        self._vocabulary = vocabulary
        self._precision = precision
        self._raw = raw
        self._processes: TokenizingProcesses | None = None
        self._ahead: Workers[_Part, _StartedPart] | None = None
        if processes is not None:
            self.read_ahead = CARD_READ_AHEAD
            self._processes = TokenizingProcesses(self._encoder, processes)
            self._ahead = Workers(1, self._start_part)

    def close(self) -> None:
        """End threads and processes, and release the networks."""
        if self._ahead is not None:
            self._ahead.close()
        if self._processes is not None:
            self._processes.close()
        self._runner.close()

    def start_batch(self, kind: Kind, texts: Sequence[str]) -> Iterator[Piece | TextRejected]:
        """Start to embed `texts` with the model's prompt for `kind`; see `Embedder.start_batch`."""
        if self._ahead is None or sum(map(len, texts)) < _MANY_CHARACTERS:
            return super().start_batch(kind, texts)
        most = self.read_ahead
        blocks = text_blocks(texts, most.texts, most.characters)
        return _pieces_of_parts(
            self._ahead.start([_Part(kind, block.start, texts[block]) for block in blocks])
        )

    def _normalizes(self) -> bool:
        return self._chain.normalize and not self._raw

    def _start(self, kind: Kind, texts: Sequence[str], tokens: TokenArrays | None) -> Iterator[RowVectors]:
        assert tokens is not None
        if not len(tokens):
            return iter(())
        # On a card, a token beyond the table would end all work on it.
        tokens.expect_known(self._vocabulary, self.stamp)
        started = self._runner.start(tokens, self._tokens_left_out(kind, self._chain))
        return expect_finite(started, self.stamp, self._precision)

    def _start_part(self, part: _Part) -> _StartedPart:
        assert self._processes is not None
        encoded = self._processes.encode(self._prompt(part.kind), part.texts)
        rows = range(part.first, part.first + len(part.texts))
        return rows, self._start_encoded(part.kind, part.texts, encoded)


@dataclass(frozen=True, slots=True)
class _Part:
    """Consecutive texts of a batch, from its place `first` on."""

    kind: Kind
    first: int
    texts: Sequence[str]


# The places of the texts in their batch, and the pieces as they get ready.
_StartedPart = tuple[range, Iterator[Piece | TextRejected]]


def _pieces_of_parts(started: Iterator[_StartedPart]) -> Iterator[Piece | TextRejected]:
    for rows, pieces in started:
        yield from reindex(pieces, rows)
