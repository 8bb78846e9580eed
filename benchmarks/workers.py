"""Long-lived worker processes that answer a line of JSON with a line of JSON, so that they stay warm.

`Worker` is the client, which imports nothing heavy; `serve` is the server.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from measure import MeasurementFailed, end_of

__all__ = ["Worker", "serve"]


class Worker:
    """A process that calls `serve`."""

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> None:
        self._command = command
        self._err = tempfile.TemporaryFile()  # noqa: SIM115 (closed in `close`)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._err,
            env=env,
            cwd=cwd,
            encoding="utf-8",
        )

    def ask(self, what: str, **arguments: Any) -> Any:
        """Return the answer of the process; raises `MeasurementFailed` if it ends instead."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            print(json.dumps([what, arguments]), file=self._process.stdin, flush=True)
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            code = self._process.wait()
            raise MeasurementFailed(f"{' '.join(self._command)} ended with {code}:\n{end_of(self._err)}")
        return json.loads(answer)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()
        self._err.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def serve(answers: Mapping[str, Callable[..., Any]]) -> None:
    """Answer a `Worker` until it is gone. Output of libraries goes to stderr."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        what, arguments = json.loads(line)
        print(json.dumps(answers[what](**arguments)), file=out, flush=True)
