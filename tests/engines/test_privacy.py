"""A run with a model of this machine connects to nothing, and leaves only simil's own files behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.process_defaults import INITIAL_ENVIRONMENT
from support.small_documents import docx, pdf

# Runs simil with an audit hook of Python, which sees every use of a socket, and names each on stderr.
_WATCHED = """
import os, sys

def note(event, arguments):
    if event.startswith("socket.") and event != "socket.__new__":
        os.write(2, f"CONTACT {event} {arguments}\\n".encode())

sys.addaudithook(note)
from simil.__main__ import main
main()
"""


def watched(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    own = {"HOME": str(home), "XDG_CACHE_HOME": "", "LOCALAPPDATA": str(home), "SIMIL_MODEL": "minilm"}
    # The variables that keep libraries from the network are those of the tests, not of users.
    theirs = {name: value for name, value in INITIAL_ENVIRONMENT.items() if "OFFLINE" not in name}
    return subprocess.run(
        [sys.executable, "-c", _WATCHED, *arguments],
        cwd=home,
        env=theirs | own,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    (tmp_path / "notes.txt").write_text("the app crashes\nplease add a dark theme\nthe app is broken\n")
    return tmp_path


@pytest.mark.parametrize("engine", ["onnx", "openvino", "torch"])
def test_an_engine_connects_to_nothing_and_keeps_no_notes_of_its_own(engine: str, tmp_path: Path) -> None:
    # ONNX Runtime's telemetry writes its pending reports there unless it is turned off.
    result = watched("compare", "Apple", "Orange", "--engine", engine, "--no-cache", home=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert [path for path in tmp_path.rglob("*") if "icrosoft" in path.name] == []


@pytest.mark.parametrize(
    "command",
    [
        "embed notes.txt",
        "search broken notes.txt",
        "classify --label bug --label wish notes.txt",
        "cluster -n 2 notes.txt",
        "models",
    ],
)
def test_a_command_connects_to_nothing(command: str, notes: Path) -> None:
    result = watched(*command.split(), home=notes)
    assert (result.returncode, "CONTACT" in result.stderr) == (0, False), result.stderr


def test_a_connection_would_be_seen(notes: Path) -> None:
    options = ("--base-url", "http://127.0.0.1:9/v1", "-m", "openai:any", "--retries", "0")
    result = watched("search", "broken", "notes.txt", *options, home=notes)
    assert result.returncode == 5
    assert "CONTACT socket.connect" in result.stderr


def test_no_address_in_a_document_is_asked(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("swordfish")
    image = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/image"
    targets = ["http://127.0.0.1:9/a.png", secret.as_uri(), "secret.txt"]
    linked = [
        f'<Relationship Id="i{number}" Type="{image}" Target="{target}" TargetMode="External"/>'
        for number, target in enumerate(targets)
    ]
    drawn = "".join(
        '<w:p><w:r><w:drawing><wp:inline xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/'
        'wordprocessingDrawing"><a:graphic xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main">'
        '<a:graphicData><pic:pic xmlns:pic="http://schemas.openxmlformats.org/drawingml/2006/picture">'
        f'<pic:blipFill><a:blip r:link="i{number}"/></pic:blipFill></pic:pic></a:graphicData></a:graphic>'
        "</wp:inline></w:drawing></w:r></w:p>"
        for number in range(len(targets))
    )
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.docx").write_bytes(docx("Apples.", drawn, relations=linked))
    (folder / "b.pdf").write_bytes(pdf("Pears."))
    (folder / "c.html").write_text(
        "<html><head><link rel=stylesheet href=http://127.0.0.1:9/c.css><base href=http://127.0.0.1:9/></head>"
        f"<body><p>Plums.</p><img src=http://127.0.0.1:9/c.png><iframe src={secret.as_uri()}></iframe></body>"
    )
    result = watched("search", "-r", "fruit", "docs", home=tmp_path)

    # urllib3, which markitdown imports, binds a socket to ::1 once, to see whether there is IPv6.
    notes = [line for line in result.stderr.splitlines() if "CONTACT socket.bind" not in line]
    assert (result.returncode, notes) == (0, [])
    assert all(name in result.stdout for name in ("Apples.", "Pears.", "Plums."))
    assert "swordfish" not in result.stdout
