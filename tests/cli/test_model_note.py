"""`-v` says in one line which model runs, and how; `compare` follows the similarity that its files name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support import tiny_models as tiny
from support.command import simil

from simil.models.files import model_source as source

PAIRS = [("Apple", "Orange"), ("a red car on the road", "the sea"), ("Apple", "Apple")]
PROMPTS = {"query": "query:\n", "passage": "passage: ", "STS": "sts: "}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose vectors are not of length 1."""
    path = tmp_path_factory.mktemp("models")
    bare = tiny.transformer_folder(path / "bare", tiny.bert(), source.EMBEDDED)
    return tiny.sentence_model(path / "mine", bare, normalize=False, prompts=PROMPTS)


@pytest.fixture
def by(folder: Path) -> Path:
    """The same, to be given another similarity."""
    tiny.edit_json(folder / "config_sentence_transformers.json", similarity_fn_name="cosine")
    return folder


def test_the_embedded_model() -> None:
    done = simil("compare", "-v", "--engine", "onnx", "--no-cache", "-m", "minilm", "Apple", "Orange")

    assert done.error_line == "all-MiniLM-L6-v2: onnx, float32, revision 53aa51172d14, no prompts"
    assert simil("compare", "--no-cache", "-m", "minilm", "Apple", "Orange").err == ""


def test_prompts_in_use_and_others(by: Path) -> None:
    done = simil(
        "search", "-v", "--engine", "onnx", "--no-cache", "-m", str(by), "fruit", stdin=b"Apple\nsea\n"
    )

    (line,) = [line for line in done.err.splitlines() if "onnx, float32" in line]
    assert line.startswith("simil: mine: onnx, float32, revision ")
    assert line.endswith(', query prompt "query:\\n", prompts not used: "STS", "passage"')


def test_all_vectors_come_from_the_cache(by: Path, tmp_path: Path) -> None:
    env = {"SIMIL_CACHE_DIR": str(tmp_path / "cache")}
    command = ("compare", "-v", "--engine", "onnx", "-m", str(by), "Apple", "Orange")
    first, second = simil(*command, env=env), simil(*command, env=env)

    assert first.out == second.out
    assert "mine: onnx, float32, revision " in first.err
    assert "mine: from the cache, float32, revision " in second.error_line


@pytest.mark.parametrize("name", ["cosine", "dot", "euclidean"])
def test_the_similarity_of_the_models_files(name: str, by: Path, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    tiny.edit_json(by / "config_sentence_transformers.json", similarity_fn_name=name)
    model = SentenceTransformer(str(by), device="cpu", local_files_only=True)
    vectors = {text: model.encode(text) for pair in PAIRS for text in pair}
    # What sentence-transformers gives for a distance is its negative.
    sign = -1 if name == "euclidean" else 1
    expected = [sign * float(model.similarity(vectors[left], vectors[right])[0][0]) for left, right in PAIRS]
    (tmp_path / "pairs.tsv").write_text(
        "a\tb\n" + "".join(f"{left}\t{right}\n" for left, right in PAIRS), "utf-8"
    )
    options = ("--engine", "onnx", "--no-cache", "-v", "-m", str(by))

    rows = simil("compare", *options, "-f", "jsonl", "--pairs", str(tmp_path / "pairs.tsv"))
    found = [json.loads(line) for line in rows.out.splitlines()]
    np.testing.assert_allclose([row["score"] for row in found], expected, rtol=1e-4, atol=1e-4)
    assert {row["metric"] for row in found} == {name}
    two = simil("compare", *options, "-f", "json", *PAIRS[1])
    assert json.loads(two.out)["score"] == pytest.approx(expected[1], rel=1e-4)
    several = simil("compare", *options, "-f", "json", *vectors)
    assert json.loads(several.out)["metric"] == name
    told = f"compared by {name}, as the files of mine@"
    for done in (rows, two, several):
        assert (told in done.err) == (name != "cosine")
    assert (f"similarity {name} (" in two.err) == (name != "cosine")
    overridden = simil("compare", *options, "--metric", "cosine", "-f", "json", *PAIRS[1])
    assert json.loads(overridden.out)["metric"] == "cosine"
    assert told not in overridden.err


def test_vectors_of_a_file_are_compared_by_cosine(by: Path, tmp_path: Path) -> None:
    tiny.edit_json(by / "config_sentence_transformers.json", similarity_fn_name="dot")
    options = ("--engine", "onnx", "--no-cache", "-m", str(by))
    saved = tmp_path / "saved.jsonl"
    simil("embed", *options, "-o", str(saved), stdin=b"Apple\nthe sea\n")

    done = simil("compare", *options, "-f", "json", "--file", str(saved))
    mixed = simil("compare", *options, "-f", "json", "--file", str(saved), "-t", "Apple")
    assert json.loads(done.out)["metric"] == "cosine"
    assert json.loads(mixed.out)["metric"] == "cosine"


def test_a_scale_is_of_cosines(by: Path, tmp_path: Path) -> None:
    tiny.edit_json(by / "config_sentence_transformers.json", similarity_fn_name="euclidean")
    (tmp_path / "reference.txt").write_text("one\ntwo\nthree\nfour\n", "utf-8")
    options = ("--engine", "onnx", "--no-cache", "-m", str(by), "-f", "json")

    done = simil("compare", *options, "--percentile", str(tmp_path / "reference.txt"), "Apple", "Apple")
    assert json.loads(done.out)["metric"] == "cosine"


def test_a_cross_encoder(tmp_path: Path) -> None:
    folder = tiny.transformer_folder(tmp_path / "pairs", tiny.bert(head=True, num_labels=1), source.EMBEDDED)
    command = ("compare", "-v", "-m", str(folder), "Apple", "Orange")
    env = {"SIMIL_CACHE_DIR": str(tmp_path / "cache")}

    first, second = simil(*command, env=env), simil(*command, env=env)
    assert "pairs: onnx, float32, revision " in first.err
    assert second.error_line.startswith("pairs: from the cache, float32, revision ")
    assert first.out == second.out
