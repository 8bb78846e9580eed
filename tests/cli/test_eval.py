"""`simil eval`: each model in a process of its own, nothing paid twice, and what it says holds elsewhere."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from support.command import MINILM, on_terminal, run, simil, started
from support.openai_proxy import at_azure
from support.openai_server import KEY, OpenAIServer

from cli.test_plots import is_picture
from simil.cli.eval_worker import worker_command

PAIRS = [
    ("A cat sleeps.", "A cat is asleep.", 5.0),
    ("A cat sleeps.", "A dog sleeps.", 3.0),
    ("A cat sleeps.", "The stock market fell.", 0.5),
    ("He plays chess.", "A man is playing chess.", 4.5),
    ("He plays chess.", "He plays cards.", 2.5),
    ("It is raining.", "Rain is falling.", 4.8),
    ("It is raining.", "It is sunny.", 1.5),
]


@pytest.fixture
def pairs(tmp_path: Path) -> str:
    rows = "".join(f"{left}\t{right}\t{score}\n" for left, right, score in PAIRS)
    path = tmp_path / "pairs.tsv"
    path.write_text(f"text1\ttext2\tscore\n{rows}", "utf-8")
    return str(path)


def rows_of(result) -> list[dict]:
    return json.loads(result.out)["data"]


def test_what_it_says_is_what_compare_and_scipy_say(pairs: str) -> None:
    result = simil("eval", pairs, "--positive-from", "4", "-f", "json")
    assert (result.code, result.err) == (0, "")
    (row,) = rows_of(result)
    lines = simil("compare", "--pairs", pairs, "--field", "text1", "--field", "text2", "-f", "jsonl").out
    cosines = [json.loads(line)["score"] for line in lines.splitlines()]
    scores = [score for _, _, score in PAIRS]
    assert row["model"] == MINILM
    assert row["spearman"] == pytest.approx(stats.spearmanr(cosines, scores).statistic, abs=1e-9)
    assert row["pearson"] == pytest.approx(stats.pearsonr(cosines, scores).statistic, abs=1e-5)
    assert row["spearman_low"] <= row["spearman"] <= row["spearman_high"]
    assert row["threshold"] == pytest.approx(min(cosines[0], cosines[3], cosines[5]), abs=1e-6)
    # The threshold is one for every command.
    found = simil("compare", "A cat sleeps.", "A cat is asleep.", "-q", "--threshold", str(row["threshold"]))
    assert found.code == 0


def test_what_it_took(pairs: str) -> None:
    (row,) = rows_of(simil("eval", pairs, "-f", "json"))
    assert 0.01 < row["start_s"] < 60
    assert row["texts_per_s"] > 0
    # An interpreter with NumPy and a model of 90 MB, and not all that pytest holds.
    assert 60 < row["memory_mb"] < 2000
    assert 60 < row["tokens"] < 100
    assert row["price"] is None


def test_the_cache_of_a_local_model_is_neither_asked_nor_filled(
    pairs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIMIL_CACHE_DIR", str(tmp_path / "cache"))
    simil("compare", "--pairs", pairs, "--field", "text1", "--field", "text2")
    before = simil("cache", "info", "-f", "json").out
    (row,) = rows_of(simil("eval", pairs, "-f", "json"))
    assert row["texts_per_s"] > 0
    assert json.loads(simil("cache", "info", "-f", "json").out)["vectors"] == json.loads(before)["vectors"]


def test_an_api_is_paid_once(pairs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMIL_CACHE_DIR", str(tmp_path / "cache"))
    with OpenAIServer(azure="2024-10-21") as server, at_azure(server) as env:
        first = rows_of(simil("eval", pairs, "-m", "openai", "-f", "json", env=env))[0]
        asked = Counter(text for request in server.requests for text in request.body["input"])
        second = rows_of(simil("eval", pairs, "-m", "openai", "-f", "json", env=env))[0]
        again = Counter(text for request in server.requests for text in request.body["input"])
    assert asked == again
    assert set(asked) == {text for left, right, _ in PAIRS for text in (left, right)}
    assert set(asked.values()) == {1}
    assert first["texts_per_s"] > 0 and first["start_s"] > 0
    tokens = sum(len(text) // 4 + 1 for text in asked)
    assert first["tokens"] == tokens
    assert first["price"] == pytest.approx(tokens * 0.02 / 1e6)
    # What came from the cache tells the quality, and nothing of speed or price.
    assert second["spearman"] == first["spearman"]
    assert [second[name] for name in ("texts_per_s", "start_s", "tokens", "price")] == [None] * 4


def test_an_empty_name_is_the_pinned_model_which_is_paid_once(pairs: str, tmp_path: Path) -> None:
    with OpenAIServer(azure="2024-10-21") as server, at_azure(server) as env:
        env["SIMIL_MODEL"] = "openai"
        env["SIMIL_CACHE_DIR"] = str(tmp_path / "cache")
        first = simil("eval", pairs, "-m", "", "-q", "-f", "json", env=env)
        asked = len(server.requests)
        second = simil("eval", pairs, "-m", "", "-q", "-f", "json", env=env)
        assert len(server.requests) == asked
    assert (first.code, second.code) == (0, 0)
    assert [row["name"] for row in rows_of(first) + rows_of(second)] == ["openai", "openai"]


def test_an_api_is_asked_a_single_query(tmp_path: Path) -> None:
    path = tmp_path / "q.tsv"
    path.write_text("query\tdocument\nWhat purrs?\tA cat purrs.\n", "ascii")
    with OpenAIServer() as server:
        env = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": KEY}
        result = simil("eval", str(path), "-m", "openai", "-f", "json", env=env)
    assert (result.code, result.err) == (0, "")
    assert rows_of(result)[0]["recall@1"] == 1


def test_of_an_api_the_key_is_in_no_file_and_no_output(pairs: str, tmp_path: Path) -> None:
    with OpenAIServer() as server:
        env = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": KEY, "TMPDIR": str(tmp_path)}
        env["SIMIL_CACHE_DIR"] = str(tmp_path / "cache")
        result = simil("eval", pairs, "-m", "openai", "-v", env=env)
    assert result.code == 0
    assert KEY not in result.out + result.err
    assert all(KEY.encode() not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert not [*tmp_path.glob("simil-*")]


@pytest.mark.usefixtures("plugins")
class TestPlugins:
    def test_a_model_that_ends_its_process_is_one_line(self, pairs: str) -> None:
        result = simil("eval", pairs, "-m", "plugin:dying", "-m", "plugin:letters", "-f", "json")
        assert result.code == 6
        assert [row["name"] for row in rows_of(result)] == ["plugin:letters"]
        assert result.err.splitlines() == [
            "simil: the scores are not 0 and 1: F1 needs --positive-from X, the lowest score of a pair "
            "that is alike",
            "simil: plugin:dying: its process was ended by SIGKILL; if that is for want of memory, "
            "use a smaller model",
            "simil: 1 of 2 models could not be measured; see above",
        ]

    def test_queries_and_documents_are_embedded_as_such(self) -> None:
        result = simil("eval", "--demo", "--retrieval", "-m", "plugin:prompted", "-q")
        assert result.code == 0
        kinds = Counter(line.partition(":")[0] for line in result.err.splitlines())
        assert set(kinds) == {"query", "document"}

    @pytest.mark.parametrize("request_", [b"", b'{"settings": {"mod'])
    def test_a_request_that_was_cut_is_of_a_run_that_was_interrupted(
        self, request_: bytes, tmp_path: Path
    ) -> None:
        command = [*worker_command(quiet=False, verbose=False), "full", str(tmp_path), "0"]
        result = run([*command], stdin=request_)
        assert (result.code, result.out, result.err) == (130, "", "")

    def test_an_interrupt_ends_both_processes(self, pairs: str, tmp_path: Path) -> None:
        rows = "".join(f"a{number}\tb{number}\t1\n" for number in range(4000))
        path = tmp_path / "many.tsv"
        path.write_text(f"text1\ttext2\tscore\n{rows}", "utf-8")
        with started("eval", str(path), "-m", "plugin:slow", env={"TMPDIR": str(tmp_path)}) as child:
            deadline = time.monotonic() + 60
            while not (below := _children(child.process.pid)) and time.monotonic() < deadline:
                time.sleep(0.05)
            assert below
            child.signal(signal.SIGINT)
            assert child.process.returncode == 130
            assert child.finish().err == ""
        while any(map(_runs, below)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not any(map(_runs, below))


def _children(pid: int) -> list[int]:
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]
    except OSError:
        return []


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_what_lies_in_the_folder_is_not_run(pairs: str, tmp_path: Path) -> None:
    for name in ("numpy", "orjson", "simil", "resource"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a stranger')\n", "ascii")
    command = str(Path(sys.executable).with_name("simil"))
    result = run([command, "eval", pairs, "--positive-from", "4"], cwd=tmp_path)
    assert (result.code, result.err) == (0, "")


@pytest.mark.parametrize("columns", [40, 80])
def test_the_table_marks_the_best_and_fits(columns: int, pairs: str) -> None:
    command = f"TERM=dumb simil eval -q {pairs} --positive-from 4 -m minilm -m openai"
    with OpenAIServer() as server:
        env = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": KEY}
        result = on_terminal(command, columns, env=env)
    assert result.code == 0, result.out
    lines = result.out.splitlines()
    assert max(map(len, lines)) <= columns
    assert "Spearman" in lines[0]
    marked = [line for line in lines if line.startswith("minilm")]
    assert "*" in marked[0]
    assert any("…" in line and line.startswith(" ") for line in lines)
    assert "7 pairs, 95% intervals" in result.out


@pytest.mark.parametrize("name", ["bars.png", "bars.svg", "bars.html", "-"])
def test_the_plot(name: str, pairs: str, tmp_path: Path) -> None:
    result = simil("eval", pairs, "--positive-from", "4", "--plot", name, cwd=tmp_path)
    assert (result.code, result.err) == (0, "")
    if name == "-":
        assert result.out.startswith("Evaluation on ")
        assert "█" in result.out
    elif name.endswith("png"):
        assert is_picture(tmp_path / name)
    else:
        drawn = (tmp_path / name).read_text("utf-8")
        assert all(word in drawn for word in ("minilm", "Spearman", "memory (MB)"))


def test_a_pair_that_failed_has_no_percentile_and_no_probability(plugins: None, tmp_path: Path) -> None:
    (tmp_path / "p.tsv").write_text("a\tb\ntea\tbad\ntea\teat\n", "ascii")
    (tmp_path / "r.txt").write_text("tea\ntoast\nrain\nsnow\n", "ascii")
    result = simil(
        "compare", "--pairs", "p.tsv", "-m", "plugin:refusing", "--on-error", "null", "--percentile", "r.txt",
        cwd=tmp_path,
    )  # fmt: skip
    assert result.code == 6
    assert [line.partition("\t")[0] for line in result.out.splitlines()] == ["", "100.000"]


def test_a_calibration_says_how_often_pairs_like_these_are_alike(tmp_path: Path) -> None:
    command = ["eval", "--demo", "--calibration", "c.json", "-q", "-f", "json"]
    assert simil(*command, cwd=tmp_path).code == 0
    facts = json.loads((tmp_path / "c.json").read_text("utf-8"))
    assert (facts["model"], facts["dimensions"], facts["learnt_from"]) == (MINILM, 384, "the demo")
    demo = Path(__file__).parents[2] / "src" / "simil" / "tasks" / "evaluation" / "demo" / "pairs.tsv"
    lines = simil("compare", "--pairs", str(demo), "--calibration", "c.json", "-f", "jsonl", "--field",
                  "sentence1", "--field", "sentence2", cwd=tmp_path).out.splitlines()  # fmt: skip
    items = [json.loads(line) for line in lines]
    probabilities = np.array([item["score"] for item in items])
    alike = np.array([float(item["fields"]["score"]) >= 3 for item in items])
    # Isotonic regression keeps the mean of what it learns from, but for the pair of equal texts.
    assert probabilities.mean() == pytest.approx(alike.mean(), abs=0.02)
    assert probabilities[alike].mean() > probabilities[~alike].mean() + 0.2


def test_names_of_files_need_not_be_utf8(tmp_path: Path) -> None:
    pairs, reference = (os.fsdecode(name) for name in (b"p\xff.tsv", b"r\xff.txt"))
    (tmp_path / pairs).write_text("a\tb\tscore\ntea\ttea\t1\ntea\train\t0\n", "ascii")
    (tmp_path / reference).write_text("tea\nrain\nsnow\n", "ascii")
    settings = os.fsdecode(b"e\xff.env")
    (tmp_path / settings).touch()
    command = ["eval", pairs, "--calibration", "c.json", "--env-file", settings, "-q"]
    assert simil(*command, cwd=tmp_path).code == 0
    assert json.loads((tmp_path / "c.json").read_text("utf-8"))["learnt_from"] == r"p\udcff.tsv"
    result = simil("compare", "tea", "rain", "--percentile", reference, "-f", "json", cwd=tmp_path)
    assert result.code == 0
    assert json.loads(result.out)["percentile"]["reference"] == r"r\udcff.txt"


def test_numbers_have_the_digits_that_they_have_and_no_noise(tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text("tea\ncoffee\nrain\nsnow\n", "ascii")
    (tmp_path / "p.tsv").write_text("a\tb\ntea\train\n", "ascii")
    asked = ["--percentile", "r.txt"]
    single = simil("compare", "tea", "rain", *asked, cwd=tmp_path).out
    # Of six pairs: sixths, of which one half may be equal.
    assert re.fullmatch(r"\d+\.\d{3}\n", single)
    assert single in {f"{100 * twelfth / 12:.3f}\n" for twelfth in range(13)}
    pair = simil("compare", "--pairs", "p.tsv", *asked, cwd=tmp_path).out
    assert pair.startswith(single.strip() + "\t")
    for more in ([], asked):
        text = simil("compare", "tea", "rain", "-f", "json", *more, cwd=tmp_path).out
        found = json.loads(text, parse_float=str)
        for number in (found["score"], found["scores"][0][1]):
            assert number == str(np.float32(number))
            assert not more or len(number.partition(".")[2]) <= 3
