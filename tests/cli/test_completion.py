"""What Tab completes: asked as the installed scripts ask, and in a real bash on a terminal."""

from __future__ import annotations

import os
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


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A home in which `simil --install-completion bash` was run, and `simil` is on the path."""
    tools = tmp_path / "bin"
    tools.mkdir()
    script = tools / "simil"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m simil "$@"\n')
    script.chmod(0o755)
    environ = {"HOME": str(tmp_path), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    done = run([str(script), "--install-completion", "bash"], env=environ)
    assert done.code == 0, done.err
    return tmp_path


def test_bash_completes_once_it_is_installed(installed: Path) -> None:
    environ = {**os.environ, "HOME": str(installed), "PATH": f"{installed / 'bin'}:{os.environ['PATH']}"}
    shell = pexpect.spawn(
        "bash",
        ["--noprofile", "--rcfile", str(installed / ".bashrc"), "-i"],
        env={**environ, "PS1": "$ ", "TERM": "dumb"},
        dimensions=(24, 160),
        encoding="utf-8",
        timeout=120,
    )
    for typed, shown in (
        ("simil cla", "classify "),
        ("simil compare --precis", "--precision "),
        ("simil models show mini", "minilm "),
        ("simil compare -m openai:text-embedding-3-l", "-m openai:text-embedding-3-large "),
    ):
        shell.sendcontrol("u")
        shell.send(f"{typed}\t")
        shell.expect_exact(shown)
    shell.close(force=True)
