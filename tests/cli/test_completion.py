"""What Tab completes: asked as the installed scripts ask, and in real shells on a terminal."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet
from support.command import run, simil
from support.emulated_terminal import EmulatedTerminal
from support.fork_server import python_m_simil


def answer(shell: str, before: str, after: str = "", **env: str) -> list[str]:
    """Return the lines of the answer to a shell; `before` and `after` are what stands around the cursor."""
    line = {"_SIMIL_COMPLETE_BEFORE": before, "_SIMIL_COMPLETE_AFTER": after}
    done = simil(env={"_SIMIL_COMPLETE": shell, **line, **env})
    assert (done.code, done.err) == (0, "")
    return done.out.splitlines()


def offered(*words: str, after: str = "") -> list[str]:
    """Return what may stand in place of the last of these words, without its meaning."""
    return [line.partition("\t")[0] for line in answer("powershell", "\n".join(words), after)[1:]]


def in_bash(line: str, after: str = "") -> list[str]:
    """Return what bash is offered at the end of `line`."""
    return answer("bash", line, after, COMP_WORDBREAKS=" \t\n\"'@><=;|&(:")[1:]


def names(*words: str) -> str:
    """Return the kind of names that may stand in place of the last of these words."""
    return answer("powershell", "\n".join(words))[0]


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of tables, which is the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("ZDOTDIR", "XDG_CONFIG_HOME", "PROMPT_COMMAND"):
        monkeypatch.delenv(variable, raising=False)
    Path("a.csv").write_text("id,my text,it's\n1,a,b\n")
    Path("b.tsv").write_text("name\t$(touch hacked)\n1\t2\n")
    Path("c.jsonl").write_text('{"key": 1}\n{"other": 2}\nnot JSON\n')
    Path("d.json").write_text('{"data": [{"inner": 1}]}')
    parquet.write_table(pa.table({"title": ["a"], "year": [1]}), "e.parquet")
    Path("f.txt").write_text("x;y\n1;2\n")
    Path("g.csv").write_bytes(b"\x00\xff")


def test_commands_and_options_are_completed_whichever_command_it_is() -> None:
    assert offered("simil", "c") == ["compare", "classify", "cluster", "cache", "config"]
    assert offered("simil", "models", "p") == ["pull", "prepare", "path"]
    assert offered("simil", "help", "models", "s") == ["show"]
    assert offered("simil", "cluster", "--plo") == ["--plot"]
    assert offered("simil", "models", "show", "--form") == ["--format"]
    assert offered("simil", "models", "--fo") == ["--for", "--format"]
    assert "--install-completion" in offered("simil", "--")
    assert "--help" in offered("simil", "cache", "--")


def test_an_option_is_offered_until_it_is_given() -> None:
    assert offered("simil", "embed", "--no-cache", "--no-c") == []
    assert offered("simil", "embed", "--no-c") == ["--no-cache"]
    assert offered("simil", "compare", "--field", "a", "--fiel") == ["--field"]
    assert offered("simil", "embed", "--", "--no-c") == []


def test_values_of_choices_are_completed() -> None:
    assert offered("simil", "models", "--for", "") == ["quality", "speed", "multilingual", "long", "code"]
    assert offered("simil", "compare", "--metric", "e") == ["euclidean"]
    assert offered("simil", "dedupe", "x.csv", "--show=") == [
        f"--show={shown}" for shown in ("kept", "removed", "pairs", "groups")
    ]
    assert offered("simil", "search", "-f", "json") == ["json", "jsonl"]
    assert offered("simil", "search", "--type", "markd") == ["markdown"]


def test_a_meaning_goes_with_what_is_offered() -> None:
    assert answer("fish", "simil\nout") == [
        "words",
        "outliers\tFind the texts that are least like the others.",
    ]
    assert answer("zsh", "simil\nout") == ["words", "outliers:Find the texts that are least like the others."]


def test_names_of_files_are_left_to_the_shell() -> None:
    for words in (("embed", ""), ("search", "query", ""), ("match", "left", ""), ("embed", "-o", "")):
        assert names("simil", *words) == "files"
    assert names("simil", "search", "--queries", "q.txt", "") == "files"
    assert names("simil", "compare", "-m", "./mod") == "files"
    assert names("simil", "compare", "--tokenizer", "~/tok") == "files"
    assert names("simil", "config", "trust", "") == "folders"
    for words in (("search", ""), ("match", "left", "right", ""), ("compare", ""), ("compare", "-k", "")):
        assert names("simil", *words) == "words"
    assert offered("simil", "index", "in") == ["info"]


@pytest.mark.usefixtures("tables")
def test_columns_of_the_files_on_the_line_are_completed() -> None:
    def columns(*words: str, after: str = "") -> list[str]:
        return offered("simil", *words, "--field", "", after=after)

    assert columns("cluster", "a.csv") == ["id", "my text", "it's"]
    assert columns("cluster", after="a.csv") == ["id", "my text", "it's"]
    assert columns("match", "a.csv", "b.tsv") == ["id", "my text", "it's", "name", "$(touch hacked)"]
    assert columns("embed", "c.jsonl", "d.json", "e.parquet") == ["key", "other", "inner", "title", "year"]
    assert columns("embed", "--input-format", "csv", "--delimiter", ";", "f.txt") == ["x", "y"]
    assert columns("compare", "--pairs=~/a.csv") == ["id", "my text", "it's"]
    assert columns("embed", "-o", "a.csv") == []
    assert columns("embed", "--no-header", "a.csv") == ["1", "2", "3"]
    assert columns("embed", "g.csv", "f.txt", "missing.csv", "\udcff") == []
    assert offered("simil", "embed", "e.parquet", "--id-field=y") == ["--id-field=year"]
    assert offered("simil", "classify", "--examples", "b.tsv", "--label-field", "n") == ["name"]


@pytest.mark.usefixtures("tables")
def test_only_the_head_of_a_file_is_read() -> None:
    with Path("long.jsonl").open("w") as file:
        file.write('{"first": 1}\n' * 30 + '{"late": 1}\n')
        file.truncate(1 << 40)  # A terabyte of nothing.
    with Path("wide.csv").open("w") as file:
        file.write("a," * 1000)
        file.truncate(1 << 40)
    Path("large.json").write_text('[{"whole": 1}]' + " " * (1 << 20))
    assert offered("simil", "embed", "long.jsonl", "wide.csv", "large.json", "--field", "") == ["first"]


@pytest.mark.usefixtures("tables")
def test_bash_gets_words_as_they_stand_on_the_line() -> None:
    assert in_bash("simil cluster a.csv --field ") == ["id", r"my\ text", r"it\'s"]
    assert in_bash(r"simil cluster a.csv --field my\ t") == [r"my\ text"]
    assert in_bash('simil cluster a.csv --field "my t') == ["my text"]
    assert in_bash("simil cluster a.csv --field '") == ["id", "my text"]
    assert in_bash("simil cluster b.tsv --field ") == ["name", r"\$\(touch\ hacked\)"]
    assert in_bash('simil cluster b.tsv --field "') == ["name", r"\$(touch hacked)"]
    assert in_bash("simil cluster --field i", " <$HOME/a.csv") == ["id", r"it\'s"]


def test_bash_replaces_only_what_is_behind_a_mark_that_parts_words() -> None:
    assert in_bash("simil compare -m openai:text-embedding-3-l") == ["text-embedding-3-large"]
    assert "text-embedding-ada-002" in in_bash("simil compare -m openai:")
    assert in_bash("simil compare --base-url http://x -m mini") == ["minilm"]
    assert in_bash("simil compare --metric=euc") == ["euclidean"]
    whole = answer("bash", "simil compare -m openai:text-embedding-3-l", COMP_WORDBREAKS=" ")
    assert whole == ["words", "openai:text-embedding-3-large"]


def test_what_stands_behind_the_cursor_changes_nothing() -> None:
    for after in (" -m openai:x", " http://x", " -q a:b", ":"):
        assert in_bash("simil models show mini", after) == ["minilm"]
        assert in_bash("simil comp", after) == ["compare"]


def test_a_language_is_one_of_the_stemmers() -> None:
    assert offered("simil", "search", "--language", "g") == ["german", "greek"]
    assert offered("simil", "eval", "--language", "no") == ["norwegian", "none"]


@pytest.mark.parametrize("command", ["search", "match"])
def test_a_reranker_is_a_model_that_scores_pairs(command: str) -> None:
    assert offered("simil", command, "--rerank", "") == ["ms-marco-minilm", "bge-reranker"]
    assert offered("simil", command, "--rerank", "bge") == ["bge-reranker"]


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
    assert offered("simil", *words, "bge-") == [
        "bge-base",
        "bge-small",
        "bge-large",
        "bge-m3",
        "bge-reranker",
    ]
    granites = ["granite-english", "granite-small", "granite-97m", "granite-311m"]
    assert offered("simil", *words, "granite-") == granites
    assert offered("simil", *words, "mini") == ["minilm"]
    assert offered("simil", *words, "zz") == []


@pytest.mark.usefixtures("plugins")
def test_plugins_are_completed_without_being_imported() -> None:
    assert "plugin:letters" in offered("simil", "compare", "-m", "plugin:")


def test_models_of_the_hub_that_are_here_are_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    (tmp_path / "hub" / "models--some--model").mkdir(parents=True)
    assert offered("simil", "compare", "-m", "some") == ["some/model"]


@pytest.mark.usefixtures("tables")
def test_nothing_heavy_is_loaded_and_no_socket_opened() -> None:
    program = """
import json, os, sys
def audit(event, arguments):
    if event.startswith("socket."):
        sys.stderr.write(f"{event}\\n")
sys.addaudithook(audit)
leave = os._exit
def show_and_leave(code):
    heavy = {"typer", "numpy", "orjson", "rich", "httpx", "huggingface_hub", "onnxruntime", "torch"}
    sys.stderr.write(" ".join(heavy & set(sys.modules)))
    sys.stderr.flush()
    leave(code)
os._exit = show_and_leave
from simil.__main__ import main
main()
"""
    for line, last in (("models\nshow\nmini", "minilm"), ("embed\na.csv\n--field\nmy", "my text")):
        asked = {"_SIMIL_COMPLETE": "fish", "_SIMIL_COMPLETE_BEFORE": f"simil\n{line}"}
        done = run([sys.executable, "-c", program], env=asked)
        assert (done.code, done.out, done.err) == (0, f"words\n{last}\n", "")


def shells() -> dict[str, str]:
    """Return the programs of the shells that are here: in the tests' environment, or in the system."""
    places = os.pathsep.join([str(Path(sys.prefix, "shells")), os.environ["PATH"]])
    found = {name: shutil.which(name, path=places) for name in ("bash", "zsh", "fish")}
    return {name: program for name, program in found.items() if program}


SHELLS = shells()
# What is typed before Tab, and how the line ends then; ← moves the cursor back by a character.
COMPLETED = {
    "simil cla": "simil classify",
    "simil compare --precis": "simil compare --precision",
    "simil compare -m openai:text-embedding-3-l": "-m openai:text-embedding-3-large",
    "simil compare --metric=euc": "--metric=euclidean",
    "simil embed ~/a.c": "simil embed ~/a.csv",
    "simil cluster --field my a.csv←←←←←←": r"--field my\ text a.csv",
    'simil cluster a.csv --field "my': '--field "my text"',
    r"simil cluster b.tsv --field \$": r"--field \$\(touch\ hacked\)",
}


def _ends_with(end: str, lines: list[str]) -> bool:
    return any(re.sub(" +", " ", line).endswith(end) for line in lines)


@pytest.mark.parametrize("name", SHELLS)
@pytest.mark.usefixtures("tables")
def test_a_shell_completes_once_it_is_installed(name: str, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "simil"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.join(python_m_simil())} "$@"\n')
    program.chmod(0o755)
    assert simil("--install-completion", name).code == 0
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    environ = {**os.environ, "HOME": str(tmp_path), "PATH": path, "PS1": "$ ", "LC_ALL": "C.UTF-8"}
    command = [SHELLS[name], *(["--noprofile"] if name == "bash" else []), "-i"]
    with EmulatedTerminal(command, columns=120, env=environ) as terminal:
        for typed, completed in COMPLETED.items():
            if name == "fish" and "←" in typed:  # Completions in fish see nothing behind the cursor.
                continue
            terminal.type(typed.replace("←", "\x1b[D") + "\t")
            terminal.wait_for(partial(_ends_with, completed))
            terminal.type("\x15\x0b\x0c")  # The line is deleted, and the screen cleared.
            terminal.wait_for(lambda lines: len(lines) == 1 and "simil" not in lines[0])
    assert not (tmp_path / "hacked").exists()
