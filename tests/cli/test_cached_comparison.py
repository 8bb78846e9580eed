"""Two texts out of the cache are compared without NumPy, and what is printed is the same to the last byte."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.command import Result, simil

_LONG = "word " * 400


def _out_of_the_cache(*arguments: str, cwd: Path) -> Result:
    """Compare without the cache, and then out of it; both must end alike."""
    command = ("compare", "-m", "minilm", *arguments)
    computed = simil(*command, "--no-cache", cwd=cwd)
    for _ in range(2):
        found = simil(*command, cwd=cwd)
        assert found == computed
    return computed


@pytest.mark.parametrize(
    ("arguments", "code", "note"),
    [
        (["Apple", "Orange"], 0, ""),
        (["Apple", "Apple"], 0, ""),
        (["-q", "Apple", "Orange"], 0, ""),
        (["Apple", "Orange", "--threshold", "0.37258"], 0, ""),
        (["Apple", "Orange", "--threshold", "0.372581"], 1, ""),
        (["--format", "json", "Apple", "Orange"], 0, ""),
        (["--format", "csv", "Apple", "Orange"], 0, ""),
        (["--metric", "dot", "--no-normalize", "Apple", "Orange"], 0, ""),
        (["--metric", "euclidean", "Apple", "Orange"], 0, ""),
        (["--metric", "manhattan", "--dimensions", "8", "Apple", "Orange"], 0, "was not trained for"),
        (["🍎🍎", "🍊"], 0, "2 texts have no word"),
        (["Apple", _LONG], 0, "1 text is longer than"),
        (["Apple", _LONG, "--overflow", "error"], 3, "longer"),
        (["Apple", " "], 3, "there is no text in it"),
        (["Apple"], 2, "only one text to compare"),
        (["Apple", "notes.txt"], 0, "is compared as a text"),
        (["Apple", "--file", "notes.txt"], 0, ""),
        (["Apple", "Orange", "--sheet", "1", "--input-format", "csv"], 2, "--sheet is for"),
        (["Apple", "Orange", "Pear"], 0, ""),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_it_ends_as_if_it_were_computed(arguments: list[str], code: int, note: str, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("a few notes\n")
    result = _out_of_the_cache(*arguments, cwd=tmp_path)

    assert result.code == code
    assert note in result.err
    assert bool(result.err) == bool(note)


def test_the_first_text_alone_may_be_cached(tmp_path: Path) -> None:
    simil("compare", "-m", "minilm", "Apple", "Orange", cwd=tmp_path)
    _out_of_the_cache("Apple", "a fruit that nobody has compared", cwd=tmp_path)


def test_notes_say_where_the_vectors_are_from(tmp_path: Path) -> None:
    command = ("compare", "-m", "minilm", "-v", "Apple", "Orange")
    simil(*command, cwd=tmp_path)

    assert "from the cache, float32" in simil(*command, cwd=tmp_path).err
