"""What is known of a job between runs: a small file beside its output.

It holds no text, no key and no address that anything is sent to: a folder's files choose no destination.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from simil.errors import InputError, Place, UsageError
from simil.private_files import write_private

__all__ = ["BatchState", "SentBatch", "state_path"]

_VERSION = 1
_SUFFIX = ".batch.json"
_HOW = {"model", "address", "kind", "dimensions", "normalize", "overflow"}
# What stands in a URL, and must not lead elsewhere.
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.:-]*")


def state_path(output: str) -> Path:
    """Return the file that holds the state of the job whose output that is."""
    return Path(f"{output.rstrip('/')}{_SUFFIX}")


@dataclass
class SentBatch:
    """A batch of a job: its number and tokens, what the server calls its file and itself, how far it is.

    `status` is the last one seen; `is_collected` says that its vectors are in the cache.
    """

    number: int
    tokens: int
    file: str | None = None
    batch: str | None = None
    status: str = ""
    is_collected: bool = False


def _check(state: BatchState) -> None:
    """Raise ValueError or TypeError for a state that simil has not written."""
    names = [name for each in state.sent for name in (each.file, each.batch) if name is not None]
    if not set(state.how) >= _HOW or not all(map(_NAME.fullmatch, [state.name, *names])):
        raise ValueError("no state of a batch")
    numbers = [number for each in state.sent for number in (each.number, each.tokens)]
    if not isinstance(state.failures, dict) or not isinstance(state.refused, dict):
        raise TypeError("no state of a batch")
    numbers += [*state.failures.values(), state.most_tokens or 0, state.begun]
    if not all(type(number) is int for number in numbers):
        raise TypeError("no state of a batch")


@dataclass
class BatchState:
    """The state of a job.

    Attributes:
        path: where it is kept.
        how: what the vectors depend on, and the server: model, address, kind, dimensions and so on.
        name: unique; the files and batches at the server carry it.
        failures: how often the texts of these keys, in hexadecimal digits, came to nothing.
        refused: why the server refuses the texts of these keys.
        alone: keys of texts that are asked for in requests of their own, since one beside them was refused.
        begun: how many batches there were, with those that were dropped: a file's name is given once.
        most_tokens: how many a batch may have, None if the server has not said.
        direct: keys of texts that are left to ordinary requests, since only the server knows their length.
    """

    path: Path
    how: Mapping[str, Any]
    name: str = field(default_factory=lambda: secrets.token_hex(8))
    sent: list[SentBatch] = field(default_factory=list)
    failures: dict[str, int] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    alone: set[str] = field(default_factory=set)
    direct: set[str] = field(default_factory=set)
    most_tokens: int | None = None
    begun: int = 0

    @classmethod
    def load(cls, path: Path) -> BatchState | None:
        """Return the state that is kept at `path`, None if there is none; `InputError` if it is damaged."""
        try:
            document = json.loads(path.read_bytes())
            if document["version"] != _VERSION:
                raise InputError(f"is of version {document['version']}, which this simil does not know")
            del document["version"]
            document["sent"] = [SentBatch(**each) for each in document["sent"]]
            document |= {name: set(document[name]) for name in ("alone", "direct")}
            state = cls(path, **document)
            _check(state)
            return state
        except FileNotFoundError:
            return None
        except InputError as exc:
            raise InputError(exc.message, place=Place(str(path))) from exc
        except (OSError, ValueError, KeyError, TypeError) as exc:
            said = f"cannot be read as the state of a batch ({type(exc).__name__})"
            raise InputError(said, place=Place(str(path)), hint="remove it to start over") from exc

    @classmethod
    def of(cls, path: Path, how: Mapping[str, Any]) -> BatchState:
        """Return the state at `path`, a new one if there is none.

        Raises `InputError` as `load` does, and `UsageError` for one that was begun for other vectors.
        """
        state = cls.load(path) or cls(path, how)
        for name in how:
            if state.how.get(name) != how[name]:
                raise UsageError(
                    f"{path}: this batch was begun with {name} {state.how.get(name)}, not {how[name]}",
                    hint="go on with the same options, or run: "
                    f"simil batch cancel {str(path).removesuffix(_SUFFIX)}",
                )
        return state

    def forget_failures(self) -> None:
        """Let texts that came to nothing by the server's fault be asked for again, as often as before."""
        for key in self.failures:
            self.refused.pop(key, None)
        self.failures.clear()

    def next_number(self) -> int:
        """Return the number of the next batch."""
        return self.begun

    def save(self) -> None:
        """Write the state, whole or not at all. Raises `UsageError` if that is impossible."""
        document = {"version": _VERSION, **asdict(self)}
        del document["path"]
        for name in ("alone", "direct"):
            document[name] = sorted(document[name])
        try:
            write_private(self.path, json.dumps(document, indent=1).encode())
        except OSError as exc:
            raise UsageError(
                f"cannot be written: {exc.strerror or exc}", place=Place(str(self.path))
            ) from exc

    def remove(self) -> None:
        """Forget the job, whose output is written."""
        self.path.unlink(missing_ok=True)
