"""An error about an unknown name suggests similar ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simil.errors import ModelNotFound
from simil.models.catalog import catalog
from simil.models.names import near_repository, nearest_models
from simil.models.resolve import resolve
from simil.near_names import close_matches


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("bge-bsae", ["bge-base"]),
        ("minilmm", ["minilm"]),
        ("BGE-BASE", ["bge-base"]),
        ("bge", ["bge-base", "bge-small", "bge-large"]),
        ("bge-base-en", ["bge-base"]),
        ("e5", ["e5-small", "e5-base", "e5-large"]),
        ("qwen", ["qwen3-0.6b"]),
        ("qwen3-embedding", ["qwen3-0.6b"]),
        ("embedding-gemma", ["embeddinggemma"]),
        ("granite-smal", ["granite-small"]),
        ("harrier", ["harrier-270m", "harrier-0.6b"]),
        ("snowflake-arctic", ["arctic-l"]),
        ("reranker", ["bge-reranker"]),
        ("ms-marco-MiniLM-L-6-v2", ["ms-marco-minilm"]),
        ("potion", ["potion-8m", "potion-32m"]),
        ("mxbai-lrge", ["mxbai-large"]),
        ("all-MiniLM-L6-v3", ["minilm"]),
        ("nomic-embed-text", ["nomic"]),
        ("opnai", ["openai"]),
        ("ada-002", ["openai:text-embedding-ada-002"]),
        ("text-embedding-3-smal", ["openai:text-embedding-3-small"]),
        ("local:bge-bsae", ["bge-base"]),
        ("zzz", []),
        ("x", []),
        ("", []),
    ],
)
def test_what_a_wrong_name_may_have_meant(wrong: str, meant: list[str]) -> None:
    assert nearest_models(wrong) == meant


@pytest.mark.parametrize("name", [info.name for info in catalog().values()])
def test_two_letters_swapped_are_understood(name: str) -> None:
    info = catalog()[name]
    swapped = name[:-3] + name[-2] + name[-3] + name[-1]
    if swapped not in catalog() and swapped != name:
        assert info.cli_name in nearest_models(swapped)


@pytest.mark.parametrize(
    ("repo", "meant"),
    [
        ("BAAI/bge-bsae-en-v1.5", ["BAAI/bge-base-en-v1.5"]),
        ("baai/bge-base-en-v1.5", ["BAAI/bge-base-en-v1.5"]),
        ("sentence-transformer/all-mpnet-base-v2", ["sentence-transformers/all-mpnet-base-v2"]),
        ("BAAI/bge-base-en-v1.5", []),
        ("org/name", []),
        ("BAAI/bge-reranker-base", []),
    ],
)
def test_a_repository_that_is_nearly_a_known_one(repo: str, meant: list[str]) -> None:
    assert near_repository(repo) == meant


@given(st.text(max_size=12))
def test_any_name_is_answered_with_names_or_nothing(name: str) -> None:
    near = close_matches(name, ["bge-base", "minilm"])
    assert set(near) <= {"bge-base", "minilm"}
    assert len(set(near)) == len(near)


def test_an_api_model_without_its_prefix_is_told_how_it_is_written() -> None:
    with pytest.raises(ModelNotFound) as raised:
        resolve("text-embedding-3-small")
    assert raised.value.hint == "write a model behind OpenAI's API as openai:text-embedding-3-small"
    assert raised.value.exit_code == 4
