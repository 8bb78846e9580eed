"""What a stranger's `.env` may choose: nothing arrives at its server, until the user consents."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.command import Result, shell, simil
from support.openai_secrets import shown_pieces
from support.openai_server import KEY, OpenAIServer

import simil as package
from simil.cli.commands.compare_scale import save_calibration
from simil.config import load_settings
from simil.errors import UsageError
from simil.models.resolve import resolve
from simil.models.select import check_consent
from simil.tasks.evaluation.calibration import Calibration

THEIRS = "sk-of-the-stranger-0123456789"
Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def no_pinned_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIMIL_MODEL")


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(key=THEIRS) as running:
        yield running


@pytest.fixture
def folder(server: OpenAIServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stranger's folder, and a user who has a key."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "texts.txt").write_text("private\nvery private\n")
    found = tmp_path / "strange"
    found.mkdir()
    text = f"SIMIL_MODEL=openai\nOPENAI_BASE_URL={server.base_url}\nOPENAI_API_KEY={THEIRS}\n"
    (found / ".env").write_text(text)
    return found


@pytest.fixture
def here(folder: Path) -> Run:
    """Run the command in the stranger's folder; its output shows no key."""

    def run(*arguments: str, **options: dict[str, str]) -> Result:
        result = simil(*arguments, cwd=folder, **options)  # type: ignore[arg-type]
        assert shown_pieces(result.out + result.err, KEY, THEIRS) == []
        return result

    return run


def _keys(server: OpenAIServer) -> set[str | None]:
    return {request.headers.get("authorization") for request in server.requests}


@pytest.mark.parametrize(
    "command",
    [
        ("compare", "private", "text"),
        ("embed", "../texts.txt", "--dry-run"),
        ("search", "-v", "private", "../texts.txt"),
        ("eval", "--demo"),
    ],
    ids=lambda command: command[0],
)
def test_nothing_is_sent_to_where_a_strange_folder_says(
    command: tuple[str, ...], here: Run, server: OpenAIServer
) -> None:
    result = here(*command)

    assert (result.code, result.out) == (2, "")
    assert result.error_line == (
        f".env: SIMIL_MODEL in this file would send texts to {server.host}, and you have not trusted this"
        " file; if you trust it, run simil config trust ., or pass --env-file .env"
    )
    assert server.connections == 0


@pytest.mark.parametrize(
    "command",
    [
        ("doctor",),
        ("doctor", "-m", "openai"),
        ("models", "-f", "json"),
        ("cache", "info"),
    ],
    ids=" ".join,
)
def test_nobody_is_asked_about_it_either(
    command: tuple[str, ...], here: Run, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    result = here(*command)

    assert result.code == int(command[0] == "doctor")
    assert ("trust" in result.out) == (command[0] != "cache")
    assert server.connections == 0


def test_a_server_needs_consent_only_where_a_run_would_use_it(here: Run, server: OpenAIServer) -> None:
    assert here("compare", "a", "b", "-m", "minilm").code == 0
    result = here("compare", "a", "b", "-m", "openai")
    assert "OPENAI_BASE_URL in this file would send texts to" in result.error_line
    assert server.connections == 0
    # A server that the user names gets the user's key.
    assert here("compare", "a", "b", "-m", "openai", "--base-url", server.base_url).code == 5
    assert _keys(server) == {f"Bearer {KEY}"}


def test_a_trusted_file_has_effect_until_it_changes(here: Run, folder: Path, server: OpenAIServer) -> None:
    trusted = here("config", "trust")
    assert trusted.out == (
        f".env is trusted until it changes; it chooses the model openai and the server {server.host}\n"
    )
    assert here("compare", "a", "b").code == 0
    assert _keys(server) == {f"Bearer {THEIRS}"}
    assert here("config", "list").out == f"trusted\t{folder}/.env\n"

    with (folder / ".env").open("a") as file:
        file.write("\n")
    assert here("compare", "c", "d").code == 2
    draft = next((folder.parent / "config" / "simil" / "trusted").iterdir())
    draft.with_suffix(".killed.tmp").write_bytes(b"")
    assert here("config", "list").out == f"changed since\t{folder}/.env\n"

    assert here("config", "trust", "-q").out == ""
    assert here("compare", "c", "d").code == 0
    assert here("config", "untrust").code == 0
    assert here("config", "untrust").code == 1
    assert here("compare", "e", "f").code == 2
    assert here("config", "list").out == ""


def test_trust_is_for_this_file_only(here: Run, folder: Path, tmp_path: Path, server: OpenAIServer) -> None:
    """Not for a copy, nor for a link to it, in another folder."""
    assert here("config", "trust", str(folder)).code == 0
    for make in (lambda path: path.write_bytes((folder / ".env").read_bytes()), None):
        other = tmp_path / f"other-{make is None}"
        other.mkdir()
        if make is not None:
            make(other / ".env")
        else:
            (other / ".env").symlink_to(folder / ".env")
        assert simil("compare", "a", "b", cwd=other).code == 2
    (tmp_path / "link").symlink_to(folder)
    assert simil("compare", "a", "b", cwd=tmp_path / "link").code == 0


def test_naming_the_file_is_consent(here: Run, server: OpenAIServer) -> None:
    assert here("compare", "a", "b", "--env-file", ".env").code == 0
    assert _keys(server) == {f"Bearer {THEIRS}"}


def test_a_key_alone_needs_no_consent(here: Run, folder: Path, server: OpenAIServer) -> None:
    (folder / ".env").write_text(f"OPENAI_API_KEY={THEIRS}\n")
    env = {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": server.base_url, "SIMIL_MODEL": "openai"}

    assert here("compare", "a", "b", env=env).code == 0
    assert _keys(server) == {f"Bearer {THEIRS}"}


def test_variables_of_others_have_no_effect(here: Run, folder: Path, server: OpenAIServer) -> None:
    names = (
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "HF_ENDPOINT",
    )
    text = "".join(f"{name}=http://{server.host}\n" for name in names)
    (folder / ".env").write_text(f"{text}HF_TOKEN={THEIRS}\nSSL_CERT_FILE=x\n")
    env = {"HF_ENDPOINT": "http://127.0.0.1:9", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}

    assert here("config", "trust").code == 0
    assert here("compare", "a", "b", "-m", "org/model", env=env).code == 5
    assert here("compare", "a", "b", "-m", "openai", "--retries", "0", env=env).code == 5
    assert here("doctor", env=env).code == 0
    assert server.connections == 0


@pytest.mark.parametrize(
    ("name", "does"),
    [
        ("openai:text-embedding-3-large", "would send texts to api.openai.com"),
        ("plugin:letters", "would hand texts to the plug-in letters"),
        ("./dir", "would use a model that simil does not know, ./dir"),
        ("org/name", "would use a model that simil does not know, org/name"),
        ("local:org/name@v1", "would use a model"),
        # Anyone can offer a revision of a well-known model.
        ("bge-base@refs/pr/7", "would use a model"),
        ("bge-base", ""),
        ("BAAI/bge-small-en-v1.5", ""),
        ("minilm", ""),
    ],
)
def test_which_models_need_consent(
    name: str, does: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir" / "config.json").write_text("{}")
    (tmp_path / ".env").write_text(f"SIMIL_MODEL={name}\n")
    settings = load_settings()
    ref = resolve(str(settings.model))
    if does:
        with pytest.raises(UsageError, match=f"SIMIL_MODEL in this file {does}"):
            check_consent(ref, settings)
    else:
        check_consent(ref, settings)
    for own in (
        load_settings(model=name),
        load_settings(environ={**os.environ, "SIMIL_MODEL": name}),
        load_settings(env_file=Path(".env")),
    ):
        check_consent(ref, own)


def test_the_python_api_asks_for_consent_too(
    folder: Path, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(UsageError, match="SIMIL_MODEL in this file"):
        package.embed(["private"])
    with pytest.raises(UsageError, match="OPENAI_BASE_URL in this file"):
        package.open("openai").compare("private", "text")
    assert server.connections == 0
    assert package.open(env_file=".env").embed(["public"]).shape == (1, 1536)


def test_what_cannot_be_trusted(here: Run, folder: Path, tmp_path: Path) -> None:
    assert "there is no .env in this folder; " in here("config", "trust", str(tmp_path)).error_line
    (folder / ".env").write_bytes(b"A=1\n" * 10**6)
    assert here("config", "trust").code == here("compare", "a", "b", "-m", "minilm").code == 2
    (folder / ".env").unlink()
    os.mkfifo(folder / ".env")
    assert "no .env" in here("config", "trust").error_line
    assert "not a regular file" in here("compare", "a", "b", "-m", "minilm").error_line


def test_what_simil_keeps_is_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the umask; folders above it get the mode that the user's other folders get."""
    (tmp_path / ".env").write_text("SIMIL_MODEL=minilm\n")
    made = [tmp_path / name for name in ("a", "c")]
    env = {"SIMIL_CACHE_DIR": str(made[0] / "b" / "simil"), "XDG_CONFIG_HOME": str(made[1])}
    script = "umask 000; simil config trust && simil compare a b && simil cache clear && simil compare a b"
    result = shell(script, cwd=tmp_path, env=env)
    monkeypatch.setenv("XDG_CONFIG_HOME", env["XDG_CONFIG_HOME"])
    before = os.umask(0)
    save_calibration(Calibration("model", "cosine", 2, 2, "", "", (0.0, 1.0), (0.0, 1.0)), None)
    os.umask(before)

    assert result.code == 0, result.err
    paths = [path for folder in made for path in folder.rglob("*")]
    assert {path.name for path in paths} >= {"vectors", "prepared", "calibrations", "trusted", "lock"}
    for path in (*made, *paths):
        is_ours = path not in (*made, made[0] / "b")
        expected = 0o777 if not is_ours else 0o700 if path.is_dir() else 0o600
        assert path.stat().st_mode & 0o777 == expected, path
