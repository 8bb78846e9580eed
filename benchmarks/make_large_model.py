"""Make a sentence-transformers folder of the shape of Qwen3-Embedding-0.6B, with random weights in float32.

    python benchmarks/make_large_model.py DIR

It takes 2.4 GB on disk, in files of at most 700 MB, and little more memory than the largest of them: each is
written before the next one is made. `--layers` and `--hidden` make the model smaller, for tests.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from small_tokenizers import write_tokenizer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["make"]

_SHARD = 700_000_000
_VOCABULARY = 151_669
_DEVIATION = 0.02


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR", help="where to make it")
    parser.add_argument("--layers", type=int, default=28)
    parser.add_argument("--hidden", type=int, default=1024)
    arguments = parser.parse_args()
    print(make(arguments.folder, layers=arguments.layers, hidden=arguments.hidden))


def make(folder: Path, *, layers: int = 28, hidden: int = 1024, vocabulary: int = _VOCABULARY) -> Path:
    """Write the model folder and return it; it must not exist."""
    import torch
    from transformers import AutoModel, Qwen3Config

    folder.mkdir(parents=True)
    tokens = write_tokenizer(folder, "qwen", 32_768)
    config = Qwen3Config(
        **(tokens | {"vocab_size": vocabulary}),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=16,
        num_key_value_heads=8,
        head_dim=128 if hidden == 1024 else 8,
        intermediate_size=3 * hidden,
        max_position_embeddings=32 * hidden,
    )
    config.architectures = ["Qwen3Model"]
    config.save_pretrained(folder)
    with torch.device("meta"):
        parameters = dict(AutoModel.from_config(config).named_parameters())
    _write_shards(folder, {name: tuple(parameter.shape) for name, parameter in parameters.items()})
    _write(folder / "1_Pooling" / "config.json", {"embedding_dimension": hidden, "pooling_mode": "lasttoken"})
    modules = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    listed = [
        {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for index, (path, kind) in enumerate(modules)
    ]
    _write(folder / "modules.json", listed)
    return folder


def _write_shards(folder: Path, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Write the weights as transformers writes those of large models: several files and an index."""
    from safetensors.numpy import save_file

    shards = list(_shards(shapes))
    places: dict[str, str] = {}
    total = 0
    for number, names in enumerate(shards, 1):
        file = f"model-{number:05}-of-{len(shards):05}.safetensors"
        tensors = {name: _random(name, shapes[name]) for name in names}
        save_file(tensors, folder / file, metadata={"format": "pt"})
        total += sum(tensor.nbytes for tensor in tensors.values())
        places |= dict.fromkeys(names, file)
    _write(folder / "model.safetensors.index.json", {"metadata": {"total_size": total}, "weight_map": places})


def _shards(shapes: Mapping[str, tuple[int, ...]]) -> Iterator[list[str]]:
    from math import prod

    names: list[str] = []
    size = 0
    for name, shape in shapes.items():
        if names and size + 4 * prod(shape) > _SHARD:
            yield names
            names, size = [], 0
        names.append(name)
        size += 4 * prod(shape)
    yield names


def _random(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    from zlib import crc32

    import numpy as np

    if len(shape) == 1:
        return np.ones(shape, np.float32)
    weights = np.random.default_rng(crc32(name.encode())).standard_normal(shape, np.float32)
    weights *= np.float32(_DEVIATION)
    return weights


def _write(path: Path, value: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
