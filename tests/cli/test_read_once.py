"""A pipe, a FIFO, /dev/stdin and /dev/fd/N give what a file of the same bytes gives, to every command."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from pathlib import Path

import orjson
import pytest
from support.command import Result, run, shell, simil
from support.fork_server import python_m_simil

WORDS = ("apple", "pear", "car", "train", "cat", "dog", "rain", "snow")

# INPUT stands for what is read; the plain texts beside it are in other.txt.
OF_TEXTS = {
    "embed": "embed INPUT -f csv --dimensions 4",
    "search": "search apple INPUT -k 3 -f tsv",
    "queries": "search --queries INPUT other.txt -k 1 -f tsv",
    "classify": "classify --label fruit --label car INPUT -f tsv",
    "dedupe": "dedupe --exact INPUT",
    "against": "dedupe --exact --against INPUT other.txt",
    "left": "match INPUT other.txt -f tsv",
    "right": "match other.txt INPUT -f tsv",
    "percentile": "compare apple pear --percentile INPUT",
    "whole": "compare --file INPUT --file other.txt -f json",
}
OF_FEW_TEXTS = OF_TEXTS | {
    "cluster": "cluster -n 2 INPUT -f tsv",
    "outliers": "outliers INPUT -f tsv",
    "reference": "outliers --reference INPUT other.txt -f tsv",
    "chunks": "search apple --chunk paragraphs INPUT -f tsv",
    "whole texts": "embed --whole INPUT -f csv --dimensions 4",
}
OF_RECORDS = {
    "pairs": "compare --pairs INPUT --field left --field right -f tsv",
    "examples": "classify --examples INPUT --field left other.txt -f tsv",
    "evaluated": "classify --label fruit --label car --evaluate INPUT --field left -f json",
    "records": "match INPUT other.txt --field left -f json",
}
OF_VECTORS = {
    "converted": "embed INPUT -f csv",
    "searched": "search --queries INPUT INPUT2 -k 1 -f tsv",
    "deduped": "dedupe --threshold 0.99 INPUT -f csv",
    "matched": "match INPUT INPUT2 -f tsv",
    "compared": "compare --file INPUT -f json",
}


def _run(command: str, name: str, folder: Path, before: str = "") -> Result:
    """Run a command that reads `name`; in what it prints, the name is NAME."""
    arguments = command.replace("INPUT2", "again").replace("INPUT", name)
    if name.startswith("<("):
        result = run(["bash", "-c", f"{shlex.join(python_m_simil())} {arguments}"], cwd=folder)
    else:
        result = shell(f"{before} simil {arguments}", cwd=folder)
    shown = re.sub(r"/dev/fd/\d+|/dev/stdin|\bgiven\b|\bfifo\b", "NAME", result.out)
    notes = re.sub(r"/dev/fd/\d+|/dev/stdin|\bgiven\b|\bfifo\b", "NAME", result.err)
    return Result(result.code, shown, notes)


def _alike(command: str, folder: Path) -> None:
    expected = _run(command, "given", folder)
    assert expected.code == 0, expected.err
    assert expected.out
    assert _run(command, "<(cat given)", folder) == expected
    assert _run(command, "/dev/stdin", folder, "cat given |") == expected
    os.mkfifo(folder / "fifo")
    assert _run(command, "fifo", folder, "cat given > fifo &") == expected


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "other.txt").write_text("apple\na fast car\nsnow\n", "utf-8")
    return tmp_path


@pytest.mark.parametrize("what", OF_FEW_TEXTS)
def test_three_texts(what: str, folder: Path) -> None:
    (folder / "given").write_text("apple\n a train \nsnow", "utf-8")
    _alike(OF_FEW_TEXTS[what], folder)


@pytest.mark.parametrize("what", OF_TEXTS)
def test_thirty_thousand_texts(what: str, folder: Path) -> None:
    (folder / "given").write_text("".join(f"{word} {n}\n" for n in range(3750 // 50) for word in WORDS) * 50)
    expected = _run(OF_TEXTS[what], "given", folder)
    assert expected.code == 0, expected.err
    assert _run(OF_TEXTS[what], "<(cat given)", folder) == expected


@pytest.mark.parametrize("what", OF_RECORDS)
def test_records(what: str, folder: Path) -> None:
    rows = [
        {"left": left, "right": right, "label": label, "score": score}
        for left, right, label, score in [
            ("apple", "pear", "fruit", 4.5),
            ("a car", "a fast car", "car", 4.0),
            ("a plum", "plums", "fruit", 5.0),
            ("a van", "snow", "car", 0.5),
        ]
    ]
    (folder / "given").write_bytes(b"\n".join(map(orjson.dumps, rows)))
    _alike(OF_RECORDS[what], folder)


@pytest.mark.parametrize("what", OF_VECTORS)
@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "tsv"])
def test_vectors(what: str, form: str, folder: Path) -> None:
    made = simil("embed", "other.txt", "--dimensions", "4", "-f", form, "-o", "given", cwd=folder)
    assert made.code == 0, made.err
    (folder / "again").write_bytes((folder / "given").read_bytes())
    _alike(OF_VECTORS[what], folder)


def test_npy_through_a_pipe(folder: Path) -> None:
    assert simil("embed", "other.txt", "--dimensions", "4", "-o", "v.npy", cwd=folder).code == 0
    (folder / "v.npy.json").unlink()
    (folder / "v.npy").rename(folder / "given")
    _alike("embed INPUT -f jsonl", folder)


@pytest.mark.parametrize(
    "command",
    [
        "eval INPUT --field left --field right --score-field score -m minilm -f json",
        "eval qrels.tsv --queries INPUT --documents documents.tsv -m minilm -f json",
        "eval qrels.tsv --queries queries.tsv --documents INPUT --input-format tsv -m minilm -f json",
    ],
)
def test_datasets(command: str, folder: Path) -> None:
    pairs = [{"left": word, "right": other, "score": n} for n, (word, other) in enumerate(_pairs())]
    (folder / "given").write_bytes(b"\n".join(map(orjson.dumps, pairs)))
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n1\td1\t1\n2\td2\t1\n")
    (folder / "queries.tsv").write_text("id\ttext\n1\tapple\n2\tcar\n")
    (folder / "documents.tsv").write_text("id\ttext\nd1\tan apple\nd2\ta car\nd3\tsnow\n")
    if "--queries INPUT" in command:
        (folder / "given").write_text('{"id":"1","text":"apple"}\n{"id":"2","text":"car"}\n')
    if "--documents INPUT" in command:
        (folder / "given").write_bytes((folder / "documents.tsv").read_bytes())
    expected, found = (_run(command, name, folder) for name in ("given", "<(cat given)"))
    assert expected.code == 0, expected.err
    assert _quality(found) == _quality(expected)


def _pairs() -> list[tuple[str, str]]:
    return [("rain", "car"), ("a cat", "a dog"), ("apple", "pear"), ("a train", "trains"), ("snow", "snow")]


def _quality(result: Result) -> dict[str, object]:
    """What was measured, without seconds and bytes."""
    names = ("pearson", "spearman", "ndcg", "mrr", "recall", "average_precision", "threshold")
    (model,) = orjson.loads(result.out)["data"]
    found = {name: value for name, value in model.items() if name.startswith(names)}
    assert found
    return found


def test_a_calibration_and_an_env_file(folder: Path) -> None:
    shutil.copy(Path(__file__).parent / "cases" / "compare-calibrated" / "c.json", folder / "given")
    _alike("compare apple pear -m minilm --calibration INPUT -f json", folder)
    (folder / "fifo").unlink()
    (folder / "given").write_text("SIMIL_OVERFLOW=error\n")
    long = "word " * 300
    for name in ("given", "<(cat given)"):
        found = _run(f'compare "{long}" apple -m minilm --env-file INPUT', name, folder)
        assert found.code == 3
        assert "longer" in found.err or "token" in found.err


def test_a_pipe_is_not_read_twice(folder: Path) -> None:
    for command in ("match - /dev/stdin", "dedupe --against /dev/fd/0 -", "search --queries - -"):
        result = shell(f"echo apple | simil {command}", cwd=folder)
        assert (result.code, "can be read only once" in result.error_line) == (2, True)


def test_a_slow_pipe_gives_each_text_at_once(folder: Path) -> None:
    os.mkfifo(folder / "fifo")
    script = """
        exec 9<> answers
        simil embed fifo -f csv --dimensions 2 > answers &
        exec 8> fifo
        echo apple >&8; read header <&9; read first <&9
        echo pear >&8; read second <&9
        exec 8>&-; wait
        echo "$first" | cut -d, -f1,2; echo "$second" | cut -d, -f1,2
    """
    os.mkfifo(folder / "answers")
    assert shell(script, cwd=folder).out == "1,apple\n2,pear\n"
