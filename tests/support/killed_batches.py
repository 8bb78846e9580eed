"""`simil embed --batch`, killed while it uploads, waits and collects: what it pays, and what it writes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from support.openai_clock import SharedClock
from support.openai_launcher import COMMAND
from support.openai_server import KEY, OpenAIServer, Recorded

__all__ = ["MOMENTS", "BatchRuns", "KilledJob", "killed_job", "moment_of"]

_DIMENSIONS = "8"
_LIMIT_S = 300.0


# What a run is at, by the last request that the server has seen of it; in this order, but for repetitions.
MOMENTS = ("before an upload", "upload", "creation", "wait", "collection")
# A wait has nothing to compute: it is short.
_WAIT_S = 0.03
_S_PER_TEXT = 4e-6


def moment_of(request: Recorded) -> str | None:
    """Return the moment that a request is of; None for those that find out what an earlier run has left."""
    path = request.path.partition("?")[0]
    match request.method, path.split("/")[2:]:
        case "GET", ["files"]:
            return "before an upload"
        case "POST", ["files"]:
            return "upload"
        case "POST", ["batches"]:
            return "creation"
        case "GET", ["batches", _]:
            return "wait"
        case "GET", ["files", name, "content"] if "output" in name:
            return "collection"
    return None


@dataclass
class KilledJob:
    """What came of a job: how often it was killed at each moment, and what is wrong with its end."""

    kills: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    batches: Counter[str] = field(default_factory=Counter)
    refunds: int = 0


class BatchRuns:
    """Runs of the command line over one input and one server, with a cache and an output of their own."""

    def __init__(self, folder: Path, texts: Sequence[str], server: OpenAIServer) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.server = folder, server
        self.output = folder / "v.npy"
        self.temporary = folder / "tmp"
        self.temporary.mkdir(exist_ok=True)
        folder.joinpath("texts.txt").write_text("".join(f"{text}\n" for text in texts), "utf-8")
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SIMIL_")}
        self._env = clean | {
            "SIMIL_CACHE_DIR": str(folder / "cache"),
            "SIMIL_CONFIG": os.devnull,
            "SIMIL_MODEL": "openai",
            "OPENAI_API_KEY": KEY,
            "OPENAI_BASE_URL": server.base_url,
            # At OpenAI's own address no cached text is asked anew, as each run here would do.
            "SIMIL_TRUST_CACHE": "1",
            "TMPDIR": str(self.temporary),
        }

    def start(self, *more: str) -> subprocess.Popen[bytes]:
        """Start a run."""
        words = ["embed", "texts.txt", "-o", "v.npy", "--dimensions", _DIMENSIONS, *more]
        return subprocess.Popen(
            [*COMMAND, str(self.server.clock), *words],
            cwd=self.folder,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def run(self, *more: str) -> tuple[int, str]:
        """Run to the end, and return the exit code and what was said."""
        with self.start(*more) as process:
            said = process.communicate(timeout=_LIMIT_S)[1].decode()
        return process.returncode, said

    def kill(self, moment: str, delay: float) -> str | None:
        """Run, and kill it so long after it has come to `moment`, or to a later one.

        Returns what it was at, None if it ended before.
        """
        wanted, stop = MOMENTS[MOMENTS.index(moment) :], time.monotonic() + _LIMIT_S
        self.server.forget()
        with self.start("--batch") as process:
            while process.poll() is None and not any(moment_of(each) in wanted for each in self.server.log):
                assert time.monotonic() < stop, "a run does not end"
                time.sleep(0.001)
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
            process.communicate()
        self.server.settle()
        seen = [at for each in self.server.log if (at := moment_of(each))]
        return seen[-1] if process.returncode == -signal.SIGKILL else None


def killed_job(folder: Path, count: int, *, kills: int, rng: random.Random) -> KilledJob:
    """Kill a job of `count` texts at that many moments, let it end, and compare it with a direct run."""
    texts = [f"{number} {rng.choice(('tea', 'coffee', 'snow'))}" for number in range(count)]
    with SharedClock(folder / "time") as clock:
        with OpenAIServer(clock=clock.path) as server:
            direct = BatchRuns(folder / "direct", texts, server)
            assert direct.run() == (0, "")
        with OpenAIServer(
            clock=clock.path,
            failing_lines=0.03,
            expiring_batch=1 if count > 50_000 else 0,
            looks_of_batches=8,
        ) as server:
            return _kill(BatchRuns(folder / "job", texts, server), direct.output, texts, kills, rng)


def _kill(runs: BatchRuns, direct: Path, texts: Sequence[str], kills: int, rng: random.Random) -> KilledJob:
    done = KilledJob()
    for number in range(kills):
        moment = MOMENTS[number * len(MOMENTS) // kills]
        most = _WAIT_S if moment == "wait" else _WAIT_S + len(texts) * _S_PER_TEXT
        at = runs.kill(moment, rng.choice((0, rng.uniform(0, most))))
        if at:
            done.kills[at] += 1
    code, said = runs.run("--batch")
    server = runs.server
    done.batches.update(batch["status"] for batch in server.batches)
    done.refunds = server.batch_refunds.total()
    wrong = {
        f"the job ended with {code}: {said}": code != 0 or bool(said),
        "the output is not that of a direct run": not runs.output.exists()
        or runs.output.read_bytes() != direct.read_bytes(),
        "an input was not paid for once": server.batch_charges != Counter(texts),
        f"inputs were paid for at the full price: {server.charges}": bool(server.charges),
        "something was uploaded twice": any(times > 1 for times in server.uploads.values()),
        "temporary files are left": any(runs.temporary.iterdir()),
        "the state of the job is left": runs.output.with_name("v.npy.batch.json").exists(),
    }
    done.wrong.extend(what for what, is_so in wrong.items() if is_so)
    return done
