"""Every exit code, reached by the real command. Golden cases reach 0 to 6 in more ways."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from support.command import Result, shell, simil, started

pytestmark = pytest.mark.usefixtures("plugins")


def test_0_when_done() -> None:
    result = simil("compare", "tea", "rat")
    assert (result.code, result.err) == (0, "")
    assert float(result.out) == pytest.approx(0.9, abs=0.1)


def test_0_for_version_and_help() -> None:
    assert simil("--version").out.startswith("simil ")
    for arguments in (["--help"], ["compare", "-h"], ["embed", "--help"]):
        result = simil(*arguments)
        assert (result.code, result.err) == (0, "")
        assert "Usage: simil" in result.out


def test_1_below_the_threshold_and_nothing_printed_when_quiet() -> None:
    loud = simil("compare", "tea", "rrrr", "--threshold", "0.99")
    assert (loud.code, loud.err) == (1, "")
    assert loud.out != ""
    quiet = simil("compare", "-q", "tea", "rrrr", "--threshold", "0.99")
    assert (quiet.code, quiet.out, quiet.err) == (1, "", "")
    assert simil("compare", "-q", "tea", "eat", "--threshold", "0.99").code == 0


def test_1_works_in_if() -> None:
    script = "if simil compare -q tea {} --threshold 0.99; then echo alike; else echo not; fi"
    assert shell(script.format("eat")).out == "alike\n"
    assert shell(script.format("rrrr")).out == "not\n"


def test_2_for_a_wrong_call() -> None:
    result = simil("compare", "tea")
    assert result.code == 2
    assert result.error_line.startswith("there is only one text to compare; give at least two, for example: ")


def test_2_and_the_help_for_no_command_at_all() -> None:
    result = simil()
    assert result.code == 2
    assert "Traceback" not in result.err


def test_3_for_bad_input(tmp_path: Path) -> None:
    tmp_path.joinpath("a.txt").write_bytes(b"good\n\xff\n")
    result = simil("embed", "a.txt", "-f", "jsonl", cwd=tmp_path)
    assert result.code == 3
    assert result.error_line.startswith("a.txt:2:1: byte 0xff is not UTF-8")
    assert result.out.count("\n") == 1


def test_4_for_a_model_that_is_not_there() -> None:
    result = simil("compare", "-m", "plugin:nope", "a", "b")
    assert result.code == 4
    names = "busy, dying, letters, other, prompted, refusing, slow"
    assert result.error_line == f"there is no plug-in 'nope'; installed: {names}"


def test_5_for_a_provider_without_a_key() -> None:
    result = simil("embed", "-m", "openai", "-t", "a")
    assert result.code == 5
    assert result.error_line == "api.openai.com needs an API key; set OPENAI_API_KEY"
    assert result.out == ""


@pytest.mark.parametrize("quiet", [[], ["-q"]])
def test_6_when_some_texts_fail_and_each_is_named(quiet: list[str]) -> None:
    texts = b"fine\nbad one\nfine too\n\xff\n"
    result = simil("embed", "-m", "plugin:refusing", "--on-error", "skip", "-f", "jsonl", *quiet, stdin=texts)
    assert result.code == 6
    assert [line.partition(",")[0] for line in result.out.splitlines()] == ['{"id":"1"', '{"id":"3"']
    assert sorted(result.err.splitlines()) == [
        "simil: 2 texts failed and were left out; see above",
        "simil: stdin:2: the text is bad; write a better one",
        "simil: stdin:4:1: byte 0xff is not UTF-8; "
        "name its encoding, e.g. --encoding cp1252 or --encoding latin1",
    ]


def test_6_also_when_comparing() -> None:
    result = simil("compare", "-m", "plugin:refusing", "--on-error", "skip", "tea", "bad", "rat")
    assert result.code == 6
    assert float(result.out) > 0.5
    assert result.err.splitlines() == [
        "simil: text:2: the text is bad; write a better one",
        "simil: 1 text failed and was left out; see above",
    ]


def test_refused_text_ends_the_run_without_that_option() -> None:
    result = simil("compare", "-m", "plugin:refusing", "tea", "bad", "rat")
    assert (result.code, result.out) == (3, "")
    assert result.error_line == "text:2: the text is bad; write a better one"


def test_130_after_an_interrupt() -> None:
    with started("embed", "-f", "jsonl") as child:
        child.write(b"a text\n")
        assert child.line().startswith(b'{"id":"1"')
        child.signal(signal.SIGINT)
        assert child.finish() == Result(130, "", "")


def test_141_when_the_reader_is_gone() -> None:
    result = shell("yes text | { simil embed -f jsonl; echo $? >&2; } | head -n 1")
    assert result.err == "141\n"
    assert result.out.startswith('{"id":"1","text":"text","embedding":[')
    assert result.out.count("\n") == 1
