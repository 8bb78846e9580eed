"""Remembers which models torch could not export, so that each costs this only once.

Beside the place of the prepared graph, `<folder>.failed` says why there is none, and for which versions of
the libraries that holds. A file that is not as it was written counts as none.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from contextlib import suppress
from pathlib import Path

from simil.private_files import make_private, write_private

__all__ = ["failures_of", "recall_failure", "remember_failure"]

log = logging.getLogger("simil")

_SUFFIX = ".failed"
# The version of ONNX Runtime is in the name of the folder.
_LIBRARIES = ("torch", "transformers", "sentence-transformers", "onnx")


def remember_failure(target: Path, model: str, reason: str) -> None:
    """Note why the graph of a model, which would have been `target`, could not be made."""
    content = {"model": model, "reason": reason, "versions": _versions()}
    try:
        make_private(target.parent.parent, target.parent)
        write_private(_file(target), json.dumps({"checksum": _checksum(content), **content}).encode())
    except OSError as exc:
        log.info("%s cannot be written (%s): the next run tries again", _file(target), exc)


def recall_failure(target: Path) -> str | None:
    """Return why the graph `target` could not be made, None if nothing is known."""
    found = _read(_file(target))
    if found is None or found["versions"] != _versions():
        return None
    with suppress(OSError):
        os.utime(_file(target))  # What is not in use is removed after a month.
    return str(found["reason"])


def failures_of(model: str, root: Path) -> list[Path]:
    """Return the files in `root` that note a failure with a model."""
    try:
        files = sorted(root.glob(f"*{_SUFFIX}"))
    except OSError:  # A folder that may not be read holds nothing of use.
        return []
    return [file for file in files if (_read(file) or {}).get("model") == model]


def _file(target: Path) -> Path:
    return target.with_name(f"{target.name}{_SUFFIX}")


def _read(file: Path) -> dict[str, object] | None:
    try:
        content: dict[str, object] = json.loads(file.read_bytes())
        if content.pop("checksum") != _checksum(content) or not isinstance(content["reason"], str):
            return None
        return {key: content[key] for key in ("model", "reason", "versions")}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _versions() -> list[str]:
    return [_version(library) for library in _LIBRARIES]


def _version(library: str) -> str:
    from importlib.metadata import PackageNotFoundError, version  # It imports much, and few runs get here.

    try:
        return version(library)
    except PackageNotFoundError:
        return ""


def _checksum(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
