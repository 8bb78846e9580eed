"""The manifest of a run: what it does, which parts are done, and whether all are.

It grows after each part: a run that was interrupted goes on where it stopped. Its first line says what the
run does; a run that does anything else is refused. It is a file of JSON Lines beside the parts, or beside the
Lance dataset; in an object store, which appends to nothing, each line is an object.
"""

from __future__ import annotations

import hashlib
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from simil.errors import Place, UsageError
from simil.formats.lance_paths import has_lance_suffix
from simil.formats.remote_paths import is_remote
from simil.runners.job import PartReport
from simil.runners.object_stores import list_objects, read_object, write_object

__all__ = ["PartManifest"]

# Names that begin with "_" are no part of a table of files.
_NAME = "_simil.jsonl"
_BESIDE = ".simil.jsonl"
_PLAN, _COMPLETE = "plan", "z-complete"
# What is another where a run does something else.
_OTHER = {
    "simil": "another version of simil",
    "model": "another model",
    "revision": "another revision of the model",
    "options": "other options",
    "inputs": "other inputs",
    "parts": "other parts",
    "plan": "other parts",
}
_AT_ONCE = 16
_SHOWN = 60


class PartManifest:
    """The manifest of one output.

    Attributes:
        done: what was said of each part that is done, by its number.
        is_complete: whether all parts are done.
        run: what the run does, as a short name that no other run has.
    """

    def __init__(self, output: str, plan: Mapping[str, Any]) -> None:
        """Read the manifest of an output, if there is one.

        Raises `UsageError` where it is that of a run with another `plan`, or the folder holds anything else.
        """
        self.done: dict[int, Mapping[str, Any]] = {}
        self.is_complete = False
        self._output = output
        self._plan = json.loads(json.dumps(plan))
        self.run = hashlib.sha256(json.dumps(plan, sort_keys=True).encode()).hexdigest()
        where = f"{output}{_BESIDE}" if has_lance_suffix(output) else f"{output.rstrip('/')}/{_NAME}"
        self._lines: _Lines = (
            _Objects(where.removesuffix(".jsonl")) if is_remote(output) else _File(Path(where))
        )
        self._is_begun = self._read()

    def begin(self) -> None:
        """Write what the run does, unless it is there."""
        if not self._is_begun:
            self._lines.append(_PLAN, self._plan)
            self._is_begun = True

    def add(self, report: PartReport) -> None:
        """Note that a part is done."""
        self.done[report.number] = report.counts()
        self._lines.append(f"part-{report.number:05}", self.done[report.number])

    def complete(self) -> None:
        """Note that all parts are done."""
        self._lines.append(_COMPLETE, {"complete": True, "parts": len(self.done)})
        self.is_complete = True

    def _read(self) -> bool:
        try:
            lines = self._lines.read()
        except ValueError as exc:
            raise UsageError(
                "its manifest is damaged", hint="name another output after -o", place=Place(self._output)
            ) from exc
        if not lines:
            if self._lines.is_beside_others(self._output):
                raise UsageError(
                    "holds other files, and no manifest of a run",
                    hint="name an empty or a new folder after -o",
                    place=Place(self._output),
                )
            return False
        plan, *rest = lines
        self._check(plan)
        self.done = {line["part"]: line for line in rest if "part" in line}
        self.is_complete = any(line.get("complete") for line in rest)
        return True

    def _check(self, plan: Mapping[str, Any]) -> None:
        for name, wanted in self._plan.items():
            found = plan.get(name)
            if found != wanted:
                raise UsageError(
                    f"holds a run with {_OTHER[name]}: {_difference(found, wanted)}",
                    hint="repeat that run to go on with it, or name another output after -o",
                    place=Place(self._output),
                )


class _Lines(ABC):
    """Where the lines of a manifest are kept."""

    @abstractmethod
    def read(self) -> list[dict[str, Any]]:
        """Return the lines; none where there is no manifest."""

    @abstractmethod
    def append(self, name: str, line: Mapping[str, Any]) -> None:
        """Add a line, and wait until it is stored; `name` says what it is about."""

    @abstractmethod
    def is_beside_others(self, output: str) -> bool:
        """Return whether there is anything where the output will be."""


class _File(_Lines):
    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> list[dict[str, Any]]:
        if not self._path.exists():
            return []
        lines = self._path.read_bytes().split(b"\n")
        # The last line is empty, or torn where the run was killed while it wrote it.
        if lines.pop():
            self._path.write_bytes(b"".join(line + b"\n" for line in lines))
        return [json.loads(line) for line in lines]

    def append(self, name: str, line: Mapping[str, Any]) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab") as file:
                file.write(json.dumps(line).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as exc:
            raise UsageError(
                f"cannot be written: {exc.strerror or exc}", place=Place(str(self._path)), hint="check -o"
            ) from exc

    def is_beside_others(self, output: str) -> bool:
        folder = Path(output)
        if has_lance_suffix(output):  # It is replaced, as by one process.
            return False
        return folder.exists() and (not folder.is_dir() or any(folder.iterdir()))


class _Objects(_Lines):
    def __init__(self, address: str) -> None:
        self._address = address

    def read(self) -> list[dict[str, Any]]:
        found = [one.address for one in list_objects(f"{self._address}/")]
        # The plan is the first: "plan" comes after "part-…".
        found.sort(key=lambda address: (not address.endswith(f"/{_PLAN}.json"), address))
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return [json.loads(data) for data in pool.map(read_object, found) if data]

    def append(self, name: str, line: Mapping[str, Any]) -> None:
        write_object(f"{self._address}/{name}.json", json.dumps(line).encode())

    def is_beside_others(self, output: str) -> bool:
        return not has_lance_suffix(output) and bool(list_objects(f"{output.rstrip('/')}/"))


def _difference(found: object, wanted: object) -> str:
    """Return what two values are, or where they differ."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        # Either may lack what the other has: an option that is not given is not written down.
        key = next(key for key in [*found, *wanted] if found.get(key) != wanted.get(key))
        return f"{key} was {_shown(found.get(key))}, and is {_shown(wanted.get(key))}"
    if isinstance(found, list) and isinstance(wanted, list):
        if len(found) != len(wanted):
            return f"there were {len(found)}, and are {len(wanted)}"
        before, now = next(pair for pair in zip(found, wanted, strict=True) if pair[0] != pair[1])
        if before[0] == now[0]:
            return f"{now[0]} was changed"
        return f"it was {_shown(before[0])}, and is {_shown(now[0])}"
    return f"it was {_shown(found)}, and is {_shown(wanted)}"


def _shown(value: object) -> str:
    said = "not given" if value is None else value if isinstance(value, str) else json.dumps(value)
    return said if len(said) <= _SHOWN else f"{said[:_SHOWN]}…"
