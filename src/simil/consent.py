"""Consent to a folder's `.env`: what it may choose only after `simil config trust`, as with direnv.

Whoever unpacks an archive has its `.env`, too. Until the user trusts it, it cannot choose where texts go or
whose model and code handle them. What is trusted is this file with these bytes: a changed one needs trust
anew.
"""

from __future__ import annotations

import os
from pathlib import Path

from simil.errors import Place, UsageError
from simil.private_files import make_private, user_folder, write_private

__all__ = ["consent_missing", "host_of", "how_to_consent", "is_trusted", "trust", "trusted_files", "untrust"]


def is_trusted(path: Path, content: bytes) -> bool:
    """Return whether the user has trusted the file at `path` with this content."""
    try:
        return _note(path).read_bytes() == _noted(path, content)
    except OSError:
        return False


def trust(path: Path, content: bytes) -> None:
    """Remember that the user trusts the file at `path` with this content.

    Raises `UsageError` if that cannot be written.
    """
    note = _note(path)
    try:
        make_private(note.parent.parent, note.parent)
        write_private(note, _noted(path, content))
    except OSError as exc:
        raise _unwritable(exc) from exc


def untrust(path: Path) -> bool:
    """Forget a trusted file; return whether it was one. Raises `UsageError` if that cannot be written."""
    try:
        note = _note(path)
        note.unlink()
    except FileNotFoundError:
        return False
    except OSError as exc:
        raise _unwritable(exc) from exc
    return True


def trusted_files() -> list[Path]:
    """Return the files that were trusted; they may have changed since. Raises OSError."""
    folder = _folder()
    if not folder.exists():
        return []
    return sorted(Path(os.fsdecode(note.read_bytes().partition(b"\n")[2])) for note in folder.iterdir())


def consent_missing(dotenv: str, variable: str, does: str) -> UsageError:
    """Return the error of a run that needs what `variable` chooses, in a `.env` that is not trusted."""
    return UsageError(
        f"{variable} in this file {does}, and you have not trusted this file",
        hint=how_to_consent(dotenv),
        place=Place(dotenv),
    )


def how_to_consent(dotenv: str) -> str:
    """Return what the user can do to have a `.env` take full effect."""
    return f"if you trust it, run simil config trust {Path(dotenv).parent}, or pass --env-file {dotenv}"


def host_of(url: str) -> str:
    """Return the host and port of a URL: without what may be secret in it."""
    from urllib.parse import urlsplit

    try:
        return urlsplit(url.strip()).netloc.rpartition("@")[2] or "a server"
    except ValueError:
        return "a server"


def _folder() -> Path:
    return user_folder("config") / "trusted"


def _note(path: Path) -> Path:
    """Return the file that holds which content is trusted; a file each, so that nothing is read to write."""
    return _folder() / _digest(_whole(path))


def _noted(path: Path, content: bytes) -> bytes:
    return _digest(content).encode() + b"\n" + _whole(path)


def _whole(path: Path) -> bytes:
    # The folder is resolved, the file is not: one that is a link to a trusted file is not that file.
    # Unlike pathlib's, this does not fail for links in a circle.
    return os.fsencode(os.path.realpath(path.parent) + os.sep + path.name)


def _digest(content: bytes) -> str:
    import hashlib

    return hashlib.sha256(content).hexdigest()


def _unwritable(exc: OSError) -> UsageError:
    return UsageError(f"cannot be written: {exc.strerror or exc}", place=Place(str(_folder())))
