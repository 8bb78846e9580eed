"""What the torture must find: oracles that let a fault through would be worse than none."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from torture import __main__ as torture
from torture.attempts import Attempt, attempt, check, forms_of
from torture.parts import api_servers, inputs
from torture.raw_server import unit
from torture.reference_texts import texts_in
from torture.report import Part, Report, Task
from torture.word_vectors import vector_of

_DATA = b"id,text,note\n1,apple pie,a\n2,red car,b\n3,apple pie,c\n4,,d\n"
_CASE = inputs.Case(1, 0, "embed", "csv", False, _DATA, "nothing", "x.csv", False, False, False, False)
_BLANK = b"simil: 1 blank text skipped (first: x.csv:5)\n"


def done(out: bytes, code: int = 0, err: bytes = _BLANK) -> Attempt:
    return Attempt("simil x", code, out, err, 0.1)


def embedded(*rows: tuple[str, str, str]) -> bytes:
    items = [{"id": id_, "text": text, "embedding": vector_of(whose).tolist()} for id_, text, whose in rows]
    return "".join(f"{json.dumps(item)}\n" for item in items).encode()


_RIGHT = (("1", "apple pie", "apple pie"), ("2", "red car", "red car"), ("3", "apple pie", "apple pie"))


def test_a_right_answer_is_right() -> None:
    assert inputs.judge(_CASE, done(embedded(*_RIGHT))) is None


@pytest.mark.parametrize(
    "wrong",
    [
        done(embedded(*_RIGHT[:2])),
        done(embedded(*_RIGHT, ("4", "", ""))),
        done(embedded(_RIGHT[1], _RIGHT[0], _RIGHT[2])),
        done(embedded(("1", "apple pie", "red car"), *_RIGHT[1:])),
        done(embedded(("7", "apple pie", "apple pie"), *_RIGHT[1:])),
        done(embedded(*_RIGHT), err=b""),
        done(embedded(*_RIGHT), code=6),
        done(b"", code=3),
        done(b"", code=5),
        done(b"no JSON"),
    ],
)
def test_a_wrong_answer_is_found(wrong: Attempt) -> None:
    assert inputs.judge(_CASE, wrong) is not None


def test_what_cannot_be_read_is_to_be_refused() -> None:
    case = replace(_CASE, data=_DATA + b"5,\xff,e\n")
    assert inputs.judge(case, done(b"", code=3)) is None
    assert inputs.judge(case, done(embedded(*_RIGHT))) == (
        "wrong",
        "answered, though 1 records cannot be read",
    )


def test_a_wrong_score_is_found() -> None:
    case = replace(_CASE, command="search")
    texts = ("apple pie", "apple pie", "red car")
    scores = [float(vector_of(text) @ vector_of("apple pie")) for text in texts]
    rows = [{"id": i, "content": t, "score": s} for i, t, s in zip("132", texts, scores, strict=True)]
    assert inputs.judge(case, done("\n".join(map(json.dumps, rows)).encode())) is None
    rows[2]["score"] += 1e-3
    assert inputs.judge(case, done("\n".join(map(json.dumps, rows)).encode())) is not None


def test_a_lost_or_rewritten_row_of_dedupe_is_found() -> None:
    case = replace(_CASE, command="dedupe")
    kept = b"id,text,note\n1,apple pie,a\n2,red car,b\n"
    assert inputs.judge(case, done(kept)) is None
    for wrong in (kept[:-12], kept.replace(b"a\n", b"a\r\n"), kept.replace(b"2,", b'"2",'), _DATA):
        assert inputs.judge(case, done(wrong)) is not None


def test_the_reference_reads_csv_as_rfc_4180() -> None:
    found = texts_in(b'text,id\r\n"a ""q""\nb",1\r\n\r\n" ",2\r\n"x"y,3\r\nlast,4', "csv", "x")
    assert [(item.text, item.ids) for item in found.items] == [('a "q"\nb', ("1",)), ("last", ("4",))]
    assert (found.blank, found.bad, found.empty) == (1, 1, 1)


def test_tracebacks_secrets_and_silence_are_found() -> None:
    report = Report()
    assert check(report, done(b"", err=b""), "fine")
    check(report, done(b"", 1, b"Traceback (most recent call last):\n"), "raised")
    check(report, done(b"", -11), "killed")
    check(report, done(b"", 3, b""), "says nothing")
    for form in forms_of("sk-a/secret key"):
        check(report, done(b"x" + form + b"y", 0), "leaks", secrets=["sk-a/secret key"])
    assert (report.faults("tracebacks"), report.faults("leaked")) == (3, 5)


def test_what_hangs_is_killed_and_found() -> None:
    report = Report()
    hung = attempt(command=["sleep", "60"], limit_s=0.2)
    assert not check(report, hung, "sleeps")
    assert report.faults("hangs") == 1


def test_wrong_vectors_of_a_server_are_found(tmp_path: Path) -> None:
    case = replace(api_servers.make(0, 0), command="embed")
    texts = Path(tmp_path, "out.jsonl")
    rows = [
        {"id": str(number), "text": text, "embedding": unit(text).tolist()}
        for number, text in enumerate(api_servers.TEXTS, 1)
    ]
    texts.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    assert api_servers.wrong_in(case, tmp_path, done(b"")) is None
    rows[0]["embedding"], rows[1]["embedding"] = rows[1]["embedding"], rows[0]["embedding"]
    texts.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    assert api_servers.wrong_in(case, tmp_path, done(b"")) is not None
    texts.write_text("\n".join(map(json.dumps, rows[2:])), "utf-8")
    assert api_servers.wrong_in(case, tmp_path, done(b"")) is not None


@pytest.mark.parametrize("fault", ["none", "found", "raised"])
def test_the_exit_code_tells(
    fault: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(task: Task) -> None:
        task.report.count("kills", task.times(10))
        if fault == "found":
            task.report.found("lost", "a row")
        if fault == "raised":
            raise RuntimeError("the part itself")

    monkeypatch.setattr(torture, "part", lambda name: Part(name, run))
    monkeypatch.setattr(torture, "_isolate", lambda folder: None)
    monkeypatch.setattr(torture, "set_process_defaults", lambda: None)
    assert torture.main(["inputs", "--scale", "0.5"]) == int(fault != "none")
    out = capsys.readouterr().out
    assert "        5  kills (at least 1,000)" in out
    assert ("BROKE OFF" in out) == (fault == "raised")


def test_a_full_run_has_bars(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(torture, "PARTS", ("inputs",))
    monkeypatch.setattr(
        torture, "part", lambda name: Part(name, lambda task: task.report.count("kills", 1000))
    )
    monkeypatch.setattr(torture, "_isolate", lambda folder: None)
    monkeypatch.setattr(torture, "set_process_defaults", lambda: None)
    assert torture.main([]) == 1
    out = capsys.readouterr().out
    assert "    1,000  kills (at least 1,000)   met" in out
    assert "        0  hostile inputs (at least 5,000)   MISSED" in out
