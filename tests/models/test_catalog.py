"""The catalog is complete, and each of its figures has a source."""

from __future__ import annotations

import dataclasses

import pytest

from simil.models.catalog import ModelInfo, catalog, find_info, shared_sources
from simil.models.resolve import Provider, resolve

MODELS = list(catalog().values())
FIGURES = ("parameters", "download_mb", "mteb", "sts", "price", "duplicates_at")


@pytest.mark.parametrize("info", MODELS, ids=lambda info: info.name)
def test_every_figure_has_a_source_and_every_source_a_figure(info: ModelInfo) -> None:
    told = {name for name in FIGURES if getattr(info, name) is not None}
    # `max_tokens` has a source of its own only if the card does not give it.
    assert set(info.sources) - {"max_tokens"} == told | {"card"}
    assert all(info.sources.values())


@pytest.mark.parametrize("info", MODELS, ids=lambda info: info.name)
def test_facts_are_of_the_right_kind(info: ModelInfo) -> None:
    assert info.provider in {"hub", "embedded", "openai"}
    assert info.dimensions is not None and info.dimensions > 0
    assert (info.provider == "openai") == (info.price is not None) == (not info.repo)
    assert info.pooling in {"cls", "mean", "static", ""}
    assert bool(info.benchmark) == (info.mteb is not None or info.sts is not None)
    for name in ("mteb", "sts"):
        assert getattr(info, name) is None or 30 < getattr(info, name) < 100
    if info.provider == "hub":
        assert info.licence and info.parameters and info.download_mb and info.memory_mb
        # Stored in float32 or float16.
        assert 0.45 < info.download_mb / info.memory_mb < 1.05
    for prompt in info.prompts.values():
        assert not prompt or prompt.endswith(": ")


def test_the_shared_sources_are_all_used() -> None:
    said = " ".join(source for info in MODELS for source in info.sources.values())
    assert all(name in said for name in shared_sources())


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


@pytest.mark.parametrize("info", [info for info in MODELS if info.repo], ids=lambda info: info.name)
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
