"""The usual script to compare two texts; the peer of simil's start-up.

python benchmarks/seed_script.py MODEL_DIR Apple Orange
"""

import sys

from sentence_transformers import SentenceTransformer, util


def main() -> None:
    folder, first, second = sys.argv[1:]
    model = SentenceTransformer(folder)
    embeddings = model.encode([first, second])
    print(f"{util.cos_sim(embeddings[0], embeddings[1]).item():.6f}")


if __name__ == "__main__":
    main()
