"""Ctrl-C in every phase: the run ends long before its work would, without a word, with exit code 130."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import pexpect
import pytest
from support.command import SIMIL, Result, run, simil, started

# Sends itself the signal when Python starts to import the module, or opens the file, that is named.
_AT = """
import os, signal, sys

def audit(event, arguments):
    global waits
    if waits and event in ("import", "open") and str(arguments[0]).endswith(phase):
        waits = False
        os.kill(os.getpid(), signal.SIGINT)

waits, phase = True, sys.argv[1]
sys.addaudithook(audit)
from simil.__main__ import main
del sys.argv[0:2]
sys.argv.insert(0, "simil")
main()
"""


@pytest.mark.parametrize(
    "phase",
    [
        "simil.cli.process",
        "simil.cli.app",
        "simil.cli.options.plain_arguments",
        "typer",
        "simil.cli.commands.compare",
        "simil.tasks.comparison",
        "numpy",
        "numpy._core._multiarray_umath",
        "onnxruntime",
        "onnxruntime.capi.onnxruntime_pybind11_state",
        "tokenizers",
        "catalog.toml",
        "modules.json",
    ],
)
def test_while_it_starts(phase: str) -> None:
    # Typer reads only what is not plain, and what is cached needs no engine.
    arguments = ["compare", "--threads=1", "--no-cache", "Apple", "Orange"]
    result = run([sys.executable, "-c", _AT, phase, *arguments])
    assert result == Result(130, "", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_at_any_moment(number: signal.Signals) -> None:
    answer = simil("compare", "-m", "minilm", "Apple", "Orange").out
    for wait in range(0, 400, 80):
        with started("compare", "-m", "minilm", "Apple", "Orange") as child:
            time.sleep(wait / 1000)
            child.signal(number)
            result = child.finish()
        # Until our first line runs, Python ends in its own way: dead by the signal, or with a traceback.
        if "simil/" not in result.err and result.code in (-number, 1):
            continue
        # The answer may be out when the signal comes.
        assert result.err == "" and result.code in (0, 128 + number)
        assert result.out in ("", answer) and (result.out or result.code)


def test_while_it_waits_for_texts() -> None:
    with started("embed") as child:
        child.write(b"a text\n")
        assert child.line() == b'{"object":"list","data":[\n'
        child.signal(signal.SIGINT)
        assert child.finish().code == 130


def test_while_it_embeds(plugins: None) -> None:
    with started("embed", "-m", "plugin:slow", "-f", "jsonl") as child:
        child.write(b"a text\n" * 5000)
        assert child.line() != b""
        child.signal(signal.SIGINT)
        result = child.finish()
        assert (result.code, result.err) == (130, "")


def test_while_threads_compute_packs() -> None:
    with started("embed", "-m", "minilm", "--engine", "packed", "--no-cache", "-f", "jsonl") as child:
        child.write(b"".join(b"this is line %d\n" % number for number in range(3000)))
        assert child.line() != b""
        child.signal(signal.SIGINT)
        result = child.finish()
        assert (result.code, result.err) == (130, "")


def test_what_is_done_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_text("".join(f"this is the text of line {number}\n" for number in range(60_000)))
    monkeypatch.setenv("SIMIL_CACHE_DIR", str(tmp_path / "cache"))
    with started("embed", "-f", "jsonl", str(lines)) as child:
        shown = [child.line() for _ in range(40)]
        assert all(shown)
        child.signal(signal.SIGINT)
        result = child.finish()
    assert result.code == 130

    kept = json.loads(run([*SIMIL, "cache", "info", "-f", "json"]).out)["vectors"]
    # Kept before it is shown, and more than was shown.
    assert 40 + result.out.count("\n") <= kept < 60_000
    assert result.err == f"simil: interrupted; {kept:,} vectors are kept: run the same command again\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_while_code_in_c_runs_and_does_not_look(
    plugins: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.chdir(tmp_path)
    with started("embed", "-m", "plugin:busy", "-t", "a", "-o", "v.npy", "-v") as child:
        while len(list(tmp_path.iterdir())) < 2:
            time.sleep(0.01)
        time.sleep(0.3)
        child.signal(number)
        assert child.finish() == Result(128 + number, "", "")
    assert list(tmp_path.iterdir()) == []


def test_on_a_terminal(plugins: None) -> None:
    child = pexpect.spawn(
        SIMIL[0], [*SIMIL[1:], "embed"], env=dict(os.environ), encoding="utf-8", timeout=120
    )
    child.expect_exact("simil: reading texts from the terminal, one per line; Ctrl-D ends")
    child.sendline("a text")
    child.expect_exact("1       a text")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130
    assert "Traceback" not in child.before


def test_end_of_input_on_a_terminal(plugins: None) -> None:
    child = pexpect.spawn(
        SIMIL[0], [*SIMIL[1:], "embed"], env=dict(os.environ), encoding="utf-8", timeout=120
    )
    child.expect_exact("Ctrl-D ends")
    child.sendline("a text")
    child.expect_exact("1       a text")
    child.sendeof()
    child.expect_exact("1 vector of 8 dimensions by letters@1; save them with > FILE or -o FILE")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_run_that_ignores_it_from_the_start_is_not_interrupted(plugins: None) -> None:
    # As a shell starts what it puts into the background.
    command = "trap '' INT; exec \"$@\" & child=$!; sleep 1; kill -INT $child; wait $child"
    result = run(
        [
            "/bin/sh",
            "-c",
            command,
            "sh",
            *SIMIL,
            "embed",
            "-m",
            "plugin:slow",
            *(word for number in range(80) for word in ("-t", f"tea {number}")),
            "-f",
            "csv",
        ]
    )
    assert (result.code, result.err) == (0, "")
    assert result.out.count("\n") == 81
