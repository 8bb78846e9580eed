"""The manifest of a run: what is done is known after any interruption, and another run is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.s3_server import S3Server

from simil.errors import InputError, Place, UsageError
from simil.runners.job import PartReport
from simil.runners.part_manifest import PartManifest

_PLAN = {"simil": "1", "model": "minilm", "options": {"kind": "query"}, "inputs": [["a", 1, "2"]], "parts": 3}


@pytest.fixture(params=["folder", "dataset", "bucket", "dataset in a bucket"])
def output(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = "vectors.lance" if "dataset" in request.param else "vectors"
    if "bucket" not in request.param:
        return str(tmp_path / name)
    s3: S3Server = request.getfixturevalue("s3")
    for key, value in s3.env.items():
        monkeypatch.setenv(key, value)
    return f"s3://{s3.new_bucket()}/{name}"


def test_what_is_done_is_known_to_the_next_run(output: str) -> None:
    first = PartManifest(output, _PLAN)
    first.begin()
    report = PartReport(2, rows=7, blank=3, first_blank=Place("a", 5), failed=[InputError("x")], worker="w")
    first.add(report)
    first.add(PartReport(0, rows=1, fragments=["f"]))

    second = PartManifest(output, _PLAN)

    assert not second.is_complete
    assert sorted(second.done) == [0, 2]
    again = PartReport.of(second.done[2])
    assert again.noted() == report.noted()
    assert again.noted()["failed"] == 1
    assert PartReport.of(second.done[0]).fragments == ["f"]
    second.complete()
    assert PartManifest(output, _PLAN).is_complete


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": "bge"}, "minilm"),
        ({"options": {"kind": "document"}}, "kind"),
        ({"options": {"kind": "query", "fields": ["a"]}}, r"fields was not given, and is \["),
        ({"options": {}}, "kind was query, and is not given"),
        ({"inputs": [["a", 9, "2"]]}, "a was changed"),
        ({"inputs": [["b", 1, "2"]]}, "it was a, and is b"),
        ({"inputs": []}, "there were 1, and are 0"),
    ],
)
def test_another_run_is_refused_and_told_the_difference(
    change: dict[str, object], said: str, tmp_path: Path
) -> None:
    PartManifest(str(tmp_path), _PLAN).begin()

    with pytest.raises(UsageError, match=said):
        PartManifest(str(tmp_path), _PLAN | change)


def test_a_line_that_is_torn_is_no_line(tmp_path: Path) -> None:
    first = PartManifest(str(tmp_path), _PLAN)
    first.begin()
    first.add(PartReport(0))
    path = tmp_path / "_simil.jsonl"
    path.write_bytes(path.read_bytes() + b'{"part": 1, "ro')

    second = PartManifest(str(tmp_path), _PLAN)
    second.add(PartReport(2))

    assert sorted(PartManifest(str(tmp_path), _PLAN).done) == [0, 2]


def test_a_folder_of_others_stays_as_it_is(tmp_path: Path) -> None:
    tmp_path.joinpath("notes.txt").write_text("mine")

    with pytest.raises(UsageError, match="manifest"):
        PartManifest(str(tmp_path), _PLAN)
