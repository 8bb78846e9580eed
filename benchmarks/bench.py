"""What every suite needs: a folder, an environment for both sides, the models, sizes and repeats."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import sqrt
from pathlib import Path

from measure import Disturbed, MeasurementFailed, run
from report import Check, NotMeasured, Row
from workers import Worker

import simil.models

__all__ = ["HERE", "MINILM", "Bench", "Suite", "check_alike", "command", "part", "say", "whole"]

HERE = Path(__file__).resolve().parent
MINILM = Path(simil.models.__file__).resolve().parent / "minilm"

# A user's settings of simil must not change the figures. Nor must those of threads, nor the OpenBLAS settings
# that some machines have for builds older than their processor, which halve the speed of NumPy's products.
_NOT_INHERITED = ("SIMIL_", "OPENAI_", "OPENBLAS_", "OMP_", "MKL_", "RAYON_", "LLM_")
# Libraries that do not look at the cores a process is bound to would start a thread for each of the machine.
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")


@dataclass(frozen=True)
class Bench:
    """One run of the benchmarks.

    `texts` is the number of texts in bulk (the larger model and long texts get a part of it), `lines` of
    lines from file to file, `rows` of vectors searched, `vectors` of vectors in the cache. All processes of a
    run that `is_pinned` are bound to one core.
    """

    folder: Path
    repeat: int = 3
    texts: int = 2700
    lines: int = 20_000
    rows: int = 1_000_000
    vectors: int = 100_000
    given_bge: Path | None = None
    given_lines: Path | None = None
    sick: Path | None = None
    is_pinned: bool = False
    uses_card: bool = False

    @cached_property
    def env(self) -> dict[str, str]:
        """The environment of both sides: CPU only unless a run `uses_card`, offline, no user settings.

        Both have their own cache.
        """
        kept = {key: value for key, value in os.environ.items() if not key.startswith(_NOT_INHERITED)}
        return kept | {
            "SIMIL_CACHE_DIR": str(self.folder / "cache"),
            "SIMIL_CONFIG": os.devnull,
            "HF_HUB_OFFLINE": "1",
            **({} if self.uses_card else {"CUDA_VISIBLE_DEVICES": ""}),
            **(dict.fromkeys(_THREADS, "1") if self.is_pinned else {}),
        }

    @cached_property
    def simil(self) -> str:
        """The installed command."""
        return command("simil")

    @cached_property
    def bge(self) -> Path:
        """The bge-shaped model folder, created on first use."""
        if self.given_bge:
            return self.given_bge
        folder = self.folder / "bge-shaped"
        say("making the bge-shaped model")
        run(self.script("make_bge_shaped.py", str(folder)), env=self.env, cwd=self.folder)
        return folder

    def script(self, name: str, *arguments: str) -> list[str]:
        """Return the command that runs a script beside this one."""
        return [sys.executable, str(HERE / name), *arguments]

    def worker(self, name: str, *arguments: str) -> Worker:
        """Start a worker script beside this one."""
        return Worker(self.script(name, *arguments), env=self.env, cwd=self.folder)


@dataclass(frozen=True, slots=True)
class Suite:
    """A part of the benchmarks that can be run by itself; `about` says what is compared.

    One `on_request` is run only if it is named, since it needs much disk and memory. One that is measured
    `pinned`, too, has a second pass in which all processes are bound to one core.
    """

    title: str
    about: str
    measure: Callable[[Bench], list[Row]]
    on_request: bool = False
    pinned: bool = False


def command(name: str) -> str:
    """Return the path of a command beside this Python, whether it exists or not."""
    return str(Path(sys.executable).parent / name)


def check_alike(what: str, one: Sequence[float], other: Sequence[float], least: float = 0.99999) -> None:
    """Raise `MeasurementFailed` unless both sides gave the same vector, and so did the same work."""
    dot = sum(a * b for a, b in zip(one, other, strict=True))
    cosine = dot / sqrt(sum(a * a for a in one) * sum(b * b for b in other))
    if not cosine >= least:
        raise MeasurementFailed(f"{what}: the sides' vectors differ, cosine {cosine:.6f}")


def part(name: str, measure: Callable[[], Iterable[Row]]) -> list[Row]:
    """Return the rows of a part of a suite; if others took the processors meanwhile, one that says so."""
    try:
        return [*measure()]
    except Disturbed as exc:
        say(f"not measured: {exc}")
        return [NotMeasured(name, str(exc))]


def whole(name: str, measure: Callable[[], Iterable[Row]]) -> list[Row]:
    """Return the rows of a suite; if it fails or others disturb it, one that says so."""
    try:
        return part(name, measure)
    except MeasurementFailed as exc:
        say(str(exc))
        return [Check(name, [], holds=False, bar="", note="failed, see stderr")]


def say(what: str) -> None:
    """Print to stderr what is being done."""
    print(f"{what} …", file=sys.stderr, flush=True)
