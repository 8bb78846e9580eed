"""The parts that fetching is made of: comparing files, counting bytes, remembering outages."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from simil.errors import Unreachable
from simil.models.hub.download import forget, remember, remembered
from simil.models.hub.download_progress import FileProgress
from simil.models.hub.verify import RemoteFile, mismatch

NOTE = "hub-unreachable.json"


@pytest.fixture
def hello(tmp_path: Path) -> Path:
    path = tmp_path / "hello"
    path.write_bytes(b"hello\n")
    return path


def test_a_file_is_compared_with_what_was_announced(hello: Path) -> None:
    git_id = "ce013625030ba8dba906f756967f9e9ca394464a"  # what `git hash-object` says of it
    sha256 = hashlib.sha256(b"hello\n").hexdigest()
    assert mismatch(hello, RemoteFile("hello", 6, git_id=git_id)) is None
    assert mismatch(hello, RemoteFile("hello", 6, sha256=sha256)) is None
    assert mismatch(hello, RemoteFile("hello")) is None
    assert mismatch(hello, RemoteFile("hello", 7, sha256=sha256)) == "size"
    assert mismatch(hello, RemoteFile("hello", 6, sha256="0" * 64)) == "SHA-256"
    assert mismatch(hello, RemoteFile("hello", None, git_id="0" * 40)) == "git blob id"


def test_a_meter_passes_on_each_byte_once() -> None:
    told: list[int] = []
    meter = FileProgress(told.append, 100, RuntimeError)
    bar = meter.tqdm_class()(total=100, initial=0, unit="B", desc="model.safetensors")
    with bar:
        for step in (30, 30, -60, 50, 30, 40):
            bar.update(step)
            bar.update_transfer(step)
    assert told == [30, 30, 20, 20]
    meter.finish()
    assert sum(told) == 100


def test_a_meter_tells_at_the_end_what_was_not_reported() -> None:
    told: list[int] = []
    meter = FileProgress(told.append, 100, RuntimeError)
    meter.finish()
    assert told == [100]
    unsized = FileProgress(told.append, None, RuntimeError)
    unsized.move(7)
    unsized.finish()
    assert told == [100, 7]


def test_a_transfer_that_starts_over_and_over_is_ended() -> None:
    meter = FileProgress(lambda done: None, 100, lambda: Unreachable("keeps breaking off"))
    for _ in range(5):
        meter.move(10)
        meter.move(-10)
    meter.move(10)
    with pytest.raises(Unreachable, match="keeps breaking off"):
        meter.move(-10)


def test_an_outage_is_remembered_for_ten_minutes(cache: Path, tmp_path: Path) -> None:
    assert not remembered(tmp_path, 1000.0)
    remember(tmp_path, 1000.0)
    assert remembered(tmp_path, 1000.0)
    assert remembered(tmp_path, 1599.0)
    assert not remembered(tmp_path, 1600.0)
    assert not remembered(tmp_path, 999.0), "a clock that was set back"
    remember(tmp_path, 2000.0)
    assert remembered(tmp_path, 2100.0)
    forget(tmp_path)
    assert not remembered(tmp_path, 2100.0)
    forget(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_outage_is_one_endpoints(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "https://user:secret@mirror.example/")
    remember(tmp_path, 1000.0)
    assert remembered(tmp_path, 1001.0)
    assert json.loads((tmp_path / NOTE).read_text()) == {"endpoint": "https://mirror.example", "at": 1000.0}
    monkeypatch.delenv("HF_ENDPOINT")
    assert not remembered(tmp_path, 1001.0)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        b'{"endpoint": "https://huggingface.co"}',
        b'{"endpoint": "https://huggingface.co", "at": "now"}',
        b'{"endpoint": "https://huggingface.co", "at": NaN}',
        b'{"endpoint": null, "at": 1000}',
    ],
)
def test_a_malformed_note_is_none(cache: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / NOTE).write_bytes(content)
    assert not remembered(tmp_path, 1000.0)
    remember(tmp_path, 1000.0)
    assert remembered(tmp_path, 1000.0)


def test_a_folder_that_cannot_be_written_is_let_be(cache: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    remember(blocked, 1000.0)
    forget(blocked)
    assert not remembered(blocked, 1000.0)
    assert blocked.read_text() == "not a folder"


def test_a_missing_folder_is_made(cache: Path, tmp_path: Path) -> None:
    remember(tmp_path / "new" / "cache", 1000.0)
    assert remembered(tmp_path / "new" / "cache", 1000.0)
