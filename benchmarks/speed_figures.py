"""The table of speeds in docs/speed.md: figures of RESULTS.md, in words for users."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from results_file import ONE_CORE

__all__ = ["with_figures"]

_BEGIN, _END = "<!-- speeds: written by benchmarks/run.py -->\n", "<!-- end of speeds -->"
_MISSING = "not measured"
_RESULTS = "https://github.com/simil-cli/simil/blob/main/benchmarks/RESULTS.md"

# What is done, what it is compared with, in which suite, and by which row of it.
_FIGURES = (
    (
        "`compare` of two words, `minilm`, whole process",
        "a script with sentence-transformers",
        "startup-minilm",
        "two words, MiniLM: time, to the script",
    ),
    (
        "the same with a model of `bge-base`'s size",
        "a script with sentence-transformers",
        "startup-bge",
        "two words, bge-shaped: time, to the script",
    ),
    ("the same words again", "`python -c pass`", "cached", "simil compare, second run, to python -c pass"),
    *(
        (
            f"many texts of 12 words, `minilm`, {what}",
            "`SentenceTransformer.encode`",
            "bulk-minilm",
            rf"\d+ texts of 12 words, MiniLM, {engine}",
        )
        for what, engine in (
            ("float32, as installed", "float32, ONNX Runtime"),
            ("float32, with OpenVINO", "float32, OpenVINO"),
            ("bfloat16, as installed", "bfloat16, PyTorch"),
            ("bfloat16, with OpenVINO", "bfloat16"),
            ("int8, with OpenVINO", "int8"),
        )
    ),
    *(
        (
            f"many texts of 230 tokens, `minilm`, {what}",
            "`SentenceTransformer.encode`",
            "bulk-minilm",
            rf"\d+ texts of 230 tokens, MiniLM, {engine}",
        )
        for what, engine in (
            ("float32, as installed", "float32, ONNX Runtime"),
            ("float32, with OpenVINO", "float32, OpenVINO"),
        )
    ),
    (
        "one query among 1,000,000 saved vectors",
        "`matrix @ query`",
        "search",
        "1 query, 1,000,000 x 384: to matrix @ query",
    ),
    *(
        (
            f"`cluster{options}` of 5,000 saved vectors, whole process",
            f"a script with scikit-learn's {peer}",
            "clusters",
            f"{method}, .* real texts .*: whole process",
        )
        for options, peer, method in ((" -n 20", "KMeans", "k-means"), ("", "HDBSCAN", "HDBSCAN"))
    ),
    *(
        (
            f"many {what}, `bge-base`'s shape, on a graphics card",
            "`SentenceTransformer.encode` on the same card",
            "gpu",
            f"texts of {length}, bge-shaped: to float32, batches of 32",
        )
        for what, length in (("short texts", "16.5 tokens"), ("texts of 230 tokens", "230 tokens"))
    ),
    (
        "`search -r . --chunk paragraphs`, first time",
        "embedding the same paragraphs",
        "search-tree",
        "search -r .*: empty cache, to embedding alone",
    ),
)


def with_figures(text: str, kept: Mapping[str, Any]) -> str:
    """Return the page with the table between its marks made of the kept results."""
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n" + "\n".join(_table(kept)) + f"\n\n{_END}{after}"


def _table(kept: Mapping[str, Any]) -> Iterator[str]:
    yield "| what | compared with | one core | all cores, idle machine | processor |"
    yield "| --- | --- | --- | --- | --- |"
    for what, peer, suite, row in _FIGURES:
        one, every = (_cell(kept, suite + core, row) for core in (ONE_CORE, ""))
        section = kept.get(suite) or kept.get(suite + ONE_CORE)
        source = f"[{_processor(section)}]({_RESULTS}#{_anchor(section)})" if section else ""
        yield f"| {what} | {peer} | {one} | {every} | {source} |"


def _cell(kept: Mapping[str, Any], suite: str, row: str) -> str:
    """Return a row's ratio in words: how many times as fast, or as long."""
    for kept_row in kept.get(suite, {}).get("rows", ()):
        ratio = kept_row["cells"][3].split(" ")[0]
        if ratio and re.fullmatch(row, kept_row["name"]):
            is_cost = kept_row.get("ratio") == "ours/peer" and kept_row["cells"][2].endswith(" s")
            return f"{ratio} times as {'long' if is_cost else 'fast'}"
    return _MISSING


def _processor(section: Mapping[str, Any]) -> str:
    machine = section["machine"]
    return str(machine.get("card") or f"{machine['processor']}, {machine['cores']} cores")


def _anchor(section: Mapping[str, Any]) -> str:
    """Return GitHub's anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", section["title"].lower()).replace(" ", "-")
