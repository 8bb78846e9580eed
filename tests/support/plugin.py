"""A package with embedders that cost nothing, installed into a folder as pip would do it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

__all__ = ["install", "install_package"]

_CODE = '''
import time

import numpy as np

from simil.embedders.base import Embedder, TextRejected


class Letters(Embedder):
    """Counts letters: 8 dimensions, no model."""

    stamp = "letters@1"
    dimensions = 8

    def embed_batch(self, texts):
        rows = [[1.0 + text.count(letter) for letter in "aeiostrn"] for text in texts]
        return np.array(rows, np.float32)


class Other(Letters):
    """Vectors of the same length from another model."""

    stamp = "other@1"


class Slow(Letters):
    """Needs a fiftieth of a second for a text."""

    def embed_batch(self, texts):
        time.sleep(0.02 * len(texts))
        return super().embed_batch(texts)


class Busy(Letters):
    """Never lets Python look at signals again, as a very long matrix product in C does not."""

    def embed_batch(self, texts):
        import ctypes

        ctypes.CDLL(None).sleep.argtypes = [ctypes.c_uint]
        while True:
            ctypes.CDLL(None).sleep(3600)


class Dying(Letters):
    """Ends its process, as code in C that fails does."""

    def embed_batch(self, texts):
        import os
        import signal

        os.kill(os.getpid(), signal.SIGKILL)


class Prompted(Letters):
    """Says on stderr what it was given, and as what."""

    def embed_batch_as(self, kind, texts):
        import sys

        sys.stderr.write(f"{kind}: {', '.join(texts)}\\n")
        return self.embed_batch(texts)


class Refusing(Letters):
    """Refuses texts that hold the word "bad"."""

    def embed_batch(self, texts):
        for index, text in enumerate(texts):
            if "bad" in text:
                raise TextRejected(index, "the text is bad", hint="write a better one")
        return super().embed_batch(texts)
'''
_NAMES = ("letters", "other", "slow", "busy", "dying", "prompted", "refusing")


def install(folder: Path) -> Path:
    """Install the package into `folder`, which then belongs on PYTHONPATH; return `folder`."""
    return install_package(folder, "simil_test_plugin", _CODE, _NAMES)


def install_package(folder: Path, package: str, code: str, names: Sequence[str]) -> Path:
    """Install a package of this code, in which the embedder `name` is the class `Name`; return `folder`."""
    module = folder / package
    module.mkdir(parents=True)
    module.joinpath("__init__.py").write_text(code, "utf-8")
    facts = folder / f"{package}-1.dist-info"
    facts.mkdir()
    named = package.replace("_", "-")
    facts.joinpath("METADATA").write_text(f"Metadata-Version: 2.1\nName: {named}\nVersion: 1\n", "utf-8")
    points = "".join(f"{name} = {package}:{name.title()}\n" for name in names)
    facts.joinpath("entry_points.txt").write_text(f"[simil.embedders]\n{points}", "utf-8")
    return folder
