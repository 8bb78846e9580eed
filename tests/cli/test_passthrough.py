"""What `simil dedupe` keeps comes out as the bytes that it came in."""

from __future__ import annotations

import base64
import codecs
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.command import Result, shell, simil

BOM = codecs.BOM_UTF8
JSON_LINES = (
    b'{"text": "pear",  "n": 123456789012345678901234567890, "x": 1.0, "y": 1e3}\r\n'
    b'{"n":1,"text":"\\u0070lum","n":2}\n'
    b'\t{ "z": 0.1000, "a": -0, "text": "caf\xc3\xa9" }\n'
)
DOCUMENT = (
    b'{\n  "of": "me",\n  "data": [\n    {"text": "pear", "n": 1.0},\n'
    b'    {"text": "plum"}\n  ],\n  "n": 1e3\n}\n'
)
TABLE = b'n,"text",note\r\n007,pear,"a ""b"""\r\n1.0,"plum",\n2,"two\nlines",x\n'


def deduped(data: bytes, suffix: str, folder: Path, *options: str) -> bytes:
    """Return what `dedupe --exact -o` makes of a file."""
    (folder / f"in{suffix}").write_bytes(data)
    result = simil("dedupe", "--exact", *options, f"in{suffix}", "-o", f"out{suffix}", cwd=folder)
    assert result.code == 0, result.err
    return (folder / f"out{suffix}").read_bytes()


@pytest.mark.parametrize(
    ("suffix", "data"),
    [
        (".jsonl", JSON_LINES),
        (".jsonl", BOM + JSON_LINES.rstrip(b"\n")),
        (".json", DOCUMENT),
        (
            ".json",
            BOM
            + b'[{"text":"pear","n":12345678901234567890123},\n\n"plum" ,["x"][0]]'.replace(
                b',["x"][0]', b""
            ),
        ),
        (".json", b"[]"),
        (".csv", TABLE),
        (".csv", BOM + TABLE.removesuffix(b"\n")),
        (".csv", b"sep=;\r\nn;text\r\n1,5;pear\r\n2;plum\r\n"),
        (".csv", b"n|text\n1|pear\n2|plum"),
        (".csv", b"\ntext\npear\nplum\n"),
        (".csv", b"text,n\n"),
        (".tsv", b'n\ttext\r\n1\t"pear\r\n2\tplum\\n'),
        (".txt", BOM + b"pear\r\n  plum \ncaf\xc3\xa9"),
        (".txt", b"\xef\xbb\xbf\xef\xbb\xbfpear\nplum\n"),
    ],
)
def test_what_holds_no_copies_stays_the_same_file(suffix: str, data: bytes, tmp_path: Path) -> None:
    assert deduped(data, suffix, tmp_path) == data


@pytest.mark.parametrize(
    ("suffix", "data", "kept"),
    [
        (".jsonl", JSON_LINES + b'{"text":"plum"}\r\n{"text":"fig"}', JSON_LINES + b'{"text":"fig"}'),
        (
            ".json",
            b'[ {"text":"a", "n":1.0} , {"text":"a"},\n{"text":"b"}]',
            b'[ {"text":"a", "n":1.0},\n{"text":"b"}]',
        ),
        (".json", b'["a",\n"a"\n]\n', b'["a"\n]\n'),
        (".json", b'{"data": [null, {"text":"a"}, {"text":"a"}]}', b'{"data": [ {"text":"a"}]}'),
        (".csv", TABLE + b'3,plum,\n4,fig,"y"', TABLE + b'4,fig,"y"'),
        (".csv", b"text\na\na", b"text\na\n"),
        (".txt", b"a\r\na\nb\n\na", b"a\r\nb\n"),
    ],
)
def test_records_that_stay_are_not_touched(suffix: str, data: bytes, kept: bytes, tmp_path: Path) -> None:
    assert deduped(data, suffix, tmp_path) == kept


def test_removed_records_come_as_they_came(tmp_path: Path) -> None:
    data = b'[\n {"text": "a"},\n {"text": "a", "n": 1e3},\n {"text": "b"}\n]\n'
    assert deduped(data, ".json", tmp_path, "--show", "removed") == b'[\n {"text": "a", "n": 1e3}\n]\n'


def test_texts_between_nuls_keep_their_ends(tmp_path: Path) -> None:
    for data in (b"a\nb\0c\0", b"a\nb\0c"):
        assert simil("dedupe", "--exact", "-0", stdin=data).out == data.decode()


def test_standard_input_passes_through_in_its_form() -> None:
    for form, data in (("csv", TABLE), ("jsonl", JSON_LINES), ("json", DOCUMENT)):
        result = simil("dedupe", "-q", "--exact", "--input-format", form, stdin=data)
        assert result.out.encode() == data


def test_a_table_without_a_header_gets_none(tmp_path: Path) -> None:
    data = b'1,"pear"\n2,plum\n'
    assert deduped(data, ".csv", tmp_path, "--no-header", "--field", "2") == data


def test_a_table_in_another_encoding_comes_out_in_utf8(tmp_path: Path) -> None:
    text = 'n;text\r\n1;"Käse"\r\n2;café\r\n'
    for encoding, options in (("utf-16", ()), ("cp1252", ("--encoding", "cp1252"))):
        assert deduped(text.encode(encoding), ".csv", tmp_path, *options) == text.encode()


class TestSeveralFiles:
    @pytest.mark.parametrize(
        ("suffix", "first", "second", "both"),
        [
            (".txt", b"a\r\nb", b"c\nd", b"a\r\nb\r\nc\nd"),
            (".txt", BOM + b"a\n", BOM + b"b\n", BOM + b"a\nb\n"),
            (".jsonl", b'"a"', b'"b"', b'"a"\n"b"'),
            (".csv", b'"text"\na', b"text\nb\n", b'"text"\na\nb\n'),
            (".csv", b"text", b"text\nb\n", b"text\nb\n"),
            (".csv", b"n;text\n1;a\n", b"n,text\n2,b\n", b"n,text\n1,a\n2,b\n"),
            (".csv", b"text\n a\n", b"text,n\nb,1\n", b"text,n\n a,\nb,1\n"),
            (".json", b'["a"]', b' [\n"b"\n]\n', b'["a",\n"b"]'),
            (".json", b'{"n":1,"data":["a"]}', b'["b"]', b'[\n{"text":"a"},\n{"text":"b"}\n]\n'),
        ],
    )  # fmt: skip
    def test_go_into_one_file(
        self, suffix: str, first: bytes, second: bytes, both: bytes, tmp_path: Path
    ) -> None:
        names = f"x{suffix}", f"y{suffix}"
        for name, data in zip(names, (first, second), strict=True):
            (tmp_path / name).write_bytes(data)
        result = simil("dedupe", "-q", "--exact", *names, cwd=tmp_path)
        assert (result.out.encode(), result.code) == (both, 0)


def vectors_deduped(data: bytes, suffix: str, folder: Path, *options: str) -> Result:
    """Return what `dedupe` prints of a file of vectors."""
    (folder / f"v{suffix}").write_bytes(data)
    return simil("dedupe", "-q", "--threshold", "0.9", f"v{suffix}", *options, cwd=folder)


OF_OPENAI = (
    b'{"object":"list", "data":[\n {"object":"embedding","index":1,"embedding":[3,4.0]},\n'
    b' {"embedding":[6,8], "index":0, "index": 2},\n {"embedding":[-3e0,-4], "index" : 0}\n'
    b'],"model":"m","usage":{}}'
)


class TestSavedVectors:
    @pytest.mark.parametrize(
        ("suffix", "data", "kept"),
        [
            (
                ".jsonl",
                b'{"id":"a","embedding":[3,4]}\r\n{"id":"b","embedding":[6,8]}\n'
                b'{"embedding" : [-3.0,-4e0],"n":1.50}',
                b'{"id":"a","embedding":[3,4]}\r\n{"embedding" : [-3.0,-4e0],"n":1.50}',
            ),
            (
                ".csv",
                b'by;id;"d0";d1\r\n"me";a;3;4\r\nyou;b;6;8\r\n;c;-3.0;+4\r\n',
                b'by;id;"d0";d1\r\n"me";a;3;4\r\n;c;-3.0;+4\r\n',
            ),
            (".tsv", BOM + b"id\td0\td1\na\t3\t4\nb\t6\t8", BOM + b"id\td0\td1\na\t3\t4\n"),
            (".json", b"[[3,4],\n[6,8],\n[-3,-4.00]]\n", b"[[3,4],\n[-3,-4.00]]\n"),
            (
                ".json",
                OF_OPENAI,
                # By their index; that of the last one was 2.
                b'{"object":"list", "data":[\n {"embedding":[-3e0,-4], "index" : 0},\n'
                b' {"object":"embedding","index":1,"embedding":[3,4.0]}\n],"model":"m","usage":{}}',
            ),
        ],
    )
    def test_stay_as_they_came(self, suffix: str, data: bytes, kept: bytes, tmp_path: Path) -> None:
        result = vectors_deduped(data, suffix, tmp_path)
        assert (result.out.encode(), result.err, result.code) == (kept, "", 0)

    def test_an_index_that_is_the_position_stays_so(self, tmp_path: Path) -> None:
        items = [{"index": number, "embedding": row} for number, row in enumerate([[1, 0], [2, 0], [0, 1]])]
        document = json.dumps({"object": "list", "data": items, "model": "m"}, indent=1)
        kept = json.loads(vectors_deduped(document.encode(), ".json", tmp_path).out)
        assert kept["data"] == [{"index": 0, "embedding": [1, 0]}, {"index": 1, "embedding": [0, 1]}]

    def test_base64_stays_base64(self, tmp_path: Path) -> None:
        rows = [base64.b64encode(np.array(row, "<f4").tobytes()).decode() for row in ([3, 4, 0], [4, -3, 0])]
        data = json.dumps({"object": "list", "data": [{"embedding": row} for row in rows]}).encode()
        assert vectors_deduped(data, ".json", tmp_path).out.encode() == data

    def test_can_be_compared_with_what_they_came_from(self, tmp_path: Path) -> None:
        data = b'{"id":"a","embedding":[3,4]}\n{"id":"b","embedding":[6,8]}\n'
        vectors_deduped(data, ".jsonl", tmp_path, "-o", "out.csv")
        result = simil("compare", "--file", "v.jsonl", "--file", "out.csv", cwd=tmp_path)
        assert (result.code, result.err) == (0, "")

    @pytest.mark.parametrize("kind", ["<f8", "<f4", "<f2", ">f4", "<i8"])
    def test_rows_of_npy_keep_their_type(self, kind: str, tmp_path: Path) -> None:
        rows: Any = np.array([[3, 4], [6, 8], [-3.1, -4.2]]).astype(kind)
        np.save(tmp_path / "v.npy", rows)
        result = simil("dedupe", "-q", "--threshold", "0.9", "v.npy", "-o", "out.npy", cwd=tmp_path)
        assert (result.code, result.err) == (0, "")
        np.save(tmp_path / "expected.npy", rows[[0, 2]])
        assert (tmp_path / "out.npy").read_bytes() == (tmp_path / "expected.npy").read_bytes()
        assert json.loads((tmp_path / "out.npy.json").read_bytes()) == {
            "data": [{"id": "1", "text": None}, {"id": "3", "text": None}],
            "model": None,
            "dimensions": 2,
            "count": 2,
        }

    def test_npy_goes_into_a_pipe_as_npy_and_what_is_lost_there_is_told(self, tmp_path: Path) -> None:
        np.save(tmp_path / "v.npy", np.array([[3, 4], [6, 8]], np.float32))
        result = shell("simil dedupe v.npy --threshold 0.9 > out.npy", cwd=tmp_path)
        assert np.load(tmp_path / "out.npy").tolist() == [[3, 4]]
        assert "only the numbers are printed; -o FILE.npy also keeps ids, texts and model" in result.err


class TestOtherForms:
    DATA = b'{"id":"a","embedding":[3,4]}\n{"id":"c","text":"z","embedding":[-3,-4]}\n'

    @pytest.mark.parametrize(
        ("form", "written"),
        [
            ("csv", "id,text,model,d0,d1\na,,,3.0,4.0\nc,z,,-3.0,-4.0\n"),
            ("tsv", "id\ttext\tmodel\td0\td1\na\t\t\t3.0\t4.0\nc\tz\t\t-3.0\t-4.0\n"),
            (
                "json",
                '{"object":"list","data":[\n'
                '{"object":"embedding","index":0,"id":"a","text":null,"embedding":[3.0,4.0]},\n'
                '{"object":"embedding","index":1,"id":"c","text":"z","embedding":[-3.0,-4.0]}\n'
                '],"model":null,"dimensions":2}\n',
            ),
        ],
    )
    @pytest.mark.parametrize("command", ["dedupe", "embed"])
    def test_have_the_numbers_and_name_no_model(
        self, command: str, form: str, written: str, tmp_path: Path
    ) -> None:
        (tmp_path / "v.jsonl").write_bytes(self.DATA)
        options = ["--threshold", "0.9"] if command == "dedupe" else []
        result = simil(command, "-q", *options, "v.jsonl", "-f", form, cwd=tmp_path)
        assert (result.out, result.code) == (written, 0)
