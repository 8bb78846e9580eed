"""A hub that answers wrongly: with fields of the wrong type, missing or hostile, and with other files.

A pull is refused with one line, or gives the model as it was published, file by file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from support.hub_model import REPO
from support.hub_server import HubServer

from torture.attempts import attempt, check, for_each
from torture.report import Part, Task

__all__ = ["PART"]

_FILES = {
    "config.json": b'{"hidden_size": 4}\n',
    "modules.json": b"[]\n",
    "1_Pooling/config.json": b'{"pooling_mode": "mean"}\n',
    "model.safetensors": bytes(range(256)) * 200,
}
_VALUES = (
    None,
    "x",
    "",
    -1,
    0,
    10**30,
    1.5,
    True,
    [],
    {},
    [[]],
    [None],
    "a\0b",
    "../x",
    "/etc/passwd",
    "\ud800",
)
_INFO = f"/api/models/{REPO}"
_DEEP = 100_000

Answer = Callable[[dict[str, Any]], object]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong: `arrange` has the hub do it, given what it would say of the model."""

    group: str
    name: str
    arrange: Callable[[HubServer, dict[str, Any]], None]


def _run(task: Task) -> None:
    faults = [*_listings(), *_bodies(), *_headers(), *_files()]
    groups: dict[str, list[Fault]] = {}
    for fault in faults:
        groups.setdefault(fault.group, []).append(fault)
    chosen = [
        group[(task.seed + number) % len(group)]
        for group in groups.values()
        for number in range(min(task.times(len(group)), len(group)))
    ]
    for_each(enumerate(chosen), lambda numbered: _one(task, *numbered))


def _one(task: Task, number: int, fault: Fault) -> None:
    home = task.folder / str(number)
    home.mkdir()
    with HubServer({REPO: _FILES}) as hub:
        env = {
            "HF_ENDPOINT": hub.endpoint,
            "HF_HOME": str(home),
            "NO_PROXY": "127.0.0.1,localhost",
            "HF_HUB_DOWNLOAD_TIMEOUT": "2",
            "HF_HUB_ETAG_TIMEOUT": "2",
        }
        with urlopen(f"{hub.endpoint}{_INFO}?blobs=true") as sound:
            told = json.load(sound)
        fault.arrange(hub, told)
        task.report.count("server faults")
        done = attempt("models", "pull", REPO, env=env, cwd=home)
        named = f"{fault.group} {fault.name}"
        answered = check(task.report, done, named)
        snapshots = [*home.glob("hub/models--org--tiny/snapshots/*")]
        if answered and [_contents(folder) for folder in snapshots] != [_FILES]:
            task.report.found("wrong", f"{named}: pulled something else: {snapshots}; {done}")
        if not answered and done.code not in (4, 5):
            task.report.found("wrong", f"{named}: {done}")
        if not answered and attempt("models", "path", REPO, env=env | {"HF_HUB_OFFLINE": "1"}).code == 0:
            task.report.found("wrong", f"{named}: what was refused counts as downloaded")
        if [path for path in home.iterdir() if path.name not in ("hub", "xet")]:
            task.report.found("wrong", f"{named}: wrote {sorted(home.iterdir())}")


def _contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def _listing(group: str, name: str, edit: Answer) -> Fault:
    """Return a fault of the list of files."""

    def arrange(hub: HubServer, told: dict[str, Any]) -> None:
        edit(told)
        hub.answer("/api/models/", json.dumps(told).encode())

    return Fault(group, name, arrange)


def _listings() -> Iterator[Fault]:
    def large(told: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = next(file["lfs"] for file in told["siblings"] if "lfs" in file)
        return found

    for value in _VALUES:
        for key in ("sha", "siblings"):
            yield _listing(
                "listing", f"{key}={value!r}", lambda told, key=key, value=value: told.update({key: value})
            )
        for key in ("rfilename", "size", "blobId", "lfs"):
            yield _listing(
                "file",
                f"{key}={value!r}",
                lambda told, key=key, value=value: told["siblings"][0].update({key: value}),
            )
        for key in ("sha256", "size"):
            yield _listing(
                "file",
                f"{key}={value!r}",
                lambda told, key=key, value=value: large(told).update({key: value}),
            )
        yield _listing("file", f"{value!r}", lambda told, value=value: told["siblings"].append(value))
    for key in ("sha", "siblings", "id"):
        yield _listing("missing", key, lambda told, key=key: told.pop(key))
    for key in ("rfilename", "size", "blobId"):
        yield _listing("missing", f"{key} of a file", lambda told, key=key: told["siblings"][0].pop(key))
    for key in ("lastModified", "cardData", "config", "safetensors", "tags", "gguf", "widgetData", "gated"):
        for value in ("x", 7, [], {}, [[]]):
            yield _listing(
                "others", f"{key}={value!r}", lambda told, key=key, value=value: told.update({key: value})
            )
    yield _listing("names", "twice", lambda told: told["siblings"].append(told["siblings"][0]))
    for name in ("../../../../evil", "/evil", "..\\evil", "C:\\evil", "a\nb", ".", ""):
        yield _listing(
            "names",
            repr(name),
            lambda told, name=name: told["siblings"].append({"rfilename": name, "size": 1}),
        )


def _bodies() -> Iterator[Fault]:
    for body in (
        b"", b"null", b"[]", b"{}", b"{", b'"x"', b"[" * _DEEP, b'{"a":' * _DEEP, b"9" * 5000, b"NaN",
        b"\xff\xfe\0", b"<html>log in</html>", b'{"sha":Infinity}', b'{"siblings":[{}]}',
    ):  # fmt: skip
        yield Fault("body", f"{body[:20]!r}", lambda hub, told, body=body: hub.answer("/api/models/", body))


def _headers() -> Iterator[Fault]:
    for status in (204, 301, 302, 400, 401, 403, 404, 410, 416, 418, 451, 500, 502, 503, 507, 599):
        if status in (500, 502, 503):  # The library asks again for a while.
            continue
        yield Fault(
            "status", f"{status}", lambda hub, told, status=status: hub.refuse("/api/models/", status)
        )
        yield Fault(
            "status", f"{status} for a file", lambda hub, told, status=status: hub.refuse("/resolve/", status)
        )


def _files() -> Iterator[Fault]:
    for name in ("config.json", "model.safetensors"):
        for body in (b"", b"\0" * len(_FILES[name]), _FILES[name] + b"x", _FILES[name][:-1]):
            yield Fault(
                "content",
                f"{name} {len(body)}",
                lambda hub, told, name=name, body=body: hub.answer(f"/{name}", body),
            )
        for how in ("cut", "alter", "shorten"):
            yield Fault(
                "content",
                f"{name} {how}",
                lambda hub, told, name=name, how=how: hub.misbehave(name, how, after=3),
            )


PART = Part("hub_faults", _run)
