"""The catalog is complete, and each of its figures has a source."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from pathlib import Path

import pytest

import simil.models.catalog
from simil.models.catalog import SCORES, ModelInfo, benchmarks, catalog, find_info, shared_sources
from simil.models.resolve import Provider, resolve

MODELS = list(catalog().values())
HUB_MODELS = [info for info in MODELS if info.provider == "hub"]
# Each of these has a source of its own; those below have one only if the card does not give them.
FIGURES = (
    "parameters",
    "active_parameters",
    "download_mb",
    *SCORES,
    "price",
    "duplicates_at",
    "superseded_by",
)
FROM_CARDS = ("max_tokens", "languages", "prompts")
OF_RERANKERS = ("ndcg", "mrr")

HOSTS = {"huggingface.co", "github.com", "ai.google.dev", "openai.com", "developers.openai.com"}
# What is found by ourselves: from other figures, in a file that ships, by an experiment.
OWN_WORK = {"computed", "counted", "measured"}
ADDRESS = re.compile(r"([a-z0-9.-]+\.[a-z]+)(?:/[\w.-]+)+")


def name_of(info: ModelInfo) -> str:
    return info.name


def references(source: str) -> list[str]:
    """The names and addresses of a source, without the note after a colon."""
    return source.partition(": ")[0].split(", ")


def is_recognizable(reference: str, names: set[str]) -> bool:
    address = ADDRESS.fullmatch(reference)
    return reference in names | OWN_WORK or (address is not None and address[1] in HOSTS)


@pytest.mark.parametrize("info", MODELS, ids=name_of)
def test_every_figure_has_a_source_and_every_source_a_figure(info: ModelInfo) -> None:
    told = {name for name in FIGURES if getattr(info, name) not in (None, "")}
    assert set(info.sources) - {*FROM_CARDS} == told | {"card"}
    for name in set(info.sources) & {*FROM_CARDS}:
        assert (
            name in told or name == "prompts" or getattr(info, name) is not None or info.pooling == "static"
        )


@pytest.mark.parametrize("info", MODELS, ids=name_of)
def test_every_source_has_a_form_that_can_be_followed(info: ModelInfo) -> None:
    assert ADDRESS.fullmatch(info.sources["card"])
    for figure, source in info.sources.items():
        assert source.isprintable() and "://" not in source, figure
        for reference in references(source):
            assert is_recognizable(reference, {"card", *shared_sources()}), (figure, reference)


def test_what_is_no_source_is_told_from_one() -> None:
    for reference in (
        "",
        "leader",
        "the card",
        "localhost/x",
        "https://github.com/a/b",
        "10.0.0.1/x",
        "/home/a",
    ):
        assert not is_recognizable(reference, {"card", "leaderboard"}), reference


def test_shared_sources_name_a_place_and_its_state_and_are_all_used() -> None:
    said = {
        reference for info in MODELS for source in info.sources.values() for reference in references(source)
    }
    for name, source in shared_sources().items():
        place, state = source.split(" at ")
        assert ADDRESS.fullmatch(place) and re.match(r"[0-9a-f]{8}\b", state)
        assert name in said


@pytest.mark.parametrize("score", SCORES)
def test_every_score_names_its_benchmark_and_the_version(score: str) -> None:
    assert benchmarks().keys() == {*SCORES}
    versioned = re.fullmatch(r"MTEB\((eng|Multilingual|Code), (v\d)\), .+", benchmarks()[score])
    assert (versioned is not None) == score.startswith(("mteb", "sts"))
    if versioned and versioned[1] == "eng":
        assert score.endswith(f"_{versioned[2]}")


@pytest.mark.parametrize("info", MODELS, ids=name_of)
def test_facts_are_of_the_right_kind(info: ModelInfo) -> None:
    assert info.kind in {"embedder", "reranker"}
    assert info.provider in {"hub", "embedded", "openai"}
    assert (info.provider == "openai") == (info.price is not None) == (not info.repo)
    assert info.pooling in {"cls", "mean", "lasttoken", "static", ""}
    for name in SCORES:
        assert getattr(info, name) is None or 25 < getattr(info, name) < 100
    if info.parameters is not None and info.active_parameters is not None:
        assert (info.active_parameters == 0) == (info.pooling == "static")
        assert info.active_parameters < info.parameters
    for prompt in info.prompts.values():
        assert not prompt or prompt.rstrip().endswith(":")


@pytest.mark.parametrize("info", HUB_MODELS, ids=name_of)
def test_what_a_model_of_the_hub_needs_is_known(info: ModelInfo) -> None:
    assert info.licence and info.languages and info.parameters and info.download_mb and info.memory_mb
    # Stored in four or in two bytes a parameter.
    assert 0.45 < info.download_mb / info.memory_mb < 1.05


@pytest.mark.parametrize("info", MODELS, ids=name_of)
def test_rerankers_have_no_facts_of_embeddings_and_embedders_none_of_rerankers(info: ModelInfo) -> None:
    if info.kind == "embedder":
        assert info.dimensions is not None and info.dimensions > 0
        assert not any(getattr(info, name) for name in OF_RERANKERS)
        return
    assert not any(info.prompts.values())
    for name in ("dimensions", "pooling", "shortens", "duplicates_at", *set(SCORES) - set(OF_RERANKERS)):
        assert not getattr(info, name), name


def test_what_supersedes_a_model_is_a_known_one_of_its_kind() -> None:
    superseded = [info for info in MODELS if info.superseded_by]
    assert superseded
    for info in superseded:
        successor = catalog()[info.superseded_by]
        assert (successor.kind, successor.provider) == (info.kind, info.provider)
        assert not successor.superseded_by


def test_entries_that_are_read_one_by_one_are_those_of_the_whole_file() -> None:
    text = Path(simil.models.catalog.__file__).with_name("catalog.toml").read_text("utf-8")
    whole = tomllib.loads(text)
    assert (whole.pop("sources"), whole.pop("benchmarks")) == (shared_sources(), benchmarks())
    assert {name: ModelInfo(name=name, **facts) for name, facts in whole.items()} == catalog()
    assert [*whole] == [*catalog()]


@pytest.mark.parametrize("name", ["sources", "benchmarks", "", "/", "0", "BAAI"])
def test_what_is_no_name_of_a_model_finds_none(name: str) -> None:
    assert find_info(name) is None


def test_the_embedded_model_is_what_its_files_say(minilm_info: ModelInfo) -> None:
    known = catalog()["minilm"]
    for name in ("dimensions", "max_tokens", "pooling", "prompts"):
        assert getattr(known, name) == getattr(minilm_info, name)


def test_its_parameters_are_those_of_its_file() -> None:
    import json
    import math
    import struct

    from simil.models.files.model_source import EMBEDDED

    with (EMBEDDED / "model.safetensors").open("rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    count = sum(math.prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__")
    assert catalog()["minilm"].parameters == round(count / 1e6, 1)


@pytest.fixture
def minilm_info() -> ModelInfo:
    from simil.models.files.facts import read_info
    from simil.models.files.model_source import EMBEDDED

    return read_info("minilm", EMBEDDED)


@pytest.mark.parametrize("info", [info for info in MODELS if info.repo], ids=name_of)
def test_short_name_repository_and_its_last_part_mean_the_same(info: ModelInfo) -> None:
    for name in (info.name, info.repo, info.repo.rpartition("/")[2]):
        assert find_info(name) is info
    if info.provider == "hub":
        refs = {resolve(name) for name in (info.name, info.repo, info.repo.rpartition("/")[2])}
        assert [(ref.provider, ref.target) for ref in refs] == [(Provider.HUB, info.repo)]
    else:
        assert resolve(info.repo.rpartition("/")[2]).provider is Provider.EMBEDDED


def test_names_are_told_apart() -> None:
    for known in (
        [info.name for info in MODELS],
        [info.repo.rpartition("/")[2] for info in MODELS if info.repo],
    ):
        assert len(set(known)) == len(known)


def test_models_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        MODELS[0].dimensions = 1  # type: ignore[misc]
