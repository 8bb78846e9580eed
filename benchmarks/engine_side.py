"""Answers how fast one side embeds, and the quality of its vectors; see `workers`.

    python benchmarks/engine_side.py peer --model DIR
    python benchmarks/engine_side.py ours --model NAME --engine auto --precision bfloat16

`peer` is `SentenceTransformer.encode` with its defaults; `ours` is what `simil embed --no-cache` does
between reading and writing. Model, threads and memory are warm before the first answer.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from workers import serve
from workloads import mixed, texts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simil.embedders.base import Embedder

    Vectors = NDArray[np.float32]

# Enough tokens for simil to open its engine for many texts.
_MANY = 512
# Few enough texts for simil's engine for few texts.
_FEW = 5


class Side(ABC):
    """What both sides must answer."""

    @abstractmethod
    def open(self) -> str | None:
        """Get ready; return the reason if that is not possible."""

    @abstractmethod
    def embed(self, work: Sequence[str]) -> Vectors:
        """Return the vectors of `work`, in order."""

    def embed_each(self, work: Sequence[str]) -> Vectors:
        """Return the vectors of `work`, each computed alone."""
        return np.concatenate([self.embed([text]) for text in work])

    def warm(self, number: int = _MANY) -> str | None:
        """Open and embed some texts; return the reason if that is not possible."""
        cannot = self.open()
        if cannot is None:
            self.embed(texts("12 words", number))
        return cannot

    def rate(self, length: str, number: int) -> dict[str, Any]:
        """Return the texts per second, and the first and last vector, which must match the other side's."""
        work = texts(length, number)
        began = time.perf_counter()
        vectors = self.embed(work)
        seconds = time.perf_counter() - began
        return {"texts_per_s": number / seconds, "vectors": vectors[[0, -1]].astype(float).tolist()}

    def save(self, path: str, numbers: Mapping[str, int]) -> None:
        """Write the vectors of mixed texts to a .npy file."""
        np.save(path, self.embed(mixed(numbers)))

    def alone(self, path: str, numbers: Mapping[str, int]) -> float:
        """Return the worst cosine between the vectors that `save` wrote and those of the texts alone."""
        return _worst_cosine(np.load(path), self.embed_each(mixed(numbers)))

    def spearman(self, path: str) -> float:
        """Return 100 x Spearman's correlation of cosines and gold scores; see `--sick` of run.py."""
        with Path(path).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
        one, other = (self.embed([row[f"sentence_{side}"] for row in rows]) for side in "AB")
        said = [float(row["relatedness_score"]) for row in rows]
        return float(100 * import_module("scipy.stats").spearmanr(_cosines(one, other), said).statistic)


class Peer(Side):
    """`SentenceTransformer.encode`, as its users call it."""

    def __init__(self, folder: str, device: str | None = None, precision: str | None = None) -> None:
        self._folder, self._device, self._precision = folder, device, precision
        self.batch = 32  # As `encode` has it.

    def open(self) -> None:
        """Load the model."""
        from sentence_transformers import SentenceTransformer

        kwargs = {"dtype": self._precision} if self._precision else {}
        self._model = SentenceTransformer(self._folder, device=self._device, model_kwargs=kwargs)

    def embed(self, work: Sequence[str]) -> Vectors:
        """Return the vectors of `work`."""
        vectors: Vectors = self._model.encode(list(work), batch_size=self.batch)
        return vectors


class Ours(Side):
    """`embed_stream`, as `simil embed --no-cache` calls it."""

    def __init__(self, model: str, engine: str, precision: str, device: str = "cpu") -> None:
        self._model, self._engine, self._precision, self._device = model, engine, precision, device
        # The engine for few texts computes only in float32.
        self._reopens = precision == "float32"

    def open(self) -> str | None:
        """Open the model."""
        from simil.errors import SimilError

        try:
            self._embedder = self._opened()
            self.embed(["warm"])
        except SimilError as exc:
            return exc.message
        return None

    def embed(self, work: Sequence[str]) -> Vectors:
        """Return the vectors of `work`."""
        return _streamed(self._embedder, work)

    def embed_each(self, work: Sequence[str]) -> Vectors:
        """Return the vectors of texts embedded alone, by a run that has seen few others or none."""
        if not self._reopens:
            return super().embed_each(work)
        rows = []
        for start in range(0, len(work), _FEW):
            embedder = self._opened()
            rows += [_streamed(embedder, [text]) for text in work[start : start + _FEW]]
            embedder.close()
        return np.concatenate(rows)

    def _opened(self) -> Embedder:
        from simil.config import load_settings
        from simil.embedders.factory import open_embedder

        settings = load_settings(
            model=self._model,
            engine=self._engine,
            precision=self._precision,
            device=self._device,
            cache=False,
            offline=True,
        )
        return open_embedder(settings)


def gflops_a_text(folder: Path, length: str, number: int) -> float:
    """Return the 10^9 operations of a text's products with the model's weights, without padding.

    A BERT layer of width h multiplies a token with 12 h^2 weights: 4 h^2 around attention, 8 h^2 in the two
    products of its feed-forward part, which is four times as wide.
    """
    from tokenizers import Tokenizer

    config = json.loads((folder / "config.json").read_text("utf-8"))
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    a_token = 2 * config["num_hidden_layers"] * (4 * hidden**2 + 2 * hidden * inner)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokens = sum(len(encoding.ids) for encoding in tokenizer.encode_batch(texts(length, number)))
    return float(a_token * tokens / number / 1e9)


def compare(one: str, other: str) -> float:
    """Return the worst cosine between two files of vectors, row by row."""
    return _worst_cosine(np.load(one), np.load(other))


def _streamed(embedder: Embedder, work: Sequence[str]) -> Vectors:
    from simil.errors import Place
    from simil.tasks.embedding import EmbedOptions, embed_stream
    from simil.texts import Text

    stream = (Text(str(row), text, Place("bench", row), {}) for row, text in enumerate(work, 1))
    return np.concatenate([batch.vectors for batch in embed_stream(stream, embedder, EmbedOptions())])


def _cosines(one: Vectors, other: Vectors) -> NDArray[np.float64]:
    left, right = one.astype(np.float64), other.astype(np.float64)
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    cosines: NDArray[np.float64] = np.einsum("ij,ij->i", left, right) / lengths
    return cosines


def _worst_cosine(one: Vectors, other: Vectors) -> float:
    return float(_cosines(one, other).min())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("side", choices=("peer", "ours"))
    parser.add_argument("--model", required=True, metavar="NAME", help="a folder; for ours what -m takes")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--precision", default="float32")
    given = parser.parse_args()
    side = Peer(given.model) if given.side == "peer" else Ours(given.model, given.engine, given.precision)
    serve(
        {
            "warm": side.warm,
            "rate": side.rate,
            "save": side.save,
            "alone": side.alone,
            "spearman": side.spearman,
            "compare": compare,
            "gflops_a_text": lambda length, number: gflops_a_text(Path(given.model), length, number),
        }
    )


if __name__ == "__main__":
    main()
