"""Answers how fast one side embeds on a card, and whether its vectors are what they should be; see `workers`.

python benchmarks/gpu_side.py peer --model DIR --device cuda
python benchmarks/gpu_side.py ours --model NAME --device cuda --precision float16
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from engine_side import Ours, Peer, compare
from workers import serve
from workloads import mixed, texts

if TYPE_CHECKING:
    from pathlib import Path

    from engine_side import Vectors

    from simil.embedders.local.packed.packs import TokenPack

__all__ = ["CardOurs", "CardPeer"]

_SHUFFLES = 3


class CardPeer(Peer):
    """`SentenceTransformer.encode` with its defaults, and in bfloat16 with larger batches."""

    @cached_property
    def _half(self) -> Peer:
        half = Peer(self._folder, self._device, "bfloat16")
        half.open()
        return half

    def bfloat16_rate(self, length: str, number: int, batch: int) -> dict[str, Any]:
        """Return what `rate` does, in bfloat16 and batches of a size."""
        self._half.batch = batch
        return self._half.rate(length, number)


class CardOurs(Ours):
    """The packed engine, from strings to vectors, and its network alone."""

    def embed(self, work: Sequence[str]) -> Vectors:
        """Return the vectors of `work`, as `simil.embed` does."""
        return self._embedder.embed(work)

    def rate_on_card(self, length: str, number: int) -> dict[str, Any]:
        """Return the texts per second of the network, with packs that were on the card before."""
        import torch

        network, budget, folder = self._network
        with torch.inference_mode():
            packs = [
                (torch.from_numpy(pack.ids).to(self._device), pack.lengths)
                for pack in _packs(folder, texts(length, number), budget)
            ]
            network(*packs[0], 0)
            self._wait()
            began = time.perf_counter()
            for ids, lengths in packs:
                network(ids, lengths, 0)
            self._wait()
        return {"texts_per_s": number / (time.perf_counter() - began)}

    def differing(self, numbers: Mapping[str, int]) -> int:
        """Return how many texts have other bits alone or shuffled than in a batch."""
        work = mixed(numbers)
        together = self.embed(work)
        others = [self._shuffled(work, seed) for seed in range(_SHUFFLES)]
        others.append(np.concatenate([self.embed([text]) for text in work]))
        differs = [(other.view(np.uint32) != together.view(np.uint32)).any(axis=1) for other in others]
        return int(np.any(differs, axis=0).sum())

    def _shuffled(self, work: Sequence[str], seed: int) -> Vectors:
        """Return the vectors of texts in their order, embedded in another."""
        order = random.Random(seed).sample(range(len(work)), len(work))
        embedded = self.embed([work[row] for row in order])
        vectors = np.empty_like(embedded)
        vectors[order] = embedded
        return vectors

    @cached_property
    def _network(self) -> tuple[Callable[..., Any], int, Path]:
        """The network that the engine runs, opened anew, the tokens of a pack, and the model's folder."""
        from simil.embedders.local.packed.packed_network import CPU_TOKENS, GPU_TOKENS, open_network
        from simil.models.files.chain import read_chain
        from simil.models.files.packed_shape import read_packed_shape
        from simil.models.resolve import resolve
        from simil.models.select import find_local

        source = find_local(resolve(self._model))
        assert source is not None
        network = open_network(
            source,
            read_packed_shape(source.folder),
            read_chain(source.folder),
            device=self._device,
            precision=self._precision,
            raw=False,
            threads=0,
        )
        return network, CPU_TOKENS if self._device == "cpu" else GPU_TOKENS, source.folder

    def _wait(self) -> None:
        import torch

        if self._device.startswith("cuda"):
            torch.cuda.synchronize(self._device)


def _packs(folder: Path, work: Sequence[str], budget: int) -> Iterator[TokenPack]:
    from tokenizers import Tokenizer

    from simil.embedders.local.packed.packs import packs
    from simil.embedders.local.token_arrays import TokenArrays

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return packs(TokenArrays.of([encoding.ids for encoding in tokenizer.encode_batch(list(work))]), budget)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("side", choices=("peer", "ours"))
    parser.add_argument("--model", required=True, metavar="NAME", help="a folder; for ours what -m takes")
    parser.add_argument("--device", required=True)
    parser.add_argument("--precision", default="float16")
    given = parser.parse_args()
    if given.side == "peer":
        peer = CardPeer(given.model, given.device)
        answers = _answers(peer) | {"bfloat16_rate": peer.bfloat16_rate}
    else:
        ours = CardOurs(given.model, "packed", given.precision, given.device)
        answers = _answers(ours) | {"rate_on_card": ours.rate_on_card, "differing": ours.differing}
    serve(answers)


def _answers(side: Peer | Ours) -> dict[str, Callable[..., Any]]:
    return {
        "warm": side.warm,
        "rate": side.rate,
        "save": side.save,
        "spearman": side.spearman,
        "compare": compare,
    }


if __name__ == "__main__":
    main()
