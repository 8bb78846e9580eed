"""Runs packs of tokens through networks in torch: on the processor, or on one or several cards."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from simil.embedders.local.packed.packs import TokenPack, packs
from simil.embedders.local.token_arrays import TokenArrays
from simil.embedders.local.workers import Workers
from simil.errors import ModelError
from simil.foreign import ForeignCode

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from simil.embedders.local.base import RowVectors

__all__ = ["PackedRunner", "RunnableNetwork"]

log = logging.getLogger("simil")

# What libraries say beside `torch.OutOfMemoryError`.
_OUT_OF_MEMORY = ("out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "can't allocate memory")


class RunnableNetwork(Protocol):
    """A network on a device, which up to `workers` threads may call at the same time."""

    workers: int

    def __call__(self, ids: torch.Tensor, lengths: NDArray[np.int32], skip: int) -> torch.Tensor:
        """Return the vectors of sequences, float32 [sequences, dimensions], on the network's device.

        `ids` int32 [tokens] are on that device; `lengths` int32 [sequences] are those of the sequences.
        Pooling leaves out the first `skip` tokens of each.
        """


class PackedRunner:
    """Runs texts as tokens in packs of `budget` tokens, on several devices at the same time.

    All packs have one shape, so that a text's vector has the same bits alone, in any batch and on any card of
    one kind. Only if a card runs out of memory is the budget halved, once and for all devices: from then on,
    other kernels may compute a text, and its vector may differ in the last bits from the one before.
    """

    def __init__(
        self,
        stamp: str,
        networks: Sequence[tuple[str, RunnableNetwork]],
        budget: int,
        shared: int | None = None,
    ) -> None:
        """Take the networks of the model called `stamp`, each with the name of its device.

        `budget` and `shared` are as in `packs`.
        """
        self._stamp = stamp
        self._budget = budget
        self._shared = shared
        self._halved = False
        self._lock = Lock()
        lanes = [_lane(device, network) for device, network in networks]
        self._free: SimpleQueue[_Lane] = SimpleQueue()
        for turn in range(max(lane.under_way for lane in lanes)):
            for lane in lanes:
                if turn < lane.under_way:
                    self._free.put(lane)
        self._workers: Workers[_Run, RowVectors] = Workers(self._free.qsize(), self._computed)

    @property
    def budget(self) -> int:
        """How many tokens a pack has."""
        return self._budget

    def start(self, tokens: TokenArrays, skip: int) -> Iterator[RowVectors]:
        """Start to embed texts; pooling leaves out the first `skip` tokens of each.

        The iterator yields rows, int [n], and their vectors, float32 [n, dimensions], in any order. Raises
        `ModelError` if a network fails, or needs more memory than its device has.
        """
        return self._workers.start([*self._runs(tokens, skip)])

    def close(self) -> None:
        """End the threads, and release the networks."""
        self._workers.close()
        self._free = SimpleQueue()

    def _computed(self, run: _Run) -> RowVectors:
        """Compute a pack on the device that is free next."""
        lane = self._free.get()
        try:
            with ForeignCode(f"{self._stamp} failed"):
                return self._fitting(lane, run)
        finally:
            self._free.put(lane)

    def _runs(self, tokens: TokenArrays, skip: int) -> Iterator[_Run]:
        budget = self._budget
        return (_Run(pack, skip, budget) for pack in packs(tokens, budget, self._shared))

    def _fitting(self, lane: _Lane, run: _Run) -> RowVectors:
        """Compute a pack, in smaller ones if the budget is smaller by now or has to be."""
        if run.budget > self._budget and len(run.pack.rows) > 1:
            return self._in_parts(lane, run)
        try:
            return run.pack.rows, lane.vectors(run.pack, run.skip)
        except Exception as exc:
            if not _is_out_of_memory(exc):
                raise
            # The frames hold the tensors of what failed.
            failure = exc.with_traceback(None)
        lane.free_memory()
        self._halve(run, failure)
        return self._in_parts(lane, run)

    def _in_parts(self, lane: _Lane, run: _Run) -> RowVectors:
        import numpy as np

        pack = run.pack
        texts = TokenArrays(pack.ids, pack.lengths).take(range(len(pack.rows)))
        rows, vectors = zip(*(self._fitting(lane, part) for part in self._runs(texts, run.skip)), strict=True)
        return pack.rows[np.concatenate(rows)], np.concatenate(vectors)

    def _halve(self, run: _Run, exc: Exception) -> None:
        """Halve the budget, unless another thread has since `run` was made; raises `ModelError` if twice."""
        with self._lock:
            if run.budget > self._budget:
                return
            if self._halved:
                raise ModelError(
                    f"{self._stamp} needs more memory than the device has, even for {len(run.pack.ids)} "
                    "tokens at once",
                    hint="end other programs that use the card, or use --device cpu",
                ) from exc
            self._halved = True
            self._budget //= 2
            log.info("out of memory: %s goes on with %d tokens at once", self._stamp, self._budget)


@dataclass(frozen=True, eq=False, slots=True)
class _Run:
    """A pack, how many of the first tokens of its texts pooling leaves out, and the budget that it is of."""

    pack: TokenPack
    skip: int
    budget: int


class _Lane:
    """A device, with its network: the processor, or what torch has besides CUDA devices.

    `under_way` is how many packs may be at the same time.
    """

    def __init__(self, device: str, network: RunnableNetwork) -> None:
        self._device = device
        self._network = network
        self.under_way = network.workers

    def vectors(self, pack: TokenPack, skip: int) -> NDArray[np.float32]:
        """Return the vectors of the texts of a pack, float32 [texts, dimensions]."""
        import torch

        with torch.inference_mode():
            ids = torch.from_numpy(pack.ids).to(self._device)
            vectors = self._network(ids, pack.lengths, skip)[: len(pack.rows)]
            computed: NDArray[np.float32] = vectors.to("cpu", copy=True).numpy()
        return computed

    def free_memory(self) -> None:
        """Give back what is kept for later runs."""


class _CardLane(_Lane):
    """A CUDA device, which several threads may use: one pack is computed while others are copied.

    All kernels run on one stream: cuBLAS may choose others where several streams are busy. What a copy reads
    or writes is held until the copy's event has come.
    """

    def __init__(self, device: str, network: RunnableNetwork) -> None:
        import torch

        super().__init__(device, network)
        # One is computed, one waits behind it, and the vectors of one are copied and taken over.
        self.under_way = 3
        self._lock = Lock()
        self._computing = torch.cuda.Stream(device)
        self._copying = torch.cuda.Stream(device)
        # The weights may still be on their way, on another stream.
        torch.cuda.synchronize(device)

    def vectors(self, pack: TokenPack, skip: int) -> NDArray[np.float32]:
        import numpy as np
        import torch

        with torch.inference_mode():
            pinned = torch.from_numpy(pack.ids).pin_memory()
            with self._lock, torch.cuda.stream(self._computing):
                ids = pinned.to(self._device, non_blocking=True)
                vectors = self._network(ids, pack.lengths, skip)[: len(pack.rows)]
                computed = self._computing.record_event()
            host = torch.empty(vectors.shape, dtype=vectors.dtype, pin_memory=True)
            with torch.cuda.stream(self._copying):
                self._copying.wait_event(computed)
                host.copy_(vectors, non_blocking=True)
                copied = self._copying.record_event(torch.cuda.Event(blocking=True))
            # Until then `pinned`, `ids`, `vectors` and `host` are in use, and held here.
            copied.synchronize()
            # A copy, so that pinned memory is soon free for the next pack.
            return np.array(host.numpy())

    def free_memory(self) -> None:
        import torch

        with self._lock, torch.cuda.device(self._device):
            torch.cuda.empty_cache()


def _lane(device: str, network: RunnableNetwork) -> _Lane:
    return (_CardLane if device.startswith("cuda") else _Lane)(device, network)


def _is_out_of_memory(exc: Exception) -> bool:
    import torch

    return isinstance(exc, torch.OutOfMemoryError) or any(words in str(exc) for words in _OUT_OF_MEMORY)
