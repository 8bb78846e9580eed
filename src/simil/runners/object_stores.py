"""Files in object stores, at addresses such as s3://bucket/name, by pyarrow."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

from simil.errors import InputError, Place, UsageError
from simil.formats.arrow_library import arrow, arrow_file_systems
from simil.formats.library_errors import reason

__all__ = ["StoredObject", "list_objects", "matching_objects", "open_object", "read_object", "write_object"]

# An address is told apart into the scheme, which names the store, and the path with the bucket.
_ADDRESS = re.compile(r"([a-z0-9+]+)://(([^/]*)/?.*)", re.IGNORECASE | re.DOTALL)
_PATTERN = re.compile(r"\*\*/?|\*|\?|\[[^\]]*\]")
# pyarrow knows `az` by no address.
_AZURE = ("az", "abfs", "abfss")
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


class StoredObject(NamedTuple):
    """An object: its address, its size in bytes, and when it was written."""

    address: str
    size: int
    written: str


def list_objects(address: str, *, recursive: bool = False) -> list[StoredObject]:
    """Return the object at an address, else those below it, sorted; none where there is neither.

    Raises `InputError` where the store does not answer.
    """
    scheme, path, bucket = _parts(address)
    with _errors(address):
        files, fs = _store(scheme, bucket), arrow_file_systems()
        found = files.get_file_info(path.rstrip("/"))
        if found.type == fs.FileType.File and not path.endswith("/"):
            every = [found]
        else:
            every = files.get_file_info(
                fs.FileSelector(path.rstrip("/"), recursive=recursive, allow_not_found=True)
            )
        objects = [one for one in every if one.type == fs.FileType.File]
    return sorted(StoredObject(f"{scheme}://{one.path}", one.size, str(one.mtime_ns)) for one in objects)


def matching_objects(pattern: str) -> list[StoredObject]:
    """Return the objects whose addresses match a pattern of the shell's kind, in which ** crosses slashes."""
    first = _PATTERN.search(pattern)
    base = pattern[: first.start()].rpartition("/")[0] if first else pattern
    matches = re.compile(_regex(pattern), re.DOTALL).fullmatch
    deep = first is not None and "/" in pattern[first.start() :]
    return [one for one in list_objects(f"{base}/", recursive=deep) if matches(one.address)]


def open_object(address: str) -> Any:
    """Return an object as a file that can seek, which the caller closes; raises `InputError`."""
    scheme, path, bucket = _parts(address)
    with _errors(address):
        return _store(scheme, bucket).open_input_file(path)


def read_object(address: str) -> bytes | None:
    """Return what is stored at an address, None if that is nothing."""
    scheme, path, bucket = _parts(address)
    with _errors(address):
        files = _store(scheme, bucket)
        if files.get_file_info(path).type != arrow_file_systems().FileType.File:
            return None
        with files.open_input_stream(path) as stream:
            return bytes(stream.read())


def write_object(address: str, data: bytes) -> None:
    """Store `data` at an address, whole or not at all; raises `UsageError` if that fails."""
    scheme, path, bucket = _parts(address)
    with (
        _errors(address, UsageError, "cannot be written"),
        _store(scheme, bucket).open_output_stream(path) as stream,
    ):
        stream.write(data)


def _parts(address: str) -> tuple[str, str, str]:
    """Return scheme, path and bucket."""
    found = _ADDRESS.fullmatch(address)
    if found is None or not found[3]:
        raise UsageError(
            "is not the address of an object store", place=Place(address), hint="write s3://BUCKET/NAME"
        )
    return found[1].lower(), found[2], found[3]


@cache
def _store(scheme: str, bucket: str) -> Any:
    """Return pyarrow's way to a store; keys and regions are those of the environment."""
    fs = arrow_file_systems()
    if scheme in _AZURE:
        account = _variable(["AZURE_STORAGE_ACCOUNT_NAME"])
        if account is None:
            raise UsageError("AZURE_STORAGE_ACCOUNT_NAME is not set", hint="set it, and a key or a token")
        key, token = _variable(["AZURE_STORAGE_ACCOUNT_KEY"]), _variable(["AZURE_STORAGE_SAS_TOKEN"])
        return fs.AzureFileSystem(account, account_key=key, sas_token=None if key else token)
    if scheme != "s3":
        return fs.FileSystem.from_uri(f"{scheme}://{bucket}")[0]
    region, endpoint = _variable(_REGIONS), _variable(_ENDPOINTS)
    if region is None and endpoint is None:
        region = fs.resolve_s3_region(bucket)
    # Named here, the bucket is part of the path, not of the host's name, which a server of one's own lacks.
    return fs.S3FileSystem(region=region, endpoint_override=endpoint)


def _variable(names: Sequence[str]) -> str | None:
    return next(filter(None, map(os.environ.get, names)), None)


def _regex(pattern: str) -> str:
    """Return a pattern of the shell's kind as a regular expression."""
    parts, at = [], 0
    for mark in _PATTERN.finditer(pattern):
        parts.append(re.escape(pattern[at : mark.start()]))
        parts.append(
            {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(mark[0]) or _one_of(mark[0])
        )
        at = mark.end()
    return "".join([*parts, re.escape(pattern[at:])])


def _one_of(brackets: str) -> str:
    inside = brackets[1:-1].replace("\\", "\\\\")
    return f"[^{inside[1:]}]" if inside.startswith("!") else f"[{inside}]"


@contextmanager
def _errors(
    address: str, kind: type[InputError | UsageError] = InputError, what: str = "cannot be read"
) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as exc:
        raise kind("there is no such object", place=Place(address), hint="check the address") from exc
    except (OSError, arrow().ArrowException) as exc:
        raise kind(
            f"{what}: {reason(exc)}", place=Place(address), hint="check the address, and the keys"
        ) from exc
