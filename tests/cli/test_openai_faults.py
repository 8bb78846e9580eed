"""Whatever befalls a run against an API, it ends in right vectors or in one clear line, and shows no secret.

Each script runs twice, through the real command line: as users run it, and with -v, where only what is
shown matters.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from support.command import Result
from support.openai_launcher import Launcher
from support.openai_proxy import Proxy
from support.openai_scripts import LOGIN, SCRIPTS, SIGNATURE, TEXTS, Script
from support.openai_secrets import shown_pieces
from support.openai_server import KEY, OpenAIServer, Recorded, vectors
from support.openai_tls import CERTIFICATE

DIMENSIONS = 8


@dataclass(frozen=True)
class Ended:
    """How a run ended, and what the server saw of it."""

    result: Result
    host: str
    requests: list[Recorded]
    paid: int


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as workers:
        yield workers


@pytest.fixture(scope="module")
def launchers() -> Iterator[tuple[Launcher, Launcher]]:
    with Launcher() as one, Launcher() as other:
        yield one, other


@pytest.mark.parametrize("name", SCRIPTS)
def test_script(
    name: str, tmp_path: Path, pool: ThreadPoolExecutor, launchers: tuple[Launcher, Launcher]
) -> None:
    script = SCRIPTS[name]
    (tmp_path / "texts.txt").write_text("".join(f"{text}\n" for text in TEXTS), "utf-8")
    (tmp_path / "ours.pem").write_text(CERTIFICATE, "ascii")
    plainly = pool.submit(ended, script, launchers[0], tmp_path)
    verbosely = pool.submit(ended, script, launchers[1], tmp_path, "-v")
    check(script, plainly.result())
    for each in (plainly.result(), verbosely.result()):
        shown = each.result.out + each.result.err
        assert shown_pieces(shown, KEY, SIGNATURE, LOGIN[1], *LOGIN[:1]) == []
        assert "Traceback" not in shown
        assert each.result.code == plainly.result().result.code


def test_there_are_enough_scripts() -> None:
    assert len(SCRIPTS) >= 60


def test_a_secret_that_shows_would_be_found() -> None:
    for shown in (KEY, quote(KEY, safe=""), "QmVhcmVyIHNrLXBsYW50ZWQva2V5", KEY[9:20].upper()):
        assert shown_pieces(f"simil: {shown}.", KEY)
    assert not shown_pieces("simil: Bearer ***", KEY)


def ended(script: Script, launcher: Launcher, folder: Path, *more: str) -> Ended:
    """Run a script with a server, a cache and a time of its own."""
    here = folder / f"run{''.join(more)}"
    here.mkdir()
    with ExitStack() as stack:
        options = {"clock": here / "time", "echoes": True, **script.server}
        server = stack.enter_context(OpenAIServer(**options))
        server.misbehave(*script.faults)
        server.always = script.always
        env = environment(script, server, here)
        if script.proxy is not None:
            proxy = stack.enter_context(Proxy(server.host, status=script.proxy or None))
            env |= {"HTTP_PROXY": f"http://{proxy.host}", "HTTPS_PROXY": f"http://{proxy.host}"}
        if script.trusts:
            env["SSL_CERT_FILE"] = str(folder / "ours.pem")
        shape = ["-f", "jsonl", "--dimensions", str(DIMENSIONS), *script.arguments, *more]
        arguments = ["embed", "texts.txt", *shape]
        printed = launcher.run(
            here / "time", arguments, cwd=folder, environ=env, output=here, impatient=script.impatient
        )
        return Ended(Result(*printed), server.host, server.log, server.charges.total())


def environment(script: Script, server: OpenAIServer, folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    scheme = server.base_url.partition(":")[0]
    base = script.base.format(
        scheme=scheme,
        host=server.host,
        signature=quote(SIGNATURE, safe=""),
        user=LOGIN[0],
        password=quote(LOGIN[1], safe=""),
    )
    own = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": base, "SIMIL_MODEL": "openai"}
    return kept | own | {"SIMIL_CACHE_DIR": str(folder / "cache"), **script.env}


def check(script: Script, ended: Ended) -> None:
    """Check what a run printed, and how often and when it asked."""
    result = ended.result
    if script.says:
        assert (result.code, result.out) == (script.code, ""), result.err
        assert script.says.format(host=ended.host) in result.error_line
        assert len(result.error_line) < 500
    else:
        check_vectors(script, result)
        told = result.err.splitlines()
        assert [line for line in told[:-1] if not line.startswith("simil: texts.txt:")] == []
        assert len(told) == (len(script.failed) + 1 if script.failed else 0)
        # No text was paid for twice, but where an answer got lost on its way.
        assert ended.paid <= len(set(TEXTS)) * (len(script.faults) + 1)
    if script.requests is not None:
        assert len(ended.requests) == script.requests
    times = [request.at for request in ended.requests]
    for (least, most), earlier, later in zip(script.waits, times, times[1:], strict=False):
        assert least - 1e-6 <= later - earlier <= most + 1e-6


def check_vectors(script: Script, result: Result) -> None:
    assert result.code == (6 if script.failed else 0), result.err
    items = [json.loads(line) for line in result.out.splitlines()]
    wanted = [line for line in range(1, len(TEXTS) + 1) if line not in script.failed]
    has_nulls = "null" in script.arguments
    assert [item["id"] for item in items] == [
        str(line) for line in range(1, len(TEXTS) + 1) if line in wanted or has_nulls
    ]
    right = vectors(TEXTS, DIMENSIONS)
    for item in items:
        line = int(item["id"])
        if line in script.failed:
            assert item["embedding"] is None
        else:
            np.testing.assert_allclose(item["embedding"], right[line - 1], atol=2e-7)
            assert item["text"] == TEXTS[line - 1]
