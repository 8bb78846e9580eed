"""stdin, stdout and stderr in every state: slow, closed, full, of another encoding."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.command import MINILM, Result, shell, simil, started

pytestmark = pytest.mark.usefixtures("plugins", "fresh_processes")

COMMANDS = ["compare tea rat", "compare tea rat -f json", "embed -t tea", "--version", "embed --help"]


@pytest.mark.parametrize("command", COMMANDS)
def test_stdout_that_cannot_be_written_is_one_line(command: str) -> None:
    result = shell(f"simil {command} >/dev/full; echo $?; simil {command} >&-; echo $?")
    assert result.out == "2\n2\n"
    assert result.err.splitlines() == [
        f"simil: stdout cannot be written: {why}; the output is not complete"
        for why in ("No space left on device", "Bad file descriptor")
    ]


@pytest.mark.parametrize("command", COMMANDS)
def test_reader_that_is_gone_is_no_word(command: str) -> None:
    result = shell(f"{{ simil {command}; echo $? >&2; }} | true")
    assert (result.out, result.err) == ("", "141\n")


def test_stdout_does_not_matter_to_a_quiet_run() -> None:
    assert shell("simil compare -q tea eat --threshold 0.5 >&-; echo $?").out == "0\n"
    assert shell("simil compare -q tea eat --threshold 0.5 >/dev/full; echo $?").out == "0\n"


@pytest.mark.parametrize("how", ["2>&-", "2>/dev/full", "2>&- <&- >/dev/null"])
def test_exit_code_is_right_without_stderr(how: str) -> None:
    assert shell(f"simil embed missing.txt {how}; echo $?").out == "3\n"


def test_closed_stderr_does_not_get_into_the_output(tmp_path: Path) -> None:
    # The lowest free number would be the file's.
    assert (
        shell("simil embed -m plugin:letters -t tea -t ' ' -o v.jsonl 2>&-; echo $?", cwd=tmp_path).out
        == "0\n"
    )
    assert tmp_path.joinpath("v.jsonl").read_text("utf-8").count("\n") == 1


def test_closed_stdin_is_one_line() -> None:
    for command in ("embed", "compare -", "embed -0", "compare --pairs - --input-format tsv"):
        result = shell(f"simil {command} <&-")
        assert result.code == 3
        assert result.error_line.startswith("stdin: is closed; ")


def test_first_vector_appears_before_the_last_text_is_read() -> None:
    with started("embed", "-f", "jsonl") as child:
        for number in range(1, 4):
            child.write(b"a text\n")
            assert child.line().startswith(b'{"id":"%d"' % number)
        assert child.finish() == Result(0, "", "")


def test_first_pair_appears_before_the_last_is_read() -> None:
    with started("compare", "--pairs", "-", "--input-format", "tsv") as child:
        child.write(b"a\tb\n")
        for _ in range(2):
            child.write(b"tea\trat\n")
            assert child.line().endswith(b"\ttea\trat\n")
        assert child.finish() == Result(0, "", "")


def test_text_of_ten_megabytes_is_a_text(tmp_path: Path) -> None:
    tmp_path.joinpath("big.txt").write_bytes(b"word " * 2_000_000 + b"\nsmall\n")
    result = simil("embed", "big.txt", "-f", "jsonl", "-m", "minilm", cwd=tmp_path)
    assert result.code == 0
    assert result.error_line.startswith(f"1 text is longer than {MINILM} reads, and cut")
    big, small = (json.loads(line) for line in result.out.splitlines())
    assert (len(big["text"]), small["text"]) == (10_000_000, "small")
    assert len(big["embedding"]) == len(small["embedding"]) == 384


@pytest.mark.parametrize(
    "env",
    [
        {"LC_ALL": "C"},
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    ],
)
def test_output_is_utf_8_in_every_locale(env: dict[str, str]) -> None:
    result = simil("compare", "Käse", "朝", "-f", "csv", env=env)
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines()[1].split(",")[1:] == ["Käse", "朝"]
    assert simil("compare", "--help", env=env).code == 0


def test_error_shows_what_the_encoding_lacks_escaped() -> None:
    result = simil("embed", "Käse", env={"PYTHONIOENCODING": "ascii"})
    assert result.code == 3
    assert result.error_line.startswith("K\\xe4se: no such file")


def test_names_and_texts_that_are_not_utf_8(tmp_path: Path) -> None:
    tmp_path.joinpath("ok.txt").write_text("tea\n", "ascii")
    latin = bytes(tmp_path) + b"/caf\xe9.txt"
    with open(latin, "wb") as file:  # noqa: PTH123 (its name is bytes)
        file.write(b"rat\n")
    for form, shown in (("tsv", "caf\\udce9.txt"), ("json", "caf\\\\udce9.txt"), ("csv", "caf\\udce9.txt")):
        result = simil("compare", "--file", b"caf\xe9.txt", "--file", "ok.txt", "-f", form, cwd=tmp_path)
        assert (result.code, result.err) == (0, "")
        assert shown in result.out
    assert simil("embed", b"caf\xe9.txt", "-f", "jsonl", cwd=tmp_path).code == 0
    for arguments in (["compare", b"caf\xe9", "tea"], ["embed", "-t", b"caf\xe9"]):
        result = simil(*arguments)
        assert (result.code, result.out) == (3, "")
        assert result.error_line.endswith(":1: is not UTF-8; convert it first, as with iconv")
