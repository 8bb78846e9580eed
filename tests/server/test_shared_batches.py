"""The queue in front of a model, whose batches last until a test lets them end."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Sequence
from threading import Event

import numpy as np

from simil.server.shared_batches import BatchLimits, Computed, SharedBatches


class HeldModel:
    """Notes what it is to compute, and computes it once it may."""

    def __init__(self) -> None:
        self.is_busy = Event()
        self.may_go_on = Event()
        self.seen: list[str] = []

    def compute(self, form: Hashable, items: Sequence[str]) -> Computed:
        """Return a one for each item."""
        self.seen += items
        self.is_busy.set()
        self.may_go_on.wait()
        return Computed(np.ones((len(items), 1), np.float32), [1] * len(items), {})

    def size(self, item: str) -> int:
        """Return the length of an item."""
        return len(item)


def test_what_nobody_waits_for_is_not_computed() -> None:
    model = HeldModel()
    batches = SharedBatches(model, BatchLimits(batch_items=1))

    async def asked() -> Computed:
        gone = asyncio.create_task(batches.compute(None, ["a", "b", "c"]))
        await asyncio.to_thread(model.is_busy.wait)
        stays = asyncio.create_task(batches.compute(None, ["d"]))
        gone.cancel()
        await asyncio.wait([gone])
        assert batches.waiting == 1
        model.may_go_on.set()
        return await stays

    computed = asyncio.run(asked())
    batches.close()

    assert len(computed.values) == 1
    assert model.seen == ["a", "d"]


def test_an_end_leaves_a_batch_that_does_not_end_to_itself() -> None:
    model = HeldModel()
    batches = SharedBatches(model, BatchLimits(end_s=0))

    async def asked() -> None:
        asking = asyncio.create_task(batches.compute(None, ["a"]))
        await asyncio.to_thread(model.is_busy.wait)
        asking.cancel()

    asyncio.run(asked())
    batches.close()
    model.may_go_on.set()  # Its results, which come after the end of the loop, are no error.
    batches.close()
