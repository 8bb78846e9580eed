"""The peer of the table of architectures: builds the folders, and embeds in sentence-transformers.

    python benchmarks/architectures_side.py build DIR NAME...
    python benchmarks/architectures_side.py encode DIR TEXTS NAME...

`encode` embeds each line of TEXTS, a JSON string, alone, so that no padding plays a part. It writes the
vectors of each model to DIR/NAME.KIND.npy and prints, as JSON, what the models that failed raised.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from architecture_shapes import ARCHITECTURES, Architecture, build

__all__ = ["KINDS", "kinds_of", "vectors_path"]

KINDS = ("query", "document")


def kinds_of(architecture: Architecture) -> tuple[str, ...]:
    """Return the kinds of texts that a model tells apart: "symmetric" alone if it has no prompts."""
    return KINDS if architecture.prompts else ("symmetric",)


def vectors_path(folder: Path, name: str, kind: str) -> Path:
    """Return where `encode` writes the vectors of a model."""
    return folder / f"{name}.{kind}.npy"


def main(what: str, folder: Path, rest: Sequence[str]) -> None:
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    if what == "build":
        for architecture in _named(rest):
            build(folder / architecture.name, architecture)
        return
    texts = [json.loads(line) for line in Path(rest[0]).read_text("utf-8").splitlines()]
    print(json.dumps(_encode(folder, texts, _named(rest[1:]))))


def _named(names: Sequence[str]) -> list[Architecture]:
    return [architecture for architecture in ARCHITECTURES if architecture.name in names]


def _encode(folder: Path, texts: Sequence[str], architectures: Sequence[Architecture]) -> dict[str, str]:
    import numpy as np
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(1)  # The models are tiny.
    failed = {}
    for architecture in architectures:
        path = folder / architecture.name
        try:
            if architecture.config == "model2vec":
                np.save(vectors_path(folder, architecture.name, "symmetric"), _model2vec(path, texts))
                continue
            model = SentenceTransformer(str(path), device="cpu", local_files_only=True).float().eval()
            encode = {
                "symmetric": model.encode,
                "query": model.encode_query,
                "document": model.encode_document,
            }
            for kind in kinds_of(architecture):
                vectors = np.asarray(encode[kind](list(texts), batch_size=1, show_progress_bar=False))
                np.save(vectors_path(folder, architecture.name, kind), vectors)
        except Exception as exc:  # noqa: BLE001 (a model may raise anything; the table shows it)
            failed[architecture.name] = f"{type(exc).__name__}: {exc}"
    return failed


def _model2vec(path: Path, texts: Sequence[str]) -> Any:
    """Return the vectors of model2vec itself, which leaves out unknown words."""
    from model2vec import StaticModel

    return StaticModel.from_pretrained(path).encode(list(texts))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
