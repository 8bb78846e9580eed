"""The devices that a local model can run on, as `--device` names them."""

from __future__ import annotations

import re

from simil.frozen import Frozen

__all__ = ["DEVICE_FORMS", "Device"]

DEVICE_FORMS = ("auto", "cpu", "cuda", "cuda:0,1", "cuda:all", "mps")
"""What `--device` takes; the numbers stand for any."""


class Device(Frozen):
    """Where a model runs: `kind` is auto, cpu, cuda or mps.

    `cards` are the numbers of the CUDA devices in use, as PyTorch counts them; None means all.
    """

    kind: str
    cards: tuple[int, ...] | None = ()

    @classmethod
    def parse(cls, name: str) -> Device:
        """Return the device that `--device` calls `name`; raises `ValueError` for any other name."""
        if name in ("auto", "cpu", "mps"):
            return cls(name)
        if name == "cuda":
            return cls("cuda", (0,))
        if name == "cuda:all":
            return cls("cuda", None)
        numbers = re.fullmatch(r"cuda:([0-9]{1,3}(?:,[0-9]{1,3})*)", name)
        cards = tuple(map(int, numbers[1].split(","))) if numbers else ()
        if not cards or len({*cards}) < len(cards):
            raise ValueError(f"no device is called {name}")
        return cls("cuda", cards)

    def __str__(self) -> str:
        """Return its name for `--device`."""
        if self.cards is None:
            return f"{self.kind}:all"
        return self.kind if self.cards in ((), (0,)) else f"{self.kind}:{','.join(map(str, self.cards))}"

    @property
    def is_gpu(self) -> bool:
        """Whether it is named, and is not the processor."""
        return self.kind in ("cuda", "mps")

    @property
    def is_several(self) -> bool:
        """Whether it may stand for more than one card."""
        return self.cards is None or len(self.cards) > 1

    def first(self) -> Device:
        """Return the first card, or what is no card itself."""
        return Device(self.kind, (0,) if self.cards is None else self.cards[:1])
