"""The usual script to find the nearest saved vectors: `bare_search.py VECTORS.npy QUERY.jsonl`."""

import json
import sys
from pathlib import Path

import numpy as np

path, query_path = sys.argv[1:]
matrix = np.load(path)
items = json.loads(Path(f"{path}.json").read_text("utf-8"))["data"]
query = np.array(json.loads(Path(query_path).read_text("utf-8").splitlines()[0])["embedding"], np.float32)
scores = matrix @ query
best = np.argpartition(-scores, 10)[:10]
for row in best[np.argsort(-scores[best])]:
    print(f"{scores[row]:.6f}\t{items[row]['id']}\t{items[row]['text']}")
