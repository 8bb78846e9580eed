"""What `simil models remove` leaves alone, in a cache as other libraries fill it."""

from __future__ import annotations

from pathlib import Path

import pytest

from simil.models.graphs.failed_exports import recall_failure, remember_failure
from simil.models.removal import remove_model
from simil.models.resolve import resolve

COMMIT = "a" * 40


def put(folder: Path) -> None:
    """Make what the library takes for a repository with one commit."""
    (folder / "blobs").mkdir(parents=True)
    (folder / "blobs" / "1234").write_text("content")
    snapshot = folder / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").symlink_to("../../blobs/1234")
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(COMMIT)


@pytest.mark.parametrize("removed", ["org/thing", "me/fork", "a/b"])
def test_repositories_at_the_same_commit_stay(cache: Path, tmp_path: Path, removed: str) -> None:
    for name in ("models--org--thing", "models--me--fork", "models--a--b", "datasets--a--b"):
        put(cache / name)
    gone = cache / f"models--{removed.replace('/', '--')}"

    assert remove_model(resolve(removed), tmp_path).folders == (gone,)

    assert not gone.exists()
    kept = [folder for folder in cache.glob("*--*--*") if folder != gone]
    assert len(kept) == 3
    for folder in kept:
        assert (folder / "snapshots" / COMMIT / "config.json").read_text() == "content"
        assert (folder / "refs" / "main").read_text() == COMMIT


def test_a_link_that_leads_nowhere_is_taken_away(cache: Path, tmp_path: Path) -> None:
    """As is left of a model that was kept on another disk."""
    link = cache / "models--dead--link"
    cache.mkdir(parents=True)
    link.symlink_to(tmp_path / "gone")

    assert remove_model(resolve("dead/link"), tmp_path).folders == (link,)
    assert not link.is_symlink()


def test_what_is_noted_of_a_failed_export_goes_with_the_model(cache: Path, tmp_path: Path) -> None:
    put(cache / "models--org--thing")
    mine, other = tmp_path / "prepared" / "org-thing-0123", tmp_path / "prepared" / "a-b-0123"
    remember_failure(mine, "org/thing", "torch cannot export it")
    remember_failure(other, "a/b", "torch cannot export it")

    remove_model(resolve("org/thing"), tmp_path)

    assert recall_failure(mine) is None
    assert recall_failure(other) == "torch cannot export it"
