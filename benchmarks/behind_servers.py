"""Models behind infinity-emb and LiteLLM's proxy: `simil embed` beside a script with the `openai` SDK."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from pathlib import Path

from bench import Bench, Suite, check_alike
from files import last_vector, real_lines
from http_servers import KEY, MODEL, Server, environment, free_port, infinity, litellm
from measure import MeasurementFailed, Usage, by_turns, run
from report import Check, Figure, LeftOut, Row

__all__ = ["SUITES"]

_LINES, _TRIED, _DIMENSIONS = 3_000, 500, 384
_SIZES, _THREADS = (32, 128, 500), (1, 8)
_DOWN_S = 30


def behind(bench: Bench) -> list[Row]:
    """Each server in turn; infinity stands behind the proxy."""
    lines = bench.folder / "lines.txt"
    if (found := real_lines(lines, _LINES, bench.given_lines)) < _LINES:
        return [LeftOut("servers", f"only {found:,} lines of real text; give --lines FILE")]
    port, front = free_port(), free_port()
    server = infinity(bench, environment(bench, "infinity"), port)
    proxy = litellm(bench, environment(bench, "litellm"), front, f"http://127.0.0.1:{port}/v1")
    with server.running(), proxy.running():
        rows = [*_throughput(bench, "infinity-emb", port), *_throughput(bench, "LiteLLM's proxy", front)]
        rows.append(_restarted(bench, server, port))
    return rows


def _throughput(bench: Bench, what: str, port: int) -> Iterator[Row]:
    tries = {
        (size, threads): _by_sdk(bench, port, _TRIED, size, threads).seconds
        for size, threads in product(_SIZES, _THREADS)
    }
    size, threads = min(tries, key=tries.__getitem__)
    sides: dict[str, Callable[[], Usage]] = {
        "sdk": partial(_by_sdk, bench, port, _LINES, size, threads),
        "simil": partial(_by_simil, bench, port),
    }
    taken = by_turns(sides, bench.repeat, warm=False)
    check_alike(what, _last(bench, "sdk.npy"), _last(bench, "simil.npy"), least=0.9999)
    seconds = {side: [usage.seconds for usage in each] for side, each in taken.items()}
    note = f"the SDK's best of {len(tries)}: {size} texts a request, {threads} at a time"
    name = f"{what}: {_LINES:,} lines, whole process"
    yield Figure(name, "s", seconds["sdk"], seconds["simil"], "peer/ours", at_least=1, note=note)


def _restarted(bench: Bench, server: Server, port: int) -> Row:
    """Kill the server in the middle of a run, and start it again half a minute later."""
    began = time.perf_counter()
    _by_simil(bench, port)
    half = (time.perf_counter() - began) / 2
    whole = (bench.folder / "simil.npy").read_bytes()
    command = _command(bench, port, "restarted.npy")
    with subprocess.Popen(command, env=_env(bench), cwd=bench.folder, stderr=subprocess.PIPE) as process:
        try:
            time.sleep(half)
            was_running = process.poll() is None
            server.kill()
            time.sleep(_DOWN_S)
            server.start()
            _, said = process.communicate(timeout=600)
        finally:
            process.kill()
    output = bench.folder / "restarted.npy"
    if process.returncode or not was_running:
        raise MeasurementFailed(f"restart: exit {process.returncode}, in the middle: {was_running}\n{said!r}")
    check_alike("restart", _last(bench, "simil.npy"), _last(bench, "restarted.npy"), least=0.9999)
    is_complete = output.stat().st_size == len(whole)
    name = f"infinity-emb killed for {_DOWN_S} s in the middle of {_LINES:,} lines"
    return Check(name, [], is_complete, "complete", note=said.decode().strip().replace("\n", "; "))


def _by_sdk(bench: Bench, port: int, number: int, size: int, threads: int) -> Usage:
    numbers = ("--number", str(number), "--size", str(size), "--threads", str(threads))
    command = bench.script("sdk_embed_side.py", _url(port), MODEL, "lines.txt", "sdk.npy", *numbers)
    return run(command, env=_env(bench), cwd=bench.folder)


def _by_simil(bench: Bench, port: int) -> Usage:
    return run(_command(bench, port, "simil.npy"), env=_env(bench), cwd=bench.folder)


def _command(bench: Bench, port: int, output: str) -> list[str]:
    Path(bench.folder, output).unlink(missing_ok=True)
    options = ["-m", f"openai:{MODEL}", "--base-url", _url(port), "--no-cache"]
    return [bench.simil, "embed", "-q", *options, "lines.txt", "-o", output]


def _env(bench: Bench) -> dict[str, str]:
    """Return the environment of clients, who would refuse to ask a server if they were offline."""
    online = {key: value for key, value in bench.env.items() if key != "HF_HUB_OFFLINE"}
    return online | {"OPENAI_API_KEY": KEY}


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}/v1"


def _last(bench: Bench, name: str) -> list[float]:
    return [*last_vector(bench.folder / name, _DIMENSIONS)]


SUITES = {
    "behind": Suite(
        "Models behind servers",
        f"{_LINES:,} descriptions of Debian's packages, embedded by `simil embed --base-url …` with "
        "nothing else set, behind infinity-emb 0.0.78 on the CPU and behind LiteLLM's proxy in front of it. "
        f"Peer: a script with the `openai` SDK, with the best of {len(_SIZES)} sizes of requests and "
        f"{len(_THREADS)} numbers of threads. SIMIL_BENCH_INFINITY and SIMIL_BENCH_LITELLM name their "
        "environments; without them, pip makes them.",
        behind,
        on_request=True,
    )
}
