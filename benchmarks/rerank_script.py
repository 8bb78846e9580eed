"""The usual script to search and rerank; the peer of `simil search QUERY LINES.txt --rerank RERANKER_DIR`.

python benchmarks/rerank_script.py MODEL_DIR RERANKER_DIR LINES.txt QUERY CANDIDATES
"""

import sys
from pathlib import Path

from sentence_transformers import CrossEncoder, SentenceTransformer, util


def main() -> None:
    folder, reranker, source, query, candidates = sys.argv[1:]
    texts = Path(source).read_text(encoding="utf-8").rstrip("\n").split("\n")
    model = SentenceTransformer(folder)
    found = util.semantic_search(
        model.encode_query(query), model.encode_document(texts), top_k=int(candidates)
    )[0]
    best = [texts[hit["corpus_id"]] for hit in found]
    for rank in CrossEncoder(reranker).rank(query, best):
        print(f"{rank['score']:.6f}\t{best[rank['corpus_id']]}")


if __name__ == "__main__":
    main()
