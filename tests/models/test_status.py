"""The state of a model, in folders as the libraries and simil write them."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import tiny_models as tiny
from support.command import simil

from simil.config import Settings, load_settings
from simil.models.files.model_source import EMBEDDED
from simil.models.graphs.prepare import prepare
from simil.models.model_choice import ModelChoice, predict_choice
from simil.models.resolve import resolve
from simil.models.status import State, all_models, status_of
from simil.progress import silent
from simil.scorers.scorer_factory import open_scorer


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    return {"SIMIL_CACHE_DIR": str(tmp_path / "cache"), "XDG_CONFIG_HOME": str(tmp_path)}


def settings(environ: dict[str, str], **more: str) -> Settings:
    return load_settings(environ=environ | more)


def test_the_embedded_model_is_prepared_once_it_is(environ: dict[str, str]) -> None:
    before = status_of(resolve("minilm"), settings(environ))
    assert (before.state, before.prepared, before.prepared_size) == (State.EMBEDDED, False, 0)
    assert (before.folder, before.description) == (EMBEDDED, "embedded")
    from simil.models.files.model_source import embedded_source

    made = prepare(embedded_source(before.info), Path(environ["SIMIL_CACHE_DIR"]), silent)
    after = status_of(resolve("minilm"), settings(environ))
    assert (after.prepared, after.description) == (True, "embedded, prepared")
    assert after.prepared_size == sum(path.stat().st_size for path in made.graph.parent.iterdir())
    (made.graph.parent / "weights.bin").write_bytes(b"")
    assert status_of(resolve("minilm"), settings(environ)).prepared is False


def test_a_key_makes_an_api_usable(environ: dict[str, str]) -> None:
    assert status_of(resolve("openai"), settings(environ)).state is State.NEEDS_KEY
    found = status_of(resolve("openai"), settings(environ, OPENAI_API_KEY="secret"))
    assert (found.state, found.where) == (State.KEY_SET, "API")
    assert "secret" not in repr(found)


def test_a_folder_tells_of_itself(environ: dict[str, str]) -> None:
    found = status_of(resolve(str(EMBEDDED)), settings(environ))
    assert (found.state, found.folder) == (State.FOLDER, EMBEDDED)
    assert found.info is not None
    assert (found.info.dimensions, found.info.max_tokens, found.info.pooling) == (384, 256, "mean")


def test_a_folder_that_says_nothing_useful_is_listed_all_the_same(
    environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "modules.json").write_text("[")
    found = status_of(resolve(str(tmp_path / "odd")), settings(environ))
    assert found.info is not None
    assert found.info.dimensions is None


def test_a_damaged_model_does_not_hide_the_others(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from simil.models.files import model_source as source

    monkeypatch.setattr(source, "EMBEDDED", tmp_path)
    found = {model.name: model for model in all_models(settings(environ))}
    assert found["minilm"].state is State.DAMAGED
    assert found["bge-base"].state is State.NOT_HERE


def test_a_folder_in_the_cache_that_is_no_repository_is_passed_over(
    environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "hf" / "hub" / "models--.odd--name").mkdir(parents=True)
    before = len(all_models(settings(environ)))
    (tmp_path / "hf" / "hub" / "models---").mkdir(parents=True)
    assert len(all_models(settings(environ))) == before


def test_what_other_programs_cached_without_weights_is_no_model(
    environ: dict[str, str], tmp_path: Path
) -> None:
    commit = "a" * 40
    snapshot = tmp_path / "hf" / "hub" / "models--org--half" / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text(commit)
    assert "org/half" not in {model.name for model in all_models(settings(environ))}
    (snapshot / "model.safetensors").write_bytes(b"1234")
    (found,) = [model for model in all_models(settings(environ)) if model.name == "org/half"]
    assert (found.state, found.revision, found.size) == (State.DOWNLOADED, commit, 2 + 4 + 40)


UNKNOWN = "unknown model 'bge-bsae'; did you mean bge-base? (pinned by the environment)"
NO_PLUGIN = "there is no plug-in 'x'; installed: none (pinned by the environment)"


@pytest.mark.parametrize(
    ("pin", "name"),
    [
        ("minilm", "minilm"),
        ("all-MiniLM-L6-v2", "minilm"),
        ("openai", "openai:text-embedding-3-small"),
        ("BAAI/bge-m3", "bge-m3"),
        ("org/name@v1", "org/name"),
    ],
)
def test_a_pinned_model_is_the_one_that_is_used(environ: dict[str, str], pin: str, name: str) -> None:
    chosen = predict_choice(settings(environ, SIMIL_MODEL=pin))
    assert chosen == ModelChoice(name, "pinned by the environment", pinned=True)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"SIMIL_MODEL": "bge-bsae"}, ModelChoice(None, UNKNOWN, pinned=True)),
        ({"SIMIL_MODEL": "plugin:x"}, ModelChoice(None, NO_PLUGIN, pinned=True)),
        (
            {"SIMIL_OFFLINE": "1"},
            ModelChoice("minilm", "bge-base is not here, and simil is offline (SIMIL_OFFLINE)", pinned=False),
        ),
        ({}, ModelChoice("bge-base", "the default; the first run fetches it, or uses minilm", pinned=False)),
    ],
)
def test_which_model_a_run_uses_and_why(
    environ: dict[str, str], more: dict[str, str], expected: ModelChoice
) -> None:
    assert predict_choice(settings(environ, **more)) == expected


def test_a_pin_is_told_by_where_it_stands(environ: dict[str, str], tmp_path: Path) -> None:
    assert predict_choice(load_settings(environ=environ, model="minilm")).why == "pinned by a flag"
    config = tmp_path / "config.toml"
    config.write_text('model = "minilm"\n')
    assert predict_choice(settings(environ, SIMIL_CONFIG=str(config))).why == f"pinned by {config}"
    dotenv = tmp_path / ".env"
    dotenv.write_text("SIMIL_MODEL=minilm\n")
    assert predict_choice(load_settings(environ=environ, env_file=dotenv)).why == f"pinned by {dotenv}"


def test_a_reranker_is_prepared_by_the_command_as_scoring_needs_it(
    environ: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "reranker"
    tiny.transformer_folder(folder, tiny.bert(head=True, num_labels=1), EMBEDDED)
    before = status_of(resolve(str(folder)), settings(environ))
    assert (before.info and before.info.kind, before.prepared) == ("reranker", False)
    made = simil("models", "prepare", str(folder), env=environ)
    assert (made.code, made.err) == (0, ""), made.err
    after = status_of(resolve(str(folder)), settings(environ))
    assert (after.prepared, after.prepared_size > 0) == (True, True)
    open_scorer(settings(environ, SIMIL_MODEL=str(folder))).score([("a text", "another")])
    folders = [path for path in (tmp_path / "cache" / "prepared").iterdir() if path.is_dir()]
    assert folders == [Path(made.out.strip())]


def test_a_classifier_has_nothing_to_prepare(environ: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "model"
    tiny.transformer_folder(folder, tiny.bert(head=True, num_labels=3), EMBEDDED)
    done = simil("models", "prepare", str(folder), env=environ)
    assert (done.code, done.out) == (4, "")
    assert "gives 3 scores, not one" in done.error_line
    found = status_of(resolve(str(folder)), settings(environ))
    assert (found.info and found.info.kind, found.prepared) == ("other", False)
