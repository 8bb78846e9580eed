"""Downloads that break off or bring the wrong bytes: none is taken for whole, the next run heals all."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.hub_server import HubServer

from hub.conftest import REPO, Outcome
from hub.test_fetch import contents, get
from simil.errors import ModelDamaged, ModelError, ServerFailed, SimilError, Unreachable
from simil.models.files.model_source import ModelSource
from simil.models.hub.download import find

FETCH = """
import json, sys
from simil.errors import SimilError
from simil.models.hub.download import fetch
from simil.progress import silent
try:
    fetch("org/tiny", want=lambda names, folder: [names], progress=silent, first_contact_s=5)
    error = None
except SimilError as exc:
    error = exc
print(json.dumps({"kind": type(error).__name__, "text": str(error)}))
"""


def assert_nothing_counts(hub: HubServer) -> None:
    assert find(REPO) is None
    assert find(REPO, hub.commit(REPO)) is None


def assert_healed(hub: HubServer, files: dict[str, bytes]) -> None:
    hub.behave()
    snapshot = get()
    assert contents(snapshot) == files
    assert find(REPO) == find(REPO, snapshot.revision) == snapshot
    assert not list(snapshot.path.parents[1].rglob("*.incomplete"))


@pytest.mark.parametrize(
    ("name", "how", "fact"),
    [
        ("model.safetensors", "alter", "SHA-256"),
        ("model.safetensors", "shorten", "size"),
        ("config.json", "alter", "git blob id"),
        ("config.json", "shorten", "size"),
    ],
)
def test_bytes_that_were_not_announced_are_deleted(
    hub: HubServer, files: dict[str, bytes], cache: Path, *, name: str, how: str, fact: str
) -> None:
    hub.misbehave(name, how)
    with pytest.raises(ModelDamaged) as caught:
        get()
    assert str(caught.value) == f"{name} of org/tiny does not match the hub's {fact}; run again"
    assert not list(cache.glob(f"models--org--tiny/snapshots/*/{name}"))
    whole = {content for other, content in files.items() if other != name}
    assert {path.read_bytes() for path in (cache / "models--org--tiny" / "blobs").iterdir()} <= whole
    assert_nothing_counts(hub)
    assert_healed(hub, files)


def test_a_size_that_was_not_announced_is_damage(
    files: dict[str, bytes], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with HubServer({REPO: files}, sizes={"config.json": 5}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        with pytest.raises(ModelDamaged, match=r"config\.json of org/tiny does not match the hub's size"):
            get()
        assert_nothing_counts(hub)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
@pytest.mark.parametrize("entry_too", [False, True])
def test_a_file_that_was_damaged_on_disk_is_fetched_again(
    hub: HubServer, files: dict[str, bytes], name: str, entry_too: bool
) -> None:
    snapshot = get()
    entry = snapshot.path / name
    blob = entry.resolve()
    blob.write_bytes(blob.read_bytes()[:-1] + b"\0")
    if entry_too:
        entry.unlink()
    hub.requests.clear()
    assert contents(get()) == files
    assert hub.count("HEAD", name) > 0
    assert all(name in request.path or "/store/" in request.path for request in hub.requests[1:])


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_file_that_was_damaged_on_disk_is_not_used(
    hub: HubServer, files: dict[str, bytes], name: str
) -> None:
    snapshot = get()
    source = ModelSource(REPO, snapshot.path, snapshot.revision)
    source.verify()
    blob = (snapshot.path / name).resolve()
    status = blob.stat()
    blob.write_bytes(blob.read_bytes()[:-1] + b"\0")
    os.utime(blob, ns=(status.st_atime_ns, status.st_mtime_ns))

    with pytest.raises(
        ModelDamaged, match=rf"{name}: a file of org/tiny was altered; run: simil models pull"
    ):
        source.verify()


def test_a_shared_blob_is_deleted_behind_its_links(
    hub: HubServer, files: dict[str, bytes], cache: Path
) -> None:
    entry = get().path / "model.safetensors"
    blob = entry.resolve()
    shared = cache / "blobs" / "ab" / "ab12"
    shared.parent.mkdir(parents=True)
    shared.write_bytes(b"damaged")
    blob.unlink()
    blob.symlink_to(Path("..", "..", "blobs", "ab", "ab12"))
    assert contents(get()) == files
    assert not shared.exists()
    assert not blob.is_symlink()


def test_deleting_stops_at_the_edge_of_the_cache(
    hub: HubServer, files: dict[str, bytes], tmp_path: Path
) -> None:
    entry = get().path / "config.json"
    mine = tmp_path / "mine.json"
    mine.write_bytes(b"not the hub's")
    entry.unlink()
    entry.symlink_to(mine)
    assert contents(get()) == files
    assert mine.read_bytes() == b"not the hub's"


def test_a_connection_that_always_breaks_is_given_up(hub: HubServer, files: dict[str, bytes]) -> None:
    hub.misbehave("model.safetensors", "cut", after=50_000)
    with pytest.raises(Unreachable, match=r"org/tiny cannot be fetched: http://\S+ cannot be reached"):
        get()
    assert_nothing_counts(hub)
    assert_healed(hub, files)


def test_a_stall_in_the_middle_is_given_up(
    hub: HubServer, files: dict[str, bytes], python: Callable[..., Outcome]
) -> None:
    hub.misbehave("model.safetensors", "stall", after=50_000)
    outcome = python(FETCH, HF_HUB_DOWNLOAD_TIMEOUT="1")
    assert outcome.result["kind"] == "Unreachable"
    assert outcome.stderr == ""
    assert_nothing_counts(hub)
    assert_healed(hub, files)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_killed_download_is_not_taken_for_whole(
    hub: HubServer, files: dict[str, bytes], cache: Path, how: signal.Signals
) -> None:
    hub.misbehave("model.safetensors", "stall", after=50_000)
    process = subprocess.Popen([sys.executable, "-c", FETCH], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not hub.count("GET", "/store/") and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(how)
        assert process.wait(60) == -how
    finally:
        process.kill()
        process.wait()
    folder = next(cache.glob("models--org--tiny/snapshots/*"))
    assert (folder / "config.json").read_bytes() == files["config.json"]
    assert not (folder / "model.safetensors").exists()
    assert_nothing_counts(hub)
    for leftover in cache.rglob("*.incomplete"):
        os.utime(leftover, (0, 0))
    assert_healed(hub, files)


def test_a_download_of_another_process_is_left_alone(
    hub: HubServer, files: dict[str, bytes], cache: Path
) -> None:
    digest = hashlib.sha256(files["model.safetensors"]).hexdigest()
    going_on = cache / "models--org--tiny" / "blobs" / f"{digest}.12345678.incomplete"
    going_on.parent.mkdir(parents=True)
    going_on.write_bytes(b"so far")
    assert contents(get()) == files
    assert going_on.read_bytes() == b"so far"


def test_two_processes_fetch_at_once(hub: HubServer, files: dict[str, bytes]) -> None:
    both = [
        subprocess.Popen(
            [sys.executable, "-c", FETCH], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=60) for process in both]
    assert [(json.loads(out)["kind"], err) for out, err in said] == [("NoneType", "")] * 2
    found = find(REPO)
    assert found is not None
    assert contents(found) == files


def test_a_hub_that_falls_silent_between_files_is_given_up(
    hub: HubServer, python: Callable[..., Outcome]
) -> None:
    hub.hang("/resolve/")
    outcome = python(FETCH, HF_HUB_ETAG_TIMEOUT="1")
    assert outcome.result["kind"] == "Unreachable"
    assert hub.count("HEAD") == 1
    assert_nothing_counts(hub)


@pytest.mark.parametrize(
    ("status", "code", "error", "text"),
    [
        (500, None, ServerFailed, "answered 500"),
        (403, "GatedRepo", ModelError, "org/tiny is gated: accept its terms at "),
        (404, "EntryNotFound", ServerFailed, "lists a file of org/tiny that it does not have"),
    ],
)
def test_a_refused_file_is_not_asked_for_again(
    hub: HubServer,
    files: dict[str, bytes],
    *,
    status: int,
    code: str | None,
    error: type[SimilError],
    text: str,
) -> None:
    hub.refuse("/resolve/", status, code)
    with pytest.raises(error, match=text):
        get()
    assert len(hub.requests) == 2
    assert_nothing_counts(hub)
    assert_healed(hub, files)


def test_a_refusal_between_question_and_download_is_told_as_what_it_is(hub: HubServer) -> None:
    hub.refuse("/resolve/", 403, after=1)
    with pytest.raises(ModelError, match="denies access to org/tiny; accept its terms"):
        get()
    assert hub.count("HEAD") == 2
    assert_nothing_counts(hub)


def test_a_name_that_leads_out_of_the_folder_is_refused(
    hub: HubServer, files: dict[str, bytes], cache: Path
) -> None:
    for name in ("../../../../mine.json", "/mine.json", "..\\mine.json", "C:\\mine.json", "a\0b"):
        hub.publish(REPO, files | {name: b"theirs"})
        with pytest.raises(ServerFailed, match="sent an invalid answer for org/tiny"):
            get()
    assert not cache.exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"sha": 7},
        {"siblings": 7},
        {"siblings": [None]},
        {"siblings": [{"rfilename": 7}]},
        {"siblings": [{"rfilename": "config.json", "size": "x"}]},
        {"siblings": [{"rfilename": "config.json", "size": -1}]},
        {"siblings": [{"rfilename": "config.json", "size": True}]},
        {"siblings": [{"rfilename": "config.json", "blobId": []}]},
        {"siblings": [{"rfilename": "config.json", "lfs": {"sha256": 7, "size": 1, "pointerSize": 1}}]},
        {"siblings": [{"rfilename": "config.json"}, {"rfilename": "config.json"}]},
    ],
)
def test_a_listing_of_other_types_is_refused(hub: HubServer, cache: Path, wrong: dict[str, object]) -> None:
    told = {"id": REPO, "sha": hub.commit(REPO), "siblings": [{"rfilename": "config.json", "size": 19}]}
    hub.answer("/api/models/", json.dumps(told | wrong).encode())

    with pytest.raises(ServerFailed, match="sent an invalid answer"):
        get()
    assert not cache.exists()


def test_a_cache_that_cannot_be_written_is_named(hub: HubServer, cache: Path) -> None:
    cache.parent.mkdir()
    cache.write_bytes(b"a file where the folder would be")
    with pytest.raises(ModelError) as caught:
        get()
    assert type(caught.value) is ModelError
    assert f"org/tiny cannot be stored in {cache}: " in str(caught.value)
    assert "set HF_HOME" in str(caught.value)


def test_a_disk_without_room_is_named_before_the_download(
    files: dict[str, bytes], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with HubServer({REPO: files}, sizes={"model.safetensors": 10**18}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        with pytest.raises(ModelError, match=r"org/tiny needs 1,000,000,000,000 MB, .* MB free; free"):
            get()
        assert hub.count("GET", "/store/") == hub.count("HEAD") == 0
        assert_nothing_counts(hub)


def test_a_write_that_fails_is_named(
    hub: HubServer, files: dict[str, bytes], cache: Path, python: Callable[..., Outcome]
) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
    outcome = python(limit + FETCH)
    assert outcome.result["kind"] == "ModelError"
    assert f"org/tiny cannot be stored in {cache}: File too large" in outcome.result["text"]
    assert_nothing_counts(hub)
    assert_healed(hub, files)
