"""Settings: flag > environment > .env > config file > default."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import platformdirs
import pytest

from simil.config import OPENAI_BASE_URL, Settings, load_settings
from simil.device import Device
from simil.errors import UsageError
from simil.private_files import user_folder

KEY = "sk-never-to-be-shown"
Load = Callable[..., Settings]

# Setting, its variable, its key in the config file, and a value for: flag, environment, .env, file; default.
SETTINGS: list[tuple[str, str, str, tuple[Any, ...]]] = [
    ("model", "SIMIL_MODEL", "model", ("a/a", "b/b", "c/c", "d/d", None)),
    ("engine", "SIMIL_ENGINE", "engine", ("onnx", "torch", "onnx", "torch", "auto")),
    ("precision", "SIMIL_PRECISION", "precision", ("int8", "float16", "float32", "bfloat16", "auto")),
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

    def read(settings: Settings) -> object:
        found = getattr(settings, name)
        return bool(found) if name == "offline" else found

    sources: list[dict[str, Any]] = [
        {name: flag},
        {"environ": {variable: text(environment)}},
        {"dotenv": f"{variable}={text(dotenv)}\n"},
        {"config": f"{key} = {_toml(file)}\n"},
    ]
    assert read(load()) == default
    for first in (3, 2, 1, 0):
        given = {what: value for source in sources[first:] for what, value in source.items()}
        assert read(load(**given)) == values[first], given


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
    found = load(**given).openai
    assert (found.base_url, found.api_key) == (url, key)
    # Nor do texts, without consent.
    assert (found.url_unconsented is not None) == (url == _DOT)


@pytest.mark.parametrize(
    ("given", "unconsented"),
    [
        ({"dotenv": "SIMIL_MODEL=org/name"}, True),
        ({"dotenv": "SIMIL_MODEL=org/name", "environ": {"SIMIL_MODEL": "org/name"}}, False),
        ({"dotenv": "SIMIL_MODEL=org/name", "config": 'model = "org/name"'}, False),
        ({"dotenv": "SIMIL_MODEL=org/name", "config": 'model = "org/other"'}, True),
        ({"dotenv": "SIMIL_MODEL=org/other\nSIMIL_MODEL=org/name", "config": 'model = "org/other"'}, True),
        ({"dotenv": "\ufeffexport SIMIL_MODEL='org/name'\r\n"}, True),
    ],
)
def test_a_model_that_only_a_dotenv_chooses_is_marked(
    given: dict[str, Any], unconsented: bool, load: Load
) -> None:
    settings = load(**given)

    assert settings.model == "org/name"
    assert (settings.model_unconsented is not None) == unconsented


@pytest.mark.parametrize(
    ("name", "dotenv", "config", "expected"),
    [
        ("offline", "1", "false", True),
        ("offline", "0", "true", True),
        ("offline", "0", "false", False),
        ("cache", "0", "true", False),
        ("cache", "1", "false", False),
    ],
)
def test_a_dotenv_may_be_stricter_than_its_user_not_laxer(
    name: str, dotenv: str, config: str, expected: bool, load: Load, tmp_path: Path
) -> None:
    text = f"SIMIL_{name.upper()}={dotenv}\n"
    (tmp_path / "named.env").write_text(text)

    assert bool(getattr(load(dotenv=text, config=f"{name} = {config}\n"), name)) is expected
    named = load(config=f"{name} = {config}\n", env_file=tmp_path / "named.env")
    assert bool(getattr(named, name)) is (dotenv == "1")


def test_why_a_key_from_elsewhere_is_not_used_is_known(load: Load) -> None:
    server = load(dotenv="OPENAI_BASE_URL=http://h.test/v1\n", environ={"OPENAI_API_KEY": KEY}).openai

    assert server.api_key is None
    assert server.key_hint.startswith("the key of the environment is not sent to an address that ")
    assert KEY not in server.key_hint
    assert load(dotenv="", environ={"OPENAI_API_KEY": KEY}).openai.key_hint == "set OPENAI_API_KEY"


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
            "'gpu'; choose one of auto, onnx, openvino, packed, torch",
        ),
        (
            {"environ": {"SIMIL_DEVICE": "tpu"}},
            "device cannot be 'tpu' (SIMIL_DEVICE from the environment); "
            "choose one of auto, cpu, cuda, cuda:0,1, cuda:all, mps",
        ),
        ({"device": "cuda:1,1"}, "device cannot be 'cuda:1,1'; choose"),
        ({"device": "cuda:"}, "device cannot be 'cuda:'; choose"),
        ({"device": "cuda:²"}, "device cannot be 'cuda:²'; choose"),
        ({"dotenv": "SIMIL_OVERFLOW=cut"}, "work/.env); choose one of warn, truncate, error, chunk"),
        ({"config": 'engine = "x"'}, "config.toml)"),
        (
            {"environ": {"SIMIL_THREADS": "many"}},
            "at most 4 digits, not 'many' (the environment)",
        ),
        ({"threads": -1}, "at most 4 digits, not '-1'"),
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


@pytest.mark.parametrize(
    ("given", "device"),
    [
        ("auto", Device("auto")),
        ("cpu", Device("cpu")),
        ("mps", Device("mps")),
        ("cuda", Device("cuda", (0,))),
        ("cuda:0", Device("cuda", (0,))),
        ("cuda:3,1", Device("cuda", (3, 1))),
        ("cuda:all", Device("cuda", None)),
    ],
)
def test_a_device_is_read_once(given: str, device: Device, load: Load) -> None:
    read = load(environ={"SIMIL_DEVICE": given}).device

    assert read == device
    assert Device.parse(str(read)) == device


def test_an_unknown_key_of_the_config_file_is_an_error(load: Load) -> None:
    with pytest.raises(UsageError) as caught:
        load(config='modle = "minilm"')
    assert "config.toml: the config file has an unknown key 'modle'; known: model, engine" in str(
        caught.value
    )


@pytest.mark.parametrize(
    "content",
    [
        "model = ",
        "\x00",
        "[model]\nname = 1",
        "threads = [1, 2]",
        "model = 1979-05-27",
        "threads = " + "[" * 2000,
        "[" + "a." * 2000 + "a]\n",
        "threads = " + "9" * 4301,
        "threads = 0x" + "f" * 4301,
        "#" * 20_000_000,
    ],
    ids=lambda content: content[:20],
)
def test_a_config_file_that_makes_no_sense_is_an_error_that_names_it(content: str, load: Load) -> None:
    with pytest.raises(UsageError, match=r"config\.toml"):
        load(config=content)


@pytest.mark.parametrize("content", [b"\xff\xfeS\x00", b"A=1\n" * 5_000_000, b"A=x" + b" " * 60_000 + b"y"])
def test_a_dotenv_that_makes_no_sense_is_an_error_that_names_it(
    content: bytes, tmp_path: Path, load: Load
) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / ".env").write_bytes(content)
    with pytest.raises(UsageError, match=r"work/\.env: (cannot be read|is larger|has over 1,000 blanks)"):
        load()


def test_lines_of_no_form_are_one_warning(load: Load, caplog: pytest.LogCaptureFixture) -> None:
    load(dotenv="a line\n" * 1000)

    assert caplog.messages[0].endswith(
        ".env:1: the line is not NAME=value, and is skipped, and 999 more like it"
    )
    assert len(caplog.messages) == 1


def test_a_directory_called_dotenv_is_none(tmp_path: Path, load: Load) -> None:
    (tmp_path / "work" / ".env").mkdir(parents=True)

    assert load().model is None


@pytest.mark.parametrize("variable", ["SIMIL_CACHE_DIR", "SIMIL_CONFIG"])
def test_a_home_that_is_not_there_is_an_error(variable: str, load: Load) -> None:
    with pytest.raises(UsageError, match=rf"no home directory for ~nouser/x \({variable}\)"):
        load(environ={variable: "~nouser/x"})


def test_a_cache_directory_that_is_not_utf8_is_an_error(load: Load) -> None:
    with pytest.raises(UsageError, match="not UTF-8; set SIMIL_CACHE_DIR"):
        load(environ={"SIMIL_CACHE_DIR": os.fsdecode(b"/tmp/\xff")})


@pytest.mark.parametrize("value", ["1", "true", "YES", "on"])
def test_huggingfaces_own_switch_stops_the_hub_only(value: str, load: Load) -> None:
    settings = load(environ={"HF_HUB_OFFLINE": value})

    assert (settings.offline, settings.hub_offline) == ("", "HF_HUB_OFFLINE")
    assert load(environ={"TRANSFORMERS_OFFLINE": value}).hub_offline == "TRANSFORMERS_OFFLINE"
    assert load(environ={"HF_HUB_OFFLINE": "0", "TRANSFORMERS_OFFLINE": "1"}).hub_offline == ""


def test_what_says_offline_is_known_by_name(tmp_path: Path, load: Load) -> None:
    both = {"SIMIL_OFFLINE": "1", "HF_HUB_OFFLINE": "1"}

    assert load(environ=both).offline == load(environ=both).hub_offline == "SIMIL_OFFLINE"
    assert load(offline=True, environ=both).offline == "--offline"
    assert load(offline=False, environ=both).offline == ""
    (tmp_path / "work" / ".env").write_text("SIMIL_OFFLINE=1\n", "utf-8")
    assert load().offline == f"SIMIL_OFFLINE of {tmp_path / 'work' / '.env'}"


def test_files_are_kept_where_the_system_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "config" / "simil").mkdir(parents=True)
    (tmp_path / "config" / "simil" / "config.toml").write_text('overflow = "chunk"\n', "utf-8")
    settings = load_settings(environ={}, directory=tmp_path)

    assert settings.cache_dir == tmp_path / "cache" / "simil"
    assert settings.overflow == "chunk"


def test_pipes_that_nobody_names_are_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "simil").mkdir()
    os.mkfifo(tmp_path / "simil" / "config.toml")
    with pytest.raises(UsageError, match=r"config\.toml: is not a regular file; remove it, or name it in "):
        load_settings(environ={}, directory=tmp_path)
    os.mkfifo(tmp_path / ".env")
    with pytest.raises(UsageError, match=r"\.env: is not a regular file; remove it, or pass --env-file "):
        load_settings(environ={}, directory=tmp_path)


def test_a_config_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file; check SIMIL_CONFIG"):
        load_settings(environ={"SIMIL_CONFIG": str(tmp_path / "none.toml")}, directory=tmp_path)


@pytest.mark.parametrize("kind", ["cache", "config"])
@pytest.mark.parametrize("given", [None, "", "/xdg", "/xdg/", "relative", " /xdg"])
@pytest.mark.parametrize("home", [None, "/home/someone", "/"])
def test_the_folders_of_a_user_are_those_of_platformdirs(
    home: str | None, given: str | None, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("HOME", home), ("XDG_CACHE_HOME", given), ("XDG_CONFIG_HOME", given)):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    find = {"cache": platformdirs.user_cache_path, "config": platformdirs.user_config_path}[kind]

    assert user_folder(kind) == find("simil", appauthor=False)
