"""What the OpenAI backend promises its heavy users, measured against the strict server.

The benchmarks run the long forms (`benchmarks/openai_api.py`), the tests short ones. All of it goes through
the real command line in processes of its own, by a shared clock.
"""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from support.openai_faults import batch_limit, refuses_text
from support.openai_launcher import COMMAND
from support.openai_rules import tables_of_tokens
from support.openai_server import KEY, OpenAIServer, Recorded, vectors

__all__ = [
    "Client",
    "Killed",
    "OneBad",
    "Run",
    "Throughput",
    "is_right",
    "kills",
    "mixed",
    "one_bad",
    "throughput",
    "wait_for",
]

DIMENSIONS = 8
CONCURRENCY = 4
_MINUTE_S = 60.0
_PATIENCE_S = 120.0
_WORDS = Path(__file__).parents[1].joinpath("data") / "packages.tsv"


def mixed(count: int, seed: int = 0) -> list[str]:
    """Return different texts from 2 to 4,000 words, most of them short, some hundred tokens on average."""
    rng = random.Random(seed)
    words = [*_WORDS.read_text("utf-8").split(), "漢字かな", "größer", "👩‍👩‍👧‍👦", "\\frac{1}{2}"]
    texts = []
    for number in range(count):
        chance = rng.random()
        most, least = (15, 2) if chance < 0.75 else (120, 15) if chance < 0.97 else (2500, 120)
        length = 4000 if number % 10_000 == 77 else rng.randint(least, most)
        texts.append(f"{number} {' '.join(rng.choices(words, k=length))}")
    return texts


@dataclass(frozen=True)
class Run:
    """How a run of the command line ended."""

    code: int
    stderr: str
    seconds: float
    vectors: np.ndarray | None


@dataclass(frozen=True)
class Throughput:
    """What came of a run against a limit.

    `share` is how much of it was used in the whole minutes from the first request on, `minutes` of the shared
    clock; `charged_twice` counts inputs.
    """

    violations: list[str]
    is_right: bool
    share: float
    requests: int
    tokens: int
    minutes: float
    seconds: float
    charged_twice: int


@dataclass(frozen=True)
class Killed:
    """`charged_twice` counts inputs that were paid for more than once, `under_way` those that may be."""

    kills: int
    charged_twice: int
    under_way: int
    is_same: bool
    is_right: bool
    seconds: float


@dataclass(frozen=True)
class OneBad:
    """One bad text among many: vectors that came, requests that it cost, whether its line was named."""

    run: Run
    is_right: bool
    is_named: bool
    extra: int


class Client:
    """A folder with texts, and a cache and an output of its own."""

    def __init__(self, folder: Path, texts: Sequence[str], server: OpenAIServer, *, exact: bool) -> None:
        """Write the texts; with `exact` the client counts tokens by tiktoken."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._output = folder / "out.npy"
        (folder / "texts.txt").write_text("".join(f"{text}\n" for text in texts), "utf-8")
        (folder / "empty").mkdir(exist_ok=True)
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SIMIL_", "OPENAI_")) and not name.lower().endswith("_proxy")
        }
        self._env = clean | {
            "SIMIL_CACHE_DIR": str(folder / "cache"),
            "SIMIL_CONFIG": os.devnull,
            "SIMIL_MODEL": "openai",
            "OPENAI_API_KEY": KEY,
            # The server is known: what counts is that it is asked for no text twice.
            "SIMIL_TRUST_CACHE": "1",
            "OPENAI_BASE_URL": server.base_url,
            "TIKTOKEN_CACHE_DIR": str(tables_of_tokens() if exact else folder / "empty"),
        }
        if exact:
            self._env |= {"SIMIL_TOKENIZER": "cl100k_base", "SIMIL_MAX_TOKENS": "8192"}
        assert server.clock is not None
        self._command = [*COMMAND, str(server.clock), "embed", "texts.txt", "-o", "out.npy"]
        self._command += ["--dimensions", str(DIMENSIONS), "--concurrency", str(CONCURRENCY)]

    def start(self, *more: str) -> subprocess.Popen[bytes]:
        """Start a run."""
        return subprocess.Popen(
            [*self._command, *more],
            cwd=self.folder,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def run(self, *more: str) -> Run:
        """Run to the end."""
        began = time.perf_counter()
        with self.start(*more) as process:
            stderr = process.communicate()[1].decode()
        seconds = time.perf_counter() - began
        found = np.load(self._output) if self._output.exists() else None
        return Run(process.returncode, stderr, seconds, found)


def is_right(found: np.ndarray | None, texts: Sequence[str]) -> bool:
    """Return whether these are the vectors of `texts`, in their order."""
    wanted = vectors(texts, DIMENSIONS)
    return found is not None and found.shape == wanted.shape and bool(np.abs(found - wanted).max() < 1e-6)


def throughput(
    folder: Path,
    texts: Sequence[str],
    *,
    rates: str,
    exact: bool,
    tokens_per_minute: int,
    takes_s: float = 0.4,
) -> Throughput:
    """Embed `texts` against a server that limits the rate; each answer takes `takes_s` of the shared time."""
    limits = {"rates": rates, "tokens_per_minute": tokens_per_minute, "requests_per_minute": 3000}
    with OpenAIServer(clock=folder / "time", is_exact=True, takes_s=takes_s, **limits) as server:
        run = Client(folder / "client", texts, server, exact=exact).run()
        log, charges = server.log, server.charges
    if run.code:
        raise RuntimeError(f"ended with {run.code}: {run.stderr}")
    paid = [request for request in log if request.is_charged]
    return Throughput(
        [each for request in log for each in request.violations],
        is_right(run.vectors, texts),
        _share(paid, tokens_per_minute),
        len(log),
        sum(request.tokens for request in paid),
        (paid[-1].at - paid[0].at) / _MINUTE_S,
        run.seconds,
        charges.total() - len(charges),
    )


def _share(paid: Sequence[Recorded], tokens_per_minute: int) -> float:
    """Return what was charged in the whole minutes from the first request on, by what these granted.

    The minute of the last request is left out, where there was no more to do than it took.
    """
    minutes = int((paid[-1].at - paid[0].at) // _MINUTE_S)
    if not minutes:
        raise RuntimeError("all was done within a minute: there is no share to tell")
    end = paid[0].at + minutes * _MINUTE_S
    return sum(request.tokens for request in paid if request.at < end) / (minutes * tokens_per_minute)


def kills(folder: Path, texts: Sequence[str], *, count: int, seed: int = 0, at_once: int = 64) -> Killed:
    """Kill a run `count` times at random moments, run it to its end, and compare with one left alone.

    The server takes `at_once` inputs a request, so that there are more requests than are lost.
    """
    rng = random.Random(seed)
    began = time.perf_counter()
    under_way = done = 0
    with OpenAIServer(clock=folder / "time", delay_s=0.02) as server:
        server.always = batch_limit(at_once, 413, "batch size {count} > maximum allowed batch size {most}")
        client = Client(folder / "killed", texts, server, exact=False)
        while done < count:
            server.forget()
            with client.start() as process:
                wait_for(server, process, rng.randrange(14))
                time.sleep(rng.uniform(0, 0.04))
                process.kill()
                process.communicate()
            if process.returncode >= 0:
                raise RuntimeError("the run ended before it was killed: give it more texts")
            done += 1
            server.settle()
            last = server.log[-CONCURRENCY:]
            under_way += sum(request.inputs for request in last if request.is_charged)
        last_run = client.run()
        charges = server.charges
        server.forget()
        alone = Client(folder / "alone", texts, server, exact=False).run()
    same = last_run.code == alone.code == 0 and _bytes(folder / "killed") == _bytes(folder / "alone")
    twice = charges.total() - len(charges)
    seconds = time.perf_counter() - began
    return Killed(done, twice, under_way, same, is_right(last_run.vectors, texts), seconds)


def wait_for(server: OpenAIServer, process: subprocess.Popen[bytes], requests: int) -> None:
    """Wait until so many requests have come; a little for none."""
    until = time.monotonic() + _PATIENCE_S
    while server.count < requests and process.poll() is None:
        if time.monotonic() > until:
            raise RuntimeError(f"there were only {server.count} requests")
        time.sleep(0.002)


def _bytes(folder: Path) -> bytes:
    return (folder / "out.npy").read_bytes()


def one_bad(folder: Path, texts: Sequence[str], *, why: str, exact: bool, line: int) -> OneBad:
    """Embed `texts` and one bad one, at `line`: "long" or "refused" for a reason that only the server knows.

    What is bad is skipped. The requests that it costs are those beyond what the others alone take.
    """
    bad = "culprit " * (9000 if why == "long" else 1)
    given = [*texts[: line - 1], bad.strip(), *texts[line - 1 :]]
    with OpenAIServer(clock=folder / "time", is_exact=True) as server:
        if why == "refused":
            server.always = refuses_text("culprit", 400)
        # Sizes that follow the speed would differ between the two runs.
        how = ("--on-error", "skip", "--overflow", "error", "--batch-size", "2048")
        Client(folder / "good", texts, server, exact=exact).run(*how)
        usual = len(server.log)
        server.forget()
        client = Client(folder / "one bad", given, server, exact=exact)
        run = client.run(*how)
        extra = len(server.log) - usual
    named = [each for each in run.stderr.splitlines() if f"texts.txt:{line}: " in each]
    return OneBad(run, is_right(run.vectors, texts), len(named) == 1, extra)
