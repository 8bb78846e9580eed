"""`simil embed --on ray` on two nodes: what it writes and says is what one process writes and says."""

from __future__ import annotations

import json
import shutil
import sys
from datetime import timedelta
from pathlib import Path

import lance
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.command import simil
from support.embedded_tables import assert_identical, table_of
from support.ray_clusters import RayCluster
from support.s3_server import S3Server
from support.small_models import write_bert

from simil.tasks import doctor

_GATED = ("-m", "plugin:gated", "--no-cache")
_ROWS = 4096  # of the smallest part


def test_vectors_and_rows_are_those_of_one_process(cluster: RayCluster, tmp_path: Path) -> None:
    words = ("apple", "storm", "a red kite")
    texts = [f"{words[number % 3]} {number % 400}" for number in range(_ROWS + 200)]
    table = pa.table(
        {
            "id": [f"#{number}" for number in range(len(texts))],
            "text": texts,
            "year": pa.array([number % 90 or None for number in range(len(texts))], pa.int16()),
            "tags": [["x"] * (number % 3) for number in range(len(texts))],
        }
    )
    pq.write_table(table, tmp_path / "texts.parquet", row_group_size=1000)
    model = ("-m", "minilm", "--no-cache", "--threads", "1")

    one = simil("embed", *model, "texts.parquet", "-o", "one.parquet", cwd=tmp_path)
    many = simil("embed", *model, "texts.parquet", "-o", "many", "--on", cluster.on, cwd=tmp_path)

    assert (one.code, one.err) == (0, "")
    assert many.code == 0, many.err
    assert_identical(table_of(tmp_path / "many"), pq.read_table(tmp_path / "one.parquet"))
    # An actor that has seen no other text gives the last few of them the same bits.
    last = tmp_path / "many" / "part-00001.parquet"
    last.unlink()
    assert simil("embed", *model, "texts.parquet", "-o", "many", "--on", cluster.on, cwd=tmp_path).code == 0
    assert_identical(table_of(tmp_path / "many"), pq.read_table(tmp_path / "one.parquet"))


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files of many formats and faults, some of more rows than one part has."""
    folder = tmp_path_factory.mktemp("mixed")
    long = [f"line {number}" for number in range(_ROWS + 700)]
    long[300], long[4200], long[4500] = "", "a bad one", "   "
    folder.joinpath("a lines.txt").write_text("\n".join(long), "utf-8")
    quoted = ['"two\nlines"', '""', '"with ""quotes"" in it"', '"two\r\nlines, \n\nand more"', "bad", "é"]
    cells = [f"{quoted[number % 6]},k{number}" for number in range(_ROWS + 50)]
    folder.joinpath("b.csv").write_text("text,id\n" + "\n".join(cells) + "\n", "utf-8")
    rows = [{"text": f"value {number}", "n": number, "of": {"a": [number]}} for number in range(_ROWS + 9)]
    lines = [json.dumps(row) for row in rows]
    lines[20] = ""
    lines[4100] = json.dumps({"n": 1})  # no text
    lines[4101] = json.dumps({"text": "bad", "id": "9" * 4000})
    folder.joinpath("c.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    folder.joinpath("d.tsv").write_text("text\tn\nraw \\t tab\t1\nbad\t2\n", "utf-8")
    folder.joinpath("e.txt").write_bytes(b"")
    folder.joinpath("f.txt").write_bytes("ï»¿, a mark of UTF-8\r\nsecond\r\n".encode("cp1252"))
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), folder / "g.parquet")
    parts = folder / "h.parts"
    parts.mkdir()
    for number in range(3):
        some = [f"part {number} row {row}" for row in range(10)]
        pq.write_table(pa.table({"text": some, "n": range(10)}), parts / f"{number}.parquet")
    return folder


@pytest.mark.parametrize("on_error", ["skip", "null"])
def test_every_format_gives_the_rows_and_errors_of_one_process(
    on_error: str, mixed: Path, cluster: RayCluster, tmp_path: Path
) -> None:
    names = sorted(path.name for path in mixed.iterdir())
    how = (*_GATED, "--on-error", on_error)

    one = simil("embed", *how, *names, "-o", str(tmp_path / "one.parquet"), cwd=mixed)
    many = simil("embed", *how, *names, "-o", str(tmp_path / "many"), "--on", "ray", cwd=mixed)

    assert one.code == 6
    assert many.code == one.code, many.err
    assert_identical(table_of(tmp_path / "many"), pq.read_table(tmp_path / "one.parquet"))
    # Which error comes first depends on which part does.
    *said, last = sorted(many.err.splitlines(), key=lambda line: " texts/s" in line)
    assert last.endswith(" texts/s")
    assert sorted(said) == sorted(one.err.splitlines())


def test_a_second_run_writes_what_is_missing_and_refuses_what_differs(
    cluster: RayCluster, tmp_path: Path
) -> None:
    write_bert(tmp_path / "model")
    tmp_path.joinpath("texts.txt").write_text("one\ntwo\n", "utf-8")
    # The workers' folder is another one: paths of the input, the output and the model hold there, too.
    run = ("embed", "-m", "./model", "texts.txt", "-o", "out", "--on", "ray")
    first = simil(*run, cwd=tmp_path)
    assert first.code == 0, first.err
    part = tmp_path / "out" / "part-00000.parquet"
    written, kept = part.read_bytes(), part.stat()

    assert simil(*run, cwd=tmp_path).code == 0
    assert part.stat().st_mtime_ns == kept.st_mtime_ns

    part.unlink()
    assert simil(*run, cwd=tmp_path).code == 0
    assert part.read_bytes() == written

    other = simil("embed", "-m", "minilm", "texts.txt", "-o", "out", "--on", "ray", cwd=tmp_path)
    assert other.code == 2
    assert "out: holds a run with another model" in other.error_line
    tmp_path.joinpath("texts.txt").write_text("one\nthree\n", "utf-8")
    changed = simil(*run, cwd=tmp_path)
    assert changed.code == 2
    assert "out: holds a run with other inputs" in changed.error_line
    assert part.read_bytes() == written


def test_a_dataset_that_is_not_the_run_s_any_more_is_written_again(
    cluster: RayCluster, tmp_path: Path
) -> None:
    write_bert(tmp_path / "model")
    tmp_path.joinpath("texts.txt").write_text("one\ntwo\n", "utf-8")
    tmp_path.joinpath("other.txt").write_text("three\n", "utf-8")
    output = tmp_path / "out.lance"
    one = ("embed", "-q", "-m", "./model", "-o", "out.lance")

    def run() -> list[str]:
        done = simil(*one, "texts.txt", "--on", "ray", cwd=tmp_path)
        assert (done.code, done.err) == (0, "")
        return table_of(output)["text"].to_pylist()

    assert run() == ["one", "two"]
    assert simil(*one, "other.txt", cwd=tmp_path).code == 0
    assert run() == ["one", "two"]

    # Of the rows that were written, nothing is left.
    shutil.rmtree(output)
    assert simil(*one, "other.txt", cwd=tmp_path).code == 0
    assert run() == ["one", "two"]

    # What was added to them stays, also where an index has moved them to other files.
    tmp_path.joinpath("more.jsonl").write_text('{"id": "new", "text": "four"}\n', "utf-8")
    assert simil(*one, "more.jsonl", "--append", cwd=tmp_path).code == 0
    lance.dataset(str(output)).optimize.compact_files()
    lance.dataset(str(output)).cleanup_old_versions(timedelta(0), delete_unverified=True)
    assert sorted(run()) == ["four", "one", "two"]


def test_after_a_text_that_fails_a_run_goes_on_without_it(cluster: RayCluster, tmp_path: Path) -> None:
    write_bert(tmp_path / "model")
    tmp_path.joinpath("texts.jsonl").write_text('{"text": "one"}\n{"text": 2}\n', "utf-8")
    run = ("embed", "-q", "-m", "./model", "texts.jsonl", "-o", "out", "--on", "ray")

    assert simil(*run, cwd=tmp_path).code == 3
    assert simil(*run, "--on-error", "skip", cwd=tmp_path).code == 6
    assert simil(*run, "--on-error", "skip", cwd=tmp_path).code == 6
    assert table_of(tmp_path / "out")["text"].to_pylist() == ["one"]

    assert simil(*run, cwd=tmp_path).code == 3
    other = simil(*run, "--on-error", "null", cwd=tmp_path)
    assert (other.code, "on_error was not given, and is null" in other.error_line) == (2, True)


def test_no_rows_are_a_table_without_rows(cluster: RayCluster, tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "none.parquet")

    done = simil("embed", *_GATED, "none.parquet", "-o", "out", "--on", "ray", cwd=tmp_path)

    assert done.code == 0, done.err
    assert table_of(tmp_path / "out").column_names == ["id", "text", "embedding"]
    assert table_of(tmp_path / "out").num_rows == 0


def test_buckets_are_read_and_written(cluster: RayCluster, s3: S3Server, tmp_path: Path) -> None:
    texts = [f"text {number}" for number in range(_ROWS + 100)]
    table = pa.table({"id": [f"k{number}" for number in range(len(texts))], "text": texts})
    pq.write_table(table, tmp_path / "texts.parquet")
    bucket = s3.new_bucket()
    s3.put(f"{bucket}/in/texts.parquet", tmp_path.joinpath("texts.parquet").read_bytes())
    run = ("embed", *_GATED, "--on", "ray", f"s3://{bucket}/in/*.parquet", "-o")
    assert simil("embed", *_GATED, "texts.parquet", "-o", "one.parquet", cwd=tmp_path).code == 0
    expected = pq.read_table(tmp_path / "one.parquet")

    # The nodes have no keys of their own.
    parts = simil(*run, f"s3://{bucket}/vectors/", env=s3.env)
    dataset = simil(*run, f"s3://{bucket}/corpus.lance", env=s3.env)

    assert (parts.code, dataset.code) == (0, 0), parts.err + dataset.err
    names = [name for name in s3.names(f"{bucket}/vectors") if name.endswith(".parquet")]
    assert_identical(pa.concat_tables([pq.read_table(name, filesystem=s3.files) for name in names]), expected)
    found = lance.dataset(
        f"s3://{bucket}/corpus.lance", storage_options={name.lower(): s3.env[name] for name in s3.env}
    )
    columns = ["id", "text", "embedding"]
    assert found.to_table(columns).to_pydict() == expected.select(columns).to_pydict()
    logs = Path(cluster.env["RAY_TMPDIR"]).rglob("*.*")
    written = [path.read_bytes() for path in logs if path.is_file()]
    assert written
    assert not any(
        s3.SECRET_KEY.encode() in data for data in (parts.err.encode(), dataset.err.encode(), *written)
    )


def test_actors_that_do_not_fit_are_refused_with_the_numbers(cluster: RayCluster, tmp_path: Path) -> None:
    tmp_path.joinpath("texts.txt").write_text("one\ntwo\n", "utf-8")
    run = ("embed", *_GATED, "texts.txt", "-o", "out", "--on", "ray")

    for wanted in (("--actors", "3"), ("--cores-per-actor", "2")):
        refused = simil(*run, *wanted, cwd=tmp_path)
        assert refused.code == 2
        assert "2 nodes" in refused.error_line
        assert not tmp_path.joinpath("out").exists()


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_doctor_describes_the_cluster(
    scheme: str, cluster: RayCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = tuple(check for check in doctor.CHECKS if check.name == "ray cluster")
    monkeypatch.setattr(doctor, "CHECKS", checks)
    monkeypatch.setenv("RAY_ADDRESS", f"{scheme}{cluster.address}")

    [finding] = doctor.diagnose()

    assert (finding.status, finding.detail) == ("ok", f"{cluster.address}: 2 nodes, 2 CPUs, 0 GPUs")
    assert "ray" not in sys.modules
