"""Finding what is in the cache, without a network and without the library."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hub.conftest import Outcome
from simil.models.hub.download import Snapshot, find
from simil.models.hub.snapshots import hub_cache_dir

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def repo(cache: Path) -> Path:
    folder = cache / "models--org--tiny"
    snapshot = folder / "snapshots" / COMMIT
    for name in ("config.json", "1_Pooling/config.json"):
        blob = folder / "blobs" / f"{len(name):040x}"
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_text("{}")
        (snapshot / name).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / name).symlink_to(blob)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(COMMIT)
    return folder


def test_a_snapshot_is_found_by_branch_and_by_commit(repo: Path) -> None:
    snapshot = Snapshot("org/tiny", COMMIT, repo / "snapshots" / COMMIT)
    assert find("org/tiny") == find("org/tiny", "main") == find("org/tiny", COMMIT) == snapshot


def test_plain_files_count_where_there_are_no_links(repo: Path) -> None:
    for entry in (repo / "snapshots" / COMMIT).rglob("config.json"):
        entry.unlink()
        entry.write_text("{}")
    assert find("org/tiny") is not None


def test_a_partial_blob_of_another_file_does_not_matter(repo: Path) -> None:
    (repo / "blobs" / "ff.12345678.incomplete").write_text("{")
    assert find("org/tiny") is not None


@pytest.mark.parametrize("revision", ["v1", "f" * 40, "../refs/main", "/etc/hostname", "a\0b", "main/x"])
def test_a_revision_that_is_not_here_is_not_found(repo: Path, revision: str) -> None:
    assert find("org/tiny", revision) is None


@pytest.mark.parametrize("name", ["org/other", "tiny", "", "../org/tiny", "a\0b/c", "org/tiny/snapshots"])
def test_a_repository_that_is_not_here_is_not_found(repo: Path, name: str) -> None:
    assert find(name) is None


@pytest.mark.parametrize("content", [b"", b"main", COMMIT[:7].encode(), b"\xff" * 40, b"../../elsewhere"])
def test_a_malformed_ref_is_not_followed(repo: Path, content: bytes) -> None:
    (repo / "refs" / "main").write_bytes(content)
    assert find("org/tiny") is None
    assert find("org/tiny", COMMIT) is not None


def test_a_link_that_leads_nowhere_is_not_whole(repo: Path) -> None:
    (repo / "snapshots" / COMMIT / "1_Pooling" / "config.json").resolve().unlink()
    assert find("org/tiny") is None


def test_a_snapshot_without_files_is_none(repo: Path) -> None:
    for entry in (repo / "snapshots" / COMMIT).rglob("config.json"):
        entry.unlink()
    assert find("org/tiny") is None


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"HF_HOME": "~/hf"},
        {"HF_HOME": "$HOME/hf"},
        {"XDG_CACHE_HOME": "/var/xdg"},
        {"XDG_CACHE_HOME": "/var/xdg", "HF_HOME": "/var/hf"},
        {"HUGGINGFACE_HUB_CACHE": "/var/old"},
        {"HUGGINGFACE_HUB_CACHE": "/var/old", "HF_HUB_CACHE": "~/new/$USER_OF_TEST", "USER_OF_TEST": "me"},
        {"HF_HOME": ""},
        {"XDG_CACHE_HOME": ""},
        {"HF_HUB_CACHE": "relative/hub"},
        {"HF_HUB_CACHE": "~nobody_has_this_name/hub"},
    ],
)
def test_the_cache_is_where_the_library_has_it(
    python: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]
) -> None:
    monkeypatch.delenv("HF_HOME")
    program = """
import json, os
from simil.models.hub.snapshots import hub_cache_dir
from huggingface_hub.constants import HF_HUB_CACHE
print(json.dumps({"ours": str(hub_cache_dir()), "theirs": os.path.abspath(HF_HUB_CACHE)}))
"""
    outcome = python(program, **environ)
    assert outcome.result["ours"] == outcome.result["theirs"]


def test_the_cache_is_an_absolute_path(cache: Path) -> None:
    assert hub_cache_dir() == cache
    assert hub_cache_dir({"HF_HUB_CACHE": "hub"}) == Path("hub").absolute()


def test_finding_opens_no_socket_and_loads_no_library(repo: Path, python: Callable[..., Outcome]) -> None:
    program = """
import json, sys
events = []
sys.addaudithook(lambda event, arguments: events.append(event) if event.startswith("socket.") else None)
from simil.models.hub.download import find
found = find("org/tiny")
heavy = {"huggingface_hub", "httpx2", "httpx", "tqdm", "numpy", "hashlib"} & set(sys.modules)
answer = {"found": found.revision, "events": events, "heavy": sorted(heavy)}
print(json.dumps(answer))
"""
    outcome = python(program)
    assert outcome.result == {"found": COMMIT, "events": [], "heavy": []}
