from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from support.command import Result, simil

from simil.tasks import doctor

Examine = Callable[..., "Report"]

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@dataclass(frozen=True)
class Report:
    """What the command printed with `-f json`, by check."""

    result: Result
    findings: dict[str, dict[str, str]]

    def status(self, check: str) -> str:
        return self.findings[check]["status"]

    def told(self, check: str) -> str:
        return f"{self.findings[check]['detail']} | {self.findings[check]['hint']}"

    @property
    def failed(self) -> set[str]:
        return {name for name, finding in self.findings.items() if finding["status"] == "fail"}


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*_PROXIES, *_CERTIFICATES):
        for spelled in (name, name.lower()):
            monkeypatch.delenv(spelled, raising=False)


@pytest.fixture
def examine(tmp_path: Path) -> Examine:
    """Run `simil doctor` in an empty folder; offline unless told otherwise."""
    folder = tmp_path / "here"
    folder.mkdir(exist_ok=True)

    def run(*arguments: str, offline: bool = True, **env: str) -> Report:
        given = ("doctor", "-f", "json", *arguments, *(["--offline"] if offline else []))
        result = simil(*given, cwd=folder, env=env)
        assert result.err == ""
        findings: list[dict[str, str]] = json.loads(result.out)
        assert all(set(one) == {"check", "status", "detail", "hint"} for one in findings)
        return Report(result, {one["check"]: one for one in findings})

    return run


@pytest.fixture
def look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Examine:
    """Look at the API and its key only, as deeply as `--deep` does, in this process."""
    folder = tmp_path / "here"
    folder.mkdir(exist_ok=True)

    def run(*, model: str | None = None, base_url: str | None = None, **env: str) -> Report:
        checks = tuple(check for check in doctor.CHECKS if check.name in ("API", "API key"))
        with monkeypatch.context() as patch:
            patch.chdir(folder)
            patch.setattr(doctor, "CHECKS", checks)
            for name, value in {"NO_PROXY": "127.0.0.1", **env}.items():
                patch.setenv(name, value)
            found = [
                asdict(finding) for finding in doctor.diagnose(model=model, base_url=base_url, deep=True)
            ]
        return Report(Result(0, json.dumps(found), ""), {one["check"]: one for one in found})

    return run


@dataclass
class Api:
    """A server that answers `GET /v1/models`, and tells what it was sent."""

    key: str
    status: int = 200
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    base_url: str = ""


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    told = Api("sk-planted/key+of=tests-0123456789abcdef")

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            sent = self.headers.get("Authorization")
            told.asked.append((self.command, self.path, sent))
            status = told.status if told.status != 200 or sent == f"Bearer {told.key}" else 401
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    told.base_url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
