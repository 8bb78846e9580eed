"""Settings: flag > environment > .env > config file > default."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simil.config import OPENAI_BASE_URL, Credentials, Settings, load_settings
from simil.errors import UsageError

KEY = "sk-never-to-be-shown"
Load = Callable[..., Settings]

# Setting, its variable, its key in the config file, and a value for: flag, environment, .env, file; default.
SETTINGS: list[tuple[str, str, str, tuple[Any, ...]]] = [
    ("model", "SIMIL_MODEL", "model", ("a/a", "b/b", "c/c", "d/d", None)),
    ("engine", "SIMIL_ENGINE", "engine", ("onnx", "torch", "onnx", "torch", "auto")),
    ("device", "SIMIL_DEVICE", "device", ("cpu", "cuda", "mps", "cpu", "auto")),
    ("threads", "SIMIL_THREADS", "threads", (1, 2, 3, 4, 0)),
    ("overflow", "SIMIL_OVERFLOW", "overflow", ("chunk", "error", "truncate", "chunk", "warn")),
    ("offline", "SIMIL_OFFLINE", "offline", (True, False, True, True, False)),
]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load from what the test gives, and nothing of this machine."""

    def loading(
        environ: dict[str, str] | None = None,
        dotenv: str | None = None,
        config: str | None = None,
        **flags: Any,
    ) -> Settings:
        folder = tmp_path / "work"
        folder.mkdir(exist_ok=True)
        if dotenv is not None:
            (folder / ".env").write_text(dotenv, "utf-8")
        path = tmp_path / "config.toml"
        path.write_text(config or "", "utf-8")
        return load_settings(environ={"SIMIL_CONFIG": str(path)} | (environ or {}), directory=folder, **flags)

    return loading


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool | int) else f'"{value}"'


@pytest.mark.parametrize(("name", "variable", "key", "values"), SETTINGS, ids=[row[0] for row in SETTINGS])
def test_each_source_goes_before_those_after_it(
    name: str, variable: str, key: str, values: tuple[Any, ...], load: Load
) -> None:
    flag, environment, dotenv, file, default = values

    def text(value: object) -> str:
        return str(int(value)) if isinstance(value, bool) else str(value)

    sources: list[dict[str, Any]] = [
        {name: flag},
        {"environ": {variable: text(environment)}},
        {"dotenv": f"{variable}={text(dotenv)}\n"},
        {"config": f"{key} = {_toml(file)}\n"},
    ]
    assert getattr(load(), name) == default
    for first in (3, 2, 1, 0):
        given = {what: value for source in sources[first:] for what, value in source.items()}
        assert getattr(load(**given), name) == values[first], given


def test_an_empty_value_counts_as_none(load: Load) -> None:
    settings = load(environ={"SIMIL_MODEL": " "}, dotenv="SIMIL_MODEL=\nSIMIL_ENGINE\n", config='model = "x"')

    assert (settings.model, settings.engine) == ("x", "auto")


def test_dotenv_is_read_from_this_folder_only(tmp_path: Path, load: Load) -> None:
    (tmp_path / ".env").write_text("SIMIL_MODEL=of/parent\n", "utf-8")

    assert load().model is None
    assert load(dotenv="SIMIL_MODEL=of/folder\n").model == "of/folder"


def test_the_working_directory_of_the_process_is_that_folder(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / ".env").write_text("SIMIL_MODEL=of/parent\nSIMIL_ENGINE=wrong\n", "utf-8")
    program = "from simil.config import load_settings; print(load_settings().model)"

    def run(folder: Path) -> str:
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=folder,
            env=os.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout or done.stderr.splitlines()[-1]

    assert run(tmp_path / "inner") == "None\n"
    assert "engine cannot be 'wrong' (SIMIL_ENGINE from .env)" in run(tmp_path)


def test_an_env_file_that_is_named_replaces_it(tmp_path: Path, load: Load) -> None:
    other = tmp_path / "other.env"
    other.write_text("export SIMIL_ENGINE='torch'  # a comment\n", "utf-8")
    settings = load(dotenv="SIMIL_MODEL=here/here\n", env_file=other)

    assert (settings.model, settings.engine) == (None, "torch")
    with pytest.raises(UsageError, match=r"missing\.env: no such file; check --env-file"):
        load(env_file=tmp_path / "missing.env")


def test_a_dotenv_that_is_no_text_is_an_error_that_names_it(tmp_path: Path, load: Load) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / ".env").write_bytes(b"SIMIL_MODEL=\xff\xfe\n")

    with pytest.raises(UsageError, match=r"\.env: cannot be read"):
        load()


def test_a_dotenv_does_not_reach_into_the_environment(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "from the environment")
    settings = load(
        environ={"SECRET": "given"},
        dotenv="A=1\nSIMIL_MODEL=${SECRET}\nOPENAI_BASE_URL=https://evil.example/${SECRET}\nSIMIL_ENGINE=onnx\n",
    )

    assert settings.model == "${SECRET}"
    assert settings.openai.base_url == "https://evil.example/${SECRET}"
    assert "SIMIL_ENGINE" not in os.environ


def test_a_dotenv_cannot_say_where_files_are_kept(tmp_path: Path, load: Load) -> None:
    settings = load(
        environ={"SIMIL_CACHE_DIR": str(tmp_path / "mine")},
        dotenv=f"SIMIL_CACHE_DIR={tmp_path}/theirs\nSIMIL_CONFIG={tmp_path}/theirs.toml\n",
    )

    assert settings.cache_dir == tmp_path / "mine"


_ENV, _DOT, _FILE = "https://environ.example/v1", "https://dotenv.example/v1", "https://file.example/v1"


@pytest.mark.parametrize(
    ("given", "url", "key"),
    [
        ({}, OPENAI_BASE_URL, None),
        ({"environ": {"OPENAI_API_KEY": KEY}}, OPENAI_BASE_URL, KEY),
        ({"environ": {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": _ENV}}, _ENV, KEY),
        ({"dotenv": f"OPENAI_API_KEY={KEY}"}, OPENAI_BASE_URL, KEY),
        ({"dotenv": f"OPENAI_BASE_URL={_DOT}\nOPENAI_API_KEY={KEY}"}, _DOT, KEY),
        # A stranger's folder names a server: nobody else's key goes there.
        ({"dotenv": f"OPENAI_BASE_URL={_DOT}", "environ": {"OPENAI_API_KEY": KEY}}, _DOT, None),
        ({"dotenv": f"OPENAI_BASE_URL={_DOT}", "config": f'openai_api_key = "{KEY}"'}, _DOT, None),
        (
            {"dotenv": f"OPENAI_BASE_URL={_DOT}\nOPENAI_API_KEY=theirs", "environ": {"OPENAI_API_KEY": KEY}},
            _DOT,
            "theirs",
        ),
        # What the user says goes before the file, and takes the user's key.
        (
            {"dotenv": f"OPENAI_BASE_URL={_DOT}", "environ": {"OPENAI_API_KEY": KEY}, "base_url": _ENV},
            _ENV,
            KEY,
        ),
        (
            {
                "dotenv": f"OPENAI_BASE_URL={_DOT}",
                "environ": {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": _ENV},
            },
            _ENV,
            KEY,
        ),
        ({"config": f'openai_base_url = "{_FILE}"', "environ": {"OPENAI_API_KEY": KEY}}, _FILE, KEY),
    ],
)
def test_a_base_url_of_a_dotenv_only_goes_with_a_key_of_the_same_file(
    given: dict[str, Any], url: str, key: str | None, load: Load
) -> None:
    assert load(**given).openai == Credentials(url, key)


def test_the_key_is_never_shown(load: Load) -> None:
    settings = load(environ={"OPENAI_API_KEY": KEY})

    assert settings.openai.api_key == KEY
    for shown in (repr(settings), str(settings), repr(settings.openai), f"{settings.openai}"):
        assert KEY not in shown
    assert "api_key=set" in repr(settings)
    assert "api_key=not set" in repr(load())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"engine": "gpu"},
            "'gpu' (SIMIL_ENGINE from a flag); choose one of auto, onnx, openvino, torch",
        ),
        ({"environ": {"SIMIL_DEVICE": "tpu"}}, "(SIMIL_DEVICE from the environment)"),
        ({"dotenv": "SIMIL_OVERFLOW=cut"}, "work/.env); choose one of warn, truncate, error, chunk"),
        ({"config": 'engine = "x"'}, "config.toml)"),
        (
            {"environ": {"SIMIL_THREADS": "many"}},
            "at most 4 digits, not 'many' (the environment)",
        ),
        ({"threads": -1}, "not '-1' (a flag)"),
        ({"config": "threads = 1.5"}, "config.toml)"),
        ({"environ": {"SIMIL_THREADS": "²"}}, "(the environment)"),
        ({"environ": {"SIMIL_THREADS": "9" * 30}}, "(the environment)"),
        ({"dotenv": "SIMIL_OFFLINE=maybe"}, "offline must be 1 or 0, not 'maybe' ("),
    ],
)
def test_a_bad_value_names_where_it_stands(given: dict[str, Any], said: str, load: Load) -> None:
    with pytest.raises(UsageError) as caught:
        load(**given)
    assert said in str(caught.value)
    assert caught.value.exit_code == 2


def test_an_unknown_key_of_the_config_file_is_an_error(load: Load) -> None:
    with pytest.raises(UsageError) as caught:
        load(config='modle = "minilm"')
    assert "config.toml: the config file has an unknown key 'modle'; known: model, engine" in str(
        caught.value
    )


@pytest.mark.parametrize(
    "content", ["model = ", "\x00", "[model]\nname = 1", "threads = [1, 2]", "model = 1979-05-27"]
)
def test_a_config_file_that_makes_no_sense_is_an_error_that_names_it(content: str, load: Load) -> None:
    with pytest.raises(UsageError, match=r"config\.toml"):
        load(config=content)


@pytest.mark.parametrize("value", ["1", "true", "YES", "on"])
def test_huggingfaces_own_switch_means_offline(value: str, load: Load) -> None:
    assert load(environ={"HF_HUB_OFFLINE": value}).offline is True
    assert load(environ={"HF_HUB_OFFLINE": "0"}).offline is False


def test_files_are_kept_where_the_system_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "config" / "simil").mkdir(parents=True)
    (tmp_path / "config" / "simil" / "config.toml").write_text('overflow = "chunk"\n', "utf-8")
    settings = load_settings(environ={}, directory=tmp_path)

    assert settings.cache_dir == tmp_path / "cache" / "simil"
    assert settings.overflow == "chunk"


def test_a_config_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file; check SIMIL_CONFIG"):
        load_settings(environ={"SIMIL_CONFIG": str(tmp_path / "none.toml")}, directory=tmp_path)
