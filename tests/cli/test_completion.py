"""What Tab completes: asked as the installed scripts ask, and in a real bash on a terminal."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import pexpect
import pytest
from support.command import run, simil

_BASH = {"_SIMIL_COMPLETE": "complete_bash"}


def bash(*words: str, behind: tuple[str, ...] = ()) -> list[str]:
    """Return what bash is offered for the last of these words, before those `behind` the cursor."""
    asked = {**_BASH, "COMP_WORDS": "\n".join([*words, *behind]), "COMP_CWORD": str(len(words) - 1)}
    done = simil(env=asked)
    assert (done.code, done.err) == (0, "")
    return done.out.split()


def test_commands_and_options_are_completed_whichever_command_it_is() -> None:
    assert bash("simil", "c") == ["compare", "classify", "cluster", "cache", "config"]
    assert bash("simil", "models", "p") == ["pull", "prepare", "path"]
    assert bash("simil", "cluster", "--plo") == ["--plot"]
    assert bash("simil", "models", "show", "--form") == ["--format"]
    assert bash("simil", "models", "--for", "") == ["quality", "speed", "multilingual", "long", "code"]
    assert "--install-completion" in bash("simil", "--")


def test_a_language_is_one_of_the_stemmers() -> None:
    assert bash("simil", "search", "--language", "g") == ["german", "greek"]
    assert bash("simil", "eval", "--language", "no") == ["norwegian", "none"]


@pytest.mark.parametrize("command", ["search", "match"])
def test_a_reranker_is_a_model_that_scores_pairs(command: str) -> None:
    assert bash("simil", command, "--rerank", "") == ["ms-marco-minilm", "bge-reranker"]
    assert bash("simil", command, "--rerank", "bge") == ["bge-reranker"]


@pytest.mark.parametrize(
    "words",
    [
        ("compare", "-m"),
        ("search", "--model"),
        ("models", "show"),
        ("models", "pull"),
        ("models", "remove"),
        ("models", "prepare"),
        ("models", "path"),
    ],
    ids=" ".join,
)
def test_models_are_completed_wherever_one_is_named(words: tuple[str, ...]) -> None:
    assert bash("simil", *words, "bge-") == ["bge-base", "bge-small", "bge-large", "bge-m3", "bge-reranker"]
    granites = ["granite-english", "granite-small", "granite-97m", "granite-311m"]
    assert bash("simil", *words, "granite-") == granites
    assert bash("simil", *words, "mini") == ["minilm"]
    assert bash("simil", *words, "zz") == []


def test_behind_a_colon_bash_replaces_only_the_rest() -> None:
    assert bash("simil", "compare", "-m", "openai", ":", "text-embedding-3-l") == ["text-embedding-3-large"]
    assert "text-embedding-ada-002" in bash("simil", "compare", "-m", "openai", ":")
    assert bash("simil", "compare", "--base-url", "http", ":", "//x", "-m", "mini") == ["minilm"]


def test_what_stands_behind_the_cursor_changes_nothing() -> None:
    for behind in (("-m", "openai", ":", "x"), ("http", ":", "//x"), ("-q", "a:b"), (":",)):
        assert bash("simil", "models", "show", "mini", behind=behind) == ["minilm"]
        assert bash("simil", "comp", behind=behind) == ["compare"]
    given = ("simil", "compare", "-m", "openai", ":", "text-embedding-3-l")
    assert bash(*given, behind=("--base-url", "http", ":", "//x")) == ["text-embedding-3-large"]


@pytest.mark.usefixtures("plugins")
def test_plugins_are_completed_without_being_imported() -> None:
    assert "letters" in bash("simil", "compare", "-m", "plugin", ":")


def test_models_of_the_hub_that_are_here_are_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    (tmp_path / "hub" / "models--some--model").mkdir(parents=True)
    assert bash("simil", "compare", "-m", "some") == ["some/model"]


def test_zsh_and_fish_get_whole_names() -> None:
    zsh = simil(env={"_SIMIL_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "simil compare -m openai:t"})
    assert r'"openai\\:text-embedding-3-small"' in zsh.out
    asked = {"_TYPER_COMPLETE_ARGS": "simil compare -m mini", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    assert simil(env={"_SIMIL_COMPLETE": "complete_fish", **asked}).out.strip() == "minilm"


def test_nothing_heavy_is_loaded_and_no_socket_opened() -> None:
    program = """
import json, os, sys
def audit(event, arguments):
    if event.startswith("socket."):
        sys.stderr.write(f"{event}\\n")
sys.addaudithook(audit)
leave = os._exit
def show_and_leave(code):
    heavy = {"numpy", "orjson", "rich", "httpx", "huggingface_hub", "onnxruntime", "torch", "tokenizers"}
    sys.stderr.write(" ".join(heavy & set(sys.modules)))
    sys.stderr.flush()
    leave(code)
os._exit = show_and_leave
from simil.__main__ import main
main()
"""
    asked = {**_BASH, "COMP_WORDS": "simil\nmodels\nshow\nmini", "COMP_CWORD": "3"}
    done = run([sys.executable, "-c", program], env=asked)
    assert (done.code, done.out.strip(), done.err) == (0, "minilm", "")


def _shells() -> dict[str, str]:
    """The programs of the shells that are here, by name; tools/fetch_shells.py brings what is missing."""
    fetched = f"{Path(sys.prefix, 'shells', 'run')}{os.pathsep}{os.environ['PATH']}"
    found = {name: shutil.which(name, path=fetched) for name in ("bash", "zsh", "fish")}
    return {name: program for name, program in found.items() if program}


_SHELLS = _shells()
# What each of them sends once it reads a line.
_READY = "\x1b[?2004h"
_FLAGS = {"bash": ["--noprofile", "-i"], "zsh": ["-i"], "fish": ["-i"]}
# What is typed before a tab, and what the line says then.
_COMPLETED = (
    ("simil cla", "simil classify"),
    ("simil compare --precis", "simil compare --precision"),
    ("simil models show mini", "simil models show minilm"),
    ("simil compare -m openai:text-embedding-3-l", "simil compare -m openai:text-embedding-3-large"),
    ("simil compare --metric euc", "simil compare --metric euclidean"),
    ("simil cluster data.csv --field my", "simil cluster data.csv --field my text"),
    ("simil embed dat", "simil embed data.csv"),
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with `simil` on the path and a table."""
    tools = tmp_path / "bin"
    tools.mkdir()
    script = tools / "simil"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m simil "$@"\n')
    script.chmod(0o755)
    (tmp_path / "data.csv").write_text("id,my text\n1,a\n")
    # A fetched zsh has its modules elsewhere.
    (tmp_path / ".zshenv").write_text('[ -z "$SHELL_MODULES" ] || module_path=($SHELL_MODULES)\n')
    return tmp_path


@pytest.mark.parametrize("name", _SHELLS)
def test_a_shell_completes_once_it_is_installed(name: str, home: Path) -> None:
    installing = {"HOME": str(home), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    done = run([str(home / "bin" / "simil"), "--install-completion", name], env=installing)
    assert done.code == 0, done.err
    environ = {**os.environ, "HOME": str(home), "PATH": f"{home / 'bin'}:{os.environ['PATH']}"}
    shell = pexpect.spawn(
        _SHELLS[name],
        _FLAGS[name],
        cwd=str(home),
        env={**environ, "PS1": "$ ", "TERM": "xterm", "XDG_CONFIG_HOME": "", "ZDOTDIR": str(home)},
        dimensions=(24, 200),
        encoding="utf-8",
        timeout=60,
    )
    for typed, line in _COMPLETED:
        shell.expect_exact(_READY)
        # The line is completed, then shown by `echo`.
        shell.send(f"{typed}\t")
        shell.sendcontrol("a")
        shell.send("echo is: \r")
        shell.expect(rf"\n(?:\x1b[^\n]*)?is: {re.escape(line)}\s*\r?\n")
    shell.close(force=True)
