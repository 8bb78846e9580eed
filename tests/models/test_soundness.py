"""What is derived from a model is checked before it is used, and made anew where it is not sound."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.conftest import Open, prepared_folders
from simil.config import load_settings
from simil.embedders.base import Embedder
from simil.embedders.factory import open_embedder
from simil.errors import ModelDamaged
from simil.models.files.model_source import ModelSource
from simil.models.graphs.generations import Generation, all_built
from simil.models.graphs.manifest import FileRecord, Manifest, read_manifest

TEXTS = ["Apple", "an orange on the table"]
MANY = [f"text number {number} of many" for number in range(400)]


@pytest.fixture
def open_cached(cache: Path) -> Open:
    """Open a model with the vector cache around it."""

    def opening(model: Path) -> Embedder:
        return open_embedder(load_settings(model=str(model), engine="onnx", threads=1))

    return opening


def _zero(path: Path) -> None:
    """Blank out most of a file, and give it its old times."""
    status = path.stat()
    with path.open("r+b") as file:
        file.seek(status.st_size // 4)
        file.write(bytes(status.st_size - status.st_size // 4))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _zero_unseen(path: Path) -> None:
    """Damage a file as a failing disk may: only its whole content tells."""
    _zero(path)
    manifest = read_manifest(path.parent)
    assert manifest is not None
    now = FileRecord.of(path)
    unseen = FileRecord(manifest.files[path.name].sha256, now.sample, now.state)
    Manifest(manifest.model, {**manifest.files, path.name: unseen}).write(path.parent)


def _token(folder: Path, cache: Path) -> str:
    return Generation.of(ModelSource(folder.name, folder), cache).token()


@pytest.mark.parametrize("name", ["model.onnx", "weights.bin", "tokenizer.json", "meta.json"])
def test_a_damaged_file_is_made_anew_with_one_warning(
    name: str, cache: Path, open_cached: Open, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = open_cached(folder).embed(TEXTS)
    (made,) = prepared_folders(cache)
    _zero(made / name)

    np.testing.assert_array_equal(open_cached(folder).embed(TEXTS), expected)
    assert [record.getMessage() for record in caplog.records] == [
        "the prepared files of mine were damaged: they are built again, and so are cached vectors"
    ]
    assert _token(folder, cache)
    assert prepared_folders(cache) == [made]


def test_a_copy_of_sound_files_is_used(
    cache: Path, open_model: Open, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = open_model(folder).embed(TEXTS)
    (made,) = prepared_folders(cache)
    for path in list(made.iterdir()):
        shutil.copy(path, made / "copy")
        (made / "copy").replace(path)
    inode = (made / "weights.bin").stat().st_ino

    np.testing.assert_array_equal(open_model(folder).embed(TEXTS), expected)
    assert (made / "weights.bin").stat().st_ino == inode
    assert caplog.records == []
    manifest = read_manifest(made)
    assert manifest is not None
    assert manifest.is_unchanged(made)


@pytest.mark.parametrize("found", ["bulk", "deleted"])
def test_vectors_of_a_damaged_graph_are_not_served(
    found: str, cache: Path, open_cached: Open, open_model: Open, folder: Path
) -> None:
    expected = open_model(folder).embed(TEXTS)
    (made,) = prepared_folders(cache)
    _zero_unseen(made / "weights.bin")
    assert not np.allclose(open_cached(folder).embed(TEXTS), expected, atol=1e-3)

    if found == "deleted":
        shutil.rmtree(cache / "prepared")
    else:
        with pytest.raises(ModelDamaged, match="damaged"):
            open_cached(folder).embed(MANY)
    np.testing.assert_array_equal(open_cached(folder).embed(TEXTS), expected)


def test_vectors_are_kept_where_nothing_was_damaged(cache: Path, open_cached: Open, folder: Path) -> None:
    open_cached(folder).embed(TEXTS)
    assert [path.name for path in all_built(cache)] == [path.name for path in prepared_folders(cache)]

    assert _token(folder, cache) == ""
    cached = open_cached(folder)
    cached.embed(TEXTS)
    assert cached._opened is None  # type: ignore[attr-defined]


@pytest.mark.parametrize("texts", [TEXTS, MANY], ids=["few", "bulk"])
def test_a_file_that_changes_while_it_is_in_use_ends_the_run(
    texts: list[str], cache: Path, open_model: Open, folder: Path
) -> None:
    embedder = open_model(folder)
    embedder.embed(texts)
    _zero(prepared_folders(cache)[0] / "weights.bin")

    with pytest.raises(ModelDamaged, match="changed while they were in use"):
        embedder.embed(["another text"])
    embedder.close()


@pytest.mark.parametrize("damage", [lambda text: "0" * 64 + text[64:], lambda text: "0" * 64])
def test_a_wrong_digest_of_a_folder_is_not_believed(
    damage: Callable[[str], str], cache: Path, folder: Path
) -> None:
    stamp = ModelSource("mine", folder).stamp(cache)
    (saved,) = (cache / "fingerprints").iterdir()
    saved.write_text(damage(saved.read_text()))

    assert ModelSource("mine", folder).stamp(cache) == stamp


def test_another_content_of_the_same_size_and_time_is_another_model(cache: Path, folder: Path) -> None:
    stamp = ModelSource("mine", folder).stamp(cache)
    _zero(folder / "model.safetensors")

    assert ModelSource("mine", folder).stamp(cache) != stamp
