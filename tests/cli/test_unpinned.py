"""Which model speaks where nobody pinned one, with a hub that cannot be reached or may not be asked."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest
from support.command import run, simil

# Nothing listens there.
HUB = "http://127.0.0.1:9"
# Fails where a socket is made.
_NO_SOCKETS = """
import sys

def audit(event, arguments):
    if event.startswith("socket."):
        sys.stderr.write(f"{event} {arguments}\\n")

sys.addaudithook(audit)
from simil.__main__ import main
main()
"""


@pytest.fixture(autouse=True)
def no_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No hub, no model of it, and a cache of our own, which is returned."""
    cache = tmp_path / "cache"
    monkeypatch.setenv("HF_ENDPOINT", HUB)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("SIMIL_CACHE_DIR", str(cache))
    monkeypatch.delenv("SIMIL_MODEL")
    return cache


def test_the_embedded_model_steps_in_and_the_hub_is_left_alone_for_a_while(no_models: Path) -> None:
    first = simil("compare", "Apple", "Orange")
    assert first.code == 0
    assert float(first.out) == pytest.approx(0.37258, abs=2e-4)
    assert first.error_line.startswith("using minilm, because bge-base is not on this machine (")
    assert first.error_line.endswith("; to get bge-base, run: simil models pull bge-base")
    note = no_models / "hub-unreachable.json"
    assert json.loads(note.read_bytes())["endpoint"] == HUB
    before = note.read_bytes()
    second = simil("compare", "Apple", "Orange", "-v")
    assert (second.code, second.out) == (0, first.out)
    assert "the hub could not be reached a moment ago" in second.err
    assert note.read_bytes() == before


def test_the_model_that_steps_in_is_announced_once_a_day(no_models: Path) -> None:
    quiet = simil("compare", "-q", "--offline", "Apple", "Orange")
    said = [simil("compare", "--offline", "Apple", "Orange").err for _ in range(2)]
    assert (quiet.err, said[0].count("\n"), said[1]) == ("", 1, "")
    (noticed,) = no_models.glob("*.noticed")
    long_ago = time.time() - 25 * 3600
    os.utime(noticed, (long_ago, long_ago))
    assert simil("compare", "--offline", "Apple", "Orange").err == said[0]


def test_where_nothing_can_be_remembered_it_is_announced_every_time(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    nowhere = {"SIMIL_CACHE_DIR": str(tmp_path / "file" / "cache")}
    for _ in range(2):
        assert "using minilm" in simil("compare", "--offline", "Apple", "Orange", env=nowhere).err


def test_quiet_does_not_say_so() -> None:
    result = simil("compare", "-q", "--offline", "Apple", "Apple", "--threshold", "1")
    assert (result.code, result.out, result.err) == (0, "", "")


def test_pinned_model_is_that_model_or_an_error() -> None:
    result = simil("compare", "-m", "bge-base", "Apple", "Orange")
    assert (result.code, result.out) == (5, "")
    assert result.error_line.startswith(f"BAAI/bge-base-en-v1.5 cannot be fetched: {HUB} cannot be reached")
    assert simil("compare", "Apple", "Orange", env={"SIMIL_MODEL": "bge-base"}).code == 5


def test_pinned_model_offline_that_is_not_here() -> None:
    result = simil("compare", "-m", "bge-base", "--offline", "Apple", "Orange")
    assert (result.code, result.out) == (4, "")
    assert result.error_line == (
        "BAAI/bge-base-en-v1.5 is not on this machine and simil is offline (--offline); "
        "run once without --offline, or use -m minilm, which ships with simil"
    )


def offline(*arguments: str, **env: str) -> tuple[int, str, str]:
    result = run([sys.executable, "-c", _NO_SOCKETS, *arguments], env=env)
    return result.code, result.out, result.err


def test_audit_sees_sockets() -> None:
    assert "socket.connect" in offline("compare", "-m", "bge-base", "Apple", "Orange")[2]


def test_a_hub_that_cannot_be_reached_is_asked_once() -> None:
    asked = offline("compare", "Apple", "Orange")[2]
    assert asked.count("socket.connect ") == 1
    assert "socket.connect" not in offline("compare", "Apple", "Orange")[2]


def test_offline_opens_no_socket() -> None:
    code, out, err = offline("compare", "--offline", "Apple", "Orange")
    assert (code, err.count("\n")) == (0, 1)
    assert out.startswith("0.3725")
    assert err.startswith(
        "simil: using minilm, because bge-base is not on this machine (simil is offline: --offline); "
    )
    for model, variable in (
        ("bge-base", "HF_HUB_OFFLINE"),
        ("org/name", "SIMIL_OFFLINE"),
        ("openai", "SIMIL_OFFLINE"),
    ):
        code, out, err = offline(
            "compare", "-m", model, "Apple", "Orange", OPENAI_API_KEY="k", **{variable: "1"}
        )
        assert (code, out, err.count("\n")) == (4, "", 1)
        assert f"simil is offline ({variable}); " in err


def test_embedded_model_opens_no_socket_even_online() -> None:
    code, out, err = offline("compare", "-m", "minilm", "Apple", "Orange")
    assert (code, err) == (0, "")
    assert out.startswith("0.3725")


@pytest.mark.parametrize(
    "more", [(), ("-f", "json"), ("show", "bge-base"), ("show", "openai"), ("path", "minilm")]
)
def test_listing_models_opens_no_socket_even_online(more: tuple[str, ...]) -> None:
    code, out, err = offline("models", *more, OPENAI_API_KEY="k")
    assert (code, err) == (0, "")
    assert out
