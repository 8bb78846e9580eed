"""Servers of any speed behind OpenAI's protocol: nothing is set by hand, and nothing is computed twice."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from bench import Bench, Suite, say
from measure import MeasurementFailed
from report import Check, Row, Value

__all__ = ["SUITES", "run_at", "run_interrupted"]

_SPEEDS, _TEXTS = (20.0, 200.0, 2000.0), 3000
_MOST = 1.15
_DOWN_S, _DOWN_SPEED = 30.0, 100.0


@dataclass(frozen=True)
class Served:
    """What came of a run.

    `seconds` are those from the first request to the end of the process, `whole` those from its start;
    `twice` counts the texts that the server computed again.
    """

    is_complete: bool
    seconds: float
    whole: float
    twice: int
    sizes: list[int]
    stderr: str


def servers(bench: Bench) -> list[Row]:
    """A server of each speed, and one that is away for half a minute."""
    return [*_speeds(bench), _restart(bench)]


def run_at(bench: Bench, speed: float, texts: int) -> Served:
    """Embed so many texts by a server of so many texts a second."""
    with _server(bench, speed) as server, _client(bench, server, texts) as client:
        client.wait()
        return client.end([_told(server)])


def run_interrupted(bench: Bench, speed: float, texts: int, down_s: float) -> Served:
    """The same; once a third is done, the server is killed, and is back after `down_s` seconds."""
    with _server(bench, speed) as server, _client(bench, server, texts) as client:
        while _told(server)["texts"] < texts / 3:
            time.sleep(0.05)
        before = _told(server)
        server.process.kill()
        server.process.wait()
        time.sleep(down_s)
        with _server(bench, speed, server.port) as again:
            client.wait()
            return client.end([before, _told(again)])


def _speeds(bench: Bench) -> Iterator[Row]:
    for speed in _SPEEDS:
        say(f"servers: {_TEXTS:,} texts at {speed:,.0f} texts/s")
        served = run_at(bench, speed, _TEXTS)
        name = f"{_TEXTS:,} texts, a server of {speed:,.0f} texts/s"
        yield Value(
            f"time to texts/speed: {name}",
            "x",
            [served.seconds * speed / _TEXTS],
            at_most=_MOST,
            note=f"{len(served.sizes)} requests of {min(served.sizes)} to {max(served.sizes)} texts; "
            f"{served.whole:.2f} s with start-up",
        )
        yield Check(
            f"all done: {name}",
            [served.seconds],
            holds=served.is_complete and served.twice == 0,
            bar="every vector, no text computed twice",
            note=f"{served.twice} computed twice {served.stderr}",
        )


def _restart(bench: Bench) -> Row:
    say(f"servers: away for {_DOWN_S:.0f} s")
    served = run_interrupted(bench, _DOWN_SPEED, _TEXTS, _DOWN_S)
    return Check(
        f"{_TEXTS:,} texts, the server killed and back after {_DOWN_S:.0f} s",
        [served.seconds],
        holds=served.is_complete and served.twice <= 4 * max(served.sizes),
        bar="every vector; no text computed twice but those under way at the kill",
        note=f"{served.twice} under way {served.stderr}",
    )


@dataclass
class _Server:
    process: subprocess.Popen[str]
    port: int


@dataclass
class _Client:
    process: subprocess.Popen[str]
    output: Path
    texts: int
    began: float
    ended: float = 0.0

    def wait(self) -> None:
        self.process.wait()
        self.ended = time.monotonic()

    def end(self, told: list[dict[str, Any]]) -> Served:
        stderr = (self.process.stderr.read() if self.process.stderr else "").strip()
        if not told[0]["sizes"]:
            raise MeasurementFailed(f"simil asked for nothing: {stderr}")
        is_complete = not self.process.returncode and np.load(self.output).shape[0] == self.texts
        return Served(
            is_complete=is_complete,
            seconds=self.ended - told[0]["first"],
            whole=self.ended - self.began,
            twice=sum(each["texts"] + each["twice"] for each in told) - self.texts,
            sizes=[size for each in told for size in each["sizes"]],
            stderr=stderr,
        )


def _told(server: _Server) -> dict[str, Any]:
    assert server.process.stdin is not None
    assert server.process.stdout is not None
    server.process.stdin.write("\n")
    server.process.stdin.flush()
    told: dict[str, Any] = json.loads(server.process.stdout.readline())
    return told


@contextmanager
def _server(bench: Bench, speed: float, port: int = 0) -> Iterator[_Server]:
    command = bench.script("paced_server.py", str(speed), "--port", str(port))
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True, env=bench.env) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        first = process.stdout.readline()
        if not first:
            raise MeasurementFailed("the server of the benchmark did not start")
        try:
            yield _Server(process, int(first))
        finally:
            if process.poll() is None:
                process.stdin.close()


@contextmanager
def _client(bench: Bench, server: _Server, count: int) -> Iterator[_Client]:
    folder = bench.folder / "servers"
    folder.mkdir(exist_ok=True)
    (folder / "texts.txt").write_text("".join(f"text number {n} of {count}\n" for n in range(count)), "utf-8")
    output = folder / "out.npy"
    output.unlink(missing_ok=True)
    base_url = f"http://127.0.0.1:{server.port}/v1"
    command = [bench.simil, "embed", "texts.txt", "-m", "openai:any", "--base-url", base_url, "--no-cache"]
    online = {name: value for name, value in bench.env.items() if name != "HF_HUB_OFFLINE"}
    env = {**online, "NO_PROXY": "127.0.0.1", "OPENAI_API_KEY": "of-no-use"}
    with subprocess.Popen(
        [*command, "-o", output.name],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield _Client(process, output, count, time.monotonic())
        finally:
            if process.poll() is None:
                process.kill()


SUITES = {
    "servers": Suite(
        "Servers of any speed",
        "`simil embed -m openai:any --base-url …` with no other option, against a server on loopback that "
        "computes one request after the other at the given speed, and goes on computing after a client hung "
        "up. The time is from the first request to the end of the process.",
        servers,
    )
}
