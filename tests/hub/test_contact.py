"""The first contact: what a hub that refuses, is gone or never answers costs and says."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.hub_server import HubServer
from support.silent_server import silent_endpoint

from hub.conftest import REPO, Outcome
from hub.test_fetch import everything, get
from simil.config import hub_switch
from simil.errors import (
    ModelError,
    ModelNotFound,
    RateLimited,
    RequestRejected,
    ServerFailed,
    SimilError,
    Unreachable,
    UsageError,
)
from simil.models.hub.download import fetch
from simil.progress import silent


@pytest.mark.parametrize(
    ("status", "code", "error", "exit_code", "text"),
    [
        (401, None, ModelError, 4, "org/tiny does not exist on "),
        (401, "GatedRepo", ModelError, 4, "org/tiny is gated: accept its terms at http://127.0.0.1"),
        (401, "RepoNotFound", ModelError, 4, "org/tiny does not exist on "),
        (403, "GatedRepo", ModelError, 4, "org/tiny is gated: accept its terms at http://127.0.0.1"),
        (403, None, ModelError, 4, "denies access to org/tiny; accept its terms there, and set HF_TOKEN to"),
        (401, "Invalid credentials in Authorization header", ModelError, 4, "does not accept the token; "),
        (404, "RepoNotFound", ModelNotFound, 4, "there is no model org/tiny on http://127.0.0.1"),
        (404, None, ModelNotFound, 4, "there is no model org/tiny on http://127.0.0.1"),
        (404, "RevisionNotFound", ModelNotFound, 4, "org/tiny has no revision 'main'"),
        (418, None, RequestRejected, 5, "answered 418"),
        (429, None, RateLimited, 5, "accepts no more requests for now; wait a while"),
        (500, None, ServerFailed, 5, "answered 500; try again later"),
        (503, None, ServerFailed, 5, "answered 503; try again later"),
    ],
)
def test_refusals_are_told_in_one_line(
    hub: HubServer, *, status: int, code: str | None, error: type[SimilError], exit_code: int, text: str
) -> None:
    hub.refuse("/api/models/", status, code)
    with pytest.raises(error) as caught:
        get()
    assert type(caught.value) is error
    assert caught.value.exit_code == exit_code
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is not None
    assert len(hub.requests) == 1


@pytest.mark.parametrize(
    "body", [b"<html>log in</html>", b"[]", b"{}", b'{"id": 1, "siblings": [{}]}', b"null"]
)
def test_an_answer_that_is_none_is_the_servers_failure(hub: HubServer, cache: Path, body: bytes) -> None:
    hub.answer("/api/models/", body)
    with pytest.raises(ServerFailed, match="sent an invalid answer"):
        get()
    assert not cache.exists()


@pytest.mark.parametrize("commit", ["main", "../../etc", "g" * 40, None])
def test_a_commit_that_is_none_is_the_servers_failure(
    hub: HubServer, cache: Path, commit: str | None
) -> None:
    hub.answer("/api/models/", json.dumps({"id": REPO, "sha": commit, "siblings": []}).encode())
    with pytest.raises(ServerFailed, match="sent an invalid answer for org/tiny"):
        get()
    assert not cache.exists()


@pytest.mark.parametrize("name", ["", "a/b/c", "org/ti ny", "../x", "org--tiny/x"])
def test_a_name_that_no_repository_has_is_not_asked_for(hub: HubServer, name: str) -> None:
    with pytest.raises(ModelNotFound, match="is not the name of a model repository; write it org/name"):
        get(name)
    assert hub.requests == []


def test_a_refused_connection_is_unreachable(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"http://user:secret@127.0.0.1:{taken.getsockname()[1]}"
    monkeypatch.setenv("HF_ENDPOINT", address)
    with pytest.raises(Unreachable) as caught:
        get()
    assert caught.value.exit_code == 5
    assert "check the connection" in caught.value.hint
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("named", [os.devnull, "nowhere.pem", "."])
def test_certificates_that_cannot_be_read_are_named(cache: Path, tmp_path: Path, named: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "simil", "models", "pull", REPO],
        env=os.environ | {"HF_ENDPOINT": "https://127.0.0.1:9", "SSL_CERT_FILE": named},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (5, "", 1)
    assert "certificates" in done.stderr
    assert "SSL_CERT_FILE" in done.stderr
    assert str(cache) not in done.stderr


@pytest.mark.parametrize("drip", [b"", b"HTTP/1.1 200 OK\r\nX-Wait: 1\r\n"])
def test_a_hub_that_never_answers_costs_no_more_than_allowed(
    cache: Path, monkeypatch: pytest.MonkeyPatch, drip: bytes
) -> None:
    with silent_endpoint(drip) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        with pytest.raises(Unreachable, match=r"cannot be reached \((no answer within 0\.5 s|timed out)\)"):
            fetch(REPO, want=everything, progress=silent, first_contact_s=0.5)


def test_a_name_service_that_hangs_costs_no_more_than_allowed(python: Callable[..., Outcome]) -> None:
    program = """
import json, sys, threading
from simil.errors import Unreachable
from simil.config import hub_switch
from simil.models.hub.download import fetch
from simil.progress import silent
asked = []
def hang(event, arguments):
    if event == "socket.getaddrinfo":
        asked.append(arguments[0])
        threading.Event().wait()
sys.addaudithook(hang)
try:
    fetch("org/tiny", want=lambda names, folder: [names], progress=silent, first_contact_s=1)
    text = None
except Unreachable as exc:
    text = str(exc)
print(json.dumps({"text": text, "asked": asked}), flush=True)
"""
    # The name service never answers: a process that waited for it would not end.
    outcome = python(program, HF_ENDPOINT="http://hub.invalid")
    assert outcome.result["asked"] == ["hub.invalid"]
    assert "http://hub.invalid cannot be reached (no answer within 1 s)" in outcome.result["text"]
    assert outcome.stderr == ""


@pytest.mark.parametrize(
    "address", ["hub.example", "ftp://hub.example", "http://", "http://[", "file:///etc"]
)
def test_an_endpoint_that_is_no_address_is_a_usage_error(
    cache: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", address)
    with pytest.raises(UsageError, match="HF_ENDPOINT is not an http"):
        get()


def test_offline_nothing_is_asked(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match="org/tiny cannot be fetched: HF_HUB_OFFLINE is set"):
        get()
    assert hub.requests == []


@pytest.mark.parametrize(
    ("value", "also", "offline"),
    [
        (None, None, False),
        *[(value, None, True) for value in ("1", "true", "Yes", "ON")],
        *[(value, None, False) for value in ("0", "", "off", "2")],
        (None, "1", True),
        ("", "1", True),
        ("0", "1", False),
        ("1", "0", True),
    ],
)
def test_offline_follows_the_librarys_rule(
    cache: Path, monkeypatch: pytest.MonkeyPatch, value: str | None, also: str | None, offline: bool
) -> None:
    for name, setting in (("HF_HUB_OFFLINE", value), ("TRANSFORMERS_OFFLINE", also)):
        if setting is not None:
            monkeypatch.setenv(name, setting)
    assert bool(hub_switch(os.environ)) is offline


def test_the_librarys_rule_is_what_the_table_says(python: Callable[..., Outcome]) -> None:
    program = """
import json
from huggingface_hub.constants import HF_HUB_OFFLINE
import os
from simil.config import hub_switch
print(json.dumps({"theirs": HF_HUB_OFFLINE, "ours": bool(hub_switch(os.environ))}))
"""
    disputed = {"HF_HUB_OFFLINE": "0", "TRANSFORMERS_OFFLINE": "1"}
    assert python(program, **disputed).result == {"theirs": False, "ours": False}
    assert python(program, TRANSFORMERS_OFFLINE="Yes").result == {"theirs": True, "ours": True}
