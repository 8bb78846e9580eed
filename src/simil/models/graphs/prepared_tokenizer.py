"""Keeps a model's tokenizer as transformers makes it, for engines that start faster than that is imported."""

from __future__ import annotations

import logging
from pathlib import Path

from simil.models.files.chain import UnknownChain, transformer_folder
from simil.models.files.model_source import ModelSource
from simil.models.files.tokenizer import read_tokenizer
from simil.models.graphs.build_once import BuildFailed, build_once, open_built
from simil.models.graphs.generations import Generation, state_folder

__all__ = ["prepared_tokenizer"]

log = logging.getLogger("simil")

# Raise this when tokenizers are read differently.
_LAYOUT = 1
_FILE = "tokenizer.json"


def prepared_tokenizer(source: ModelSource, cache_dir: Path) -> bytes:
    """Return the `tokenizer.json` of a model as `read_tokenizer` does, from the second run on without it.

    Raises `UnknownChain` for a tokenizer of another kind; other errors are those of `read_tokenizer`.
    """
    if source.embedded:  # Read without transformers.
        return _read(source)
    target = state_folder(source, cache_dir, f"tokenizer {_LAYOUT}", "tokenizer-")
    generation = Generation.of(source, cache_dir)
    built = open_built(target, generation)
    if built is None:
        tokenizer = _read(source)
        try:
            built = build_once(
                target, lambda folder: _write(folder / _FILE, tokenizer), generation=generation
            )
        except (OSError, BuildFailed) as exc:
            log.info("the tokenizer of %s cannot be kept: %s", source.name, exc)
            return tokenizer
    return built.read(_FILE)


def _read(source: ModelSource) -> bytes:
    tokenizer = read_tokenizer(transformer_folder(source.folder))
    if tokenizer is None:
        raise UnknownChain("its tokenizer is of another kind")
    return tokenizer


def _write(path: Path, tokenizer: bytes) -> None:
    path.write_bytes(tokenizer)
