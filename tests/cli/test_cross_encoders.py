"""`compare`, `search`, `match` and `eval` with a cross-encoder, compared with sentence-transformers' own."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import safetensors.numpy
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import ndcg_score
from support.command import MINILM, Result, on_terminal, shell, simil
from support.tiny_cross_encoders import cross_encoder
from support.tiny_models import bert, sentence_model, transformer_folder

from simil.models.files.model_source import EMBEDDED

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

ROOT = Path(__file__).parents[2]
Predict = Callable[[Sequence[tuple[str, str]]], NDArray[np.float32]]

TEXTS = [
    "a pie of apples",
    "juice of oranges",
    "a bolt of lightning",
    "a salad of fruit",
    "thunder and rain",
    "a pie of apples",
]
NEAR = 2e-5
_IDENTITY = "torch.nn.modules.linear.Identity"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a cross-encoder with random weights."""
    return str(cross_encoder(tmp_path_factory.mktemp("models") / "pairs"))


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of an embedding model with random weights."""
    folder = tmp_path_factory.mktemp("embedders")
    bare = transformer_folder(folder / "bare", bert(vocab_size=30522), EMBEDDED)
    return str(sentence_model(folder / "vague", bare))


@pytest.fixture(scope="module")
def reference(model: str) -> CrossEncoder:
    """The cross-encoder in sentence-transformers."""
    from sentence_transformers import CrossEncoder

    return CrossEncoder(model, device="cpu", local_files_only=True)


@pytest.fixture(scope="module")
def predict(reference: CrossEncoder) -> Predict:
    """What sentence-transformers says of pairs."""
    return lambda pairs: reference.predict([list(pair) for pair in pairs], show_progress_bar=False)


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tmp_path.joinpath("texts.txt").write_text("".join(f"{text}\n" for text in TEXTS), "utf-8")
    rows = "".join(f"{a}\t{b}\n" for a, b in zip(TEXTS, reversed(TEXTS), strict=True))
    tmp_path.joinpath("pairs.tsv").write_text(f"one\tother\n{rows}", "utf-8")


def rows_of(result: Result) -> list[list[str]]:
    assert result.code == 0, result.err
    return [line.split("\t") for line in result.out.splitlines()]


def data_of(result: Result) -> list[dict[str, object]]:
    assert result.code == 0, result.err
    return json.loads(result.out)["data"]


class TestCompare:
    def test_two_texts_in_either_order(self, model: str, predict: Predict) -> None:
        one, other = (
            simil("compare", "-m", model, *pair) for pair in (("Apple", "Orange"), ("Orange", "Apple"))
        )
        assert (one.err, other.err) == ("", "")
        found = [float(one.out), float(other.out)]
        assert found == pytest.approx(predict([("Apple", "Orange"), ("Orange", "Apple")]), abs=NEAR)
        assert abs(found[0] - found[1]) > 0.01

    def test_json_has_no_dimensions_and_nothing_that_was_not_scored(self, model: str) -> None:
        found = json.loads(simil("compare", "-m", model, "Apple", "Orange", "-f", "json").out)
        assert [*found] == ["metric", "model", "score", "items"]
        assert found["metric"] == "cross-encoder"
        assert found["model"].startswith("pairs@")

    def test_each_with_each_in_both_orders(self, model: str, predict: Predict) -> None:
        words = ["Apple", "Orange", "Lightning"]
        expected = predict([*product(words, words)]).reshape(3, 3)
        found = json.loads(simil("compare", "-m", model, *words, "-f", "json").out)
        assert np.array(found["scores"]) == pytest.approx(expected, abs=NEAR)
        head, *rows = rows_of(simil("compare", "-m", model, *words))
        assert head == ["", *words]
        assert [row[0] for row in rows] == words
        assert np.array([row[1:] for row in rows], float) == pytest.approx(expected, abs=NEAR)
        lines = [*map(json.loads, simil("compare", "-m", model, *words, "-f", "jsonl").out.splitlines())]
        ordered = [(a, b) for a, b in product(words, words) if a != b]
        assert [(line["a"], line["b"]) for line in lines] == ordered
        assert [line["score"] for line in lines] == pytest.approx(predict(ordered), abs=NEAR)
        assert {line["metric"] for line in lines} == {"cross-encoder"}

    def test_the_rows_of_a_file(self, model: str, predict: Predict) -> None:
        command = ("compare", "-m", model, "--pairs", "pairs.tsv")
        pairs = [*zip(TEXTS, reversed(TEXTS), strict=True)]
        rows = rows_of(simil(*command))
        assert [tuple(row[1:]) for row in rows] == pairs
        assert [float(row[0]) for row in rows] == pytest.approx(predict(pairs), abs=NEAR)
        found = json.loads(simil(*command, "-f", "json").out)
        assert (found["metric"], "dimensions" in found) == ("cross-encoder", False)
        assert [row["score"] for row in found["data"]] == pytest.approx(predict(pairs), abs=NEAR)

    def test_blank_and_long_rows(self, model: str) -> None:
        Path("pairs.tsv").write_text(f"one\tother\ntea\tcoffee\n \tcoffee\ntea\t{'x ' * 300}\n", "utf-8")
        command = ("compare", "-m", model, "--pairs", "pairs.tsv")
        result = simil(*command)
        assert (result.code, result.out.count("\n")) == (0, 2)
        assert "simil: 1 blank text skipped (first: pairs.tsv:3)\n" in result.err
        assert "simil: 1 pair of texts is longer than pairs@" in result.err
        refused = simil(*command, "--overflow", "error")
        assert refused.code == 3
        assert "simil: pairs.tsv:4: " in refused.err
        kept = simil(*command, "--overflow", "error", "--on-error", "null", "-f", "jsonl")
        scores = [json.loads(line)["score"] for line in kept.out.splitlines()]
        assert (kept.code, [score is None for score in scores]) == (6, [False, True, True])

    def test_a_threshold_is_of_the_models_scores(self, model: str, predict: Predict) -> None:
        (score,) = predict([("Apple", "Orange")]).tolist()
        for pairs in ([], ["--pairs", "one.tsv"]):
            Path("one.tsv").write_text("a\tb\nApple\tOrange\n", "utf-8")
            texts = pairs or ["Apple", "Orange"]
            for threshold, code in ((score - 0.001, 0), (score + 0.001, 1)):
                result = simil("compare", "-q", "-m", model, *texts, "--threshold", f"{threshold:.6f}")
                assert result.code == code

    def test_a_threshold_of_more_texts_is_of_each_with_each_other(self, model: str, predict: Predict) -> None:
        words = ["Apple", "Orange", "Lightning"]
        lowest = min(predict([(a, b) for a, b in product(words, words) if a != b]).tolist())
        for threshold, code in ((lowest - 0.001, 0), (lowest + 0.001, 1)):
            assert simil("compare", "-m", model, *words, f"--threshold={threshold:.6f}").code == code

    @pytest.mark.parametrize(
        "option",
        [["--metric", "cosine"], ["--dimensions", "8"], ["--no-normalize"], ["--calibrated"],
         ["--percentile", "texts.txt"]],
        ids=lambda option: option[0],
    )  # fmt: skip
    def test_what_is_about_vectors_is_refused(self, option: list[str], model: str) -> None:
        result = simil("compare", "-m", model, *option, "Apple", "Orange")
        assert (result.code, result.out) == (2, "")
        assert result.error_line == (
            f"{option[0]} is for vectors, and a cross-encoder makes none; leave out {option[0]}"
        )

    def test_more_than_two_texts_can_be_drawn(self, model: str) -> None:
        drawn = ("compare", "-m", model, "--plot", "matrix.svg", "Apple", "Orange")
        assert simil(*drawn, "Lightning").code == 0
        assert "cross-encoder" in Path("matrix.svg").read_text("utf-8")
        refused = simil(*drawn)
        assert (refused.code, refused.out) == (2, "")
        assert refused.error_line == (
            "a cross-encoder gives two texts one score, so there is no matrix to draw; leave out --plot"
        )

    def test_a_saved_vector_is_refused(self, model: str) -> None:
        assert simil("embed", "-m", "minilm", "-t", "tea", "-o", "v.jsonl").code == 0
        result = simil("compare", "-m", model, "--file", "v.jsonl", "Apple")
        assert (result.code, result.out) == (2, "")
        assert result.error_line.startswith("a cross-encoder reads texts, and 'tea' is a saved vector")

    def test_saved_vectors_alone_need_no_model(self, model: str) -> None:
        assert simil("embed", "-q", "texts.txt", "-o", "v.jsonl").code == 0
        for name in (model, "some/model"):
            result = simil("compare", "--offline", "-m", name, "--file", "v.jsonl")
            assert (result.code, result.err) == (0, "")
            assert result.out.count("\n") == 1 + len(TEXTS)

    def test_on_a_terminal(self, model: str) -> None:
        shown = on_terminal(f"simil compare -m {model} Apple Orange", 60).out
        assert "cross-encoder score" in shown
        assert "█" not in shown
        matrix = on_terminal(f"simil compare -m {model} A 'B\x1b[31m' C", 60).out
        assert "cross-encoder by pairs@" in matrix
        assert "\x1b[31m" not in matrix

    def test_a_closed_pipe_ends_the_work_quietly(self, model: str) -> None:
        read = "--pairs - --input-format tsv --no-header"
        result = shell(f"yes 'tea\tcoffee' | simil compare -m {model} {read} | head -n 1")
        assert (result.code, result.err) == (0, "")
        assert result.out.endswith("\ttea\tcoffee\n")


class TestSearch:
    def test_the_order_is_that_of_the_cross_encoder(self, model: str, predict: Predict) -> None:
        plain = rows_of(simil("search", "fruit", "texts.txt"))
        cosines = {row[1]: row[0] for row in plain}
        rows = rows_of(simil("search", "fruit", "texts.txt", "--rerank", model))
        scores = {row[1]: score for row, score in zip(
            plain, predict([("fruit", row[2]) for row in plain]).tolist(), strict=True
        )}  # fmt: skip
        # Two lines are equal: the search has one of them first.
        expected = sorted(scores, key=lambda place: -round(scores[place], 5))
        assert [row[2] for row in rows] == expected
        assert [float(row[0]) for row in rows] == pytest.approx([scores[p] for p in expected], abs=NEAR)
        assert [row[1] for row in rows] == [cosines[place] for place in expected]
        assert expected != [row[1] for row in plain]

    def test_only_candidates_are_results(self, model: str) -> None:
        plain = rows_of(simil("search", "fruit", "texts.txt", "-k", "3"))
        rows = rows_of(simil("search", "fruit", "texts.txt", "--rerank", model, "--candidates", "3"))
        assert {row[2] for row in rows} == {row[1] for row in plain}
        every = rows_of(simil("search", "fruit", "texts.txt", "--rerank", model))
        best = rows_of(simil("search", "fruit", "texts.txt", "--rerank", model, "-k", "2"))
        assert best == every[:2]

    def test_a_threshold_is_of_the_cosine(self, model: str) -> None:
        plain = rows_of(simil("search", "fruit", "texts.txt", "--threshold", "0.3"))
        rows = rows_of(simil("search", "fruit", "texts.txt", "--threshold", "0.3", "--rerank", model))
        assert 0 < len(rows) < len(TEXTS)
        assert {row[2] for row in rows} == {row[1] for row in plain}
        missed = simil("search", "fruit", "texts.txt", "--threshold", "0.99", "--rerank", model)
        assert (missed.code, missed.out) == (1, "")
        assert missed.error_line.startswith("nothing reaches 0.99; the nearest is ")

    def test_more_that_reach_a_threshold_than_candidates_are_not_kept_silent(self, model: str) -> None:
        search = ("search", "fruit", "texts.txt", "--threshold=-1", "--rerank", model)
        assert simil(*search).err == ""
        assert simil(*search, "--candidates", str(len(TEXTS))).err == ""
        assert simil(*search, "--candidates", "3", "-k", "2").err == ""
        result = simil(*search, "--candidates", "3")
        assert (result.code, result.out.count("\n")) == (0, 3)
        assert result.error_line == (
            "only the 3 nearest texts were reranked, and more may reach -1; --candidates N takes more"
        )

    def test_json_and_tables_name_both_scores_and_both_models(self, model: str) -> None:
        command = ("search", "fruit", "texts.txt", "--rerank", model, "-k", "2")
        found = json.loads(simil(*command, "-f", "json").out)
        assert (found["model"], found["reranker"].startswith("pairs@")) == (MINILM, True)
        assert [*found["data"][0]] == ["id", "score", "content", "rerank", "file", "line"]
        head, *rows = simil(*command, "-f", "csv").out.splitlines()
        assert head == "id,score,content,rerank,file,line"
        assert len(rows) == 2
        Path("t.csv").write_text("text,rerank\ntea,mine\ncoffee,mine\n", "utf-8")
        result = simil("search", "tea", "t.csv", "--rerank", model, "-f", "csv")
        assert result.out.splitlines()[0] == "id,score,content,rerank_2,file,line,text,rerank"

    def test_several_queries(self, model: str, predict: Predict) -> None:
        Path("queries.txt").write_text("fruit\nweather\n", "utf-8")
        rows = rows_of(simil("search", "--queries", "queries.txt", "texts.txt", "--rerank", model))
        assert [row[2] for row in rows] == ["fruit"] * len(TEXTS) + ["weather"] * len(TEXTS)
        expected = predict([(row[2], row[4]) for row in rows])
        assert [float(row[0]) for row in rows] == pytest.approx(expected, abs=NEAR)

    def test_files_counts_and_context(self, model: str) -> None:
        Path("more.txt").write_text("a salad\n", "utf-8")
        search = ("search", "fruit", "texts.txt", "more.txt", "--rerank", model)
        rows = rows_of(simil(*search, "-k", "4"))
        names = list(dict.fromkeys(row[2].partition(":")[0] for row in rows))
        assert simil(*search, "-k", "4", "-l").out.split() == names
        counted = dict(line.split("\t")[::-1] for line in simil(*search, "-k", "4", "-c").out.splitlines())
        assert counted == {name: str(sum(row[2].startswith(name) for row in rows)) for name in names}
        around = simil(*search, "-k", "1", "-C", "1").out.splitlines()
        assert rows[0] in [line.split("\t") for line in around]

    def test_chunks(self, model: str, predict: Predict) -> None:
        Path("prose.txt").write_text("a pie\nof apples\n\nthunder\n\na salad\n", "utf-8")
        result = simil(
            "search", "fruit", "prose.txt", "--chunk", "paragraphs", "--rerank", model, "-f", "json"
        )
        rows = data_of(result)
        texts = ["a pie\nof apples", "thunder", "a salad"]
        scores = predict([("fruit", text) for text in texts])
        assert [row["content"] for row in rows] == [texts[place] for place in np.argsort(-scores)]

    def test_a_dataset_is_reranked_as_its_texts_are(self, model: str) -> None:
        assert simil("embed", "texts.txt", "-o", "v.lance").code == 0
        saved = rows_of(simil("search", "fruit", "v.lance", "--rerank", model))
        texts = rows_of(simil("search", "fruit", "texts.txt", "--rerank", model))
        assert [(row[0], row[1], row[3]) for row in saved] == [(row[0], row[1], row[3]) for row in texts]
        few = simil("search", "fruit", "v.lance", "--rerank", model, "--threshold=-1", "--candidates", "3")
        assert few.out.count("\n") == 3
        assert few.error_line.startswith("only the 3 nearest texts were reranked, and more may reach -1")

    def test_saved_vectors(self, model: str) -> None:
        assert simil("embed", "texts.txt", "-o", "v.jsonl").code == 0
        saved = rows_of(simil("search", "fruit", "v.jsonl", "--rerank", model))
        texts = rows_of(simil("search", "fruit", "texts.txt", "--rerank", model))
        assert [(row[0], row[1], row[3]) for row in saved] == [(row[0], row[1], row[3]) for row in texts]
        lines = [json.loads(line) for line in Path("v.jsonl").read_text("utf-8").splitlines()]
        bare = [{name: value for name, value in line.items() if name != "text"} for line in lines]
        Path("bare.jsonl").write_text("".join(json.dumps(line) + "\n" for line in bare), "utf-8")
        result = simil("search", "fruit", "bare.jsonl", "--rerank", model)
        assert (result.code, result.out) == (3, "")
        assert "was saved without its text, and a reranker reads texts" in result.error_line

    def test_on_a_terminal(self, model: str) -> None:
        Path("t.txt").write_text("tea\x1b[31m\ncoffee\n", "utf-8")
        shown = on_terminal(f"simil search tea t.txt --rerank {model} -C 1", 80).out
        assert "\x1b[31m" not in shown
        narrow = on_terminal(f"simil search tea t.txt --rerank {model}", 40).out
        for line in (f"by {MINILM}", "ordered by pairs@"):
            assert line in shown
            assert line in narrow

    def test_a_pair_that_is_refused_is_left_out(self, model: str) -> None:
        Path("t.txt").write_text(f"tea\n{'coffee ' * 200}\n", "utf-8")
        # The embedding model reads more of a text than this cross-encoder of a pair.
        search = ("search", "tea", "t.txt", "--rerank", model)
        cut = simil(*search)
        assert (cut.code, cut.out.count("\n")) == (0, 2)
        assert "simil: 1 pair of texts is longer than pairs@" in cut.err
        refused = simil(*search, "--overflow", "error")
        assert (refused.code, refused.out) == (3, "")
        skipped = simil(*search, "--overflow", "error", "--on-error", "skip")
        assert (skipped.code, skipped.out.split("\t")[2:]) == (6, ["t.txt:1", "tea\n"])

    @pytest.mark.parametrize(
        ("options", "code", "line"),
        [
            (["--candidates", "3"], 2, "--candidates is for --rerank; pass both, or leave it out"),
            (["--rerank", "minilm"], 4, "minilm is an embedding model, not a cross-encoder"),
            (["--rerank", "openai"], 4, "openai:text-embedding-3-small embeds texts and scores no pairs"),
            (["--rerank", "./nosuch"], 4, "there is no model folder ./nosuch"),
            (
                ["--rerank", "a/b", "--offline"],
                4,
                "a/b is not on this machine and simil is offline (--offline); run once without --offline\n",
            ),
            (["--rerank", "minilm", "--candidates", "3", "-k", "4"], 2, "-k 4 asks for more than --candid"),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, list) else "",
    )
    def test_what_cannot_be(self, options: list[str], code: int, line: str) -> None:
        for command in (("search", "fruit", "texts.txt"), ("match", "texts.txt", "texts.txt")):
            result = simil(*command, *options)
            assert (result.code, result.out) == (code, "")
            assert f"{result.error_line}\n".startswith(line)

    def test_offline_and_without_a_cache(self, model: str) -> None:
        search = ("search", "fruit", "texts.txt", "--rerank", model)
        first = simil(*search)
        assert (first.code, first.err) == (0, "")
        again = simil(*search, "--offline", "--no-cache", "-q")
        assert (again.code, again.out) == (0, first.out)

    def test_settings_of_the_embedding_model_are_not_for_the_reranker(self, model: str) -> None:
        Path("t.txt").write_text(f"tea\n{'coffee ' * 400}\n", "utf-8")
        result = simil("search", "tea", "t.txt", "--overflow", "chunk", "--rerank", model)
        assert (result.code, result.out.count("\n")) == (0, 2)
        assert result.error_line.startswith("1 pair of texts is longer than pairs@")


def test_lines_of_a_terminal_are_not_wider_than_it(tmp_path: Path) -> None:
    """Logits are often below -10, and cosines of what a reranker may prefer below 0."""
    folder = cross_encoder(tmp_path / "logits", sentence_transformers={"activation_fn": _IDENTITY})
    weights = safetensors.numpy.load_file(folder / "model.safetensors")
    weights["classifier.bias"] -= 30
    safetensors.numpy.save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    Path("left.txt").write_text("fruit and what is made of it every year\n", "utf-8")
    Path("t.txt").write_text("the assembly voted on fiscal reform late at night\n" * 2, "utf-8")
    Path("p.tsv").write_text(f"a\tb\n{'tea ' * 20}\t{'coffee ' * 20}\n", "utf-8")
    for command in (
        "search fruit t.txt --rerank",
        "match -q left.txt t.txt --rerank",
        "compare --pairs p.tsv -m",
    ):
        for columns in (60, 61):
            shown = re.sub(r"\x1b\[[0-9;?]*\w", "", on_terminal(f"simil {command} {folder}", columns).out)
            lines = re.findall(r"^-\d\d\.\d{4}  .*…", shown, re.MULTILINE)
            assert lines, shown
            assert max(map(len, lines)) <= columns


class TestMatch:
    def test_the_best_of_each(self, model: str, predict: Predict) -> None:
        Path("left.txt").write_text("fruit\nweather\n", "utf-8")
        texts = TEXTS[:5]
        Path("right.txt").write_text("".join(f"{text}\n" for text in texts), "utf-8")
        table = predict([*product(["fruit", "weather"], texts)]).reshape(2, 5)
        rows = rows_of(simil("match", "-q", "left.txt", "right.txt", "--rerank", model, "-k", "2"))
        best = np.argsort(-table, axis=1)[:, :2]
        assert [row[2:] for row in rows] == [
            [left, texts[place]] for left, places in zip(["fruit", "weather"], best, strict=True)
            for place in places
        ]  # fmt: skip
        scores = [table[row][place] for row, places in enumerate(best) for place in places]
        assert [float(row[0]) for row in rows] == pytest.approx(scores, abs=NEAR)
        cosines = rows_of(simil("match", "-q", "left.txt", "right.txt", "-k", "5"))
        assert {tuple(row[1:]) for row in rows} <= {tuple(row) for row in cosines}

    def test_one_to_one_adds_the_scores_of_the_cross_encoder(self, model: str, predict: Predict) -> None:
        texts = TEXTS[:5]
        Path("t.csv").write_text("".join(f"{text}\n" for text in ["text", *texts]), "utf-8")
        table = predict([*product(texts, texts)]).reshape(5, 5)
        result = simil("match", "-q", "t.csv", "t.csv", "--one-to-one", "--rerank", model)
        head, *rows = result.out.splitlines()
        assert (result.code, head) == (0, "text,text_right,rerank,score")
        pairs = [tuple(row.split(",")[:2]) for row in rows]
        chosen = zip(*linear_sum_assignment(-table), strict=True)
        assert pairs == [(texts[left], texts[right]) for left, right in chosen]

    def test_unmatched_rows_and_other_forms(self, model: str) -> None:
        Path("left.txt").write_text("fruit\nqqq\n", "utf-8")
        match = ("match", "-q", "left.txt", "texts.txt", "--threshold", "0.3", "--rerank", model)
        assert rows_of(simil(*match))[1] == ["", "", "qqq", ""]
        found = json.loads(simil(*match, "-f", "json").out)
        assert found["reranker"].startswith("pairs@")
        assert [*found["data"][0]] == ["rerank", "score", "left", "right"]
        assert found["data"][1]["rerank"] is None
        shown = on_terminal(" ".join(["simil", *match]), 80, env={"TERM": "dumb"}).out
        first, second = shown.splitlines()
        assert "│ a " in first
        assert second.split() == ["-", "-", "qqq", "│"]


class TestEval:
    @pytest.fixture
    def data(self, predict: Predict) -> list[tuple[str, str, int]]:
        pairs = [(a, b) for a, b in product(TEXTS[:5], TEXTS[:5]) if a != b]
        Path("data.tsv").write_text(
            "a\tb\tscore\n" + "".join(f"{a}\t{b}\t{len(a) < len(b):d}\n" for a, b in pairs), "utf-8"
        )
        return [(a, b, len(a) < len(b)) for a, b in pairs]

    def test_beside_an_embedding_model(
        self, data: list[tuple[str, str, int]], model: str, predict: Predict
    ) -> None:
        result = simil("eval", "data.tsv", "-m", "minilm", "-m", model, "--resamples", "0", "-f", "json")
        embedder, mine = data_of(result)
        scores = predict([(a, b) for a, b, _ in data])
        assert mine["spearman"] == pytest.approx(
            stats.spearmanr(scores, [label for *_, label in data]).statistic, abs=1e-4
        )
        assert (mine["dimensions"], embedder["dimensions"]) == (None, 384)
        assert (mine["texts_per_s"], embedder["pairs_per_s"]) == (None, None)
        assert mine["pairs_per_s"] > 0 < mine["start_s"]

    def test_what_it_cannot_be_measured_on(self, data: object, model: str) -> None:
        command = ("eval", "-m", model)
        refused = [
            simil(*command, "--demo", "--retrieval"),
            simil(*command, "data.tsv", "--dimensions", "8"),
            simil(*command, "data.tsv", "--calibration", "c.json"),
        ]
        assert [(result.code, result.out) for result in refused] == [(2, "")] * 3
        assert [result.error_line.partition(";")[0] for result in refused] == [
            f"{model} is a cross-encoder and scores pairs, but these are queries and documents",
            f"--dimensions is for vectors, and {model} is a cross-encoder",
            f"a calibration is for cosines, and {model} is a cross-encoder",
        ]


class TestEvalRerank:
    def test_the_metrics_of_the_order_of_the_cross_encoder(
        self, embedder: str, model: str, reference: CrossEncoder
    ) -> None:
        """The candidates are those of `simil search`, the order is that of `CrossEncoder.rank`."""
        count, judged = 5, _demo()
        documents = [*dict.fromkeys(document for grades in judged.values() for document in grades)]
        Path("queries.txt").write_text("".join(f"{query}\n" for query in judged), "utf-8")
        Path("documents.txt").write_text("".join(f"{document}\n" for document in documents), "utf-8")
        measure = ("eval", "--demo", "--retrieval", "--resamples", "0", "-f", "json")
        found = simil(*measure, "-m", "minilm", "-m", embedder, "--rerank", model, "--candidates", str(count))
        rows = data_of(found)
        assert (found.err, json.loads(found.out)["candidates"]) == ("", count)
        names = ["minilm", embedder]
        assert [row["name"] for row in rows] == [
            label for name in names for label in (name, f"{name}, reranked by {model}")
        ]
        for name, before, after in zip(names, rows[::2], rows[1::2], strict=True):
            orders = _searched(name, judged, documents)
            assert _metrics(before) == pytest.approx(_metrics_of(orders, judged), abs=1e-6)
            reranked = [
                [*_ranked(reference, query, order[:count]), *order[count:]]
                for query, order in zip(judged, orders, strict=True)
            ]
            assert _metrics(after) == pytest.approx(_metrics_of(reranked, judged), abs=1e-6)
            assert _metrics(after) != pytest.approx(_metrics(before), abs=0.01)
            assert (after["dimensions"], after["texts_per_s"], after["tokens"]) == (None, None, None)
            assert str(after["model"]).startswith("pairs@")
            assert after["pairs_per_s"] == rows[1]["pairs_per_s"] > 0
            assert after["memory_mb"] != before["memory_mb"]

    def test_a_reranker_that_fails_leaves_the_other_results(self, model: str) -> None:
        Path("qrels.tsv").write_text(f"query\tdocument\ntea\t{'tea ' * 200}\ncoffee\tbeans\n", "utf-8")
        result = simil("eval", "qrels.tsv", "-m", "minilm", "--overflow", "error", "--rerank", model)
        assert (result.code, len(result.out.splitlines())) == (6, 2)
        first, last = result.err.splitlines()
        assert first.startswith(f"simil: {model}: qrels.tsv:2: ")
        assert last == "simil: 1 of 2 models could not be measured; see above"

    def test_the_table_shows_both(self, model: str) -> None:
        command = f"simil eval --demo --retrieval -m minilm --rerank {model} --resamples 0"
        shown = on_terminal(command, 100, env={"TERM": "dumb"}).out
        assert "minilm, reranked by" in shown
        assert "22 queries, 42 documents, 100 candidates, * is best" in shown


def _demo() -> dict[str, dict[str, float]]:
    """The grades of the demo's documents, by query."""
    lines = (ROOT / "src/simil/tasks/evaluation/demo/queries.tsv").read_text("utf-8").splitlines()
    judged: dict[str, dict[str, float]] = {}
    for query, document, grade in (line.split("\t") for line in lines[1:]):
        judged.setdefault(query, {})[document] = float(grade)
    return judged


def _searched(name: str, queries: Iterable[str], documents: Sequence[str]) -> list[list[str]]:
    result = simil(
        "search", "--queries", "queries.txt", "documents.txt", "-m", name, "-k", "99", "-f", "json"
    )
    by_query: dict[object, list[str]] = {query: [] for query in queries}
    for row in data_of(result):
        by_query[row["query"]].append(str(row["content"]))
    assert all(len(order) == len(documents) for order in by_query.values())
    return [*by_query.values()]


def _ranked(reference: CrossEncoder, query: str, documents: Sequence[str]) -> list[str]:
    ranked = reference.rank(query, [*documents], show_progress_bar=False)
    return [documents[int(found["corpus_id"])] for found in ranked]


def _metrics(row: Mapping[str, object]) -> list[object]:
    return [row[name] for name in ("recall@1", "recall@5", "recall@10", "ndcg@10")]


def _metrics_of(orders: Sequence[Sequence[str]], judged: Mapping[str, Mapping[str, float]]) -> list[float]:
    """Return recall by hand, and nDCG by scikit-learn."""
    grades = np.array(
        [
            [own.get(document, 0) for document in order]
            for order, own in zip(orders, judged.values(), strict=True)
        ]
    )
    relevant = grades > 0
    recalls = [(relevant[:, :k].sum(axis=1) / relevant.sum(axis=1)).mean() for k in (1, 5, 10)]
    falling = np.tile(np.arange(grades.shape[1], 0, -1), (len(grades), 1))
    return [*map(float, recalls), float(ndcg_score(grades, falling, k=10))]


def test_the_examples_of_reranking(model: str) -> None:
    """With the models' names replaced, since these are not on every machine."""
    page = (ROOT / "docs/commands/search.md").read_text("utf-8")
    section = page[page.index("## Rerank") : page.index("## Details")]
    examples = [
        line for block in re.findall(r"```sh\n(.*?)```", section, re.DOTALL) for line in block.splitlines()
    ]
    assert len(examples) == 7
    Path("packages.tsv").write_bytes((ROOT / "tests/data/packages.tsv").read_bytes())
    Path("wishes.csv").write_text("wish\npaint pictures\n", "utf-8")
    Path("questions.tsv").write_text("question\tanswer\nwhy?\ttherefore\n", "utf-8")
    for example in examples:
        done = shell(re.sub("ms-marco-minilm|bge-reranker", model, example))
        assert done.code == 0, f"{example}\n{done.err}"
        assert done.out


def test_a_strange_folder_chooses_no_cross_encoder(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIMIL_MODEL")
    Path(".env").write_text(f"SIMIL_MODEL={model}\n", "utf-8")
    result = simil("compare", "Apple", "Orange")
    assert (result.code, result.out) == (2, "")
    assert "simil config trust" in result.error_line
    assert simil("compare", "-m", model, "Apple", "Orange").code == 0
