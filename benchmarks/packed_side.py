"""The packed engine on the processor, beside sentence-transformers; prints JSON.

    python benchmarks/packed_side.py build DIR NAME...
    python benchmarks/packed_side.py peer MODEL TEXTS
    python benchmarks/packed_side.py precisions MODEL TEXTS PRECISION...
    python benchmarks/packed_side.py bits MODEL TEXTS PRECISION
    python benchmarks/packed_side.py sick MODEL PAIRS PRECISION...

TEXTS is a JSON list, PAIRS a file of SICK. `peer` and `precisions` give the worst cosine to the vectors of
sentence-transformers, or of the packed engine in float32; `bits` counts the texts that have the same bits
alone, and in three orders; `sick` gives Spearman's correlation with people's scores, in percent.
"""

from __future__ import annotations

import csv
import json
import random
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from simil.config import load_settings
from simil.embedders.base import Embedder
from simil.embedders.factory import open_embedder

# Sizes of a small model, for all families but DistilBERT, which calls them otherwise.
_SIZES = {"hidden_size": 128, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 512}
_DISTILBERT = {"dim": 128, "n_layers": 4, "n_heads": 4, "hidden_dim": 512}
_ALONE = 40
_ORDERS = 3


def main(what: str, folder: Path, rest: Sequence[str]) -> Any:
    if what == "build":
        return _build(folder, rest)
    if what == "sick":
        return {precision: _sick(folder, Path(rest[0]), precision) for precision in rest[1:]}
    texts = json.loads(Path(rest[0]).read_text("utf-8"))
    if what == "peer":
        return _worst(_opened(folder, "float32").embed(texts), _theirs(folder, texts))
    if what == "bits":
        return _same_bits(_opened(folder, rest[1]), texts)
    exact = _opened(folder, "float32").embed(texts)
    return {precision: _worst(_opened(folder, precision).embed(texts), exact) for precision in rest[1:]}


def _build(folder: Path, names: Sequence[str]) -> None:
    from architecture_shapes import ARCHITECTURES, build

    for architecture in ARCHITECTURES:
        if architecture.name in names:
            sizes = _DISTILBERT if architecture.config == "DistilBertConfig" else _SIZES
            larger = replace(architecture, sizes={**architecture.sizes, **sizes})
            build(folder / architecture.name, larger)


def _opened(folder: Path, precision: str) -> Embedder:
    settings = load_settings(
        model=str(folder),
        engine="packed",
        device="cpu",
        precision=precision,
        overflow="truncate",
        cache=False,
    )
    return open_embedder(settings)


def _theirs(folder: Path, texts: Sequence[str]) -> Any:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True).float()
    # Alone, so that no padding plays a part.
    return model.encode(list(texts), batch_size=1, show_progress_bar=False)


def _worst(left: Any, right: Any) -> float:
    import numpy as np

    left, right = left.astype(np.float64), right.astype(np.float64)
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    return float(((left * right).sum(axis=1) / lengths).min())


def _same_bits(embedder: Embedder, texts: Sequence[str]) -> int:
    """Return how many of the texts have the same bits in each order, and alone where that was tried."""
    import numpy as np

    together = embedder.embed(texts)
    same = np.ones(len(texts), bool)
    chance = random.Random(0)
    for _ in range(_ORDERS):
        order = chance.sample(range(len(texts)), len(texts))
        moved = embedder.embed([texts[row] for row in order])
        same[order] &= (moved == together[order]).all(axis=1)
    for row in chance.sample(range(len(texts)), min(_ALONE, len(texts))):
        same[row] &= bool((embedder.embed([texts[row]])[0] == together[row]).all())
    return int(same.sum())


def _sick(folder: Path, pairs: Path, precision: str) -> float:
    from scipy.stats import spearmanr

    with pairs.open(encoding="utf-8", newline="") as file:
        rows = [*csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]
    embedder = _opened(folder, precision)
    left, right = (embedder.embed([row[side] for row in rows]) for side in ("sentence_A", "sentence_B"))
    scores = [float(row["relatedness_score"]) for row in rows]
    return float(spearmanr((left * right).sum(axis=1), scores).statistic) * 100


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])))
