"""Static models: a table with a vector for each token; a text is the mean of its tokens' vectors.

They come in two forms. model2vec writes its table as `embeddings` and its settings to `config.json`; it
leaves out tokens that it does not know, and what comes after `max_length` tokens. sentence-transformers
writes `embedding.weight` and reads all tokens, also the one that stands for unknown ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simil.errors import ExtraMissing, ModelDamaged, Place
from simil.models.files.chain import kind_of, read_modules, read_object, truncates_dimensions
from simil.models.files.weights import WEIGHTS, read_header

__all__ = ["StaticTable", "import_model2vec", "read_static"]

# What model2vec takes where its file does not say.
_MAX_TOKENS = 512
_TOKENIZER = "tokenizer.json"


@dataclass(frozen=True, slots=True)
class StaticTable:
    """A static model as its files describe it.

    `path` is where table and tokenizer lie in the model's folder, `tensor` the name of the table,
    `dimensions` how long its vectors are, None where the file does not say.
    `skips_unknown` leaves out tokens that the tokenizer does not know, `max_tokens` what comes after so
    many; None is no limit, or the one in the tokenizer's own file.
    """

    path: str
    tensor: str
    dimensions: int | None
    skips_unknown: bool
    normalize: bool
    max_tokens: int | None


def read_static(folder: Path) -> StaticTable | None:
    """Return how the static model in `folder` works, None where the folder holds another kind of model.

    Raises `ModelDamaged` for files that cannot be read.
    """
    modules = read_modules(folder)
    kinds = [kind_of(module) for module in modules]
    if kinds not in ([], ["StaticEmbedding"], ["StaticEmbedding", "Normalize"]):
        return None
    path = str(modules[0].get("path", "")) if modules else ""
    if not all((folder / path / name).is_file() for name in (WEIGHTS, _TOKENIZER)):
        return None
    tensors = read_header(folder / path / WEIGHTS)
    if "embeddings" in tensors:
        return _of_model2vec(path, _width(tensors["embeddings"][1]), folder / path / "config.json")
    if not modules or "embedding.weight" not in tensors or truncates_dimensions(folder):
        return None
    return StaticTable(
        path,
        "embedding.weight",
        _width(tensors["embedding.weight"][1]),
        skips_unknown=False,
        normalize="Normalize" in kinds,
        max_tokens=None,
    )


def import_model2vec() -> Any:
    """Return the module `model2vec`; raises `ExtraMissing` where it is not installed."""
    try:
        import model2vec
    except ImportError as exc:
        raise ExtraMissing(
            "model2vec, which runs static models, is not installed",
            hint="run: pip install 'simil-cli[static]'",
        ) from exc
    return model2vec


def _width(shape: Any) -> int | None:
    """The length of a table's rows; a file's header can hold anything."""
    return shape[1] if isinstance(shape, list) and len(shape) == 2 and isinstance(shape[1], int) else None


def _of_model2vec(path: str, dimensions: int | None, settings: Path) -> StaticTable | None:
    config = read_object(settings)
    if config is None:
        return None
    limit = config.get("max_length", _MAX_TOKENS)
    if limit is not None and (not isinstance(limit, int) or limit < 1):
        raise ModelDamaged(f"its max_length is {limit!r}", place=Place(str(settings)))
    return StaticTable(
        path,
        "embeddings",
        dimensions,
        skips_unknown=True,
        normalize=bool(config.get("normalize", False)),
        max_tokens=limit,
    )
