"""A Hugging Face Hub on the loopback interface, as strict as the real one and as unreliable as told.

::

    with HubServer({"org/model": {"config.json": b"{}", "model.safetensors": b"..."}}) as hub:
        run(env={"HF_ENDPOINT": hub.endpoint, "HF_HOME": folder, "NO_PROXY": "127.0.0.1,localhost"})
        assert hub.count("GET", "model.safetensors") == 1

Weights are kept as the hub keeps large files: `resolve` redirects to a store on another host, which
knows nothing of repositories. Every path, revision and range that the hub would refuse is refused.
"""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import parse_qs, unquote, urlsplit

from support.hub_facts import Fault, File, Refusal, Request

TOKEN = "hf_loopback"


Files = Mapping[str, bytes]


@dataclass
class HubServer:
    """Serves `models` (repository to file name to content) from entering the context to leaving it.

    `gated` repositories need `TOKEN`. `sizes` overrides what is announced for a file, by its name.
    """

    models: Mapping[str, Files]
    gated: frozenset[str] = frozenset()
    sizes: Mapping[str, int] = field(default_factory=dict)

    requests: list[Request] = field(default_factory=list, init=False)
    faults: dict[str, Fault] = field(default_factory=dict, init=False)
    refusals: dict[str, Refusal] = field(default_factory=dict, init=False)
    answers: dict[str, bytes] = field(default_factory=dict, init=False)
    hanging: set[str] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self._commits: dict[tuple[str, str], dict[str, File]] = {}
        self._branches: dict[tuple[str, str], str] = {}
        self.closing = threading.Event()
        for repo, files in self.models.items():
            self.publish(repo, files)

    def publish(self, repo: str, files: Files, branch: str = "main") -> str:
        """Let a branch stand for a new commit of these files, and return the commit; older ones stay."""
        held = {name: File(name, content) for name, content in sorted(files.items())}
        listing = repo + "".join(f"\n{file.git_id} {name}" for name, file in held.items())
        commit = hashlib.sha1(listing.encode()).hexdigest()
        self._commits[repo, commit] = held
        self._branches[repo, branch] = commit
        return commit

    def commit(self, repo: str, branch: str = "main") -> str:
        return self._branches[repo, branch]

    def misbehave(self, name: str, how: str, *, after: int = 0, times: int | None = None) -> None:
        """Send a file's body wrongly from now on; see `Fault`."""
        self.faults[name] = Fault(how, after, times)

    def refuse(self, part: str, status: int, code: str | None = None, *, after: int = 0) -> None:
        """Answer requests whose path contains `part` with an error, all but the next `after` of them.

        `code` is sent as `X-Error-Code`.
        """
        self.refusals[part] = Refusal(status, code, after)

    def answer(self, part: str, body: bytes) -> None:
        """Answer requests whose path contains `part` with 200 and this body."""
        self.answers[part] = body

    def hang(self, part: str) -> None:
        """Take requests whose path contains `part` and never answer them."""
        self.hanging.add(part)

    def behave(self) -> None:
        """Do all as it should be done from now on."""
        self.faults.clear()
        self.refusals.clear()
        self.answers.clear()
        self.hanging.clear()

    def count(self, method: str, part: str = "") -> int:
        return sum(request.method == method and part in request.path for request in self.requests)

    def resolve(self, repo: str, revision: str) -> tuple[str, dict[str, File]] | None:
        commit = self._branches.get((repo, revision), revision)
        files = self._commits.get((repo, commit))
        return None if files is None else (commit, files)

    def has(self, repo: str) -> bool:
        return any(repo == known for known, _ in self._commits)

    def stored(self, sha256: str) -> File | None:
        held = (file for files in self._commits.values() for file in files.values())
        return next((file for file in held if file.large and file.sha256 == sha256), None)

    def __enter__(self) -> HubServer:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.hub = self
        port = self._server.server_address[1]
        self.endpoint = f"http://127.0.0.1:{port}"
        self.store = f"http://localhost:{port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.drop_connections()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    hub: HubServer

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(address, handler)

    def process_request(self, request, client_address) -> None:  # type: ignore[no-untyped-def]
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request) -> None:  # type: ignore[no-untyped-def]
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request, client_address) -> None:  # type: ignore[no-untyped-def]
        """Say nothing: a client that went away, as one does that was told to give up."""

    def drop_connections(self) -> None:
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *args: object) -> None:
        """Write nothing: what tests need of a request is in `requests`."""

    def do_HEAD(self) -> None:
        self._route()

    def do_GET(self) -> None:
        self._route()

    def _route(self) -> None:
        hub, url = self.server.hub, urlsplit(self.path)
        headers = (self.headers.get(name) for name in ("Range", "Authorization"))
        hub.requests.append(Request(self.command, self.path, *headers))
        if any(part in self.path for part in hub.hanging):
            self.close_connection = hub.closing.wait(60)
            return None
        for part, refusal in hub.refusals.items():
            if part in self.path and refusal.is_due():
                return self._refuse(refusal.status, refusal.code)
        for part, body in hub.answers.items():
            if part in self.path:
                return self._send(200, body, {})
        segments = [unquote(segment) for segment in url.path.strip("/").split("/")]
        match segments:
            case ["api", "models", owner, name]:
                self._info(f"{owner}/{name}", "main", parse_qs(url.query))
            case ["api", "models", owner, name, "revision", revision]:
                self._info(f"{owner}/{name}", revision, parse_qs(url.query))
            case ["store", sha256]:
                file = hub.stored(sha256)
                self._refuse(404, None) if file is None else self._body(file, {"ETag": f'"{sha256}"'})
            case [owner, name, "resolve", revision, *path] if path:
                self._file(f"{owner}/{name}", revision, "/".join(path))
            case _:
                self._refuse(404, None)
        return None

    def _lookup(self, repo: str, revision: str) -> tuple[str, dict[str, File]] | None:
        hub = self.server.hub
        if repo in hub.gated and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._refuse(401, "GatedRepo")
            return None
        found = hub.resolve(repo, revision)
        if found is None:
            self._refuse(404, "RevisionNotFound" if hub.has(repo) else "RepoNotFound")
        return found

    def _info(self, repo: str, revision: str, query: dict[str, list[str]]) -> None:
        found = self._lookup(repo, revision)
        if found is None:
            return
        commit, files = found
        blobs = query.get("blobs", ["false"])[0].lower() == "true"
        siblings = [self._sibling(file) if blobs else {"rfilename": file.name} for file in files.values()]
        answer = {"id": repo, "sha": commit, "private": False, "gated": False, "siblings": siblings}
        self._send(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def _sibling(self, file: File) -> dict[str, object]:
        size = self.server.hub.sizes.get(file.name, len(file.content))
        facts: dict[str, object] = {"rfilename": file.name, "size": size, "blobId": file.git_id}
        if file.large:
            facts["lfs"] = {"sha256": file.sha256, "size": size, "pointerSize": len(file.pointer)}
        return facts

    def _file(self, repo: str, revision: str, path: str) -> None:
        found = self._lookup(repo, revision)
        if found is None:
            return
        commit, files = found
        if path not in files:
            self._refuse(404, "EntryNotFound", {"X-Repo-Commit": commit})
            return
        file, hub = files[path], self.server.hub
        facts = {"X-Repo-Commit": commit, "ETag": f'"{file.etag}"'}
        if file.large:
            facts |= {"X-Linked-Size": str(len(file.content)), "X-Linked-Etag": f'"{file.sha256}"'}
            self._send(302, b"elsewhere", facts | {"Location": f"{hub.store}/store/{file.sha256}"})
        else:
            self._body(file, facts)

    def _body(self, file: File, facts: dict[str, str]) -> None:
        fault = self._fault(file)
        content = file.content if fault is None else fault.altered(file.content)
        status, start = 200, 0
        wanted = self.headers.get("Range")
        if wanted is not None:
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            start = int(first)
            if start >= len(content) or last:
                self._refuse(416, None, {"Content-Range": f"bytes */{len(content)}"})
                return
            status = 206
            facts = facts | {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        cut = fault.after if fault is not None and fault.how in {"cut", "stall"} else None
        self._send(status, content[start:], facts | {"Accept-Ranges": "bytes"}, cut=cut)
        if fault is not None and fault.how == "stall":
            self.server.hub.closing.wait(60)
        if cut is not None:
            self.close_connection = True

    def _fault(self, file: File) -> Fault | None:
        fault = self.server.hub.faults.get(file.name)
        if fault is None or self.command == "HEAD":
            return None
        if fault.times is not None:
            if fault.times == 0:
                return None
            fault.times -= 1
        return fault

    def _refuse(self, status: int, code: str | None, also: Mapping[str, str] | None = None) -> None:
        message = code or f"refused with {status}"
        facts = {"Content-Type": "application/json", "X-Error-Message": message, **(also or {})}
        if code is not None:
            facts["X-Error-Code"] = code
        self._send(status, json.dumps({"error": message}).encode(), facts)

    def _send(self, status: int, body: bytes, facts: Mapping[str, str], *, cut: int | None = None) -> None:
        self.send_response(status)
        for name, value in facts.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:cut])
            self.wfile.flush()
