"""Static models: a table with a vector for each token; a text's vector is the mean of its tokens' vectors.

There are two formats. model2vec stores the table as `embeddings` and the settings in `config.json`; it
skips unknown tokens and everything after `max_length` tokens. sentence-transformers stores the table as
`embedding.weight` and reads all tokens, including the one for unknown words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from simil.errors import ExtraMissing, ModelDamaged, Place
from simil.foreign import ForeignCode
from simil.frozen import Frozen
from simil.models.files.chain import kind_of, read_modules, read_object, truncates_dimensions, understood

__all__ = ["StaticTable", "import_model2vec", "read_static", "require_model2vec"]

# model2vec's limit if `config.json` sets none.
_MAX_TOKENS = 512
_TOKENIZER = "tokenizer.json"


class StaticTable(Frozen):
    """A static model as its files describe it.

    `path` is the folder of table and tokenizer within the model's folder, `tensor` the name of the table,
    `dimensions` the length of its vectors, None if unknown. `skips_unknown` leaves out tokens that the
    tokenizer does not know. Only the first `max_tokens` count; None means no limit but the tokenizer's own.
    """

    path: str
    tensor: str
    dimensions: int | None
    skips_unknown: bool
    normalize: bool
    max_tokens: int | None


def read_static(folder: Path) -> StaticTable | None:
    """Return the description of the static model in `folder`, None if it is another kind of model.

    Raises `ModelDamaged` for files that cannot be read.
    """
    with understood(folder):
        return _table_of(folder, read_modules(folder))


def _table_of(folder: Path, modules: Sequence[Mapping[str, Any]]) -> StaticTable | None:
    kinds = [kind_of(module) for module in modules]
    if kinds not in ([], ["StaticEmbedding"], ["StaticEmbedding", "Normalize"]):
        return None
    from simil.models.files.weights import WEIGHTS, read_header

    path = str(modules[0].get("path", "")) if modules else ""
    if not all((folder / path / name).is_file() for name in (WEIGHTS, _TOKENIZER)):
        return None
    tensors = read_header(folder / path / WEIGHTS)
    if "embeddings" in tensors:
        return _model2vec_table(path, _width(tensors["embeddings"].shape), folder / path / "config.json")
    if not modules or "embedding.weight" not in tensors or truncates_dimensions(folder):
        return None
    return StaticTable(
        path,
        "embedding.weight",
        _width(tensors["embedding.weight"].shape),
        skips_unknown=False,
        normalize="Normalize" in kinds,
        max_tokens=None,
    )


def require_model2vec() -> None:
    """Raise `ExtraMissing` if model2vec is not installed, without importing it."""
    from importlib.util import find_spec

    if find_spec("model2vec") is None:
        raise ExtraMissing("model2vec, which runs static models, is not installed", extra="static")


def import_model2vec() -> Any:
    """Return the module `model2vec`; raises `ExtraMissing` if it is not installed."""
    require_model2vec()
    with ForeignCode("model2vec cannot be loaded"):
        import model2vec
    return model2vec


def _width(shape: Any) -> int | None:
    """Return the length of a table's rows, None if the header gives no such shape."""
    return shape[1] if isinstance(shape, list) and len(shape) == 2 and isinstance(shape[1], int) else None


def _model2vec_table(path: str, dimensions: int | None, settings: Path) -> StaticTable | None:
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
