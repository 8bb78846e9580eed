"""A folder with an input, a cache of its own, and a server of batches whose time passes while one waits."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from support.command import Result
from support.openai_launcher import Launcher
from support.openai_server import KEY, OpenAIServer

__all__ = ["BatchDesk"]


class BatchDesk:
    """Runs `simil` in `folder`, whose `texts.txt` holds `texts`, by the clock of the server."""

    def __init__(self, folder: Path, server: OpenAIServer, launcher: Launcher, texts: Sequence[str]) -> None:
        self.folder, self.server, self.env = folder, server, dict[str, str]()
        self.state = folder / "v.jsonl.batch.json"
        self._launcher = launcher
        self.write(texts)

    def write(self, texts: Sequence[str]) -> None:
        """Let the input be these texts."""
        self.folder.joinpath("texts.txt").write_text("".join(f"{text}\n" for text in texts), "utf-8")

    def simil(self, *arguments: str) -> Result:
        """Run the command."""
        env = {
            **os.environ,
            "SIMIL_CACHE_DIR": str(self.folder / "cache"),
            "SIMIL_MODEL": "openai",
            "OPENAI_API_KEY": KEY,
            "OPENAI_BASE_URL": self.server.base_url,
            **self.env,
        }
        output = self.folder / "printed"
        output.mkdir(exist_ok=True)
        assert self.server.clock is not None
        clock = self.server.clock
        return Result(*self._launcher.run(clock, arguments, cwd=self.folder, environ=env, output=output))

    def batch(self, *more: str) -> Result:
        """Run a job whose output is `v.jsonl`."""
        return self.simil("embed", "texts.txt", "--dimensions", "8", "--batch", "-o", "v.jsonl", *more)

    def rows(self, name: str = "v.jsonl") -> list[dict[str, Any]]:
        """Return the rows of an output."""
        return [json.loads(line) for line in self.folder.joinpath(name).read_text("utf-8").splitlines()]
