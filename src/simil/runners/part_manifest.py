"""The manifest of a run: what it does, which parts are done, and whether all are.

It is a file of JSON Lines beside the parts, which grows after each of them: a run that was interrupted goes
on where it stopped. The first line says what the run does; a run that does anything else is refused.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simil.errors import Place, UsageError
from simil.runners.job import PartReport

__all__ = ["MANIFEST", "PartManifest"]

# Names that begin so are no part of a table of files.
MANIFEST = "_simil.jsonl"
# What differs where a run does something else.
_OTHER = {
    "simil": "another version of simil",
    "model": "another model",
    "revision": "another revision of the model",
    "options": "other options",
    "inputs": "other inputs",
    "parts": "other parts",
    "plan": "other parts",
}
# What a manifest says of a part, and what all of them say together.
_COUNTS = ("rows", "failed", "blank", "unknown", "truncated", "seconds")


class PartManifest:
    """The manifest of one output.

    Attributes:
        done: what was counted in each part that is done, by its number.
        is_complete: whether all parts are done.
    """

    def __init__(self, folder: str, plan: Mapping[str, Any]) -> None:
        """Read the manifest in a folder, if there is one.

        Raises `UsageError` where it is that of a run with another `plan`, or the folder holds anything else.
        """
        self.path = Path(folder, MANIFEST)
        self.done: dict[int, Mapping[str, Any]] = {}
        self.is_complete = False
        self._plan = json.loads(json.dumps(plan))
        self._is_begun = self._read()

    def begin(self) -> None:
        """Write what the run does, unless it is there."""
        if not self._is_begun:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._append(self._plan)
            self._is_begun = True

    def add(self, report: PartReport) -> None:
        """Note that a part is done."""
        counts = {name: getattr(report, name) for name in _COUNTS} | {"failed": len(report.failed)}
        found = {"part": report.number, **counts, "worker": report.worker, **report.usage}
        self.done[report.number] = found
        self._append(found)

    def complete(self) -> None:
        """Note that all parts are done."""
        self._append({"complete": True, "parts": len(self.done)})
        self.is_complete = True

    def _append(self, line: Mapping[str, Any]) -> None:
        with self.path.open("ab") as file:
            file.write(json.dumps(line).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _read(self) -> bool:
        folder = self.path.parent
        if not self.path.exists():
            if folder.is_dir() and any(folder.iterdir()):
                raise UsageError(
                    "holds files of others: there is no manifest of a run among them",
                    hint="name an empty or a new folder after -o",
                    place=Place(str(folder)),
                )
            return False
        lines = self.path.read_bytes().split(b"\n")
        # The last line is empty, or torn where the run was killed while it wrote it.
        if lines.pop():
            self.path.write_bytes(b"".join(line + b"\n" for line in lines))
        if not lines:
            return False
        plan, *rest = map(json.loads, lines)
        self._check(plan)
        self.done = {line["part"]: line for line in rest if "part" in line}
        self.is_complete = any(line.get("complete") for line in rest)
        return True

    def _check(self, plan: Mapping[str, Any]) -> None:
        for name, wanted in self._plan.items():
            if plan.get(name) != wanted:
                raise UsageError(
                    f"holds a run with {_OTHER[name]}: {_shown(plan.get(name))}, now {_shown(wanted)}",
                    hint="repeat that run to go on with it, or name another folder after -o",
                    place=Place(str(self.path.parent)),
                )


def _shown(value: object) -> str:
    said = json.dumps(value)
    return said if len(said) <= 60 else f"{said[:60]}…"
