"""`simil embed --batch` and `simil batch`: half the price, the same output, nothing paid for twice."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command import Result
from support.openai_clock import SharedClock
from support.openai_launcher import Launcher
from support.openai_server import KEY, OpenAIServer

_TEXTS = [f"text {number}" for number in range(40)]
_LONG = " ".join(["word"] * 9000)


@pytest.fixture(scope="module")
def launcher() -> Iterator[Launcher]:
    with Launcher() as launcher:
        yield launcher


class Desk:
    """A folder with an input, a cache of its own, and a server at which time passes where one waits."""

    def __init__(self, folder: Path, server: OpenAIServer, launcher: Launcher) -> None:
        self.folder, self.server = folder, server
        self._launcher = launcher
        self._clock = folder / "time"
        folder.joinpath("texts.txt").write_text("".join(f"{text}\n" for text in _TEXTS), "utf-8")

    def simil(self, *arguments: str, cache: str = "cache") -> Result:
        env = {
            **os.environ,
            "SIMIL_CACHE_DIR": str(self.folder / cache),
            "SIMIL_MODEL": "openai",
            "OPENAI_API_KEY": KEY,
            "OPENAI_BASE_URL": self.server.base_url,
        }
        output = self.folder / "printed"
        output.mkdir(exist_ok=True)
        return Result(
            *self._launcher.run(self._clock, arguments, cwd=self.folder, environ=env, output=output)
        )

    def batch(self, *more: str) -> Result:
        return self.simil("embed", "texts.txt", "--dimensions", "8", "--batch", "-o", "v.jsonl", *more)

    def rows(self, name: str = "v.jsonl") -> list[dict[str, object]]:
        return [json.loads(line) for line in self.folder.joinpath(name).read_text("utf-8").splitlines()]

    def direct(self, *more: str) -> Result:
        """Write the output of a run without batches to `direct.jsonl`."""
        made = self.simil(
            "embed", "texts.txt", "--dimensions", "8", "-o", "direct.jsonl", *more, cache="other cache"
        )
        self.server.forget()
        return made


@pytest.fixture
def desk(tmp_path: Path, launcher: Launcher) -> Iterator[Desk]:
    with SharedClock(tmp_path / "time"), OpenAIServer(clock=tmp_path / "time") as server:
        yield Desk(tmp_path, server, launcher)


def test_the_output_is_that_of_a_direct_run(desk: Desk) -> None:
    assert desk.direct().code == 0
    direct = Counter(desk.server.charges)

    done = desk.batch()

    assert (done.code, done.err) == (0, "")
    assert desk.folder.joinpath("v.jsonl").read_bytes() == desk.folder.joinpath("direct.jsonl").read_bytes()
    assert desk.server.batch_charges == Counter(_TEXTS)
    assert desk.server.charges == direct
    assert not desk.folder.joinpath("v.jsonl.batch.json").exists()
    # What is in the cache is not asked for again.
    desk.server.forget()
    assert desk.batch().code == 0
    assert not any(request.method == "POST" for request in desk.server.log)
