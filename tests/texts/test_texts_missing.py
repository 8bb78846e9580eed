"""With `keeps_failed` every record keeps its place, whatever is wrong with it, and no other takes its id."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.reading import opened

from simil.texts import Pair, ReadOptions, Text, is_blank, read_pairs, read_texts

Read = Callable[..., "Kept"]


@dataclass
class Kept:
    items: Sequence[Any]
    blanks: list[str]
    errors: list[str]

    @property
    def missing(self) -> list[int]:
        return [row for row, item in enumerate(self.items) if item.is_missing]

    @property
    def ids(self) -> list[str]:
        return [item.id for item in self.items]


@pytest.fixture
def keep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Read the texts, or pairs, of a file of this name and content."""
    monkeypatch.chdir(tmp_path)

    def reading(name: str, content: bytes | str, *, pairs: bool = False, **options: Any) -> Kept:
        Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
        how = ReadOptions(**options)
        blanks: list[str] = []
        errors: list[str] = []
        found = [*(_pairs if pairs else _texts)(name, how, blanks, errors)]
        return Kept(found, blanks, errors)

    return reading


def _texts(name: str, how: ReadOptions, blanks: list[str], errors: list[str]) -> list[Text]:
    return [
        *read_texts(
            opened([name], how),
            how,
            on_blank=lambda place: blanks.append(str(place)),
            on_error=lambda error: errors.append(str(error.place)),
            keeps_failed=True,
        )
    ]


def _pairs(name: str, how: ReadOptions, blanks: list[str], errors: list[str]) -> list[Pair]:
    (source,) = opened([name], how)
    return [
        *read_pairs(
            source,
            how,
            on_blank=lambda place: blanks.append(str(place)),
            on_error=lambda error: errors.append(str(error.place)),
            keeps_failed=True,
        )
    ]


def test_lines(keep: Read) -> None:
    found = keep("a.txt", b"one\n\nb\xff\n \t\nfive")
    assert (found.ids, found.missing) == (["1", "2", "3", "4", "5"], [1, 2, 3])
    assert [item.text for item in found.items] == ["one", "", "", " \t", "five"]
    assert (found.blanks, found.errors) == (["a.txt:2", "a.txt:4"], ["a.txt:3:2"])
    assert [str(item.origin) for item in found.items] == [f"a.txt:{n}" for n in range(1, 6)]


def test_texts_between_nuls(keep: Read) -> None:
    assert keep("a.txt", "one\0\0three\0", nul=True).missing == [1]


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff"])
def test_a_whole_file(content: bytes, keep: Read) -> None:
    found = keep("a.txt", content, whole=True)
    assert (found.ids, found.missing) == (["a.txt"], [0])


def test_json_lines(keep: Read) -> None:
    lines = [
        '{"id":"a","text":"one"}',
        '{"id":"b","text":2}',
        "",
        '{"id":"c","text":null,"n":7}',
        "{",
        '{"id":"d"}',
    ]
    found = keep("a.jsonl", "\n".join([*lines, "[1]", "null", '{"id":"e","text":""}', '"nine"']))
    assert found.missing == [1, 2, 3, 4, 5, 6, 7]
    assert found.ids == ["a", "b", "c", "a.jsonl:5", "d", "7", "8", "e", "10"]
    assert [dict(item.fields) for item in found.items] == [{}, {}, {"n": 7}, {}, {}, {}, {}, {}, {}]
    # An empty line is no record: nothing is missing there.
    assert found.blanks == ["a.jsonl:4", "a.jsonl:8", "a.jsonl:9"]


def test_a_line_that_cannot_be_read_is_numbered_where_all_are(keep: Read) -> None:
    numbered = keep("a.jsonl", '{"text":"one"}\n{\n{"text":"three"}\n')
    assert (numbered.ids, numbered.missing) == (["1", "2", "3"], [1])
    # It may have had the id of another record.
    named = keep("a.jsonl", '{\n{"id":"1","text":"one"}\n{"id":2,"text":null}\n')
    assert (named.ids, named.missing) == (["a.jsonl:1", "1", "2"], [0, 2])


def test_an_id_that_cannot_be_used(keep: Read) -> None:
    found = keep("a.jsonl", '{"id":null,"text":"one"}\n{"id":[1],"text":"two"}\n{"id":"1","text":"three"}\n')
    assert (found.ids, found.missing) == (["a.jsonl:1", "a.jsonl:2", "1"], [0, 1])
    assert [item.text for item in found.items] == ["one", "two", "three"]
    asked = keep("a.jsonl", '{"n":1}\n{"text":"two"}\n"three"\n{"n":"x","text":"4"}', id_field="n")
    assert (asked.ids, asked.missing) == (["1", "a.jsonl:2", "a.jsonl:3", "x"], [0, 1, 2])


@pytest.mark.parametrize("document", ['["one",null,3,"",[],"six"]', '{"data":["one",null,3,"",{},"six"]}'])
def test_a_document(document: str, keep: Read) -> None:
    found = keep("a.json", document)
    assert (found.ids, found.missing) == (["1", "2", "3", "4", "5", "6"], [1, 2, 3, 4])


def test_a_table(keep: Read) -> None:
    rows = b"id,text,note\n7,one,x\n8\n9,,y\n\n10,b\xff,z\n11, ,w\n12,six,v\n"
    found = keep("a.csv", rows)
    assert (found.ids, found.missing) == (["7", "a.csv:3", "9", "a.csv:6", "11", "12"], [1, 2, 3, 4])
    assert [item.fields["note"] for item in found.items] == ["x", None, "y", None, "w", "v"]
    assert all([*item.fields] == ["note"] for item in found.items)
    without = keep("a.tsv", "text\tnote\none\tx\ntwo\n\ty\n")
    assert (without.ids, without.missing) == (["2", "3", "4"], [1, 2])


def test_pairs(keep: Read) -> None:
    rows = "id,left,right,note\n7,a,b,x\n8\n9,,d,y\n10,e,f,z\n"
    found = keep("a.csv", rows, pairs=True, fields=("left", "right"))
    assert (found.ids, found.missing) == (["7", "a.csv:3", "9", "10"], [1, 2])
    assert [(item.left, item.right) for item in found.items] == [("a", "b"), ("", ""), ("", "d"), ("e", "f")]
    assert all([*item.fields] == ["id", "left", "right", "note"] for item in found.items)
    lines = '{\n{"id":1,"a":"x","b":2}\n{"id":3,"a":"x","b":"y"}\n{"id":4,"a":null,"b":"y"}'
    found = keep("a.jsonl", lines, pairs=True)
    assert (found.ids, found.missing) == (["a.jsonl:1", "1", "3", "4"], [0, 1, 3])
    assert [(item.left, item.right) for item in found.items] == [("", ""), ("x", ""), ("x", "y"), ("", "y")]


VALUES = st.none() | st.booleans() | st.integers(0, 5) | st.sampled_from(["", " ", "a", "bc"]) | st.just([1])
RECORDS = st.fixed_dictionaries({}, optional={"id": VALUES, "text": VALUES}) | VALUES | st.just(b"{bad")


@given(records=st.lists(RECORDS, max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_as_many_as_there_are_and_all_that_can_be_embedded(records: list[Any], keep: Read) -> None:
    import orjson

    lines = [record if isinstance(record, bytes) else orjson.dumps(record) for record in records]
    found = keep("a.jsonl", b"\n".join(lines) + b"\n")
    assert len(found.items) == len(records)
    assert [item.origin.line for item in found.items] == [*range(1, len(records) + 1)]
    assert len(found.missing) == len(found.blanks) + len(found.errors)
    for item in found.items:
        assert item.is_missing or not is_blank(item.text)
        record = records[(item.origin.line or 0) - 1]
        own = record.get("id") if isinstance(record, dict) else None
        if not isinstance(own, str | int):
            # A number or a place is nobody's id but that of its own line.
            assert item.id in (str(item.origin.line), f"a.jsonl:{item.origin.line}")
            assert found.ids.count(item.id) == 1
