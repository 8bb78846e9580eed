"""Documents as texts: their lines or all of them, and those that cannot be read."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from support.small_documents import docx, pdf

from simil.errors import InputError, Place
from simil.formats.documents import BrokenDocument
from simil.formats.sources import Source
from simil.texts import InputFormat, ReadOptions, Text, read_texts
from simil.texts.chunks import in_chunks
from simil.texts.counting import count_paragraphs, count_roughly
from simil.texts.markdown_sections import is_markdown, sections
from simil.texts.trees import LeftOut, files_in

HTML = (
    "<!DOCTYPE html><html><head><title>T</title><style>p {}</style><script>run()</script></head>"
    "<body><h1>On fruit</h1><p>Apples are <b>sweet</b>.</p><ul><li>pears</li></ul></body></html>"
)
FILES = {
    "a.pdf": pdf("On fruit", "Apples are sweet."),
    "b.DOCX": docx("# On fruit", "Apples are sweet.", "# On vegetables", "Leeks are not."),
    "c.html": HTML.encode(),
    "d.htm": b"<html><head><meta charset=iso-8859-1></head><body>caf\xe9</body></html>",
}
BROKEN = {
    "locked.pdf": (pdf("x", is_locked=True), "is protected by a password; save it without one"),
    "cut.pdf": (pdf("x")[:-20], "is cut off: the end of the PDF is missing; download or save it again"),
    "damaged.pdf": (b"%PDF-1.4\nnothing\n%%EOF", "is not a sound PDF: .*; download or save it again"),
    "damaged.docx": (b"PK\x03\x04nothing", "is not a sound Word document: .*; download or save it again"),
    "deep.html": (b"<div>" * 5000 + b"x", "is not HTML that can be read: .*"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documents")
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
    return folder


def read(*paths: Path | str, blank: list[Place] | None = None, **options: object) -> list[Text]:
    reading = ReadOptions(**options)  # type: ignore[arg-type]
    sources = [reading.open(Source(str(path))) for path in paths]
    return [*read_texts(sources, reading, on_blank=([] if blank is None else blank).append)]


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("a.pdf", {1: "On fruit", 3: "Apples are sweet."}),
        ("b.DOCX", {1: "# On fruit", 3: "Apples are sweet.", 5: "# On vegetables", 7: "Leeks are not."}),
        ("c.html", {1: "# On fruit", 3: "Apples are **sweet**.", 5: "* pears"}),
        ("d.htm", {1: "café"}),
    ],
)
def test_lines_of_documents(folder: Path, name: str, lines: dict[int, str]) -> None:
    blank: list[Place] = []
    found = read(folder / name, blank=blank)

    assert {text.origin.line: text.text for text in found} == lines
    assert [text.id for text in found] == [str(line) for line in lines]
    assert blank == []  # Between paragraphs they are no news.


def test_whole_documents(folder: Path) -> None:
    found = read(*(folder / name for name in FILES), whole=True)

    assert [text.id for text in found] == [str(folder / name) for name in FILES]
    assert found[1].text == "# On fruit\n\nApples are sweet.\n\n# On vegetables\n\nLeeks are not."


def test_sections_of_a_document(folder: Path) -> None:
    texts = read(folder / "b.DOCX", whole=True)
    found = in_chunks(texts, lambda text: sections(text.text), several=True)

    assert is_markdown(texts[0])
    assert [(part.origin.line, part.text) for part in found] == [
        (1, "On fruit\nApples are sweet."),
        (5, "On vegetables\nLeeks are not."),
    ]


def test_a_pipe_is_a_document_by_its_beginning() -> None:
    reading, writing = os.pipe()
    os.write(writing, FILES["a.pdf"])
    os.close(writing)
    with os.fdopen(reading):
        assert [text.text for text in read(f"/dev/fd/{reading}")] == ["On fruit", "Apples are sweet."]


def test_a_slow_pipe_is_not_waited_for() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading), os.fdopen(writing, "wb", buffering=0) as pipe:
        pipe.write(b"a\n")
        options = ReadOptions()
        texts = read_texts([options.open(Source(f"/dev/fd/{reading}"))], options, on_blank=lambda place: None)
        assert next(texts).text == "a"
        pipe.write(b"%P\n")
        assert next(texts).text == "%P"


def test_what_is_not_what_it_is_called(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_text("a text")
    (tmp_path / "b.docx").write_text("another")
    (tmp_path / "c").write_bytes(FILES["a.pdf"])
    found = [read(tmp_path / name)[0].text for name in ["a.pdf", "b.docx", "c"]]

    assert found == ["a text", "another", "On fruit"]


def test_a_format_that_is_named_is_read(folder: Path) -> None:
    assert read(folder / "c.html", format=InputFormat.TEXT)[0].text == HTML
    with pytest.raises(InputError, match="leave out --input-format"):
        read(folder / "a.pdf", format=InputFormat.TEXT)
    # As with -r, where documents are read whatever the format of other files.
    assert read(folder / "a.pdf", format=InputFormat.TEXT, documents=True)[0].text == "On fruit"


def test_a_document_without_text_is_blank(tmp_path: Path) -> None:
    path = tmp_path / "scanned.pdf"
    path.write_bytes(pdf())
    blank: list[Place] = []

    assert read(path, blank=blank) == read(path, whole=True, blank=blank) == []
    assert blank == [Place(str(path))] * 2


@pytest.mark.parametrize("name", BROKEN)
def test_broken_documents(tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    data, message = BROKEN[name]
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(BrokenDocument, match=f"^{re.escape(str(path))}: {message}$"):
        read(path)
    assert capfd.readouterr() == ("", "")


def test_a_broken_document_is_left_out_where_somebody_hears_of_it(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(pdf("Apples."))
    (tmp_path / "b.pdf").write_bytes(b"%PDF-")
    (tmp_path / "c.txt").write_text("Pears.\n\n")
    reading = ReadOptions()
    sources = [reading.open(Source(str(path))) for path in sorted(tmp_path.iterdir())]
    broken: list[BrokenDocument] = []
    blank: list[Place] = []
    texts = read_texts(sources, reading, on_blank=blank.append, on_broken=broken.append)

    assert [text.text for text in texts] == ["Apples.", "Pears."]
    assert [error.place for error in broken] == [Place(str(tmp_path / "b.pdf"))]
    assert blank == [Place(str(tmp_path / "c.txt"), 2)]
    assert count_roughly(sources, reading) is count_paragraphs(sources) is None


def test_documents_in_a_folder(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "e.pdf").write_text("text by another name")
    left_out: dict[str, LeftOut] = {}

    def found(where: Path, *, documents: bool) -> Sequence[str]:
        left_out.clear()
        paths = files_in(str(where), documents=documents, on_left_out=left_out.__setitem__)
        return [Path(path).name for path in paths]

    assert found(folder, documents=True) == [*FILES]
    assert found(folder, documents=False) == ["c.html"]
    assert {Path(path).name: reason for path, reason in left_out.items()} == {
        "a.pdf": LeftOut.BINARY, "b.DOCX": LeftOut.BINARY, "d.htm": LeftOut.UNDECODED,
    }  # fmt: skip
    assert found(tmp_path, documents=True) == ["e.pdf"]
