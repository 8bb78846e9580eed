"""Every example of the README and of the pages in docs is run, and prints what it is said to print."""

import os
import re
import sys
from pathlib import Path

import command_pages
import pytest
import terminal_pictures
from support import jq_command
from support.command import started
from support.doc_examples import check_examples, console_examples, same
from support.fork_server import install_simil
from support.process_defaults import INITIAL_ENVIRONMENT

from simil import config

ROOT = Path(__file__).parents[1]
# Where the examples of servers.md have their server.
SERVER = "127.0.0.1:8000"
ELSEWHERE = ("docs/servers.md", "docs/cookbook.md")
PAGES = [
    "README.md",
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")),
]


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """The variables of a user who has simil and jq, and whose model is the embedded one.

    `HOME` is left out: that of each page is its own.
    """
    programs = tmp_path_factory.mktemp("programs")
    jq_command.install(programs)
    install_simil(programs)
    return INITIAL_ENVIRONMENT | {
        "PATH": f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "SIMIL_MODEL": "minilm",
        "HF_HUB_OFFLINE": "1",
    }


@pytest.fixture
def checkout(tmp_path):
    """A folder with the repository's files that examples read; what they write stays there."""
    folder = tmp_path / "checkout"
    for name in ("LICENSE", "src/simil/models/minilm/LICENSE", "tests/data/packages.tsv"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((ROOT / name).read_bytes())
    return folder


def test_the_first_commands_are_targets_of_the_makefile():
    readme = (ROOT / "README.md").read_text("utf-8")
    targets = set(re.findall(r"^([\w.]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    wanted = re.findall(r"^make (\w+)", readme, re.MULTILINE)
    assert wanted[:2] == ["demo", "test"]
    assert set(wanted) <= targets


def test_the_readme_is_short_and_names_every_command():
    readme = (ROOT / "README.md").read_text("utf-8")
    assert len(readme.splitlines()) <= 150
    named = re.findall(r"^\| \[`(\w+)`\]", readme, re.MULTILINE)
    assert sorted(named) == sorted(command_pages.commands())


def check_python_examples(text):
    """Run the lines of Python in a text, and compare those that say what they give."""
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, object] = {}
    for line in "".join(blocks).splitlines():
        code, _, promised = map(str.strip, line.partition("  # "))
        if not promised:
            exec(code, names)
            continue
        value = eval(code, names)
        shown = f"{value.dtype}, shape {value.shape}" if getattr(value, "ndim", 0) == 2 else str(value)
        assert shown.startswith(promised.rstrip("…")), line


@pytest.mark.parametrize("command", command_pages.commands())
def test_a_page_says_what_the_help_of_its_command_says(command):
    """`make pages` writes them anew."""
    text = (ROOT / f"docs/commands/{command}.md").read_text("utf-8")
    assert command_pages.with_help(text, command) == text


def test_the_page_about_settings_lists_them_all():
    page = (ROOT / "docs/settings.md").read_text("utf-8")
    listed = dict(re.findall(r"^\| `(\w+)` \| `(\w+)` \|", page, re.MULTILINE))
    assert listed == config._CONFIG_KEYS
    example = (ROOT / ".env.example").read_text("utf-8")
    assert [name for name in config.VARIABLES if name not in example] == []


@pytest.mark.parametrize("name", terminal_pictures.PICTURES)
def test_a_picture_shows_what_a_terminal_shows(name):
    """`make pictures` draws them anew."""
    drawn, kept = (
        re.sub(r"<[^>]*>", "", text)
        for text in (terminal_pictures.drawn(name), (ROOT / f"docs/pictures/{name}.svg").read_text("utf-8"))
    )
    assert same(drawn, kept)


def check_page(text, folder, environment, monkeypatch):
    check_examples(console_examples(text), folder, environment)
    monkeypatch.chdir(folder)
    check_python_examples(text)


@pytest.mark.parametrize("page", [page for page in PAGES if page not in ELSEWHERE])
def test_a_page_shows_what_is_printed(page, checkout, environment, monkeypatch):
    check_page((ROOT / page).read_text("utf-8"), checkout, environment, monkeypatch)


def test_the_page_about_servers_shows_what_is_printed(checkout, environment, monkeypatch):
    """Its server is at another port."""
    text = (ROOT / "docs" / "servers.md").read_text("utf-8")
    with started("serve", "-m", "minilm", "--port", "0", "--no-cache") as child:
        address = re.search(r"served at http://(\S+)/v1;", child.process.stderr.readline().decode())[1]
        check_page(text.replace(SERVER, address), checkout, environment, monkeypatch)
