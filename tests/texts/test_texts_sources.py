"""Files that cannot be read, and pipes that give their texts one by one."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from support.reading import opened

from simil.errors import InputError, Place
from simil.formats.sources import Source
from simil.texts import InputFormat, ReadOptions, read_texts


@pytest.fixture
def pipe():
    """The two ends of a pipe as raw streams."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb", 0) as out, os.fdopen(writer, "wb", 0) as into:
        yield out, into


def texts_of(sources, stdin=None, **options):
    how = ReadOptions(**options)
    return read_texts(opened(sources, how, stdin), how, on_blank=lambda place: None)


def test_a_missing_file_is_told_before_anything_is_read(tmp_path):
    good, missing = tmp_path / "good.txt", tmp_path / "missing.txt"
    good.write_text("a\n")
    with pytest.raises(InputError) as caught:
        texts_of([good, missing])
    assert caught.value.place == Place(str(missing))
    assert caught.value.message == "no such file"
    assert caught.value.hint


def test_a_missing_file_is_raised_though_somebody_listens(tmp_path, read):
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path / "missing.txt")


def test_a_file_that_vanishes_before_its_turn_is_told(tmp_path):
    good, gone = tmp_path / "good.txt", tmp_path / "gone.txt"
    good.write_text("a\n")
    gone.write_text("b\n")
    texts = texts_of([good, gone])
    assert next(texts).text == "a"
    gone.unlink()
    with pytest.raises(InputError) as caught:
        next(texts)
    assert (caught.value.place, caught.value.message) == (Place(str(gone)), "no such file")


def test_an_empty_name_is_told():
    with pytest.raises(InputError, match=r"^'': no such file"):
        texts_of([""])


def test_a_directory_is_told(tmp_path):
    with pytest.raises(InputError) as caught:
        texts_of([f"{tmp_path}/"])
    assert caught.value.place == Place(f"{tmp_path}/")
    assert caught.value.message == "is a directory"
    assert caught.value.hint == f"name files in it, e.g. {tmp_path}/*"


def test_a_file_that_cannot_be_opened_says_why(tmp_path):
    loop = tmp_path / "loop.txt"
    loop.symlink_to(loop)
    with pytest.raises(InputError) as caught:
        texts_of([loop])
    assert caught.value.place == Place(str(loop))
    assert caught.value.message == f"cannot be read: {os.strerror(errno.ELOOP)}"


def test_a_name_that_cannot_be_one_says_why():
    with pytest.raises(InputError, match="cannot be read: embedded null byte"):
        texts_of(["a\0b"])


def test_a_file_that_fails_while_read_says_why():
    with pytest.raises(InputError) as caught:
        list(opened(["/proc/self/mem"]))
    assert caught.value.place == Place("/proc/self/mem")
    assert caught.value.message == f"cannot be read: {os.strerror(errno.EIO)}"


def test_a_name_that_is_not_utf8_can_be_an_id(tmp_path):
    name = os.fsencode(tmp_path) + b"/caf\xe9.txt"
    with open(name, "wb") as file:  # noqa: PTH123
        file.write(b"a\n")
    [text] = texts_of([os.fsdecode(name)], whole=True)
    assert text.id == f"{tmp_path}/caf\\udce9.txt"


@pytest.mark.parametrize(
    ("form", "before", "lines"),
    [
        (InputFormat.TEXT, b"", [b"a\n", b"b\r\n"]),
        (InputFormat.JSONL, b"", [b'{"text":"a"}\n', b'"b"\n']),
        (InputFormat.CSV, b"text,n\n", [b"a,1\n", b'"b",2\r\n']),
        (InputFormat.TSV, b"text\tn\n", [b"a\t1\n", b"b\t2\n"]),
    ],
)
def test_a_text_is_there_as_soon_as_its_line_is(pipe, form, before, lines):
    out, into = pipe
    texts = texts_of([], out, format=form)
    into.write(before)
    for line, text in zip(lines, "ab", strict=True):
        # The pipe stays open: were the reader to wait for more, it would wait for ever.
        into.write(line)
        assert next(texts).text == text
    into.close()
    assert list(texts) == []


def test_a_text_between_nuls_is_there_at_once(pipe):
    out, into = pipe
    texts = texts_of(["-"], out, nul=True)
    into.write(b"a\nb\0c")
    assert next(texts).text == "a\nb"
    into.write(b"d\0")
    assert next(texts).text == "cd"


def test_a_non_blocking_pipe_with_nothing_in_it_is_not_at_its_end(pipe):
    out, into = pipe
    os.set_blocking(out.fileno(), False)
    writer = threading.Timer(0.1, lambda: (into.write(b"late\n"), into.close()))
    writer.start()
    texts = texts_of(["-"], out)
    assert [text.text for text in texts] == ["late"]
    writer.join()


def test_stdin_is_left_open(pipe, read):
    out, into = pipe
    into.write(b"a\n")
    into.close()
    assert read("-", stdin=out).texts == ["a"]
    assert not out.closed


def test_a_large_file_is_read_in_parts(tmp_path):
    file = tmp_path / "many.txt"
    file.write_bytes(b"line\n" * 100_000)
    texts = texts_of([file])
    assert next(texts).id == "1"
    file.write_bytes(b"")
    assert sum(1 for _ in texts) < 20_000


SCRIPT = """
import sys
from simil.errors import InputError
from simil.formats.sources import Source
from simil.texts import ReadOptions, read_texts
try:
    for text in read_texts([ReadOptions().open(Source("-"))], ReadOptions(), on_blank=print):
        print(text.id, text.text, flush=True)
except InputError as error:
    print(error)
"""


def test_stdin_of_a_process():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], input=b"a\n\xc3\xa4\n", capture_output=True, check=True
    )
    assert done.stdout.decode() == "1 a\n2 ä\n"


def test_stdin_that_is_closed():
    command = ["sh", "-c", 'exec "$0" -c "$1" <&-', sys.executable, SCRIPT]
    done = subprocess.run(command, capture_output=True, check=True)
    assert done.stdout == b"stdin: is closed; name a file, or pipe texts in\n"


def test_a_process_can_end_while_a_thread_waits_for_stdin():
    script = """
import threading, time
from simil.formats.sources import Source
from simil.texts import ReadOptions, read_texts
def read():
    list(read_texts([ReadOptions().open(Source("-"))], ReadOptions(), on_blank=print))
threading.Thread(target=read, daemon=True).start()
time.sleep(0.3)
print("done")
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.wait(timeout=60) == 0
        assert process.stdout.read() == b"done\n"
        assert process.stderr.read() == b""


def test_looks_that_tell_nothing_become_rare(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(b"a line\n" * 2_000_000)
    looked: list[int] = []

    def enough(head: bytes) -> bool:
        looked.append(len(head))
        return False

    size = len(Source(str(path)).head(enough))
    assert size == looked[-1] == path.stat().st_size
    assert sum(looked) < 8 * size
