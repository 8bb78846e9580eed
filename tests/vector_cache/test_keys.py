"""The key stands for everything that a vector depends on, and for nothing else."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simil.config import load_settings
from simil.embedders.base import Kind, VectorForm
from simil.embedders.cache.keys import KeyBuilder
from simil.embedders.cache.store import VectorCache, cache_folder
from simil.embedders.factory import open_embedder

WORDS = st.text(st.sampled_from('ab"\\{},: \x00é😀'), max_size=6)
RECIPES = st.builds(
    KeyBuilder,
    backend=WORDS,
    model=WORDS,
    revision=WORDS,
    precision=WORDS,
    pipeline=WORDS,
    prompts=st.dictionaries(st.sampled_from(Kind), WORDS, max_size=3),
    max_tokens=st.none() | st.integers(1, 600),
    overflow=WORDS,
    version=st.integers(1, 3),
)
ASKED = st.tuples(
    RECIPES, WORDS | st.just("\ud800"), st.sampled_from(Kind), st.none() | st.integers(1, 99), st.booleans()
)


def _key(asked: tuple[KeyBuilder, str, Kind, int | None, bool]) -> bytes:
    recipe, text, kind, dimensions, normalize = asked
    (key,) = recipe.keys([text], kind, VectorForm(dimensions, normalize))
    return key


def _meaning(asked: tuple[KeyBuilder, str, Kind, int | None, bool]) -> tuple[Any, ...]:
    recipe, text, kind, *rest = asked
    # Only the prompt of the kind that is asked for goes into the vector.
    return (replace(recipe, prompts={}), recipe.prompts.get(kind, ""), text, *rest)


@given(ASKED, ASKED)
def test_two_keys_are_equal_where_all_is_equal(one: Any, other: Any) -> None:
    assert (_key(one) == _key(other)) == (str(_meaning(one)) == str(_meaning(other)))


@given(ASKED)
def test_the_same_again_has_the_same_key(asked: Any) -> None:
    assert _key(asked) == _key(asked)
    assert len(_key(asked)) == 32


BASE = KeyBuilder("local", "m@1", "1" * 40, "float32", "mean", {Kind.QUERY: "find: "}, 256, "truncate")
CHANGES: list[dict[str, Any]] = [
    {"backend": "openai at x"},
    {"model": "m@2"},
    {"revision": "2" * 40},
    {"precision": "bfloat16"},
    {"precision": "int8"},
    {"pipeline": "cls"},
    {"prompts": {Kind.QUERY: "find:"}},
    {"max_tokens": 512},
    {"max_tokens": None},
    {"overflow": "chunk"},
    {"version": 2},
    {"generation": "1"},
]


def test_vectors_that_were_paid_for_keep_their_keys() -> None:
    paid = KeyBuilder(
        backend="openai at https://api.openai.com/v1/embeddings",
        model="text-embedding-3-small",
        overflow="truncate",
        fits_bytes=8191,
    )
    assert _key((paid, "text", Kind.SYMMETRIC, None, True)).hex() == (
        "ce5b3180abb0ec2e78e3705709f37c30812777a763b0f06da582857637b9c104"
    )


@pytest.mark.parametrize(
    ("engine", "key"),
    [
        ("onnx", "16f0ee69ff5bd8cb2f1b03614f2c821ed25b5c094a789361851a830b3c06489a"),
        ("torch", "35efea11d82e46e99b5e849aa05681dfa4f8c989aabe6194bdcb476fc10c95ae"),
    ],
)
def test_vectors_of_the_embedded_model_keep_their_keys(engine: str, key: str, tmp_path: Path) -> None:
    environ = {"SIMIL_CACHE_DIR": str(tmp_path / "cache"), "SIMIL_CONFIG": os.devnull}
    settings = load_settings(model="minilm", engine=engine, environ=environ, directory=tmp_path)
    with closing(VectorCache(cache_folder(settings.cache_dir), 1 << 20)) as cache:
        cache.put("minilm", [bytes.fromhex(key)], np.ones((1, 384), np.float32), np.zeros(1, np.uint8))

    with closing(open_embedder(settings)) as embedder:
        assert embedder.missing(["apple"], Kind.SYMMETRIC, VectorForm()) == []


def test_each_part_counts() -> None:
    recipes = [BASE, *(replace(BASE, **change) for change in CHANGES)]
    keys = [_key((recipe, "text", Kind.QUERY, None, True)) for recipe in recipes]
    keys += [
        _key((BASE, "text", Kind.QUERY, None, False)),
        _key((BASE, "text", Kind.QUERY, 64, True)),
        _key((BASE, "text", Kind.DOCUMENT, None, True)),
        _key((BASE, "text ", Kind.QUERY, None, True)),
        _key((BASE, "find: text", Kind.DOCUMENT, None, True)),
    ]
    assert len(set(keys)) == len(keys)


def test_kinds_with_the_same_prompt_share_vectors() -> None:
    assert _key((BASE, "text", Kind.DOCUMENT, None, True)) == _key((BASE, "text", Kind.SYMMETRIC, None, True))


@pytest.mark.parametrize(("one", "other"), [("ab", "c"), ("a", "bc")])
def test_what_moves_from_the_prompt_into_the_text_is_another_key(one: str, other: str) -> None:
    keys = [
        _key((replace(BASE, prompts={Kind.QUERY: prompt}), text, Kind.QUERY, None, True))
        for prompt, text in ((one, other), (one + other[:1], other[1:]), ("", one + other))
    ]
    assert len(set(keys)) == 3
