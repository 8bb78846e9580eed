r"""A terminal shows control characters of names, ids, texts, model stamps and servers, and never obeys them.

Whatever stands in the input, of all control characters only simil's own reach a terminal: line ends, tabs
between columns, colours, and the sequences of the progress bar. A pipe gets what the input holds.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from support.command import on_terminal, simil
from support.openai_faults import raw, refuse
from support.openai_server import OpenAIServer

import simil as package
from simil.cli.output.cells import visible

# Joined by characters that nobody sees and that change nothing beside them.
EMOJI = "caf\xe9 \U0001f468\u200d\U0001f469 \u0646\u200c\u0645"
MODEL = Path(package.__file__).parent / "models" / "minilm"

# Sets the title, clears the screen, asks for an answer, turns the direction of writing, deletes, and more;
# the colour is none of ours.
MARK = "OWNED"
EVIL = f"\x1b]0;{MARK}\x07\x1b[2J\x1b[66;67m\x9b6n\x9d0;x\x9c\u202e\u2066\x7f\x08\x0b\u200f\ufeff\x1bc"
SHOWN = json.dumps(EVIL)[1:-1]

_COLOUR = re.compile(r"\x1b\[(?!66;67)[0-9;]*m")
# What rich's progress bar draws with: hide and show the cursor, clear the line, go up.
_PROGRESS = re.compile(r"\x1b\[\?25[lh]|\r?\x1b\[2K|\x1b\[1A|\r")
_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def commands_to_the_terminal(shown: str) -> set[str]:
    """The control characters of a terminal's contents that simil has not made itself."""
    rest = _PROGRESS.sub("", _COLOUR.sub("", shown))
    return {each for each in rest if unicodedata.category(each) in _HIDDEN} - {"\n", "\t"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files in whose names and contents everything that can hold a control character does."""
    here = tmp_path_factory.mktemp("evil")
    words = [f"{EVIL} apples and pears", "trains leave at noon", f"cars and {EVIL} roads", "a red apple"]
    text = "".join(f"{word}\n" for word in words)
    for name in ("texts.txt", f"{EVIL}.txt", f"d/{EVIL}.txt", f"d/{EVIL}/inner.txt"):
        path = here / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    (here / "d" / os.fsdecode(b"not\xffutf8.txt")).write_text(text, "utf-8")
    (here / f"d/{EVIL}-latin.txt").write_bytes("caf\xe9\n".encode("latin-1"))
    vectors = [[1.0, 0.0, 0.1], [0.9, 0.1, 0.1], [0.0, 1.0, 0.2], [0.9, 0.1, 0.1]]
    rows = [
        {
            "id": f"{EVIL}{number}",
            "text": words[number],
            "embedding": vector,
            "model": f"{EVIL}/stamp",
            EVIL: EVIL,
            "label": f"{EVIL}{number % 2}",
        }
        for number, vector in enumerate(vectors)
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (here / "vectors.jsonl").write_text(lines, "utf-8")
    (here / "query.jsonl").write_text(lines.splitlines()[0] + "\n", "utf-8")
    (here / "ids.jsonl").write_text(
        "".join(json.dumps({**row, "text": None}) + "\n" for row in rows), "utf-8"
    )
    other = "".join(json.dumps({**row, "model": f"other{EVIL}"}) + "\n" for row in rows)
    (here / "other.jsonl").write_text(other, "utf-8")
    records = [{"id": row["id"], "text": row["text"], "label": row["label"], EVIL: EVIL} for row in rows]
    (here / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in records), "utf-8")
    pairs = [f"a{EVIL}\tb\tscore", *(f"{word}\t{EVIL}\t{at / 4}" for at, word in enumerate(words))]
    (here / "pairs.tsv").write_text("".join(f"{pair}\n" for pair in pairs), "utf-8")
    (here / "broken.json").write_text(f'[{{"text": "{EVIL}"', "utf-8")
    (here / "bad.jsonl").write_text(json.dumps({"text": "x", "embedding": [1, EVIL]}) + "\n", "utf-8")
    many = "".join(f"{word} {number}\t{EVIL}\t{number}\n" for number in range(300) for word in words)
    (here / "many.tsv").write_text(f"a\tb\tscore\n{many}", "utf-8")
    (here / "long.txt").write_text("word " * 400, "ascii")
    np.save(here / "numbers.npy", np.array(vectors, np.float32))
    (here / "numbers.npy.json").write_text(
        json.dumps({"model": EVIL, "dimensions": EVIL, "data": [{"id": str(number)} for number in range(4)]}),
        "utf-8",
    )
    shutil.copytree(MODEL, here / f"{EVIL}-model")
    return here


EVIL_NAME = '"$(printf \'%s\' "$EVIL").txt"'
# Each is a line of shell, and whether what it shows holds the mark.
TABLES = {
    "compare": 'compare -m minilm "$EVIL" apples',
    "compare-many": 'compare -m minilm "$EVIL" apples "x$EVIL"',
    "compare-files": f"compare -m minilm --file {EVIL_NAME} --file texts.txt",
    "compare-pairs": "compare -m minilm --pairs pairs.tsv",
    "compare-distance": 'compare -m minilm --metric euclidean "$EVIL" apples',
    "compare-percentile": f'compare -m minilm --percentile {EVIL_NAME} "$EVIL" apples',
    "compare-plot": 'compare -m minilm --plot - "$EVIL" apples',
    "embed": "embed -m minilm texts.txt",
    "embed-vectors": "embed vectors.jsonl",
    "embed-dry": f"embed -m minilm --dry-run {EVIL_NAME}",
    "search": 'search -m minilm "$EVIL" texts.txt',
    "search-context": 'search -m minilm -C 1 "$EVIL" texts.txt',
    "search-folder": "search -m minilm -r apples d",
    "search-whole": "search -m minilm -r --whole apples d",
    "search-files": "search -m minilm -r -l apples d",
    "search-files-nul": "search -m minilm -r -l -0 apples d",
    "search-count": "search -m minilm -r -c apples d",
    "search-vectors": "search --queries query.jsonl vectors.jsonl",
    "search-ids": "search --queries query.jsonl ids.jsonl",
    "search-many": "search --queries vectors.jsonl vectors.jsonl",
    "search-nothing": 'search -m minilm --threshold 2 "$EVIL" texts.txt',
    "classify": "classify --examples vectors.jsonl vectors.jsonl",
    "classify-labels": 'classify -m minilm --label "$EVIL" --label apples texts.txt',
    "classify-evaluate": "classify --examples vectors.jsonl --evaluate vectors.jsonl",
    "cluster": "cluster -n 2 vectors.jsonl",
    "cluster-members": "cluster -n 2 --members 2 vectors.jsonl",
    "cluster-plot": "cluster -n 2 --plot - vectors.jsonl",
    "outliers": "outliers -n 2 vectors.jsonl",
    "outliers-folder": f"outliers -m minilm -n 2 {EVIL_NAME} texts.txt",
    "outliers-plot": "outliers -n 2 --plot - vectors.jsonl",
    "dedupe": "dedupe vectors.jsonl",
    "dedupe-texts": "dedupe -m minilm texts.txt",
    "dedupe-pairs": "dedupe --show pairs vectors.jsonl",
    "dedupe-groups": "dedupe --show groups vectors.jsonl",
    "dedupe-removed": "dedupe --show removed vectors.jsonl",
    "match": "match vectors.jsonl vectors.jsonl",
    "match-unmatched": "match -m minilm --threshold 1 texts.txt texts.txt",
    "eval": "eval -m minilm pairs.tsv",
    "eval-plot": "eval -m minilm --plot - pairs.tsv",
}
FORMATS = {
    f"{name}-{form}": f"{TABLES[name]} -f {form}"
    for name in (
        "compare", "compare-pairs", "embed", "search", "search-folder", "search-vectors", "classify",
        "cluster-members", "outliers", "dedupe", "dedupe-pairs", "match",
    )
    for form in ("csv", "tsv", "json", "jsonl")
}  # fmt: skip
ERRORS = {
    "no-file": 'embed -m minilm "no$EVIL"',
    "no-vectors": 'search --queries query.jsonl "no$EVIL"',
    "no-command": '"no$EVIL"',
    "no-option": 'compare "--$EVIL" a b',
    "no-choice": 'compare -m minilm --metric "$EVIL" a b',
    "no-number": 'search --threshold "$EVIL" a texts.txt',
    "no-model": 'compare -m "./$EVIL" a b',
    "no-plugin": 'compare -m "plugin:$EVIL" a b',
    "no-hub-model": 'compare --offline -m "org/$EVIL" a b',
    "no-form": 'compare -f "$EVIL" a b',
    "no-suffix": 'compare -o "x.$EVIL" a b',
    "no-field": 'embed -m minilm --field "$EVIL" records.jsonl',
    "two-models-search": "search --queries query.jsonl other.jsonl",
    "broken-json": "embed -m minilm broken.json",
    "bad-vector": "search --queries query.jsonl bad.jsonl",
    "bad-sidecar": "search --queries query.jsonl numbers.npy",
    "latin": 'embed -m minilm "d/$EVIL-latin.txt"',
    "no-env-file": 'compare --env-file "$EVIL" a b',
    "a-folder": 'search apples "d/$EVIL"',
    "notes": f'search -m minilm -v apples {EVIL_NAME} "d/$EVIL/inner.txt"',
    "notes-of-a-folder": "search -m minilm -v -r apples d",
    "saved-model": "search -m minilm --queries query.jsonl vectors.jsonl",
    "no-label": 'classify --examples vectors.jsonl --label-field "$EVIL-" vectors.jsonl',
}
# What a model's folder, and settings, bring in.
MODELS = {
    "model-sign": 'compare -m "./$EVIL-model" a b c',
    "model-shown": 'models show "./$EVIL-model"',
    "model-path": 'models path "./$EVIL-model"',
    "model-removed": 'models remove "./$EVIL-model"',
    "model-json": 'models show "./$EVIL-model" -f json',
    "model-eval": 'eval -m "./$EVIL-model" many.tsv',
    "model-eval-plot": 'eval -m "./$EVIL-model" --plot - pairs.tsv',
    "model-dry-run": 'embed -m "./$EVIL-model" --dry-run texts.txt',
    "model-long": 'embed -m "./$EVIL-model" long.txt',
    "model-doctor": "doctor --offline; simil doctor --offline -f json",
    "model-list": "models; simil models -f jsonl",
    "cache-info": "cache info; simil cache info -f json; simil cache path; simil cache verify",
}
# Their own messages repeat nothing of the input; what they show is checked all the same.
WITHOUT_MARK = {
    "embed-dry", "eval", "eval-plot", "outliers-folder", "no-number", "broken-json", "bad-vector",
    "model-list",
}  # fmt: skip
SCRIPTS = TABLES | FORMATS | ERRORS | MODELS


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_terminal_obeys_no_input(name: str, folder: Path) -> None:
    env = {"EVIL": EVIL}
    if name in MODELS:
        env |= {"SIMIL_MODEL": f"./{EVIL}-model", "SIMIL_CACHE_DIR": f"{folder}/{EVIL}-cache"}
    shown = on_terminal(f"simil {SCRIPTS[name]}", 200, cwd=folder, env=env).out
    assert not commands_to_the_terminal(shown), repr(shown)
    assert "Traceback" not in shown
    assert name in WITHOUT_MARK or MARK in shown, shown


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
def test_a_terminal_obeys_no_server(status: int, folder: Path) -> None:
    with OpenAIServer(key=None) as server:
        server.always = refuse(status, f"the server says {EVIL}", code=EVIL, kind=EVIL, param=EVIL)
        env = {"EVIL": EVIL, "OPENAI_BASE_URL": server.base_url, "SIMIL_RETRIES": "0"}
        shown = on_terminal('simil embed -v -m "openai:$EVIL" texts.txt', 200, cwd=folder, env=env).out
    assert not commands_to_the_terminal(shown), repr(shown)
    assert MARK in shown, shown


def test_a_terminal_obeys_no_answer_that_is_not_json(folder: Path) -> None:
    with OpenAIServer(key=None) as server:
        for content_type in ("text/plain", "text/html"):
            server.always = raw(502, f"<p>bad gateway {EVIL}</p>".encode(), content_type)
            env = {"OPENAI_BASE_URL": server.base_url, "SIMIL_RETRIES": "0"}
            shown = on_terminal("simil embed -m openai texts.txt", 200, cwd=folder, env=env).out
            assert not commands_to_the_terminal(shown), repr(shown)


def test_the_progress_bar_obeys_no_label() -> None:
    code = (
        "import sys; from simil.cli.output.terminal import console_on; from rich.progress import Progress\n"
        "bar = Progress(console=console_on(sys.stderr), auto_refresh=False)\n"
        "bar.start(); bar.add_task(sys.argv[1] + '[bold]', total=2); bar.refresh(); bar.stop()"
    )
    command = f"{shlex.quote(sys.executable)} -c {shlex.quote(code)} {shlex.quote(EVIL)}"
    shown = on_terminal(command, 200).out
    assert not commands_to_the_terminal(shown), repr(shown)
    assert MARK in shown, shown


def test_a_device_named_as_the_output_may_be_a_terminal(folder: Path) -> None:
    shown = on_terminal('simil dedupe --exact texts.txt -o "$(tty)" -f jsonl', 200, cwd=folder).out
    assert not commands_to_the_terminal(shown), repr(shown)
    assert MARK in shown, shown


def test_json_on_a_terminal_holds_the_same_texts(folder: Path) -> None:
    """What is made visible is the JSON that means the same."""
    result = on_terminal("simil dedupe -q --exact texts.txt -f jsonl", 2000, cwd=folder)
    texts = [json.loads(line)["text"] for line in result.out.splitlines()]
    assert texts == (folder / "texts.txt").read_text("utf-8").split("\n")[:-1]


def test_a_pipe_gets_what_the_input_holds(folder: Path) -> None:
    result = simil("dedupe", "-q", "--exact", "texts.txt", cwd=folder)
    assert (result.code, result.err) == (0, "")
    assert result.out == (folder / "texts.txt").read_text("utf-8")


def test_stderr_is_made_visible_wherever_it_goes(folder: Path) -> None:
    """A log is read on a terminal too."""
    result = simil("embed", f"no{EVIL}", cwd=folder)
    assert (
        result.error_line == f"no{SHOWN}: no such file; check the name, and the directory it is relative to"
    )
    result = simil("search", "-v", "apples", f"{EVIL}.txt", "texts.txt", cwd=folder)
    assert not commands_to_the_terminal(result.err), result.err


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "caf\xe9 \U0001f468\u200d\U0001f469 \u0646\u200c\u0645",
            "caf\xe9 \U0001f468\u200d\U0001f469 \u0646\u200c\u0645",
        ),
        ("\x1b[0m\x7f\x9b", r"\u001b[0m\u007f\u009b"),
        ("a\tb\nc\rd", r"a\tb\nc\rd"),
        ("\u202e\u2028\u00ad\ufeff", r"\u202e\u2028\u00ad\ufeff"),
        ("\U000e0041", r"\udb40\udc41"),
        ("caf\udce9.txt", r"caf\udce9.txt"),
    ],
)
def test_visible(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible(shown) == shown
    assert json.loads(f'"{shown}"') == text
