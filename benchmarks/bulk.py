"""One side of the bulk benchmark in a process of its own: texts a second inside the engine, as JSON.

    python benchmarks/bulk.py ours --model minilm
    python benchmarks/bulk.py peer --model DIR --texts 500
    python benchmarks/bulk.py roof --model DIR

`peer` is `SentenceTransformer.encode` with its defaults; `ours` is what `simil embed` calls, in the
windows that it passes. Model and threads are warm before the clock starts. `roof` is the rate at which
the model's products with its weights alone would go at the speed of numpy's float32 matrix product,
no padding counted: the share of it that a side reaches says how much is left to win.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from workloads import LENGTHS, texts

if TYPE_CHECKING:
    from numpy.typing import NDArray

Encode = Callable[[list[str]], "NDArray[np.float32]"]

_WINDOW = 1024  # As many texts as `simil embed` gives to the engine at once.
_WARM_UP = 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("side", choices=("peer", "ours", "roof"))
    parser.add_argument("--model", required=True, metavar="NAME", help="a folder; for ours what -m takes")
    parser.add_argument("--texts", type=int, default=2700, metavar="N")
    arguments = parser.parse_args()
    if arguments.side == "roof":
        json.dump(roof(Path(arguments.model), arguments.texts), sys.stdout)
        return
    encode = _ours(arguments.model) if arguments.side == "ours" else _peer(arguments.model)
    json.dump({length: _timed(encode, length, arguments.texts) for length in LENGTHS}, sys.stdout)


def roof(folder: Path, number: int) -> dict[str, Any]:
    """Return the machine's GFLOP/s and, for each length, the texts a second that they would allow.

    A BERT layer of width h multiplies a token with 12 h^2 weights: 4 h^2 around attention, 8 h^2 in the
    two products of its feed-forward part, which is four times as wide.
    """
    from tokenizers import Tokenizer

    config = json.loads((folder / "config.json").read_text("utf-8"))
    hidden = config["hidden_size"]
    token_flops = 2 * config["num_hidden_layers"] * (4 * hidden**2 + 2 * hidden * config["intermediate_size"])
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    gflops = sgemm_gflops()
    rates = {}
    for length in LENGTHS:
        tokens = sum(len(encoding.ids) for encoding in tokenizer.encode_batch(texts(length, number)))
        rates[length] = gflops * 1e9 / (token_flops * tokens / number)
    return {"gflops": gflops, "texts_per_s": rates}


def sgemm_gflops(seconds: float = 2.0) -> float:
    """Return the best float32 GFLOP/s of [1024, 1024] x [1024, 4096] within so many seconds."""
    random = np.random.default_rng(0)
    left = random.standard_normal((1024, 1024), np.float32)
    right = random.standard_normal((1024, 4096), np.float32)
    product = left @ right
    best = float("inf")
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        began = time.perf_counter()
        np.matmul(left, right, out=product)
        best = min(best, time.perf_counter() - began)
    return 2 * 1024 * 1024 * 4096 / best / 1e9


def _timed(encode: Encode, length: str, number: int) -> dict[str, Any]:
    """Return the rate, and two of the vectors: the other side must have got the same."""
    work = texts(length, number)
    encode(work[:_WARM_UP])
    began = time.perf_counter()
    vectors = encode(work)
    seconds = time.perf_counter() - began
    return {"texts_per_s": number / seconds, "vectors": vectors[[0, -1]].astype(float).tolist()}


def _ours(model: str) -> Encode:
    from simil.config import load_settings
    from simil.embedders.factory import open_embedder

    embedder = open_embedder(load_settings(model=model, offline=True))

    def encode(work: list[str]) -> NDArray[np.float32]:
        windows = [work[start : start + _WINDOW] for start in range(0, len(work), _WINDOW)]
        return np.concatenate([embedder.embed(window) for window in windows])

    return encode


def _peer(folder: str) -> Encode:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(folder)

    def encode(work: list[str]) -> NDArray[np.float32]:
        vectors: NDArray[np.float32] = model.encode(work)
        return vectors

    return encode


if __name__ == "__main__":
    main()
