"""The packed engine on the processor: the vectors of sentence-transformers, precisions, the same bits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from architectures import few_texts
from bench import MINILM, Bench, Suite, say
from measure import Usage, run
from report import Check, LeftOut, Row
from workloads import texts

__all__ = ["SUITES"]

_FAMILIES = {
    "bert-cls": "BERT",
    "xlm-roberta": "XLM-RoBERTa",
    "distilbert": "DistilBERT",
    "modernbert": "ModernBERT",
    "qwen3": "Qwen3",
}
_LEAST = 0.999999
_PRECISIONS = {"bfloat16": 0.9999, "float16": 0.99999}
_MOST_POINTS = 0.05
# Of the larger model only so many: products in float16 are slow on most processors.
_FEW = 60


def packed(bench: Bench) -> list[Row]:
    """A row for each architecture, one for each model and precision, and SICK if it is given."""
    folder = bench.folder / "packed"
    folder.mkdir()
    varied = _varied(300)
    many, few = folder / "texts.json", folder / "few.json"
    many.write_text(json.dumps(varied), "utf-8")
    few.write_text(json.dumps(varied[:: len(varied) // _FEW]), "utf-8")
    _side(bench, "build", folder, *_FAMILIES)
    rows: list[Row] = []
    for name, family in _FAMILIES.items():
        say(name)
        rows.append(_against_peer(bench, family, folder / name, many))
        rows.append(_same_bits(bench, family, folder / name, many, len(varied)))
    rows += _precisions(bench, "all-MiniLM-L6-v2", MINILM, many)
    rows += _precisions(bench, "bge shape", bench.bge, few)
    return [*rows, *_sick(bench)]


def _varied(number: int) -> list[str]:
    """Return texts of one token to beyond the limit, in several scripts."""
    words = " ".join(texts("12 words", number)).split()
    spread = (" ".join(words[start * 7 :][: 1 + start * start % 263]) for start in range(number))
    return [*few_texts(), *spread][:number]


def _against_peer(bench: Bench, family: str, model: Path, given: Path) -> Check:
    cosine, seconds = _side(bench, "peer", model, str(given))
    return Check(f"{family}, float32", [seconds], cosine >= _LEAST, f">= {_LEAST}", f"cosine {cosine:.8f}")


def _same_bits(bench: Bench, family: str, model: Path, given: Path, number: int) -> Check:
    same, seconds = _side(bench, "bits", model, str(given), "bfloat16")
    note = f"{same} of {number} texts have the same bits alone and in three orders"
    return Check(f"{family}, bfloat16", [seconds], same == number, "all", note)


def _precisions(bench: Bench, name: str, model: Path, given: Path) -> list[Row]:
    say(name)
    worst, seconds = _side(bench, "precisions", model, str(given), *_PRECISIONS)
    return [
        Check(f"{name}, {precision}", [seconds], cosine >= least, f">= {least}", f"cosine {cosine:.7f}")
        for precision, least in _PRECISIONS.items()
        if (cosine := worst[precision])
    ]


def _sick(bench: Bench) -> list[Row]:
    if bench.sick is None:
        return [LeftOut("SICK", "needs --sick")]
    say("SICK")
    points, seconds = _side(bench, "sick", MINILM, str(bench.sick), "float32", *_PRECISIONS)
    exact = points["float32"]
    return [
        Check(
            f"SICK, {precision}",
            [seconds],
            abs(points[precision] - exact) <= _MOST_POINTS,
            f"within {_MOST_POINTS}",
            f"Spearman {points[precision]:.3f}, in float32 {exact:.3f}",
        )
        for precision in _PRECISIONS
    ]


def _side(bench: Bench, what: str, *arguments: object) -> tuple[Any, float]:
    """Return what the side script prints, and how long it took."""
    command = bench.script("packed_side.py", what, *map(str, arguments))
    usage: Usage = run(command, env=bench.env, cwd=bench.folder)
    return json.loads(usage.stdout.splitlines()[-1]), usage.seconds


SUITES = {
    "packed": Suite(
        "The packed engine",
        "Texts one behind another in packs of one size, on the processor. Architectures have random weights "
        "at small sizes, and are compared with `SentenceTransformer.encode`, text by text; the cosine is of "
        "the worst of 300 texts. Lower precisions are compared with float32 of the same engine.",
        packed,
    )
}
