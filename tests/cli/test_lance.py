"""Lance datasets from the command line: written, appended to, read by every command, refused in one line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import lance
import pytest
from support.command import MINILM, simil
from support.openai_server import KEY, OpenAIServer
from support.s3_server import S3Server, s3_server

FRUIT = "id,text,price\na,apple,1\nb,banana,2\nc,cherry,3\n"


@pytest.fixture(autouse=True)
def _model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMIL_MODEL", "minilm")


@pytest.fixture(scope="module")
def fruit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset that no test changes."""
    folder = tmp_path_factory.mktemp("fruit")
    (folder / "fruit.csv").write_text(FRUIT)
    done = simil("embed", "fruit.csv", "-o", "fruit.lance", cwd=folder, env={"SIMIL_MODEL": "minilm"})
    assert (done.code, done.out, done.err) == (0, "", "")
    return folder / "fruit.lance"


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


def items(*arguments: str, cwd: Path | None = None) -> list[dict[str, object]]:
    done = simil(*arguments, cwd=cwd)
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


def append(path: Path | str, rows: str, *more: str) -> str:
    """Append rows of CSV and return the line that says what was done."""
    done = simil("embed", "--append", "-o", str(path), "--input-format", "csv", *more, stdin=rows.encode())
    assert (done.code, done.out) == (0, ""), done.err
    return done.error_line.removeprefix(f"{path}: ")


def test_every_command_reads_it_as_it_reads_parquet(fruit: Path) -> None:
    simil("embed", str(fruit), "-o", "fruit.parquet", cwd=fruit.parent)

    def answers(name: str) -> list[list[dict[str, object]]]:
        commands = [
            ["embed", name, "-f", "jsonl"],
            ["outliers", name, "--format", "jsonl"],
            ["match", name, name, "--format", "jsonl"],
        ]
        found = [items(*command, cwd=fruit.parent) for command in commands]
        return json.loads(json.dumps(found).replace("fruit.parquet", "fruit.lance"))  # type: ignore[no-any-return]

    assert answers("fruit.lance") == answers("fruit.parquet")


def test_what_was_ignored_is_ignored_in_rows_that_are_added(tmp_path: Path) -> None:
    path, digits = tmp_path / "a.lance", ("--ignore", r"\d+")
    assert append(path, "id,text\na,plum 1\nb,plum\n", *digits) == "2 rows added, 0 replaced"
    # A row holds the whole text, and its vector is that of the rest: neither stands for the other.
    assert append(path, "id,text\nc,plum 17\n", *digits) == "1 row added, 0 replaced"
    refused = simil("embed", "--append", "-o", str(path), stdin=b"pear\n")

    assert len({tuple(item["embedding"]) for item in items("embed", str(path), "-f", "jsonl")}) == 1  # type: ignore[arg-type]
    assert refused.code == 3
    assert "symmetric texts without '\\\\d+'" in refused.error_line


def test_a_column_that_is_named_is_read_as_texts(fruit: Path) -> None:
    found = simil("embed", str(fruit), "--field", "text", "-f", "jsonl")
    assert found.error_line == f"{fruit}: the vectors in column 'embedding' are left out"
    texts = [json.loads(line) for line in found.out.splitlines()]
    assert [(item["id"], item["text"], item["fields"]) for item in texts] == [
        ("a", "apple", {"price": "1"}),
        ("b", "banana", {"price": "2"}),
        ("c", "cherry", {"price": "3"}),
    ]


def test_rows_are_added_and_replaced(fruit: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.lance"
    assert append(path, FRUIT) == "3 rows added, 0 replaced"
    assert append(path, "id,text,price\nb,blueberry,5\nd,date,4\n") == "1 row added, 1 replaced"
    found = items("embed", str(path), "-f", "jsonl")
    assert [(item["id"], item["text"]) for item in found] == [
        ("a", "apple"),
        ("c", "cherry"),
        ("b", "blueberry"),
        ("d", "date"),
    ]
    assert {item["model"] for item in found} == {MINILM}
    assert found[0] == items("embed", str(fruit), "-f", "jsonl")[0]


def test_the_model_is_that_of_the_dataset(
    tmp_path: Path, fruit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.lance"
    simil("embed", str(fruit), "-o", str(path))
    monkeypatch.delenv("SIMIL_MODEL")
    assert append(path, "id,text,price\nz,zucchini,1\n") == "1 row added, 0 replaced"
    assert {item["model"] for item in items("embed", str(path), "-f", "jsonl")} == {MINILM}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (
            ["--kind", "query"],
            3,
            "holds vectors of symmetric texts, normalized, and these are of query texts",
        ),
        (["--no-normalize"], 3, "these are of symmetric texts, not normalized"),
        (["-m", "bge-base", "--offline"], 4, "bge-base"),
        (["-o", "x.parquet"], 2, "--append adds to Lance datasets only; pass -o NAME.lance"),
        (["-f", "csv"], 2, "--append adds to Lance datasets only"),
    ],
)
def test_what_does_not_belong_together_is_refused(
    fruit: Path, arguments: list[str], code: int, said: str
) -> None:
    version = lance.dataset(fruit).version
    done = simil("embed", "--append", "-o", str(fruit), *arguments, stdin=b"text\n", cwd=fruit.parent)
    assert (done.code, done.out) == (code, "")
    assert said in done.error_line
    assert lance.dataset(fruit).version == version


def test_another_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.lance"
    line = {"id": "1", "text": "a", "embedding": [1.0] * 384, "model": "other@1"}
    (tmp_path / "v.jsonl").write_text(json.dumps(line))
    assert simil("embed", str(tmp_path / "v.jsonl"), "-o", str(path)).code == 0
    done = simil("embed", "--append", "-o", str(path), stdin=b"text\n")
    assert done.code == 3
    assert f"vectors of two models cannot be compared: {MINILM} and other@1" in done.error_line


def test_a_dataset_on_standard_output_is_refused() -> None:
    done = simil("embed", "-f", "lance", stdin=b"text\n")
    assert (done.code, done.error_line) == (2, "a Lance dataset is a folder; pass -o NAME.lance")


def test_failed_texts_keep_their_place(tmp_path: Path) -> None:
    path = tmp_path / "x.lance"
    (tmp_path / "a.jsonl").write_text('{"text": "one"}\n{"text": 5}\n{"text": "three"}\n')
    done = simil("embed", str(tmp_path / "a.jsonl"), "--on-error", "null", "-o", str(path))
    assert done.code == 6
    table = lance.dataset(path).to_table()
    assert table["id"].to_pylist() == ["1", "2", "3"]
    assert table["embedding"].is_null().to_pylist() == [False, True, False]


def test_a_text_that_is_there_is_not_embedded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.lance"
    with OpenAIServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("SIMIL_MODEL", "openai")
        append(path, FRUIT, "--no-cache")
        server.forget()
        rows = "id,text,price\n1,cherry,3\n2,date,4\n3,apple,5\na,banana,6\n"
        options = ["--append", "-o", str(path), "--dry-run", "--no-cache", "--input-format", "csv"]
        dry = simil("embed", *options, stdin=rows.encode())
        assert "cached\t3\n" in dry.out
        assert append(path, rows, "--no-cache").endswith("3 rows added, 1 replaced")
        assert [request.body["input"] for request in server.requests] == [["date"]]

    found = {str(item["text"]): item["embedding"] for item in items("embed", str(path), "-f", "jsonl")}
    table = lance.dataset(path).to_table().to_pydict()
    assert dict(zip(table["id"], table["text"], strict=True)) == {
        "b": "banana", "c": "cherry", "1": "cherry", "2": "date", "3": "apple", "a": "banana",
    }  # fmt: skip
    assert len(found) == 4


def test_control_characters_are_kept_in_the_dataset_and_shown_harmless(tmp_path: Path) -> None:
    path = tmp_path / "x.lance"
    given = {"id": "a\x1b[31m\n\u202e", "text": "one"}
    done = simil("embed", "-o", str(path), "--input-format", "jsonl", stdin=json.dumps(given).encode())
    assert done.code == 0
    (found,) = items("embed", str(path), "-f", "jsonl")
    assert found["id"] == given["id"]
    twice = "".join(json.dumps(given) + "\n" for _ in range(2)).encode()
    done = simil("embed", "--append", "-o", str(path), "--input-format", "jsonl", stdin=twice)
    assert done.code == 3
    assert "\x1b" not in done.err and "the id 'a\\x1b[31m\\n\\u202e' is that of two rows" in done.error_line


def test_a_folder_that_is_no_dataset(tmp_path: Path) -> None:
    (tmp_path / "x.lance" / "data").mkdir(parents=True)
    done = simil("outliers", "x.lance", cwd=tmp_path)
    assert done.code == 3
    assert "x.lance: " in done.error_line


def test_a_damaged_dataset(fruit: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.lance"
    simil("embed", str(fruit), "-o", str(path))
    for file in (path / "data").iterdir():
        file.write_bytes(b"damaged" * 100)
    done = simil("outliers", str(path))
    assert done.code == 3
    assert f"{path}: is not a sound Lance dataset: " in done.error_line
    assert ".rs:" not in done.err


# --- in an object store ---


def test_a_dataset_in_a_bucket(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3.env.items():
        monkeypatch.setenv(name, value)
    address = f"s3://{s3.new_bucket()}/some/fruit.lance"
    done = simil("embed", "-o", address, "--input-format", "csv", stdin=FRUIT.encode())
    assert (done.code, done.err) == (0, "")
    done = simil(
        "embed", "--append", "-o", address, "--input-format", "csv", stdin=b"id,text,price\na,fig,1\n"
    )
    assert done.error_line == f"{address}: 0 rows added, 1 replaced"
    assert [item["text"] for item in items("embed", address, "-f", "jsonl")] == ["banana", "cherry", "fig"]
    found = json.loads(simil("outliers", address, "--format", "json").out)["data"]
    assert {item["file"] for item in found} == {address}
    found = items("search", "fruit", address, "--where", "price <> '1'", "--format", "jsonl")
    assert [item["content"] for item in found] == ["banana", "cherry"]

    monkeypatch.delenv("AWS_ALLOW_HTTP")  # An endpoint that is named so is meant so.
    assert simil("embed", address, "-f", "jsonl").code == 0
    assert s3.SECRET_KEY not in done.err


@pytest.mark.parametrize(
    ("address", "env", "code", "said"),
    [
        ("s3://none/x.lance", {}, 3, "no such bucket"),
        ("s3://BUCKET/none.lance", {}, 3, "there is no Lance dataset; check the address"),
        ("s3://BUCKET/none.csv", {}, 3, "is an address, where only Lance datasets are read"),
        (
            "s3://BUCKET/x.lance",
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"},
            5,
            "the server cannot be reached",
        ),
        (
            "s3://BUCKET/x.lance",
            {"SIMIL_OFFLINE": "1"},
            2,
            "is an address, and simil is offline (SIMIL_OFFLINE)",
        ),
    ],
)
def test_addresses_that_cannot_be_read(
    s3: S3Server, address: str, env: dict[str, str], code: int, said: str
) -> None:
    address = address.replace("BUCKET", s3.new_bucket())
    done = simil("outliers", address, env={**s3.env, **env})
    assert (done.code, done.out) == (code, "")
    assert done.error_line.startswith(f"{address}: {said}")


@pytest.mark.parametrize(
    ("env", "code", "said"),
    [
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, 5, "the server cannot be reached"),
        ({"SIMIL_OFFLINE": "1"}, 2, "is an address, and simil is offline (SIMIL_OFFLINE)"),
    ],
)
def test_addresses_that_cannot_be_written(s3: S3Server, env: dict[str, str], code: int, said: str) -> None:
    address = f"s3://{s3.new_bucket()}/x.lance"
    done = simil("embed", "-o", address, stdin=b"text\n", env={**s3.env, **env})
    assert (done.code, done.out) == (code, "")
    assert done.error_line.startswith(f"{address}: {said}")


def test_results_cannot_be_written_to_an_address() -> None:
    done = simil("compare", "a", "b", "-o", "s3://bucket/x.json")
    assert done.code == 2
    assert (
        done.error_line
        == "s3://bucket/x.json: is an address, where only Lance datasets are written; name a path"
    )


def test_new_texts_beside_known_ones_have_the_length_of_the_dataset(tmp_path: Path) -> None:
    path = tmp_path / "short.lance"
    texts = ["--text", "apple", "--text", "banana"]
    short = ["--dimensions", "64"]
    assert simil("embed", *texts, *short, "-o", str(path)).code == 0

    refused = simil("embed", "--append", "-o", str(path), *texts, "--text", "cherry")
    done = simil("embed", "--append", "-o", str(path), *texts, "--text", "cherry", *short)

    assert refused.error_line == (
        f"{path}: holds vectors of 64 dimensions, and these have 384; pass --dimensions 64"
    )
    assert (refused.code, done.code) == (3, 0)
    assert done.err.endswith(f"{path}: 1 row added, 2 replaced\n")
