"""What each command must answer for the records that a reference reader finds in its input.

Each check returns what is wrong with an answer, or None.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from torture.reference_texts import ANY, Item, Reading, texts_in
from torture.reference_vectors import vectors_in
from torture.word_vectors import vector_of

__all__ = ["CHECKS", "LABELS", "QUERY", "RIGHT", "THRESHOLD", "Check"]

QUERY, LABELS, THRESHOLD = "apple pie", ("apple", "car"), 0.9
RIGHT = ("red apple", "blue car", "orange river", "東京")
_CLOSE = 1e-5

Check = Callable[[Reading, bytes], str | None]


def _rows_of(out: bytes) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [json.loads(line) for line in out.decode().split("\n") if line]
    return rows


def _named(item: Item, found: object) -> bool:
    return ANY in item.ids or found in item.ids


def _is_text(item: Item, found: object) -> bool:
    return item.text == found or not (item.text or found)


def _identity(items: Sequence[Item], rows: Sequence[dict[str, Any]], text: str = "text") -> str | None:
    """Check that there is a row for each item, in order, with its id and text."""
    if len(rows) != len(items):
        return f"{len(rows)} rows for {len(items)} records"
    for item, row in zip(items, rows, strict=True):
        if not _named(item, row.get("id")):
            return f"id {row.get('id')!r} instead of {item.ids}"
        if text in row and not _is_text(item, row[text]):
            return f"{item.ids}: text {row[text]!r} instead of {item.text!r}"
    return None


def _units(items: Sequence[Item]) -> NDArray[np.float64] | None:
    """Return the vectors at length 1; None if there are any that rounding changes too much."""
    rows = [
        vector_of(item.text or "") if item.vector is None else item.vector.astype(np.float64)
        for item in items
    ]
    vectors = np.array(rows)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if ((lengths < 1e-15) | (lengths > 1e18)).any():
        return None
    found: NDArray[np.float64] = vectors / lengths
    return found


def _close(found: object, right: float) -> bool:
    return isinstance(found, int | float) and abs(found - right) < _CLOSE


def embed(reading: Reading, out: bytes) -> str | None:
    """Check `embed -f jsonl`: ids, texts and vectors in order."""
    rows = _rows_of(out)
    if wrong := _identity(reading.items, rows):
        return wrong
    for item, row in zip(reading.items, rows, strict=False):
        vector = np.array(row["embedding"], np.float32)
        if item.vector is not None:
            if not np.array_equal(vector, item.vector) and not np.allclose(vector, item.vector, 3e-7, 1e-45):
                return f"{item.ids}: the vector is not that of the file"
        elif not np.allclose(vector, vector_of(item.text or ""), 0, _CLOSE):
            return f"{item.ids}: the vector is not that of {item.text!r}"
    return None


def search(reading: Reading, out: bytes) -> str | None:
    """Check `search QUERY -k 10000 -f jsonl`: all records, the best first, with their scores."""
    rows, units = _rows_of(out), _units(reading.items)
    if len(rows) != len(reading.items):
        return f"{len(rows)} results of {len(reading.items)} records"
    if units is None or not rows:
        return None
    right = sorted(units @ vector_of(QUERY), reverse=True)
    scores = [row["score"] for row in rows]
    if not all(map(_close, scores, right)):
        return f"scores {scores} instead of {right}"
    for row in rows:
        if not any(
            _named(item, row["id"])
            and _is_text(item, row["content"])
            and _close(row["score"], unit @ vector_of(QUERY))
            for item, unit in zip(reading.items, units, strict=True)
        ):
            return f"{row} is no record of the file"
    return None


def classify(reading: Reading, out: bytes) -> str | None:
    """Check `classify -f json` with two labels."""
    rows, units = json.loads(out)["data"], _units(reading.items)
    if wrong := _identity(reading.items, rows):
        return wrong
    if units is None:
        return None
    labels = np.array([vector_of(label) for label in LABELS])
    for row, scores in zip(rows, units @ labels.T, strict=True):
        if row["label"] not in LABELS or not _close(row["score"], scores[LABELS.index(row["label"])]):
            return f"{row} instead of {scores}"
        if scores.max() - scores[LABELS.index(row["label"])] > _CLOSE:
            return f"{row} is not the best of {scores}"
    return None


def cluster(reading: Reading, out: bytes) -> str | None:
    """Check `cluster -n 2 -f json`: each record once, in a cluster that counts it."""
    answer = json.loads(out)
    rows = answer["data"]
    if wrong := _identity(reading.items, rows):
        return wrong
    for each in answer["clusters"]:
        if each["size"] != sum(row["cluster"] == each["cluster"] for row in rows):
            return f"the size of {each}"
    return None if sum(each["size"] for each in answer["clusters"]) == len(rows) else "the sizes"


def outliers(reading: Reading, out: bytes) -> str | None:
    """Check `outliers --all -k 1 -f json`: each record, its distance to the nearest other."""
    rows, units = json.loads(out)["data"], _units(reading.items)
    if wrong := _identity(reading.items, rows):
        return wrong
    if units is None or len(rows) < 2:
        return None
    cosines = units @ units.T
    np.fill_diagonal(cosines, -2)
    for row, nearest in zip(rows, cosines.max(axis=1), strict=True):
        if not _close(row["score"], 1 - nearest):
            return f"{row} instead of {1 - nearest}"
    return None


def _kept(units: NDArray[np.float64], items: Sequence[Item]) -> list[int] | None:
    """Return the rows that dedupe keeps; None where a score is so near the threshold that either is right."""
    kept: list[int] = []
    for row in range(len(units)):
        cosines = units[kept] @ units[row]
        same = any(items[other].text == items[row].text and items[row].vector is None for other in kept)
        if same:
            continue
        if (abs(cosines - THRESHOLD) < _CLOSE).any():
            return None
        if not (cosines >= THRESHOLD).any():
            kept.append(row)
    return kept


def dedupe(reading: Reading, out: bytes) -> str | None:
    """Check `dedupe`: the first of texts that say the same, byte for byte."""
    units = _units(reading.items)
    kept = None if units is None else _kept(units, reading.items)
    if kept is None:
        return None
    items = [reading.items[row] for row in kept]
    raws = [item.raw for item in items if item.raw is not None]
    form = "jsonl" if out.startswith(b'{"id":') else reading.form
    if form == reading.form and reading.head is not None and len(raws) == len(items):
        right = reading.head + b"".join(raws)
        return None if out == right else f"{out[:200]!r} instead of {right[:200]!r}"
    return _written(items, out, form, holds_vectors=reading.has_vectors)


def _written(items: Sequence[Item], out: bytes, form: str, *, holds_vectors: bool) -> str | None:
    """Check what was written in another form than it was read."""
    written = {"xlsx": "csv"}.get(form, form if form in ("text", "csv", "tsv", "json") else "jsonl")
    again = vectors_in(out, written, "") if holds_vectors else texts_in(out, written, "")
    texts, right = [item.text for item in again.items], [item.text for item in items]
    if again.is_refused or again.bad or texts != right:
        return f"keeps {texts} instead of {right}: {out[:200]!r}"
    for found, item in zip(again.items, items, strict=True):
        is_named = form != "text" and len(item.ids) == 1 and len(found.ids) == 1
        if is_named and not _named(item, found.ids[0]) and ANY not in found.ids:
            return f"id {found.ids} instead of {item.ids}"
        if item.vector is not None and not np.array_equal(found.vector, item.vector):
            return f"{item.ids}: another vector"
    return None


def match(reading: Reading, out: bytes) -> str | None:
    """Check `match FILE right.jsonl -f json`: the best of `RIGHT` for each record."""
    rows, units = json.loads(out)["data"], _units(reading.items)
    if wrong := _identity(reading.items, [row["left"] for row in rows]):
        return wrong
    if units is None:
        return None
    scores = units @ np.array([vector_of(text) for text in RIGHT]).T
    for row, right in zip(rows, scores, strict=True):
        if not _close(row["score"], right.max()) or row["right"]["text"] not in RIGHT:
            return f"{row} instead of {right.max()}"
        if not _close(row["score"], right[RIGHT.index(row["right"]["text"])]):
            return f"{row} is not the score of its texts"
    return None


def compare(reading: Reading, out: bytes) -> str | None:
    """Check `compare - -f json`: all scores."""
    answer, units = json.loads(out), _units(reading.items)
    # What has no text is shown by its id.
    rows = [{**row, "text": None} if row["text"] == row["id"] else row for row in answer["items"]]
    items = [
        replace(item, text=None) if row["text"] is None else item
        for item, row in zip(reading.items, rows, strict=False)
    ]
    if len(rows) != len(reading.items):
        return f"{len(rows)} items for {len(reading.items)} records"
    if wrong := _identity(items, rows):
        return wrong
    if units is None:
        return None
    scores = np.array(answer["scores"], np.float64)
    right = units @ units.T
    if scores.shape != right.shape or not np.allclose(scores, right, 0, _CLOSE):
        return f"scores {scores.tolist()} instead of {right.tolist()}"
    return None


def pairs(reading: Reading, out: bytes) -> str | None:
    """Check `compare --pairs FILE --field text --field note -f jsonl`."""
    rows = _rows_of(out)
    items = [item for item in reading.items if str((item.fields or {}).get("note") or "").strip()]
    if wrong := _identity(items, rows):
        return wrong
    for item, row in zip(items, rows, strict=True):
        note = str((item.fields or {})["note"])
        if (row["a"], row["b"]) != (item.text, note):
            return f"{row} instead of {item.text!r}, {note!r}"
        if not _close(row["score"], float(vector_of(item.text or "") @ vector_of(note))):
            return f"{row}: the score of other texts"
    return None


CHECKS: dict[str, Check] = {
    "embed": embed,
    "search": search,
    "classify": classify,
    "cluster": cluster,
    "outliers": outliers,
    "dedupe": dedupe,
    "match": match,
    "compare": compare,
    "pairs": pairs,
}
