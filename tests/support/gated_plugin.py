"""A plug-in whose embedders wait at a gate, so that a test can stop a run where it wants to.

A text `gate FOLDER` makes its embedder wait until it is let through. Files in the folder name the processes
that wait.
"""

from __future__ import annotations

import time
from pathlib import Path

from support.plugin import install_package

__all__ = ["Gate", "install"]

_CODE = '''
import os
import time
from pathlib import Path

import numpy as np

from simil.embedders.base import Embedder, TextRejected


class Gated(Embedder):
    """Counts letters, refuses texts that hold the word "bad", and waits at gates."""

    stamp = "gated@1"
    dimensions = 8

    def embed_batch(self, texts):
        for index, text in enumerate(texts):
            if "bad" in text:
                raise TextRejected(index, "the text is bad", hint="write a better one")
            if text.startswith("gate "):
                _wait(Path(text.split()[1]))
        rows = [[1.0 + text.count(letter) for letter in "aeiostrn"] for text in texts]
        return np.array(rows, np.float32)


def _wait(gate):
    here = gate / f"{os.getpid()}.waiting"
    here.touch()
    while not (gate / "open").exists() and not _takes_ticket(gate):
        time.sleep(0.01)
    here.unlink()


def _takes_ticket(gate):
    """Take one away, if there is one: no two can take the same."""
    for ticket in gate.glob("*.ticket"):
        try:
            ticket.unlink()
        except FileNotFoundError:
            continue
        return True
    return False
'''
_PATIENCE_S = 90


def install(folder: Path) -> Path:
    """Install the package into `folder`, which then belongs on PYTHONPATH; return `folder`."""
    return install_package(folder, "simil_gated_plugin", _CODE, ["gated"])


class Gate:
    """A folder at which embedders wait."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder

    @property
    def text(self) -> str:
        """The text that makes its embedder wait."""
        return f"gate {self.folder}"

    def let_pass(self, count: int) -> None:
        """Let so many pass."""
        for number in range(count):
            (self.folder / f"{number}.ticket").touch()

    def open(self) -> None:
        """Let all pass, from now on."""
        (self.folder / "open").touch()

    def wait_for(self, count: int) -> list[int]:
        """Wait until so many processes stand here and nobody else may pass, and return their ids."""
        end = time.monotonic() + _PATIENCE_S
        while any(self.folder.glob("*.ticket")) or len(self.waiting()) < count:
            assert time.monotonic() < end, [*self.folder.iterdir()]
            time.sleep(0.01)
        return self.waiting()

    def waiting(self) -> list[int]:
        """Return the ids of the living processes that wait here."""
        pids = [int(path.stem) for path in self.folder.glob("*.waiting")]
        return [pid for pid in pids if Path("/proc", str(pid), "stat").exists()]

    def wait_until_gone(self) -> None:
        """Wait until none of those that have come here waits or lives."""
        end = time.monotonic() + _PATIENCE_S
        while found := self.waiting():
            assert time.monotonic() < end, f"{found} are still waiting at the gate"
            time.sleep(0.01)
