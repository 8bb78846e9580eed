"""A pinned model with which every run ends in an error: doctor says so, and a run agrees."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.command import simil
from support.small_models import write_bert

from doctor.conftest import Examine

COMMIT = "c" * 40


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def break_list(folder: Path) -> None:
    (folder / "modules.json").write_text("[", "utf-8")


def cut_weights(folder: Path) -> None:
    cut(folder / "model.safetensors")


def cut_dense(folder: Path) -> None:
    (folder / "2_Dense").mkdir()
    (folder / "2_Dense" / "model.safetensors").write_bytes(b"1234")


def put_in_the_hubs_cache(folder: Path, home: Path) -> None:
    """Move a model to where the hub's libraries keep `org/small`."""
    repo = home / "hub" / "models--org--small"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text(COMMIT, "ascii")
    (repo / "snapshots").mkdir()
    folder.rename(repo / "snapshots" / COMMIT)


def agree(examine: Examine, tmp_path: Path, code: int, check: str, *options: str, **env: str) -> str:
    """Fail unless doctor and a run find the same; return what doctor tells."""
    report = examine(*options, **env)
    offline = () if "openai" in options else ("--offline",)
    ran = simil("compare", *options, *offline, "Apple", "Orange", cwd=tmp_path / "here", env=env)
    assert (ran.code, report.result.code) == (code, 1), (ran.err, report.result.out)
    assert report.failed == {check}
    return report.told(check)


def test_a_plugin_that_is_not_installed(examine: Examine, tmp_path: Path) -> None:
    told = agree(examine, tmp_path, 4, "model", "-m", "plugin:nowhere")
    assert told.startswith("there is no plug-in 'nowhere'")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (break_list, "modules.json: cannot be read"),
        (cut_weights, "model.safetensors: is cut short"),
    ],
)
@pytest.mark.parametrize("hub", [False, True])
def test_damaged_files(
    damage: Callable[[Path], None], says: str, hub: bool, examine: Examine, tmp_path: Path
) -> None:
    folder = write_bert(tmp_path / "here" / "small")
    damage(folder)
    env = {"HF_HOME": str(tmp_path / "hf")}
    if hub:
        put_in_the_hubs_cache(folder, tmp_path / "hf")
    told = agree(examine, tmp_path, 4, "model", "-m", "org/small" if hub else "./small", **env)
    assert says in told


def test_sound_files_are_well(examine: Examine, tmp_path: Path) -> None:
    write_bert(tmp_path / "here" / "small")
    report = examine("-m", "./small")
    assert (report.result.code, report.status("model")) == (0, "ok")


def test_weights_of_a_later_layer(examine: Examine, tmp_path: Path) -> None:
    cut_dense(write_bert(tmp_path / "here" / "small"))
    assert "2_Dense/model.safetensors: is not a safetensors file" in examine("-m", "./small").told("model")


def test_what_cannot_be_a_key(examine: Examine, tmp_path: Path) -> None:
    told = agree(examine, tmp_path, 5, "API key", "-m", "openai", OPENAI_API_KEY="sk bad")
    assert "a character outside ASCII" in told


def test_what_is_no_address(examine: Examine, tmp_path: Path) -> None:
    told = agree(
        examine, tmp_path, 2, "API", "-m", "openai", OPENAI_BASE_URL="foo", OPENAI_API_KEY="sk-good-key"
    )
    assert told.startswith("the base URL is not an http(s) address: 'foo'")


def test_a_key_that_is_set_where_it_is_not_used(examine: Examine, tmp_path: Path) -> None:
    (tmp_path / "here" / ".env").write_text("OPENAI_BASE_URL=https://api.openai.com/v1\n", "utf-8")
    told = agree(examine, tmp_path, 5, "API key", "-m", "openai", OPENAI_API_KEY="sk-good-key")
    assert "set, but not used" in told


@pytest.mark.parametrize(("key", "failed"), [(" sk-good-key ", set()), ("  ", {"API key"})])
def test_space_around_a_key_is_not_a_part_of_it(key: str, failed: set[str], examine: Examine) -> None:
    assert examine("-m", "openai", OPENAI_API_KEY=key).failed == failed
