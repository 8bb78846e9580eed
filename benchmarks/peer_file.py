"""The usual script to embed a file; the peer of `simil embed FILE -o FILE.npy`.

python benchmarks/peer_file.py MODEL_DIR LINES.txt VECTORS.npy
"""

import sys
from pathlib import Path

import numpy as np
from sentence_transformers import SentenceTransformer


def main() -> None:
    folder, source, target = sys.argv[1:]
    texts = Path(source).read_text(encoding="utf-8").rstrip("\n").split("\n")
    model = SentenceTransformer(folder)
    np.save(target, model.encode(texts))


if __name__ == "__main__":
    main()
