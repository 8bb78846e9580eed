"""Completion of `-m` offers the models of the server that the user has chosen, and asks no other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from support.command import simil
from support.openai_server import KEY, OpenAIServer

MODELS = {"nomic-embed-text:latest": 8, "org/name": 8, "$(touch x)": 8}
NAMES = ["nomic-embed-text:latest", "org/name"]


@pytest.fixture(scope="module")
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(models=MODELS) as server:
        yield server


@pytest.fixture
def environ(tmp_path: Path) -> Mapping[str, str]:
    """The environment of a user with a key and an empty cache."""
    return {
        "_SIMIL_COMPLETE": "fish",
        "SIMIL_CACHE_DIR": str(tmp_path / "cache"),
        "OPENAI_API_KEY": KEY,
        "NO_PROXY": "127.0.0.1",
    }


def offered(line: str, environ: Mapping[str, str], cwd: Path | None = None) -> list[str]:
    """Return the models of servers that are offered at the end of `line`, and what else may be."""
    done = simil(env={**environ, "_SIMIL_COMPLETE_BEFORE": line.replace(" ", "\n")}, cwd=cwd)
    assert (done.code, done.err) == (0, "")
    names = [name.removeprefix("openai:") for name in done.out.splitlines()[1:]]
    return [name for name in names if not name.startswith("text-embedding-")]


@pytest.mark.parametrize("command", ["compare", "embed", "doctor", "eval"])
def test_the_models_of_the_server_on_the_line_are_offered(
    command: str, server: OpenAIServer, environ: Mapping[str, str]
) -> None:
    """But for names that would mean something to the shell."""
    line = f"simil {command} --base-url {server.base_url} -m openai:"
    assert offered(line, environ) == NAMES
    assert offered(f"{line}nom", environ) == NAMES[:1]


def test_a_server_of_the_settings_is_asked_with_the_key(
    server: OpenAIServer, environ: Mapping[str, str], tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'openai_base_url = "{server.base_url}"\n', "utf-8")
    for given in ({"OPENAI_BASE_URL": server.base_url}, {"SIMIL_CONFIG": str(config)}):
        assert offered("simil compare -m openai:", {**environ, **given}) == NAMES
    # The wrong key's list is another one.
    wrong = {**environ, "OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk-another"}
    assert offered("simil compare -m openai:", wrong) == []


def test_what_was_listed_is_remembered(environ: Mapping[str, str]) -> None:
    with OpenAIServer(models=MODELS) as ended:
        line = f"simil compare --base-url {ended.base_url} -m openai:"
        assert offered(line, environ) == NAMES
        assert ended.connections == 1
        assert offered(line, environ) == NAMES
        assert ended.connections == 1
    assert offered(line, environ) == NAMES
    notes = list(Path(environ["SIMIL_CACHE_DIR"], "server-models").iterdir())
    assert [note.stat().st_mode & 0o777 for note in notes] == [0o600]
    assert KEY not in notes[0].read_text() + notes[0].name
    notes[0].write_text("[" * 9999)
    assert offered(line, environ) == []


def test_an_address_that_the_user_has_not_trusted_is_not_asked(
    server: OpenAIServer, environ: Mapping[str, str], tmp_path: Path
) -> None:
    """It is once he has, and gets the key of the same file only."""
    with OpenAIServer(models=MODELS) as strange:
        dotenv = f"OPENAI_BASE_URL={strange.base_url}\nwhat is this\n"
        (tmp_path / ".env").write_text(dotenv, "utf-8")
        assert offered("simil compare -m openai:", environ, tmp_path) == []
        assert strange.connections == 0

        assert offered("simil compare --env-file .env -m openai:", environ, tmp_path) == []
        assert strange.connections == 1
        (tmp_path / ".env").write_text(f"{dotenv}OPENAI_API_KEY={KEY}\n", "utf-8")
        assert offered("simil compare --env-file .env -m openai:", environ, tmp_path) == NAMES


def test_no_server_is_asked_in_vain(server: OpenAIServer, environ: Mapping[str, str]) -> None:
    before = server.connections
    at = f"--base-url {server.base_url}"
    assert offered(f"simil compare --offline {at} -m openai:", environ) == []
    assert offered(f"simil compare {at} -m openai:", {**environ, "SIMIL_OFFLINE": "1"}) == []
    assert offered(f"simil compare {at} -m mini", environ) == ["minilm"]
    assert offered("simil models show openai:", {**environ, "OPENAI_BASE_URL": server.base_url}) == []
    assert server.connections == before


@pytest.mark.parametrize(
    "base_url", ["http://127.0.0.1:9/v1", "ftp://x", "nonsense", "https://api.openai.com/v1"]
)
def test_where_there_is_no_list_nothing_is_said(base_url: str, environ: Mapping[str, str]) -> None:
    assert offered("simil compare -m openai:", {**environ, "OPENAI_BASE_URL": base_url}) == []
    assert offered("simil compare -m openai:", {**environ, "SIMIL_RETRIES": "x"}) == []
