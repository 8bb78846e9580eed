"""Sensible answers on real texts: the packages of tests/data."""

from __future__ import annotations

import json
from pathlib import Path

from support.command import simil

PACKAGES = Path(__file__).parents[1] / "data" / "packages.tsv"

# What a person would accept as the first answer.
WANTED = {
    "play chess against the computer": {"gnuchess"},
    "a relational database": {"postgresql"},
    "serve web pages": {"webfs", "apache2", "lighttpd", "nginx"},
    "edit photos": {"gimp", "krita", "viewnior"},
    "record sound": {"bplay", "audacity", "rotter"},
}


def objects(*arguments: str, stdin: str = "") -> list[dict[str, object]]:
    command = [*arguments, str(PACKAGES), "--field", "summary", "--id-field", "name", "-f", "jsonl"]
    result = simil(*command, stdin=stdin.encode())
    assert result.code == 0, result.err
    return [json.loads(line) for line in result.out.splitlines()]


def test_search_finds_what_a_person_would_name() -> None:
    found = objects("search", "--queries", "-", "-k", "1", stdin="\n".join(WANTED))
    assert {str(hit["query"]): str(hit["id"]) for hit in found}.keys() == WANTED.keys()
    assert all(hit["id"] in WANTED[str(hit["query"])] for hit in found), found


def test_dedupe_removes_what_says_the_same() -> None:
    kept = {str(row["name"]) for row in objects("dedupe")}
    removed = {str(row["name"]) for row in objects("dedupe", "--show", "removed")}
    assert removed == {"gitweb", "mercurial"}
    assert kept & removed == set()
    assert len(kept | removed) == PACKAGES.read_text("utf-8").count("\n") - 1
