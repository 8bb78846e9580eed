"""The hub and the API, and what goes there; secrets, and that they go nowhere else."""

from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import quote

import pytest
from support.command import simil
from support.hub_server import HubServer
from support.silent_server import silent_endpoint

from doctor.conftest import Api, Examine

KEY = "sk-planted/key+of=tests-0123456789abcdef"
BGE = "BAAI/bge-base-en-v1.5"


def assert_hidden(output: str, *secrets: str) -> None:
    """Fail where a secret, or its beginning or end, stands in `output` in any usual form."""
    for secret in secrets:
        for form in (
            secret,
            quote(secret, safe=""),
            quote(secret),
            base64.b64encode(secret.encode()).decode().rstrip("="),
            base64.urlsafe_b64encode(secret.encode()).decode().rstrip("="),
            secret[:8],
            secret[-8:],
            secret[::-1],
        ):
            assert form not in output
        assert f"{len(secret)} char" not in output


@pytest.fixture
def local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


@pytest.mark.usefixtures("local")
def test_a_hub_that_has_the_model_is_well(examine: Examine) -> None:
    with HubServer({BGE: {"config.json": b"{}"}}) as hub:
        report = examine(offline=False, HF_ENDPOINT=hub.endpoint)

        assert report.status("hub") == "ok"
        assert report.told("hub").startswith(f"{hub.endpoint} answers, and has {BGE}")
        assert [request.method for request in hub.requests] == ["GET"]


@pytest.mark.usefixtures("local")
def test_a_hub_without_the_model_warns_and_says_why(examine: Examine) -> None:
    with HubServer({}) as hub:
        report = examine(offline=False, HF_ENDPOINT=hub.endpoint)

    assert report.result.code == 0
    assert report.status("hub") == "warn"
    assert f"there is no model {BGE}" in report.told("hub")


@pytest.mark.usefixtures("local")
def test_a_hub_that_is_not_there_is_as_bad_as_it_is_needed(examine: Examine) -> None:
    nowhere = "http://127.0.0.1:9"
    assert examine(offline=False, HF_ENDPOINT=nowhere).status("hub") == "warn"
    assert examine("-m", "minilm", offline=False, HF_ENDPOINT=nowhere).status("hub") == "note"
    pinned = examine("-m", "org/elsewhere", offline=False, HF_ENDPOINT=nowhere)
    assert pinned.result.code == 1
    assert pinned.failed == {"hub"}


@pytest.mark.usefixtures("local")
def test_servers_that_never_answer_are_not_waited_for(examine: Examine) -> None:
    with silent_endpoint(drip=b"HTTP/1.1 100 Continue\r\n\r\n") as endpoint:
        report = examine(offline=False, HF_ENDPOINT=endpoint, OPENAI_BASE_URL=f"{endpoint}/v1")

    assert report.status("hub") == report.status("API") == "warn"
    assert "no answer within 3 s" in report.told("hub")
    assert "did not answer within 3 s" in report.told("API")


def test_offline_opens_no_connection(examine: Examine, api: Api) -> None:
    with HubServer({}) as hub:
        for how in ({"offline": True}, {"offline": False, "SIMIL_OFFLINE": "1"}):
            report = examine(
                HF_ENDPOINT=hub.endpoint, OPENAI_BASE_URL=api.base_url, OPENAI_API_KEY=api.key, **how
            )
            assert report.told("hub").startswith("not asked: offline")
            assert report.told("API").startswith("not asked: offline")
        assert hub.requests == []
    assert api.asked == []


def test_the_api_is_not_asked_where_nobody_set_it(examine: Examine) -> None:
    report = examine(offline=False, HF_ENDPOINT="http://127.0.0.1:9")

    assert report.told("API").startswith("not asked: neither a key nor a base URL is set")


def test_the_api_is_asked_without_the_key(examine: Examine, api: Api) -> None:
    report = examine(
        offline=False,
        HF_ENDPOINT="http://127.0.0.1:9",
        OPENAI_BASE_URL=f"{api.base_url}/",
        OPENAI_API_KEY=api.key,
    )

    assert api.asked == [("GET", "/v1/models", None)]
    assert report.status("API") == "ok"
    assert "answers (401 without a key)" in report.told("API")
    assert report.told("API key").startswith("OPENAI_API_KEY is set, in the environment")
    assert_hidden(report.result.out, api.key)


def test_deep_shows_the_api_its_key(look: Examine, api: Api) -> None:
    right = look(OPENAI_BASE_URL=api.base_url, OPENAI_API_KEY=api.key)
    wrong = look(model="openai", OPENAI_BASE_URL=api.base_url, OPENAI_API_KEY="sk-another-one-9")

    assert api.asked[0] == ("GET", "/v1/models", f"Bearer {api.key}")
    assert right.failed == set()
    assert "answers 200 to the API key in OPENAI_API_KEY" in right.told("API")
    assert wrong.failed == {"API"}
    assert "does not accept the API key in OPENAI_API_KEY (401)" in wrong.told("API")
    assert_hidden(right.result.out + wrong.result.out, api.key, "sk-another-one-9")


def test_a_login_in_the_address_is_told_apart_from_the_key(look: Examine, api: Api) -> None:
    """It goes before the key, as it does with texts."""
    address = api.base_url.replace("http://", "http://someone:open-sesame-47@")
    wrong = look(model="openai", OPENAI_BASE_URL=address, OPENAI_API_KEY=api.key)

    login = base64.b64encode(b"someone:open-sesame-47").decode()
    assert api.asked == [("GET", "/v1/models", f"Basic {login}")]
    told = "does not accept the user name and password of the base URL (401)"
    assert told in wrong.told("API")
    assert "OPENAI_API_KEY" not in wrong.told("API")
    assert_hidden(wrong.result.out, api.key, "open-sesame-47", login)


def test_the_key_does_not_follow_a_redirect(look: Examine, api: Api) -> None:
    api.status = 302
    look(OPENAI_BASE_URL=api.base_url, OPENAI_API_KEY=api.key)

    assert [path for _, path, _ in api.asked] == ["/v1/models"]


def test_the_key_of_the_environment_does_not_go_to_the_address_of_a_dotenv(
    examine: Examine, api: Api, tmp_path: Path
) -> None:
    """Nor is that address asked for anything, without consent."""
    (tmp_path / "here" / ".env").write_text(f"OPENAI_BASE_URL={api.base_url}\n", "utf-8")
    given = {"HF_ENDPOINT": "http://127.0.0.1:9", "OPENAI_API_KEY": api.key}
    report = examine(offline=False, **given)
    needed = examine("-m", "openai", offline=False, **given)

    assert api.asked == []
    assert report.status("API") == "warn"
    assert needed.status("API") == "fail"
    assert "not asked: you have not trusted .env, whose OPENAI_BASE_URL" in report.told("API")

    named = examine("--env-file", ".env", offline=False, **given)
    assert api.asked == [("GET", "/v1/models", None)]
    assert "the base URL is from a .env that has no key" in named.told("API key")
    assert_hidden(report.result.out + needed.result.out + named.result.out, api.key)


def test_a_model_of_a_strange_folder_is_reported_and_not_asked_for(examine: Examine, tmp_path: Path) -> None:
    (tmp_path / "here" / ".env").write_text("SIMIL_MODEL=openai\n", "utf-8")
    report = examine(offline=False, HF_ENDPOINT="http://127.0.0.1:9")

    assert report.failed == {"model"}
    assert "run simil config trust ." in report.told("model")
    assert report.told("API").startswith("not asked")


def test_a_broken_api_is_as_bad_as_it_is_needed(examine: Examine, api: Api) -> None:
    api.status = 503
    given = {"HF_ENDPOINT": "http://127.0.0.1:9", "OPENAI_BASE_URL": api.base_url}

    assert examine(offline=False, **given).status("API") == "warn"
    assert examine("-m", "openai", offline=False, **given).failed == {"API"}


@pytest.mark.parametrize("base_url", ["ftp://host", "http://api.openai.com/v1", "nonsense"])
def test_a_base_url_that_cannot_be_used_is_told(base_url: str, look: Examine) -> None:
    report = look(model="openai", OPENAI_BASE_URL=base_url, OPENAI_API_KEY=KEY)

    assert report.failed == {"API"}
    assert_hidden(report.result.out, KEY)


@pytest.mark.parametrize("form", ["json", "text"])
def test_no_secret_is_shown_wherever_it_stands(form: str, tmp_path: Path) -> None:
    """Keys, tokens and passwords in every place that has them, with all that can be wrong going wrong."""
    password, token = "pass/word+of=hers", "hf_token/of+them=xyz"
    other, login, asked = "dotenv-secret-98765", "user-4711", "in-the-query-12345"
    (tmp_path / ".env").write_text(f"OPENAI_API_KEY={other}\nMY_PASSWORD={other}x\n", "utf-8")
    config = tmp_path / "config.toml"
    config.write_text(f'openai_api_key = "{other}y"\nmodel = "openai:{KEY}"\n', "utf-8")
    safe = quote(password, safe="")
    result = simil(
        "doctor",
        "-f",
        form,
        cwd=tmp_path,
        env={
            "SIMIL_CONFIG": str(config),
            "OPENAI_API_KEY": KEY,
            "OPENAI_BASE_URL": f"http://{login}:{safe}@127.0.0.1:9/v1?token={asked}",
            "HF_ENDPOINT": f"http://{login}:{safe}@127.0.0.1:9",
            "HF_TOKEN": token,
            "HTTPS_PROXY": f"nonsense://{login}:{safe}@127.0.0.1:9",
            "ALL_PROXY": f"http://{login}:{safe}@127.0.0.1:9",
            "NO_PROXY": "127.0.0.1",
            "SSL_CERT_FILE": str(tmp_path / password.replace("/", "-")),
        },
    )

    assert result.code == 1
    assert "API key" in result.out
    assert_hidden(result.out + result.err, KEY, password, token, other, login, asked)
