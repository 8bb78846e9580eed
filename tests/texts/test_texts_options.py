"""Formats by suffix, and options that do not go together."""

from __future__ import annotations

import pytest
from support.reading import named

from simil.errors import UsageError
from simil.texts import InputFormat, ReadOptions, format_of, read_texts


@pytest.mark.parametrize(
    ("source", "form"),
    [
        ("a.jsonl", "jsonl"),
        ("a.NDJSON", "jsonl"),
        ("dir.csv/a.Json", "json"),
        ("a.CSV", "csv"),
        ("a.tsv", "tsv"),
        ("a.tab", "tsv"),
        ("a.txt", "text"),
        ("a", "text"),
        (".csv", "text"),
        ("-", "text"),
        ("", "text"),
    ],
)
def test_the_suffix_names_the_format(source, form):
    assert format_of(source) is InputFormat(form)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"whole": True, "nul": True}, "--whole and -0 contradict"),
        ({"whole": True, "format": InputFormat.CSV}, "--whole is for plain text, not for csv"),
        ({"nul": True, "format": InputFormat.JSONL}, "-0 is for plain text, not for jsonl"),
        ({"whole": True, "fields": ("a",)}, "--field and --whole contradict"),
        ({"nul": True, "id_field": "a"}, "--id-field and -0 contradict"),
        ({"header": False, "format": InputFormat.JSON}, "--no-header is for csv, tsv and xlsx, not for json"),
        ({"header": False, "whole": True}, "--no-header is for csv, tsv and xlsx, not for text"),
    ],
)
def test_options_that_contradict_each_other(options, line):
    with pytest.raises(UsageError, match=line):
        ReadOptions(**options)


@pytest.mark.parametrize(
    ("sources", "options", "line"),
    [
        ([], {"fields": ("a",)}, "--field is given, but plain text has no fields; pass --input-format"),
        (["a.txt"], {"id_field": "a"}, "--id-field is given, but plain text has no fields"),
        (
            ["a.txt", "b.jsonl"],
            {"header": False},
            "--no-header is for csv, tsv and xlsx, and no source is one",
        ),
        (["a.csv"], {"fields": ("a", "b")}, "pass --field once"),
    ],
)
def test_options_that_do_not_fit_the_sources(sources, options, line):
    how = ReadOptions(**options)
    given = [named(name) for name in sources or ["-"]]
    with pytest.raises(UsageError, match=line):
        read_texts(given, how, on_blank=lambda place: None)


def test_a_field_applies_to_the_structured_sources_among_plain_ones(tmp_path, read):
    plain, table = tmp_path / "a.txt", tmp_path / "b.csv"
    plain.write_text("one\n")
    table.write_text("body,n\ntwo,2\n")
    assert read(plain, table, fields=("body",)).texts == ["one", "two"]


def test_the_format_overrides_the_suffix(tmp_path, read):
    file = tmp_path / "a.csv"
    file.write_text('{"text": "x"}\n')
    assert read(file, format=InputFormat.JSONL).texts == ["x"]
    assert read(file, format=InputFormat.TEXT).texts == ['{"text": "x"}']


def test_nul_overrides_the_suffix(tmp_path, read):
    file = tmp_path / "a.csv"
    file.write_bytes(b"a,b\nc\0d")
    assert read(file, nul=True).texts == ["a,b\nc", "d"]
