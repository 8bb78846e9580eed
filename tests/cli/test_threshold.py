"""`--threshold`: at least so alike, or at most so far, for every pair that is scored."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.command import simil

# (1,0), (3,4), (4,3) times their length: cosines 0.6, 0.8 and 0.96, distances known as well.
VECTORS = "[[1,0],[3,4],[4,3]]"
PAIRS = "a\tb\ntea\teat\ntea\trrrrrrrr\n"


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.joinpath("v.json").write_text(VECTORS, "ascii")
    tmp_path.joinpath("pairs.tsv").write_text(PAIRS, "ascii")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("metric", "threshold", "code"),
    [
        ("cosine", "0.6", 0),
        ("cosine", "0.6001", 1),
        ("cosine", "-1", 0),
        ("dot", "3", 0),
        ("dot", "3.01", 1),
        ("euclidean", "4.4722", 0),
        ("euclidean", "4.4721", 1),
        ("manhattan", "6", 0),
        ("manhattan", "5.99", 1),
        ("manhattan", "inf", 0),
    ],
)
def test_matrix_reaches_it_when_its_farthest_pair_does(metric: str, threshold: str, code: int) -> None:
    result = simil("compare", "-q", "--file", "v.json", "--metric", metric, f"--threshold={threshold}")
    assert (result.code, result.out, result.err) == (code, "", "")


def test_own_score_of_each_item_does_not_count() -> None:
    # Each is at distance 0 from itself, and would be below any distance.
    assert simil("compare", "-q", "--file", "v.json", "--metric", "dot", "--threshold", "3").code == 0
    assert simil("compare", "-q", "--file", "v.json", "--metric", "euclidean", "--threshold", "0").code == 1


@pytest.mark.parametrize(("threshold", "code"), [("0.3", 0), ("0.99", 1)])
def test_pairs_reach_it_when_every_row_does(plugins: None, threshold: str, code: int) -> None:
    loud = simil("compare", "--pairs", "pairs.tsv", "--threshold", threshold)
    assert loud.code == code
    assert loud.out.count("\n") == 2
    quiet = simil("compare", "--pairs", "pairs.tsv", "--threshold", threshold, "-q")
    assert (quiet.code, quiet.out, quiet.err) == (code, "", "")


def test_pairs_at_most_so_far(plugins: None) -> None:
    far = ["compare", "-q", "--pairs", "pairs.tsv", "--metric", "euclidean", "--threshold"]
    assert simil(*far, "2").code == 0
    assert simil(*far, "0.1").code == 1


def test_text_reaches_one_with_itself() -> None:
    assert simil("compare", "-q", "Apple", "Apple", "--threshold", "1").code == 0


def test_scores_are_written_to_the_file_also_when_below_and_quiet(tmp_path: Path) -> None:
    command = ["compare", "-q", "--file", "v.json", "--threshold", "0.9", "-o", "scores.tsv"]
    assert simil(*command).code == 1
    assert tmp_path.joinpath("scores.tsv").read_text("utf-8").splitlines()[1].startswith("1\t1.000000\t0.6")
