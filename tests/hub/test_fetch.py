"""Fetching from a hub that works, and what it leaves in the cache."""

from __future__ import annotations

import hashlib
import logging
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.hub_server import TOKEN, HubServer

from hub.conftest import REPO, Outcome
from simil.errors import ModelError, ModelNotFound
from simil.models.hub.download import Snapshot, fetch, find
from simil.progress import Advance, silent


class Tally:
    """A `Progress` that adds up what it is told."""

    def __init__(self) -> None:
        self.tasks: list[tuple[str, int | None, str]] = []
        self.steps: list[int] = []

    @contextmanager
    def __call__(self, what: str, *, total: int | None = None, unit: str = "") -> Iterator[Advance]:
        self.tasks.append((what, total, unit))
        yield self.steps.append


def everything(names: Sequence[str], folder: Path) -> Sequence[Sequence[str]]:
    return [names]


def get(repo: str = REPO, revision: str | None = None, want=everything, progress=silent) -> Snapshot:
    return fetch(repo, revision, want=want, progress=progress, first_contact_s=5)


def contents(snapshot: Snapshot) -> dict[str, bytes]:
    return {
        str(path.relative_to(snapshot.path)): path.read_bytes()
        for path in snapshot.path.rglob("*")
        if path.is_file()
    }


def test_all_files_arrive_where_the_library_keeps_them(
    hub: HubServer, files: dict[str, bytes], cache: Path
) -> None:
    snapshot = get()
    commit = hub.commit(REPO)
    assert snapshot == Snapshot(REPO, commit, cache / "models--org--tiny" / "snapshots" / commit)
    assert contents(snapshot) == files
    assert (cache / "models--org--tiny" / "refs" / "main").read_text() == commit
    weights = hashlib.sha256(files["model.safetensors"]).hexdigest()
    assert (snapshot.path / "model.safetensors").resolve() == cache / "models--org--tiny" / "blobs" / weights


def test_only_what_is_wanted_is_downloaded_and_step_by_step(hub: HubServer, files: dict[str, bytes]) -> None:
    offered: list[str] = []

    def want(names: Sequence[str], folder: Path) -> Iterator[Sequence[str]]:
        offered.extend(names)
        yield ["config.json"]
        assert (folder / "config.json").read_bytes() == files["config.json"]
        yield ["1_Pooling/config.json"]

    snapshot = get(want=want)
    assert offered == ["1_Pooling/config.json", "README.md", "config.json", "model.safetensors"]
    assert sorted(contents(snapshot)) == ["1_Pooling/config.json", "config.json"]
    assert hub.count("GET", "README.md") == hub.count("GET", "/store/") == 0


def test_progress_tells_every_byte_once(hub: HubServer, files: dict[str, bytes]) -> None:
    tally = Tally()
    hub.misbehave("model.safetensors", "cut", after=70_000, times=1)
    get(progress=tally)
    total = sum(map(len, files.values()))
    assert tally.tasks == [("downloading org/tiny", total, "B")]
    assert sum(tally.steps) == total
    assert min(tally.steps) > 0


def test_a_fetched_snapshot_is_found_and_not_fetched_again(hub: HubServer) -> None:
    snapshot, tally = get(), Tally()
    hub.requests.clear()
    assert find(REPO) == find(REPO, snapshot.revision) == snapshot
    assert hub.requests == []
    assert get(progress=tally) == snapshot
    assert [request.method for request in hub.requests] == ["GET"]
    assert tally.tasks == []


LIBRARY = """
import json, sys
from huggingface_hub import hf_hub_download
names = sys.argv[2:]
local = sys.argv[1] == "local"
print(json.dumps([hf_hub_download("org/tiny", name, local_files_only=local) for name in names]))
"""


FETCH = """
import json
from simil.models.hub.download import fetch
from simil.progress import silent
snapshot = fetch("org/tiny", want=lambda names, folder: [names], progress=silent, first_contact_s=5)
print(json.dumps({"revision": snapshot.revision}))
"""


def test_files_that_other_tools_downloaded_are_used(hub: HubServer, python: Callable[..., Outcome]) -> None:
    names = ["config.json", "model.safetensors"]
    there = python(LIBRARY, "remote", *names).result
    found = find(REPO)
    hub.requests.clear()
    assert get(want=lambda offered, folder: [names]) == found is not None
    assert there == [str(found.path / name) for name in names]
    assert len(hub.requests) == 1


def test_other_tools_use_the_files_that_were_fetched(hub: HubServer, python: Callable[..., Outcome]) -> None:
    snapshot = get()
    hub.requests.clear()
    assert python(LIBRARY, "local", "1_Pooling/config.json").result == [
        str(snapshot.path / "1_Pooling" / "config.json")
    ]
    assert hub.count("GET", "/api/models/") == hub.count("HEAD") == 0


def test_a_moved_branch_is_followed_and_the_old_commit_stays(hub: HubServer, files: dict[str, bytes]) -> None:
    old = get()
    hub.publish(REPO, files | {"config.json": b'{"hidden_size": 8}\n'})
    assert find(REPO) == old
    hub.requests.clear()
    new = get()
    assert (new.path / "config.json").read_bytes() == b'{"hidden_size": 8}\n'
    assert find(REPO) == new != old
    assert find(REPO, old.revision) == old
    assert hub.count("GET", "/store/") == 0


def test_revisions_are_branches_tags_and_commits(hub: HubServer, files: dict[str, bytes]) -> None:
    main = hub.commit(REPO)
    other = hub.publish(REPO, files | {"config.json": b"{}"}, "refs/pr/1")
    assert get(revision="refs/pr/1").revision == other
    assert find(REPO, "refs/pr/1") == find(REPO, other) is not None
    assert get(revision=main).revision == main
    assert find(REPO) is None
    with pytest.raises(ModelNotFound, match="org/tiny has no revision 'v9'"):
        get(revision="v9")


def test_a_gated_model_needs_the_token(
    files: dict[str, bytes], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with HubServer({REPO: files}, gated=frozenset({REPO})) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        with pytest.raises(ModelError) as error:
            get()
        assert str(error.value) == (
            f"org/tiny is gated: accept its terms at {hub.endpoint}/org/tiny; "
            "then set HF_TOKEN, or log in with: hf auth login"
        )
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        assert contents(get()) == files


def test_the_token_of_a_login_is_used_and_sent_to_the_endpoint_alone(
    files: dict[str, bytes], cache: Path, monkeypatch: pytest.MonkeyPatch, python: Callable[..., Outcome]
) -> None:
    cache.parent.mkdir()
    (cache.parent / "token").write_text(f"{TOKEN}\n")  # As `hf auth login` leaves it.
    with HubServer({REPO: files}, gated=frozenset({REPO})) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        python(FETCH)
        sent = {request.path.startswith("/store/"): request.authorization for request in hub.requests}
    assert sent == {True: None, False: f"Bearer {TOKEN}"}


def test_a_refusal_of_the_caller_passes_through(hub: HubServer, cache: Path) -> None:
    def want(names: Sequence[str], folder: Path) -> Sequence[Sequence[str]]:
        raise ModelError("no tokenizer.json")

    with pytest.raises(ModelError, match=r"no tokenizer\.json"):
        get(want=want)
    assert not cache.exists()


def test_nothing_global_is_changed(hub: HubServer) -> None:
    # What the imports set is not a change of ours.
    import huggingface_hub.hf_api  # noqa: F401
    from huggingface_hub import constants

    logger = logging.getLogger("huggingface_hub")

    def state() -> tuple[object, ...]:
        settings = {name: value for name, value in vars(constants).items() if name.isupper()}
        return dict(os.environ), logger.level, list(logger.handlers), list(warnings.filters), settings

    before = state()
    get()
    assert state() == before


def test_the_library_says_and_asks_nothing_of_its_own(hub: HubServer, python: Callable[..., Outcome]) -> None:
    hub.misbehave("model.safetensors", "cut", after=70_000, times=1)
    outcome = python(FETCH, HF_HUB_ENABLE_HF_TRANSFER="1")
    assert outcome.result == {"revision": hub.commit(REPO)}
    assert outcome.stderr == ""
    assert hub.requests[0].path == "/api/models/org/tiny/revision/main?blobs=true"
    assert hub.count("GET", "/api/") == 1
