"""The usual script to search by words; the peer of `simil search --words QUERY LINES.txt -k 10`.

python benchmarks/words_script.py LINES.txt QUERY
"""

import sys
from pathlib import Path

import bm25s
import Stemmer


def main() -> None:
    source, query = sys.argv[1:]
    texts = Path(source).read_text(encoding="utf-8").rstrip("\n").split("\n")
    # By default it leaves out words of one letter, which are the numbers of many names.
    how = {"token_pattern": r"(?u)\b\w+\b", "stopwords": None, "stemmer": Stemmer.Stemmer("english")}
    tokens = bm25s.tokenize(texts, **how, show_progress=False)
    index = bm25s.BM25(k1=1.2, b=0.75, method="atire", idf_method="lucene")
    index.index(tokens, show_progress=False)
    asked = bm25s.tokenize([query], **how, show_progress=False)
    rows, scores = index.retrieve(asked, k=10, show_progress=False)
    for row, score in zip(rows[0].tolist(), scores[0].tolist(), strict=True):
        print(f"{score:.6f}\t{texts[row]}")


if __name__ == "__main__":
    main()
